"""Long reads (ONT, HiFi): base by base, with identity by read, context, homopolymers and a local error level.

The stated quality of a base is the probability with which it was read wrong, so qualities and errors agree because one
is made from the other.
"""

import math

import numpy as np

from avatarlib.reads.bases import ACGT, CODE, COMPLEMENT, other_base, put_name
from avatarlib.reads.batch import DELETION, INSERTION, SUBSTITUTION, Batch
from avatarlib.reads.kernel import kernel
from avatarlib.reads.long_model import Model, chances, homopolymer_runs
from avatarlib.reads.molecules import sizes
from avatarlib.reads.streams import SPREAD_IDENTITY, begin, below, fraction, mix, uniform


@kernel
def _fill(lib, molecules, i, number, junk, template):
    """Write the molecule, read by read direction, all its parts; return its length."""
    n = 0
    for part in range(molecules.parts[i]):
        copy, size = molecules.copy[i, part], molecules.size[i, part]
        if copy < 0:
            for t in range(size):
                state, k = below(begin(junk, (number << 24) + t), 4)
                template[n + t] = ACGT[k]
        else:
            at = lib.copy_at[copy] + molecules.left[i, part]
            if molecules.reverse[i, part]:
                for t in range(size):
                    template[n + t] = COMPLEMENT[lib.hap[at + size - 1 - t]]
            else:
                for t in range(size):
                    template[n + t] = lib.hap[at + t]
        n += size
    return n


@kernel(inline="always")
def _note(batch, at, recorded, position, t, kind, base):
    """Enter an error at place `at` of the batch, unless the molecule is junk; return the next place."""
    if not recorded:
        return at
    batch.error_position[at], batch.error_t[at] = position, t
    batch.error_kind[at], batch.error_base[at] = kind, base
    return at + 1


@kernel
def _phred(wrong, line, factor):
    """Return the ASCII quality that is stated where a base is wrong with probability `wrong`."""
    true = -10.0 * math.log10(max(wrong / factor, 1e-9))
    stated = (true - line[0]) / line[1] + line[2]
    return int(round(min(max(stated, line[3]), line[4]))) + 33


@kernel
def _read(lib, model, molecules, first, stream, turn, junk, batch, template, run, quality):
    text, at, errors_at = batch.text_1, 0, 0
    line = model.quality
    longest = len(model.run_deletion) - 1
    for i in range(len(molecules.kind)):
        n = _fill(lib, molecules, i, first + i, junk, template)
        homopolymer_runs(template, n, run)
        text[at] = 64
        at = put_name(text, at + 1, first + i)
        text[at] = 10
        sequence = at + 1
        state = begin(stream, first + i)
        u = (turn + (first + i) * SPREAD_IDENTITY) % 1.0
        factor = model.reads[int(u * len(model.reads))]
        state, place = below(state, len(model.track))
        # Nothing is deleted at either end of a part or inserted at its last base; the others make up for it.
        ends = n - 2 * molecules.parts[i]
        s = model.rates[0] * factor
        ins = model.rates[1] * factor * (n / (ends + 1) if ends > 0 else 0.0)
        dele = model.rates[2] * factor * (n / ends if ends > 0 else 0.0)
        batch.error_at[i] = errors_at
        batch.part_end[i] = 0
        border = molecules.size[i, 0]
        recorded = molecules.copy[i, 0] >= 0
        m, t = 0, 0
        while t < n:
            if t == border:
                batch.part_end[i] = m
            local = model.track[(place + t) % len(model.track)]
            word = 16 * CODE[template[t - 1]] + 4 * CODE[template[t]] + CODE[template[t + 1]] if 0 < t < n - 1 else 0
            context = model.context[word] if 0 < t < n - 1 else 1.0
            r = min(run[t], longest)
            p_s, p_i, start = chances(
                s * local * context,
                ins * local * model.run_insertion[r],
                dele * local * model.run_deletion[r],
                model.lengths,
            )
            wrong = (p_s + p_i * model.lengths[0]) / (1.0 + p_i * model.lengths[0] - start)
            stated = _phred(wrong, line, line[5])
            state, v = uniform(state)
            first_of_part = t == 0 or t == border
            last_of_part = t == n - 1 or t == border - 1
            if v < start and not first_of_part and not last_of_part:
                end = n - 1 if t > border else border - 1
                while True:
                    errors_at = _note(batch, errors_at, recorded, m, t, DELETION, 0)
                    t += 1
                    state, w = uniform(state)
                    if t >= end or w * model.lengths[1] < 1.0:
                        break
                continue
            base = template[t]
            if start <= v < start + p_s:
                state, w = uniform(state)
                base = other_base(base, w, model.others)
                errors_at = _note(batch, errors_at, recorded, m, t, SUBSTITUTION, base)
            text[sequence + m], quality[m] = base, stated
            m += 1
            if start + p_s <= v < start + p_s + p_i and not last_of_part:
                while True:
                    state, w = uniform(state)
                    # In a homopolymer the base that is read once too often is the homopolymer's.
                    base = template[t] if run[t] > 2 else ACGT[int(w * 4)]
                    text[sequence + m], quality[m] = base, stated
                    errors_at = _note(batch, errors_at, recorded, m, t, INSERTION, base)
                    m += 1
                    state, w = uniform(state)
                    if w * model.lengths[0] < 1.0:
                        break
            t += 1
        at = sequence + m
        text[at], text[at + 1], text[at + 2] = 10, 43, 10
        for k in range(m):
            text[at + 3 + k] = quality[k]
        batch.sequence_at[i], batch.quality_at[i], batch.length[i] = sequence, at + 3, m
        at += 3 + m
        text[at] = 10
        at += 1
        batch.tail[i] = m if recorded else 0
        if molecules.parts[i] == 1 or not recorded:
            batch.part_end[i] = m
        for part in range(molecules.parts[i]):
            batch.used[i, part] = molecules.size[i, part]
    batch.error_at[len(molecules.kind)] = errors_at
    return at, errors_at


@kernel
def _twins(lib, molecules, first, junk, template, text):
    """Write the error-free twins, the molecules as they are; return the bytes written."""
    at = 0
    for i in range(len(molecules.kind)):
        n = _fill(lib, molecules, i, first + i, junk, template)
        text[at] = 64
        at = put_name(text, at + 1, first + i)
        text[at] = 10
        for k in range(n):
            text[at + 1 + k] = template[k]
            text[at + 4 + n + k] = 73
        text[at + 1 + n], text[at + 2 + n], text[at + 3 + n], text[at + 4 + 2 * n] = 10, 43, 10, 10
        at += 5 + 2 * n
    return at


def read_long(library, model: Model, molecules, first: int, stream: np.uint64, junk: np.uint64, batch: Batch):
    """Sequence molecules number `first` … into `batch`; return bytes of FASTQ and the number of errors."""
    longest = int(sizes(molecules).max(initial=0))
    template, run = np.empty(longest + 1, np.uint8), np.empty(longest + 1, np.int64)
    quality = np.empty(4 * longest + 1000, np.uint8)
    turn = fraction(np.uint64(mix(stream)))  # where the even spread of identities begins
    return _read(library, model, molecules, np.int64(first), stream, turn, junk, batch, template, run, quality)


def twins(library, molecules, first: int, junk: np.uint64) -> np.ndarray:
    """Return the FASTQ text of the molecules as they are, uint8; every quality is 40."""
    bases = sizes(molecules)
    template = np.empty(int(bases.max()) + 1, np.uint8)
    text = np.empty(int(2 * bases.sum() + 17 * len(bases)), np.uint8)
    return text[: _twins(library, molecules, np.int64(first), junk, template, text)]
