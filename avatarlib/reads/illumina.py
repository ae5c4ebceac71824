"""Illumina reads: quality rows from a pool sampled from the profile, errors placed by the rows' cumulative hazard.

Most reads have no error, and one exponential number against the row's total hazard tells so; the rest is copying. A
row's qualities keep the profile's model (curve by cycle, spread between reads, correlation along a read), and an error
at a cycle has exactly the probability that belongs to its quality there.
"""

import math

import numpy as np

from avatarlib.reads.bases import ACGT, COMPLEMENT, NAME_LENGTH, copy_forward, copy_reverse, other_base, put_name
from avatarlib.reads.batch import DELETION, INSERTION, SUBSTITUTION, Batch
from avatarlib.reads.illumina_model import Pool
from avatarlib.reads.kernel import kernel
from avatarlib.reads.streams import begin, below, uniform

HEADER = 1 + NAME_LENGTH + 3  # @, name, /1 or /2, line end


@kernel
def _template(lib, pool, molecules, i, mate, part, t, junk, number):
    """Return template base t of a mate of molecule `number`: from its end inwards, then the adapter, then A."""
    size = molecules.size[i, part]
    if t >= size:
        adapter = pool.adapter_1 if mate == 0 else pool.adapter_2
        return adapter[t - size] if t - size < len(adapter) else ACGT[0]
    if molecules.copy[i, part] < 0:
        state, k = below(begin(junk, (number << 24) + (t if mate == 0 else size - 1 - t)), 4)
        return ACGT[k] if mate == 0 else COMPLEMENT[ACGT[k]]
    base = lib.copy_at[molecules.copy[i, part]] + molecules.left[i, part]
    if molecules.reverse[i, part] == (mate == 1):
        return lib.hap[base + t]
    return COMPLEMENT[lib.hap[base + size - 1 - t]]


@kernel(inline="always")
def _copy(out, hap, left, size, t, n, forward):
    """Write template bases t, t + 1, … of a molecule's end: its `size` bases from `left` on, or their complements."""
    if forward:
        copy_forward(out, hap[left + t :], n)
    else:
        copy_reverse(out, hap[left + size - t - n :], n)


