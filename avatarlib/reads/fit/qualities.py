"""Stated qualities as the profile's model: normal around a level, correlated, rounded, cut off at lowest and highest.

The cutting off changes means, spreads and correlations, so those of the uncut process are sought that give the observed
ones. A rounded and cut normal is a staircase, of which everything needed is known in closed form: its mean and variance
from the probabilities of its steps, and the covariance of two of them, whose normals correlate by r, as a power series
in r by Mehler's formula (Mehler 1866; Kibble 1945) with the steps' Hermite coefficients.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from avatarlib.reads.fit.counts import LAGS, STATED, STATED_SQUARES, STATED_SUM

POINTS, APART, MISS = 8, 0.006, 0.05  # of a curve: points, their least distance, decibels by which it may miss (rms)
WIDEST = 30.0  # decibels
_STEEPEST = 0.999
_TERMS = 60
ENDS, PLACES = 6, 40  # where those points may lie: cycles at either end, and in all
LOCAL_LAGS, LEVELS = 8, 32
_ENOUGH = 0.02  # share of the reads that reach a cycle, for it to be looked at


class Spread(NamedTuple):
    """Of a process before it is cut off: levels [n], sd around them, correlation at each lag."""

    level: np.ndarray
    sd: float
    correlation: np.ndarray


def _edges(lowest: int, highest: int) -> np.ndarray:
    return np.arange(lowest, highest) + 0.5


def moments(level: np.ndarray, sd: float, lowest: int, highest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of whole qualities from `lowest` to `highest` whose uncut value is normal.

    Examples
    --------
    >>> mean, variance = moments(np.array([20.0, 41.0]), 3.0, 2, 41)
    >>> mean.round(2).tolist(), variance.round(2).tolist()
    ([20.0, 39.81], [9.08, 3.12])
    """
    from scipy.special import ndtr

    above = ndtr((np.atleast_1d(level)[:, None] - _edges(lowest, highest)) / max(sd, 1e-9))
    mean = above.sum(1)
    square = above @ (2.0 * np.arange(highest - lowest) + 1)
    return lowest + mean, np.maximum(square - mean**2, 0)


def levels(mean: np.ndarray, sd: float, lowest: int, highest: int) -> np.ndarray:
    """Return the uncut levels at which qualities have these means; at most 6 sd beyond the range, and 0 to 93."""
    low = np.full(len(mean), max(lowest - 6 * sd - 1, 0.0))
    high = np.full(len(mean), min(highest + 6 * sd + 1, 93.0))
    for _ in range(40):
        middle = (low + high) / 2
        below = moments(middle, sd, lowest, highest)[0] < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _coefficients(level: np.ndarray, sd: float, lowest: int, highest: int) -> np.ndarray:
    """Return Hermite coefficients 1, 2, … of the staircase at each level, float [n, terms]."""
    at = (_edges(lowest, highest) - level[:, None]) / max(sd, 1e-9)
    before, now = np.zeros_like(at), np.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
    out = np.empty((len(level), _TERMS))
    for k in range(1, _TERMS + 1):
        out[:, k - 1] = now.sum(1) / math.sqrt(k)
        before, now = now, (at * now - math.sqrt(k - 1) * before) / math.sqrt(k)
    return out


def uncut(
    mean: np.ndarray,
    weight: np.ndarray,
    variance: float,
    pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, float]],
    lowest: int,
    highest: int,
) -> Spread:
    """Return the process that gives these moments once it is rounded and cut off.

    Parameters
    ----------
    mean, weight
        float [n]: mean quality and share of each group (a cycle, a read).
    variance
        Mean over the groups, by weight.
    pairs
        For each lag: two indices of groups [m], weights [m] and the mean covariance of qualities in these pairs.
    """
    from scipy.optimize import brentq

    weight = weight / weight.sum()

    def excess(sd: float) -> float:
        return float(weight @ moments(levels(mean, sd, lowest, highest), sd, lowest, highest)[1]) - variance

    least = 0.05
    if excess(least) >= 0:
        return Spread(levels(mean, least, lowest, highest), 0.0, np.zeros(len(pairs)))
    sd = WIDEST if excess(WIDEST) <= 0 else brentq(excess, least, WIDEST, xtol=1e-4)
    level = levels(mean, sd, lowest, highest)
    coefficients = _coefficients(level, sd, lowest, highest)
    correlation = []
    for one, other, share, covariance in pairs:
        series = (share / share.sum()) @ (coefficients[one] * coefficients[other])
        powers = np.arange(1, _TERMS + 1)
        most = float(series @ _STEEPEST**powers)
        if covariance <= 0 or covariance >= most:
            correlation.append(0.0 if covariance <= 0 else _STEEPEST)
        else:
            correlation.append(
                brentq(lambda r, s=series, c=covariance, p=powers: float(s @ r**p) - c, 0, _STEEPEST, xtol=1e-6)
            )
    return Spread(level, sd, np.array(correlation))


