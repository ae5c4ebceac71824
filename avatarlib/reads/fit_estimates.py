"""From counts to rates, lines and slopes, with intervals from resampled molecules."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from avatarlib.reads import fit_counts as counts

LEVEL = 0.95
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
    return min(float(low), value), max(float(high), value)


def row(name: str, value: float, values: np.ndarray, n: int) -> dict:
    """Return a row of results: name, value, low, high, n."""
    low, high = interval(values, value)
    return {"name": name, "value": value, "low": low, "high": high, "n": int(n)}


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


def slope(steps: np.ndarray, sites: np.ndarray, extra: np.ndarray, events: np.ndarray) -> float:
    """Return b, 0 to 100, for which events are expected as a ((1 + b steps) sites + extra): the likeliest (Poisson).

    Parameters
    ----------
    steps, sites, extra, events
        float [lengths of homopolymer].

    Examples
    --------
    >>> steps, sites = np.array([0.0, 1, 2]), np.array([1e6, 1e5, 1e4])
    >>> round(slope(steps, sites, np.zeros(3), 0.01 * sites * (1 + 0.5 * steps)), 3)
    0.5
    """
    from scipy.optimize import minimize_scalar

    if events.sum() == 0 or (steps * sites).sum() == 0:
        return 0.0
    plain, steep = np.maximum(sites + extra, 0.0), steps * sites

    def miss(b: float) -> float:
        shape = np.maximum(plain + b * steep, 1e-12)
        return float(events.sum() * math.log(shape.sum()) - events @ np.log(shape))

    best = float(minimize_scalar(lambda t: miss(math.expm1(t)), bounds=(0, math.log(101)), method="bounded").x)
    return 0.0 if miss(0.0) <= miss(math.expm1(best)) else math.expm1(best)


def run_slopes(runs: np.ndarray, first: int, insertion_length: float) -> tuple[float, float]:
    """Return the slopes of insertions and of deletions over the length of homopolymers.

    An inserted base that happens to be that of the run behind it counts to the run, though it belongs to the base
    before; so the runs expect more, and the others fewer, by the share of insertions that happen so.

    Parameters
    ----------
    runs
        float [longest + 1, 5], as `fit_counts.Tables.runs`, summed over the groups.
    first
        The length of homopolymer from which the factor rises.
    """
    length = np.arange(len(runs))
    steps = np.maximum(length - first + 1, 0).astype(float)
    ends = 1 / insertion_length
    chance = ends / 4 / (1 - (1 - ends) / 4)
    extra = np.where(length > 2, chance * runs[:, counts.EDGES], 0.0)
    short = (length > 0) & (length < 3)
    gaps = runs[:, counts.GAPS]
    extra = extra - np.where(short, extra.sum() * gaps / max(gaps[short].sum(), 1), 0.0)
    return (
        slope(steps, gaps, extra, runs[:, counts.RUN_INSERTED]),
        slope(steps, runs[:, counts.SITES], np.zeros(len(runs)), runs[:, counts.RUN_DELETED]),
    )


def contexts(words: np.ndarray) -> dict[str, float]:
    """Return the factor on substitutions by 3-mer, drawn towards 1 by as much as counts scatter more than factors do.

    Parameters
    ----------
    words
        int [64, 2]: middle bases, of these substituted.

    Examples
    --------
    >>> words = np.full((64, 2), [10**6, 1000])
    >>> words[5, 1] = 2000
    >>> contexts(words)["ACC"]
    1.905
    """
    n, k = words.T.astype(float)
    if k.sum() == 0:
        return {}
    expected = n * k.sum() / n.sum()
    there = expected > 0
    # Of gamma factors with mean 1: variance of counts = expected + variance x expected^2.
    spread = ((k - expected) ** 2 - expected)[there].sum() / (expected[there] ** 2).sum()
    worth = 1 / max(float(spread), 1e-9)
    factor = np.minimum((k + worth) / (expected + worth), 100)
    names = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    return {name: round(f, 3) for name, f in zip(names, factor.tolist(), strict=True) if round(f, 3) != 1}


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


def identity(halves: np.ndarray, resamples: int, rng: np.random.Generator) -> tuple[list[dict], np.ndarray]:
    """Return mean and spread of reads' identities, and each read's identity drawn towards the mean by its uncertainty.

    The spread between reads is the covariance of their odd and even blocks, which chance within a read can't raise.

    Parameters
    ----------
    halves
        int [reads, 4]: columns of the alignment and matches, in even and in odd blocks.
    """
    columns, matches = halves[:, 0] + halves[:, 2], halves[:, 1] + halves[:, 3]
    there = columns > 0
    whole = matches[there] / columns[there]
    both = (halves[:, 0] >= counts.HALF) & (halves[:, 2] >= counts.HALF)
    if both.sum() < max(FEW, len(both) // 10):  # too few reads are long enough for their blocks to be told apart well
        both = (halves[:, 0] > 0) & (halves[:, 2] > 0)
    even, odd = halves[both, 1] / halves[both, 0], halves[both, 3] / halves[both, 2]
    mean = float(whole.mean())
    variance = _between(even, odd, np.ones(len(even)))
    means, spreads = np.empty(resamples), np.empty(resamples)
    for k in range(resamples):
        means[k] = rng.choice(whole, len(whole)).mean()
        spreads[k] = _between(even, odd, np.bincount(rng.integers(len(even), size=len(even)), minlength=len(even)))
    rows = [row("mean", mean, means, len(whole))]
    rows.append(row("sd", math.sqrt(variance), np.sqrt(spreads), len(even)))
    noise = max(float(((even - odd) ** 2 / (1 / halves[both, 0] + 1 / halves[both, 2])).mean()), 1e-12) if len(even) else 1.0
    trust = variance / (variance + noise / columns[there]) if variance else np.zeros(len(whole))
    return rows, mean + (whole - mean) * trust


def _between(even: np.ndarray, odd: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum()
    if total == 0:
        return 0.0
    return max(float(weight @ (even * odd) / total - (weight @ even) * (weight @ odd) / total**2), 0.0)


def solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function crosses zero between two ends, or the nearer end."""
    from scipy.optimize import brentq

    if function(low) >= 0:
        return low
    return high if function(high) <= 0 else float(brentq(function, low, high, xtol=1e-7))