@kernel
def _read(lib, pool, molecules, first, stream, junk, batch, errors_at):
    """Write both mates of every molecule into the batch's buffers; return the number of errors."""
    length = pool.quality.shape[2]
    rows = pool.quality.shape[1]
    record = HEADER + 2 * length + 4
    for i in range(len(molecules.parts)):
        for mate in range(2):
            part = mate if molecules.parts[i] == 2 else 0
            out = batch.text_1 if mate == 0 else batch.text_2
            r, at = 2 * i + mate, i * record
            out[at] = 64
            end = put_name(out, at + 1, first + i)
            out[end], out[end + 1], out[end + 2] = 47, 49 + mate, 10
            sequence = at + HEADER
            state = begin(stream, 2 * (first + i) + mate)
            state, row = below(state, rows)
            hazard = pool.hazard[mate, row]
            copy, size = molecules.copy[i, part], molecules.size[i, part]
            forward = molecules.reverse[i, part] == (mate == 1)
            simple = copy >= 0
            left = lib.copy_at[copy] + molecules.left[i, part] if simple else 0
            batch.error_at[r] = errors_at
            c, t, reached = 0, 0, 0.0
            tail = length  # read position where the molecule has ended
            while c < length:
                state, u = uniform(state)
                until = length
                # Most reads are clean, and their row's hazards, far away in memory, are never looked at.
                if c or 1.0 - u >= pool.clean[mate, row]:
                    reached -= math.log(1.0 - u)
                if (c or reached > 0.0) and reached <= hazard[length - 1]:
                    low, high = c, length - 1
                    while low < high:
                        middle = (low + high) >> 1
                        if hazard[middle] < reached:
                            low = middle + 1
                        else:
                            high = middle
                    until = low
                run = until - c
                inside = min(run, max(size - t, 0)) if simple else 0
                _copy(out[sequence + c :], lib.hap, left, size, t, inside, forward)
                for k in range(inside, run):
                    out[sequence + c + k] = _template(lib, pool, molecules, i, mate, part, t + k, junk, first + i)
                if t < size <= t + run:
                    tail = c + size - t
                c, t = until, t + run
                if c >= length:
                    break
                reached = hazard[c]
                state, u = uniform(state)
                state, v = uniform(state)
                u *= hazard[c] - (hazard[c - 1] if c else 0.0)
                if u < pool.insertion[c]:
                    kind = INSERTION
                elif u < pool.insertion[c] + pool.deletion[c]:
                    kind = DELETION
                else:
                    kind = SUBSTITUTION
                within = t < size and copy >= 0
                if kind == INSERTION and t >= size - 1 or kind == DELETION and (t >= size - 1 or copy < 0):
                    kind = -1  # nothing is inserted or deleted at the molecule's last base or in the adapter
                if within:
                    base = lib.hap[left + t] if forward else COMPLEMENT[lib.hap[left + size - 1 - t]]
                else:
                    base = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)
                if kind == DELETION:
                    t += 1
                    if within:
                        batch.error_position[errors_at], batch.error_t[errors_at] = c, t - 1
                        batch.error_kind[errors_at], batch.error_base[errors_at] = DELETION, 0
                        errors_at += 1
                    base = lib.hap[left + t] if forward else COMPLEMENT[lib.hap[left + size - 1 - t]]
                    if t == size - 1:
                        tail = c + 1
                    out[sequence + c] = base
                    c, t = c + 1, t + 1
                    continue
                if kind == SUBSTITUTION:
                    base = other_base(base, v, pool.others)
                elif kind == INSERTION:
                    base = ACGT[int(v * 4)]
                if kind >= 0 and within:
                    batch.error_position[errors_at] = c
                    batch.error_t[errors_at] = t - 1 if kind == INSERTION else t
                    batch.error_kind[errors_at], batch.error_base[errors_at] = kind, base
                    errors_at += 1
                out[sequence + c] = base
                if kind != INSERTION:
                    if t == size - 1:
                        tail = c + 1
                    t += 1
                c += 1
            out[sequence + length], out[sequence + length + 1], out[sequence + length + 2] = 10, 43, 10
            copy_forward(out[sequence + length + 3 :], pool.quality[mate, row], length)
            out[sequence + 2 * length + 3] = 10
            batch.sequence_at[r], batch.quality_at[r], batch.length[r] = sequence, sequence + length + 3, length
            batch.tail[r] = min(tail, length) if copy >= 0 else 0
            batch.used[r, 0] = min(t, size) if copy >= 0 else 0
    batch.error_at[2 * len(molecules.parts)] = errors_at
    return errors_at


@kernel
def _twins(lib, pool, molecules, first, junk, batch, out_1, out_2):
    """Write the error-free twins: the template's first bases with the read's qualities, as records of the same size."""
    length = pool.quality.shape[2]
    record = HEADER + 2 * length + 4
    for i in range(len(molecules.parts)):
        for mate in range(2):
            part = mate if molecules.parts[i] == 2 else 0
            text, out = (batch.text_1, out_1) if mate == 0 else (batch.text_2, out_2)
            copy, size, inside = molecules.copy[i, part], molecules.size[i, part], 0
            copy_forward(out[i * record :], text[i * record :], record)
            sequence = i * record + HEADER
            if copy >= 0:
                inside = min(length, size)
                forward = molecules.reverse[i, part] == (mate == 1)
                _copy(out[sequence:], lib.hap, lib.copy_at[copy] + molecules.left[i, part], size, 0, inside, forward)
            for t in range(inside, length):
                out[sequence + t] = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)


def read_illumina(library, pool: Pool, molecules, first: int, stream: np.uint64, junk: np.uint64, batch: Batch) -> int:
    """Sequence molecules number `first` … from both ends into `batch`; return the number of errors in them."""
    return _read(library, pool, molecules, np.int64(first), stream, junk, batch, 0)


def twins(library, pool: Pool, molecules, first: int, junk: np.uint64, batch: Batch) -> list[np.ndarray]:
    """Return the FASTQ text of both mates' error-free twins, uint8 each."""
    size = len(molecules.kind) * (HEADER + 2 * pool.quality.shape[2] + 4)
    out = [np.empty(size, np.uint8), np.empty(size, np.uint8)]
    _twins(library, pool, molecules, np.int64(first), junk, batch, *out)
    return out
