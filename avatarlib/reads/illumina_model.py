"""The error model of Illumina reads: a pool of quality rows sampled from a profile, and their hazards of errors."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.bases import others
from avatarlib.reads.streams import begin, key, normal_table, step

ROWS = 16384  # as many as stay near the processor; each is read some sixty times in a million pairs
_STEPS = 20  # a decibel
_MOST_WRONG = 0.75  # a base read at random


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
    adapters = [
        np.frombuffer(name.encode(), np.uint8).copy() for name in (profile.adapters.mate_1, profile.adapters.mate_2)
    ]
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