def split(correlation: np.ndarray, lags: np.ndarray, *, constant: bool = True) -> tuple[float, float]:
    """Return share s and rate rho for which s + (1 - s) rho^lag comes closest to correlations, each 0 to 1.

    Without `constant`, s is 0.

    Examples
    --------
    >>> s, rho = split(0.3 + 0.7 * 0.5 ** LAGS, LAGS)
    >>> round(s, 3), round(rho, 3)
    (0.3, 0.5)
    """
    from scipy.optimize import minimize_scalar

    def share(rho: float) -> float:
        falling = rho**lags
        x, y = 1 - falling, correlation - falling
        return float(np.clip(x @ y / max(x @ x, 1e-12), 0, 1)) if constant else 0.0

    def miss(rho: float) -> float:
        s = share(rho)
        return float(((correlation - s - (1 - s) * rho**lags) ** 2).sum())

    start = np.linspace(0, 0.99, 34)
    best = start[int(np.argmin([miss(rho) for rho in start]))]
    bounds = (max(best - 0.03, 0.0), min(best + 0.03, _STEEPEST))
    rho = float(minimize_scalar(miss, bounds=bounds, method="bounded", options={"xatol": 1e-5}).x)
    return share(rho), rho


def reduce_curve(y: np.ndarray, weight: np.ndarray, points: int = POINTS) -> list[list[float]]:
    """Return a broken line of at most `points` points through values that are evenly spaced over 0 to 1.

    Points are added one by one where they help most, and all their heights fitted by least squares.

    Examples
    --------
    >>> reduce_curve(np.array([30.0, 32, 34, 36, 36, 36]), np.ones(6))
    [[0.0, 30.0], [0.6, 36.0], [1.0, 36.0]]
    """
    x, root = np.linspace(0, 1, len(y)), np.sqrt(weight / weight.sum())
    ends = np.arange(min(ENDS, len(y)))  # where qualities change fastest, so every cycle may be a point
    places = x[
        np.unique([*ends, *np.linspace(0, len(y) - 1, PLACES).round().astype(int), *(len(y) - 1 - ends)])
    ].tolist()

    def fitted(knots: list[float]) -> tuple[float, np.ndarray]:
        hats = np.stack([np.interp(x, knots, row) for row in np.eye(len(knots))], 1)
        heights = np.linalg.lstsq(hats * root[:, None], y * root, rcond=None)[0]
        return float((((hats @ heights - y) * root) ** 2).sum()), heights

    def improved(knots: list[float]) -> list[float]:
        """Return the knots with one more where it helps most."""
        free = [at for at in places if min(abs(at - knot) for knot in knots) >= APART]
        return min((sorted([*knots, at]) for at in free), key=lambda some: fitted(some)[0], default=knots)

    knots = [0.0, 1.0]
    while len(knots) < min(points, len(y)) and fitted(knots)[0] > MISS**2:
        knots = improved(knots)
        for knot in knots[1:-1]:  # the earlier ones may now lie better elsewhere
            knots = improved([other for other in knots if other != knot])
    heights = fitted(knots)[1]
    return [[round(at, 4), round(float(np.clip(h, 0, 93)), 3)] for at, h in zip(knots, heights, strict=True)]


def reach(cycles: np.ndarray) -> int:
    """Return how many cycles a mate has, those that hardly any read reaches left out; `cycles` as in `mate`."""
    n = cycles[:, STATED]
    return int(np.flatnonzero(n >= max(_ENOUGH * n.max(), 1))[-1]) + 1


