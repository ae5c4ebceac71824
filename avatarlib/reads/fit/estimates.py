"""From counts to rates, lines and slopes, with intervals from resampled molecules."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from avatarlib.reads.fit import counts

LEVEL = 0.95
ERRORS = ("substitution", "insertion", "deletion")
EVENTS = {"substitution": counts.SUBSTITUTED, "insertion": counts.INSERTED, "deletion": counts.DELETED}
SLOPE_SD = 0.25  # of the calibration line's slope around 1 before any error was seen
FEW = 30  # events, below which something is not fitted
SHARES_WORTH = 10  # errors that the shares of the profile to start from are worth
_DECIBEL = math.log(10) / 10


def resample(groups: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each group of molecules is in each resample, float64 [resamples, groups].

    Parameters
    ----------
    groups
        bool [groups], which hold a molecule; the others are never drawn.
    """
    n = int(groups.sum())
    out = np.zeros((resamples, len(groups)))
    out[:, groups] = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    return out


def interval(values: np.ndarray, value: float) -> tuple[float, float]:
    """Return the percentile interval of resampled values, widened to hold `value`."""
    values = values[np.isfinite(values)]
    if not len(values):
        return value, value
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return min(float(low), float(value)), max(float(high), float(value))


def row(name: str, value: float, values: np.ndarray, n: int) -> dict:
    """Return a row of results: name, value, low, high, n."""
    low, high = interval(values, value)
    return {"name": name, "value": float(value), "low": low, "high": high, "n": int(n)}


def ratio(name: str, events: np.ndarray, chances: np.ndarray, weights: np.ndarray, factor: float = 1.0) -> dict:
    """Return the row of a rate, events per chance; both int [groups].

    Where nothing was seen, the upper end is 3 / n.

    Examples
    --------
    >>> ratio("substitution", np.array([1, 0, 1]), np.array([10, 10, 10]), np.eye(3) * 3)["value"]
    0.06666666666666667
    """
    n, k = int(chances.sum()), int(events.sum())
    value = factor * k / n if n else 0.0
    found = row(name, value, factor * (weights @ events) / np.maximum(weights @ chances, 1), n)
    if k == 0 and n:
        found["high"] = 3 / n
    return found