def homopolymer_rows(runs: np.ndarray) -> list[dict]:
    """Return insertions and deletions per base by length of homopolymer; `runs` as in `run_slopes`."""
    return [
        {
            "run": length,
            "insertion": float(runs[length, counts.RUN_INSERTED] / max(runs[length, counts.GAPS], 1)),
            "deletion": float(runs[length, counts.RUN_DELETED] / runs[length, counts.SITES]),
            "n": int(runs[length, counts.SITES]),
        }
        for length in range(1, len(runs))
        if runs[length, counts.SITES]
    ]


def curve_rows(cycles: np.ndarray) -> list[dict]:
    """Return mean stated quality and error rate by mate (1, 2) and cycle (from 1); `cycles` as in `fit_counts.Tables`."""
    rows = []
    for mate in range(2):
        for cycle in np.flatnonzero(cycles[mate, :, counts.CALLED]).tolist():
            stated, total, _, called, wrong = cycles[mate, cycle].tolist()
            mean = total / stated if stated else None
            rows.append({"mate": mate + 1, "cycle": cycle + 1, "quality": mean, "error": wrong / called, "n": called})
    return rows


def range_of(qualities: Sequence[int] | np.ndarray) -> tuple[int, int]:
    """Return the lowest and highest quality that more than one base in 100,000 has; two different ones, 0 to 93."""
    seen = np.flatnonzero(np.asarray(qualities) > 1e-5 * np.sum(qualities))
    lowest, highest = int(seen[0]), int(seen[-1])
    if lowest == highest:
        lowest, highest = (lowest - 1, highest) if lowest else (0, 1)
    return lowest, highest