def mate(cycles: np.ndarray, pairs: np.ndarray, lowest: int, highest: int) -> dict:
    """Return the `quality` block of one mate: curve, spread of reads and of cycles, correlation.

    Parameters
    ----------
    cycles, pairs
        Of one mate, as in `counts.Tables`.
    """
    n, length = cycles[:, STATED], reach(cycles)
    n, pairs = np.maximum(n[:length], 1), pairs[:, :length].astype(float)
    mean = cycles[:length, STATED_SUM] / n
    lagged = []
    for lag, table in zip(LAGS.tolist(), pairs, strict=True):
        at = np.flatnonzero(table[:, 0] > 1)
        at = at[at + lag < length]
        if lag > max(length // 2, 1) or not len(at):
            continue
        count, first, second, product = table[at].T
        covariance = product / count - first * second / count**2
        lagged.append((at, at + lag, count, float(covariance @ count / count.sum())))
    lags = LAGS[: len(lagged)]
    variances = cycles[:length, STATED_SQUARES] / n - mean**2
    found = uncut(mean, n, float(variances @ n / n.sum()), lagged, lowest, highest)
    share, rho = split(found.correlation, lags) if len(lags) and found.sd else (0.0, 0.0)
    level = np.clip(found.level, 0, 93)
    return {
        "by_cycle": reduce_curve(level, n) if length > 1 else [[0.0, float(level[0])], [1.0, float(level[0])]],
        "read_sd": round(found.sd * math.sqrt(share), 3),
        "cycle_sd": round(found.sd * math.sqrt(1 - share), 3),
        "correlation": round(rho, 4),
    }


def local(traces: list[tuple[np.ndarray, np.ndarray]], lowest: int, highest: int) -> tuple[float, float]:
    """Return how a long read's stated quality varies along it, in decibels, and its correlation from base to base.

    What belongs to the read and to the place (3-mer, homopolymer) is taken out first.

    Parameters
    ----------
    traces
        Of each read: stated quality at each base of the reference (255: none), and its kind.
    """
    stated = np.concatenate([trace[0] for trace in traces])
    kind = np.concatenate([trace[1] for trace in traces])
    read = np.repeat(np.arange(len(traces)), [len(trace[0]) for trace in traces])
    known = stated != 255
    value, kinds, reads = np.where(known, stated, 0).astype(float), kind[known], read[known]
    if not len(reads):
        return 0.0, 0.0
    of_kind = np.zeros(int(kind.max()) + 1)
    n_kind, n_read = np.bincount(kinds, minlength=len(of_kind)), np.bincount(reads, minlength=len(traces))
    for _ in range(4):
        of_read = np.bincount(reads, value[known] - of_kind[kinds], len(traces)) / np.maximum(n_read, 1)
        of_kind = np.bincount(kinds, value[known] - of_read[reads], len(of_kind)) / np.maximum(n_kind, 1)
    rest = np.where(known, value - of_read[read] - of_kind[kind], 0.0)
    lags = np.arange(1, LOCAL_LAGS + 1)
    variance = float(rest @ rest) / len(reads)
    covariance = []
    for lag in lags.tolist():
        both = known[lag:] & known[:-lag] & (read[lag:] == read[:-lag])
        covariance.append(float((rest[lag:] * rest[:-lag])[both].mean()) if both.any() else 0.0)
    # Reads of alike quality share a level; the cutting off depends on it.
    mean = np.bincount(reads, value[known], len(traces)) / np.maximum(n_read, 1)
    order = np.argsort(mean, kind="stable")
    parts = [part for part in np.array_split(order, LEVELS) if n_read[part].sum()]
    weight = np.array([n_read[part].sum() for part in parts], float)
    centre = np.array([mean[part] @ n_read[part] for part in parts]) / weight
    same = np.arange(len(parts))
    lost = 0.0  # a read's own mean takes up part of what varies along it
    for _ in range(3):
        pairs = [(same, same, weight, c + lost) for c in covariance]
        found = uncut(centre, weight, variance + lost, pairs, lowest, highest)
        rho = split(found.correlation, lags, constant=False)[1] if found.sd else 0.0
        lost = (
            (covariance[0] / max(rho, 1e-3)) * (1 + rho) / (1 - rho) * (n_read > 0).sum() / len(reads) if rho else 0.0
        )
    return found.sd, rho