def line(stated: np.ndarray, bases: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """Return offset and slope of true over stated quality, in decibels: Poisson regression, so weighted by information.

    The slope is drawn towards 1 as far as there are few errors, or all of one quality.

    Parameters
    ----------
    stated, bases, wrong
        float [n]: a quality, the bases read with it and how many of them are wrong.

    Examples
    --------
    >>> offset, slope = line(np.array([10.0, 20, 30]), np.array([1e5, 1e6, 1e7]), np.array([2e4, 2e4, 2e4]))
    >>> round(offset, 2), round(slope, 2)
    (-3.01, 1.0)
    """
    there = bases > 0
    stated, bases, wrong = stated[there], bases[there], wrong[there]
    if not len(stated):
        return 0.0, 1.0
    total = max(wrong.sum(), 0.5)
    slope = 1.0
    for _ in range(50):
        expected = bases * 10 ** (-slope * stated / 10)
        expected *= total / expected.sum()
        centre = expected @ stated / total
        gradient = -_DECIBEL * (wrong @ (stated - centre)) - (slope - 1) / SLOPE_SD**2
        information = _DECIBEL**2 * (expected @ (stated - centre) ** 2) + 1 / SLOPE_SD**2
        step = float(np.clip(gradient / information, -0.3, 0.3))
        slope = min(max(slope + step, 0.01), 5.0)
        if abs(step) < 1e-7:
            break
    offset = -math.log(total / (bases @ 10 ** (-slope * stated / 10))) / _DECIBEL
    return min(max(offset, -60.0), 60.0), slope


def by_quality(table: np.ndarray, weights: np.ndarray) -> list[dict]:
    """Return stated against empirical quality with intervals (Wilson, for as many independent bases as the bootstrap's
    spread is worth); a quality without errors has no empirical one, but a lower end.

    Parameters
    ----------
    table
        int [groups, qualities, 2]: bases, of these wrong.
    """
    rows, z = [], 1.959964
    for stated in np.flatnonzero(table[:, :, 0].sum(0)).tolist():
        bases, wrong = table[:, stated].sum(0).tolist()
        share = wrong / bases
        worth = float(bases)
        if wrong:
            drawn = weights @ table[:, stated]
            spread = (drawn[:, 1] / np.maximum(drawn[:, 0], 1)).var()
            worth = bases / max(1.0, spread / (share * (1 - share) / bases) if wrong < bases else 1.0)
        middle, half = share + z**2 / (2 * worth), z * math.sqrt(share * (1 - share) / worth + (z / (2 * worth)) ** 2)
        most, least = ((middle + sign * half) / (1 + z**2 / worth) for sign in (1, -1))
        rows.append(
            {
                "stated": stated,
                "empirical": phred(share) if wrong else None,
                "bases": bases,
                "wrong": wrong,
                "low": phred(min(most, 1.0)),
                "high": phred(least) if wrong else None,
            }
        )
    return rows


def phred(share: float) -> float:
    """Return a probability in decibels, at most 99."""
    return -10 * math.log10(max(share, 10**-9.9)) + 0.0


def shares(matrix: np.ndarray, start: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return to which base each base is substituted; where few errors were seen, mostly as in `start`.

    Parameters
    ----------
    matrix
        int [4, 4]: base, base read, in order A, C, G, T.
    """
    out = {}
    for i, base in enumerate("ACGT"):
        others = [other for other in "ACGT" if other != base]
        seen = {other: float(matrix[i, "ACGT".index(other)]) for other in others}
        total = sum(seen.values()) + SHARES_WORTH
        values = {other: round((seen[other] + SHARES_WORTH * start[base][other]) / total, 4) for other in others}
        largest = max(others, key=lambda other: values[other])
        values[largest] = round(values[largest] + 1 - sum(values.values()), 4)
        out[base] = values
    return out


def solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function crosses zero between two ends, or the nearer end."""
    from scipy.optimize import brentq

    if function(low) >= 0:
        return low
    return high if function(high) <= 0 else float(brentq(function, low, high, xtol=1e-7))


def range_of(qualities: Sequence[int] | np.ndarray) -> tuple[int, int]:
    """Return the lowest and highest quality that more than one base in 100,000 has; two different ones, 0 to 93."""
    seen = np.flatnonzero(np.asarray(qualities) > 1e-5 * np.sum(qualities))
    lowest, highest = int(seen[0]), int(seen[-1])
    if lowest == highest:
        lowest, highest = (lowest - 1, highest) if lowest else (0, 1)
    return lowest, highest


def rates(totals: np.ndarray, weights: np.ndarray, per: int | None) -> list[dict]:
    """Return the three rates' rows from totals [groups, 10], per base of the reference or as `per` says."""
    aligned = totals[:, counts.ALIGNED]
    bases = aligned + totals[:, counts.DELETED]
    chances = {"substitution": bases if per is None else totals[:, per], "deletion": bases}
    chances["insertion"] = totals[:, counts.INSERTABLE]
    return [ratio(name, totals[:, EVENTS[name]], chances[name], weights) for name in ERRORS]


def lines(table: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return resampled offsets and slopes of the line of calibration, and the line of all; table [groups, 94, 2]."""
    stated = np.arange(counts.QUALITIES, dtype=float)
    drawn = np.einsum("rg,gqk->rqk", weights, table.astype(float))
    each = np.array([line(stated, *one.T) for one in drawn]).reshape(-1, 2)
    return each[:, 0], each[:, 1], line(stated, *table.sum(0).astype(float).T)


def short(value: float) -> float:
    """Return a number with five digits, as a profile's."""
    return float(f"{value:.5g}")
