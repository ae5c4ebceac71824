"""Illumina reads: quality rows from a pool sampled from the profile, errors placed by the rows' cumulative hazard.

Most reads have no error, and one exponential number against the row's total hazard tells so; the rest is copying. A
row's qualities keep the profile's model (curve by cycle, spread between reads, correlation along a read), and an error
at a cycle has exactly the probability that belongs to its quality there.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.bases import ACGT, COMPLEMENT, NAME_LENGTH, other_base, others, put_name
from avatarlib.reads.batch import DELETION, INSERTION, SUBSTITUTION, Batch
from avatarlib.reads.molecules import JUNK
from avatarlib.reads.streams import begin, below, exponential, key, normal, uniform

ROWS = 65536
_STEPS = 20  # a decibel
_MOST_WRONG = 0.75  # a base read at random
HEADER = 1 + NAME_LENGTH + 3  # @, name, /1 or /2, line end


class Pool(NamedTuple):
    """What the error kernel needs: rows of qualities [2, rows, length] (ASCII) with their cumulative hazards
    (float32), the part of it that is substitution by step of quality, hazards of insertions and deletions by cycle,
    cumulative shares of replacing bases, adapters."""

    quality: np.ndarray
    hazard: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray
    others: np.ndarray
    adapter_1: np.ndarray
    adapter_2: np.ndarray


@njit(cache=True)
def _steps(stream, curve, read_sd, cycle_sd, correlation, lowest, highest, steps, counts):
    """Fill steps [rows, length] with qualities in steps of 1/_STEPS decibel above `lowest`, and count them."""
    rows, length = steps.shape
    fresh = math.sqrt(1 - correlation * correlation)
    for row in range(rows):
        state = begin(stream, row)
        state, level = normal(state)
        state, local = normal(state)
        for cycle in range(length):
            quality = curve[cycle] + read_sd * level + cycle_sd * local
            k = int((min(max(quality, lowest), highest) - lowest) * _STEPS + 0.5)
            steps[row, cycle] = k
            counts[k] += 1
            state, z = normal(state)
            local = correlation * local + fresh * z


@njit(cache=True)
def _rows(steps, hazard_of, quality_of, extra, hazard, quality):
    rows, length = steps.shape
    for row in range(rows):
        total = 0.0
        for cycle in range(length):
            total += hazard_of[steps[row, cycle]] + extra[cycle]
            hazard[row, cycle] = total
            quality[row, cycle] = quality_of[steps[row, cycle]]


def build_pool(profile, errors, length: int, rows: int = ROWS) -> Pool:
    """Sample a pool of quality rows and turn it into errors' hazards.

    Parameters
    ----------
    profile
        An `IlluminaProfile`.
    errors
        The `errors` block of the configuration: scale, rates, quality, quality_offset, seed.
    length
        Bases of a read.
    rows
        Rows a mate; reads draw among them.
    """
    lowest, highest = profile.quality.lowest, profile.quality.highest
    levels = lowest + np.arange(int((highest - lowest) * _STEPS) + 2) / _STEPS
    steps = np.empty((2, rows, length), np.uint16)
    counts = np.zeros(len(levels), np.int64)
    at = np.linspace(0, 1, length)
    for mate, shape in enumerate((profile.quality.mate_1, profile.quality.mate_2)):
        curve = np.interp(at, *np.array(shape.by_cycle, float).T)
        stream = key(errors.seed, "qualities", mate)
        _steps(stream, curve, shape.read_sd, shape.cycle_sd, shape.correlation, lowest, highest, steps[mate], counts)
    natural = np.minimum(10 ** (-(profile.calibration.offset + profile.calibration.slope * levels) / 10), _MOST_WRONG)
    wanted = errors.substitution if errors.substitution is not None else profile.rates.substitution
    mean = float(counts @ natural) / counts.sum()
    target = min((mean if wanted is None else wanted) * errors.scale, _MOST_WRONG)
    factor = _factor(natural, counts, target)
    wrong = np.minimum(natural * factor, _MOST_WRONG)
    insertion, deletion = (
        np.minimum((getattr(profile.rates, name) if asked is None else asked) * errors.scale, 0.3)
        for name, asked in (("insertion", errors.insertion), ("deletion", errors.deletion))
    )
    # The first and last base are never inserted and the first is never deleted, so that alignments end in a match.
    by_cycle = np.zeros((2, length))
    if length > 2:
        by_cycle[0, 1:-1] = -math.log1p(-min(insertion * length / (length - 2), 0.5))
        by_cycle[1, 1:] = -math.log1p(-min(deletion * length / (length - 1), 0.5))
    follows = errors.quality == "calibrated" and factor > 0
    stated = levels - (10 * math.log10(factor) if follows else 0) + errors.quality_offset
    quality_of = (np.clip(np.round(stated), min(2, lowest), 60) + 33).astype(np.uint8)
    hazard, quality = np.empty((2, rows, length), np.float32), np.empty((2, rows, length), np.uint8)
    for mate in range(2):
        _rows(steps[mate], -np.log1p(-wrong), quality_of, by_cycle.sum(0), hazard[mate], quality[mate])
    adapters = [np.frombuffer(name.encode(), np.uint8).copy() for name in (profile.adapters.mate_1, profile.adapters.mate_2)]
    return Pool(quality, hazard, *by_cycle, others(profile.substitution), *adapters)


def _factor(natural: np.ndarray, counts: np.ndarray, target: float) -> float:
    """Return the factor on all error probabilities that gives the mean `target` where none may exceed a random base."""
    low, high = 0.0, 1.0
    shares = counts / counts.sum()
    while shares @ np.minimum(natural * high, _MOST_WRONG) < target and high < 1e9:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if shares @ np.minimum(natural * middle, _MOST_WRONG) > target else (middle, high)
    return 0.0 if target == 0 else 1.0 if abs(high - 1) < 1e-9 else high


@njit(cache=True)
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


@njit(cache=True)
def _read(lib, pool, molecules, first, stream, junk, batch, errors_at):
    """Write both mates of every molecule into the batch's buffers; return the number of errors."""
    length = pool.quality.shape[2]
    rows = pool.quality.shape[1]
    record = HEADER + 2 * length + 4
    for i in range(len(molecules.kind)):
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
            hazard, quality = pool.hazard[mate, row], pool.quality[mate, row]
            copy, size = molecules.copy[i, part], molecules.size[i, part]
            forward = molecules.reverse[i, part] == (mate == 1)
            simple = copy >= 0
            left = lib.copy_at[copy] + molecules.left[i, part] if simple else 0
            batch.error_at[r] = errors_at
            c, t, reached = 0, 0, 0.0
            tail = length  # read position where the molecule has ended
            while c < length:
                state, wait = exponential(state)
                reached += wait
                until = length
                if reached <= hazard[length - 1]:
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
                if forward:
                    for k in range(inside):
                        out[sequence + c + k] = lib.hap[left + t + k]
                else:
                    for k in range(inside):
                        out[sequence + c + k] = COMPLEMENT[lib.hap[left + size - 1 - t - k]]
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
                if kind == INSERTION and t >= size - 1 or kind == DELETION and t >= size - 1:
                    kind = -1  # nothing is inserted or deleted at the molecule's last base or in the adapter
                base = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)
                if kind == DELETION:
                    t += 1
                    if within:
                        batch.error_position[errors_at], batch.error_t[errors_at] = c, t - 1
                        batch.error_kind[errors_at], batch.error_base[errors_at] = DELETION, 0
                        errors_at += 1
                    base = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)
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
            for k in range(length):
                out[sequence + length + 3 + k] = quality[k]
            out[sequence + 2 * length + 3] = 10
            batch.sequence_at[r], batch.quality_at[r], batch.length[r] = sequence, sequence + length + 3, length
            batch.tail[r] = min(tail, length) if copy >= 0 else 0
            batch.used[r, 0] = min(t, size) if copy >= 0 else 0
    batch.error_at[2 * len(molecules.kind)] = errors_at
    return errors_at


