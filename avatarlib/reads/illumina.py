"""Illumina reads: quality rows from a pool sampled from the profile, errors placed by the rows' cumulative hazard.

Most reads have no error, and one exponential number against the row's total hazard tells so; the rest is copying. A
row's qualities keep the profile's model (curve by cycle, spread between reads, correlation along a read), and an error
at a cycle has exactly the probability that belongs to its quality there.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.bases import (
    ACGT,
    COMPLEMENT,
    NAME_LENGTH,
    copy_forward,
    copy_reverse,
    other_base,
    others,
    put_name,
)
from avatarlib.reads.batch import DELETION, INSERTION, SUBSTITUTION, Batch
from avatarlib.reads.molecules import JUNK
from avatarlib.reads.streams import begin, below, key, normal_table, step, uniform

ROWS = 16384  # as many as stay near the processor; each is read some sixty times in a million pairs
_STEPS = 20  # a decibel
_MOST_WRONG = 0.75  # a base read at random
HEADER = 1 + NAME_LENGTH + 3  # @, name, /1 or /2, line end


class Pool(NamedTuple):
    """What the error kernel needs: rows of qualities [2, rows, length] (ASCII) with their cumulative hazards
    (float32) and the probability that no error is in them, hazards of insertions and deletions by cycle, cumulative
    shares of replacing bases, adapters."""

    quality: np.ndarray
    hazard: np.ndarray
    clean: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray
    others: np.ndarray
    adapter_1: np.ndarray
    adapter_2: np.ndarray


@njit(cache=True)
def _steps(stream, table, curve, read_sd, cycle_sd, correlation, top, steps, counts):
    """Fill steps [rows, length] with qualities in steps above the lowest, 0 to `top`, and count them."""
    rows, length = steps.shape
    fresh = math.sqrt(1 - correlation * correlation)
    for row in range(rows):
        state = begin(stream, row)
        state, bits = step(state)
        level = read_sd * table[bits & np.uint64(65535)]
        local = table[(bits >> np.uint64(16)) & np.uint64(65535)]
        for cycle in range(length):
            if cycle & 3 == 0:
                state, bits = step(state)
            k = int(min(max(curve[cycle] + level + cycle_sd * local, 0.0), top) + 0.5)
            steps[row, cycle] = k
            counts[k] += 1
            local = correlation * local + fresh * table[bits & np.uint64(65535)]
            bits >>= np.uint64(16)


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
    at, table = np.linspace(0, 1, length), normal_table()
    for mate, shape in enumerate((profile.quality.mate_1, profile.quality.mate_2)):
        curve = np.interp(at, *np.array(shape.by_cycle, float).T)
        stream, spread = key(errors.seed, "qualities", mate), (shape.read_sd * _STEPS, shape.cycle_sd * _STEPS)
        top = float((highest - lowest) * _STEPS)
        _steps(stream, table, (curve - lowest) * _STEPS, *spread, shape.correlation, top, steps[mate], counts)
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
    clean = np.exp(-hazard[:, :, -1].astype(float))
    return Pool(quality, hazard, clean, *by_cycle, others(profile.substitution), *adapters)


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
    hap = lib.hap  # taken out of their tuples once: counting references in the loop costs more than the copying
    copy_at, parts, copies, sizes = lib.copy_at, molecules.parts, molecules.copy, molecules.size
    lefts, reverses = molecules.left, molecules.reverse
    clean, hazards, qualities = pool.clean, pool.hazard, pool.quality
    insertion, deletion, shares = pool.insertion, pool.deletion, pool.others
    text_1, text_2 = batch.text_1, batch.text_2
    sequence_at, quality_at, lengths, tails, useds = batch.sequence_at, batch.quality_at, batch.length, batch.tail, batch.used
    error_at, error_position, error_t = batch.error_at, batch.error_position, batch.error_t
    error_kind, error_base = batch.error_kind, batch.error_base
    for i in range(len(parts)):
        for mate in range(2):
            part = mate if parts[i] == 2 else 0
            out = text_1 if mate == 0 else text_2
            r, at = 2 * i + mate, i * record
            out[at] = 64
            end = put_name(out, at + 1, first + i)
            out[end], out[end + 1], out[end + 2] = 47, 49 + mate, 10
            sequence = at + HEADER
            state = begin(stream, 2 * (first + i) + mate)
            state, row = below(state, rows)
            hazard = hazards[mate, row]
            copy, size = copies[i, part], sizes[i, part]
            forward = reverses[i, part] == (mate == 1)
            simple = copy >= 0
            left = copy_at[copy] + lefts[i, part] if simple else 0
            error_at[r] = errors_at
            c, t, reached = 0, 0, 0.0
            tail = length  # read position where the molecule has ended
            while c < length:
                state, u = uniform(state)
                until = length
                # Most reads are clean, and their row's hazards, far away in memory, are never looked at.
                if c or 1.0 - u >= clean[mate, row]:
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
                if forward:
                    copy_forward(out[sequence + c :], hap[left + t :], inside)
                else:
                    copy_reverse(out[sequence + c :], hap[left + size - t - inside :], inside)
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
                if u < insertion[c]:
                    kind = INSERTION
                elif u < insertion[c] + deletion[c]:
                    kind = DELETION
                else:
                    kind = SUBSTITUTION
                within = t < size and copy >= 0
                if kind == INSERTION and t >= size - 1 or kind == DELETION and (t >= size - 1 or copy < 0):
                    kind = -1  # nothing is inserted or deleted at the molecule's last base or in the adapter
                if within:
                    base = hap[left + t] if forward else COMPLEMENT[hap[left + size - 1 - t]]
                else:
                    base = _template(lib, pool, molecules, i, mate, part, t, junk, first + i)
                if kind == DELETION:
                    t += 1
                    if within:
                        error_position[errors_at], error_t[errors_at] = c, t - 1
                        error_kind[errors_at], error_base[errors_at] = DELETION, 0
                        errors_at += 1
                    base = hap[left + t] if forward else COMPLEMENT[hap[left + size - 1 - t]]
                    if t == size - 1:
                        tail = c + 1
                    out[sequence + c] = base
                    c, t = c + 1, t + 1
                    continue
                if kind == SUBSTITUTION:
                    base = other_base(base, v, shares)
                elif kind == INSERTION:
                    base = ACGT[int(v * 4)]
                if kind >= 0 and within:
                    error_position[errors_at] = c
                    error_t[errors_at] = t - 1 if kind == INSERTION else t
                    error_kind[errors_at], error_base[errors_at] = kind, base
                    errors_at += 1
                out[sequence + c] = base
                if kind != INSERTION:
                    if t == size - 1:
                        tail = c + 1
                    t += 1
                c += 1
            out[sequence + length], out[sequence + length + 1], out[sequence + length + 2] = 10, 43, 10
            copy_forward(out[sequence + length + 3 :], qualities[mate, row], length)
            out[sequence + 2 * length + 3] = 10
            sequence_at[r], quality_at[r], lengths[r] = sequence, sequence + length + 3, length
            tails[r] = min(tail, length) if copy >= 0 else 0
            useds[r, 0] = min(t, size) if copy >= 0 else 0
    error_at[2 * len(parts)] = errors_at
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
    size = len(molecules.kind) * (HEADER + 2 * pool.quality.shape[2] + 4)
    out = [np.empty(size, np.uint8), np.empty(size, np.uint8)]
    _twins(library, pool, molecules, np.int64(first), junk, batch, *out)
    return out