@njit(cache=True)
def _twins(lib, pool, molecules, first, junk, batch, out_1, out_2):
    """Write the error-free twins: the template's first bases with the read's qualities, as records of the same size."""
    length = pool.quality.shape[2]
    for i in range(len(molecules.kind)):
        for mate in range(2):
            part = mate if molecules.parts[i] == 2 else 0
            text, out = (batch.text_1, out_1) if mate == 0 else (batch.text_2, out_2)
            sequence = batch.sequence_at[2 * i + mate]
            for k in range(sequence - HEADER, sequence + 2 * length + 4):
                out[k] = text[k]
            for t in range(length):
                out[sequence + t] = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)


def read_illumina(library, pool: Pool, molecules, first: int, stream: np.uint64, junk: np.uint64, batch: Batch) -> int:
    """Sequence molecules number `first` … from both ends into `batch`; return the number of errors in them."""
    return _read(library, pool, molecules, np.int64(first), stream, junk, batch, 0)


def twins(library, pool: Pool, molecules, first: int, junk: np.uint64, batch: Batch) -> list[np.ndarray]:
    """Return the FASTQ text of both mates' error-free twins, uint8 each."""
    out = [np.empty_like(batch.text_1), np.empty_like(batch.text_2)]
    _twins(library, pool, molecules, np.int64(first), junk, batch, *out)
    return out
