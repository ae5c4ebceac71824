"""From counts to a profile of long reads."""

import math

import numpy as np

from avatarlib.reads.fit import counts, estimates, qualities
from avatarlib.reads.fit.alignments import Sample
from avatarlib.reads.profile import LongProfile

BEST_IDENTITY = 0.99999


def long_profile(
    sample: Sample, start: LongProfile, weights: np.ndarray, rng: np.random.Generator
) -> tuple[dict, dict]:
    """Return the values of a `LongProfile`, and of a `Fit` what belongs to it.

    Parameters
    ----------
    start
        Has the passes, where homopolymers begin and end, and what there is too little to fit.
    weights
        As `estimates.resample` gives them.
    rng
        Resamples reads for the intervals of their identity.
    """
    tables, kept = sample.tables, []
    totals = tables.totals.sum(1)
    whole = totals.sum(0)
    rates = estimates.rates(totals, weights, None)
    fitted = {row["name"]: estimates.short(row["value"]) for row in rates}
    lengths = _lengths(totals, weights, start, kept)
    rates += [row for row in lengths.values() if row is not None]
    mean_lengths = {
        name: start.indel_length.model_dump()[name] if row is None else estimates.short(row["value"])
        for name, row in lengths.items()
    }
    first, longest = start.homopolymer.first, start.homopolymer.longest
    runs = np.concatenate([tables.runs[:, :longest], tables.runs[:, longest:].sum(1, keepdims=True)], 1).astype(float)
    drawn = np.einsum("rg,glk->rlk", weights, runs)
    both = np.array([run_slopes(one, first, mean_lengths["insertion"]) for one in drawn]).reshape(-1, 2)
    slopes = run_slopes(runs.sum(0), first, mean_lengths["insertion"])
    homopolymer = {"first": first, "longest": longest}
    for k, (name, column) in enumerate((("insertion", counts.RUN_INSERTED), ("deletion", counts.RUN_DELETED))):
        if runs[:, first:, column].sum() < estimates.FEW:
            kept.append(f"homopolymer.{name}")
            homopolymer[name] = start.homopolymer.model_dump()[name]
        else:
            rates.append(estimates.row(f"homopolymer_{name}", slopes[k], both[:, k], runs[:, first:, column].sum()))
            homopolymer[name] = estimates.short(slopes[k])
    offsets, slants, (offset, slant) = estimates.lines(tables.quality, weights)
    n = int(tables.quality[:, :, 0].sum())
    rates.append(estimates.row("calibration_offset", offset, offsets, n))
    rates.append(estimates.row("calibration_slope", slant, slants, n))
    lowest, highest = estimates.range_of(tables.quality[:, :, 0].sum(0))
    sd, correlation = qualities.local(sample.traces, lowest, highest)
    spread, each = identities(sample.halves, len(weights), rng)
    values = {
        "length": _length(sample.lengths),
        "rates": fitted,
        "indel_length": mean_lengths,
        "homopolymer": homopolymer,
        "context": contexts(tables.words) if whole[counts.SUBSTITUTED] >= estimates.FEW else start.context,
        "substitution": estimates.shares(tables.matrix, start.substitution),
        "quality": {
            "sd": round(min(sd * slant, 30.0), 3),  # of the true level, of which the stated one is 1 / slope
            "correlation": round(correlation, 4),
            "lowest": lowest,
            "highest": highest,
        },
        "calibration": {"offset": round(offset, 4), "slope": round(slant, 4)},
    }
    if start.passes is not None:
        values["passes"] = start.passes.model_dump()
        kept.append("passes")
    else:
        values["identity"] = _identity(fitted, spread[1]["value"], float(each.max()))
    results = {
        "rates": rates,
        "identity": spread,
        "by_homopolymer": homopolymer_rows(tables.runs.sum(0)),
        "kept": tuple(kept),
    }
    return values, results


def _lengths(totals: np.ndarray, weights: np.ndarray, start: LongProfile, kept: list[str]) -> dict[str, dict | None]:
    """Return the rows of indels' mean lengths; two deletions side by side look like one, as often as one base apart."""
    whole = totals.sum(0)
    apart = 1 - whole[counts.PAIRS] / max(whole[counts.DELETIONS] + whole[counts.PAIRS], 1)
    rows: dict[str, dict | None] = {}
    for name, bases, events, factor in (
        ("insertion", counts.INSERTED, counts.INSERTIONS, 1.0),
        ("deletion", counts.WHOLLY_DELETED, counts.DELETIONS, apart),
    ):
        if whole[events] < estimates.FEW:
            kept.append(f"indel_length.{name}")
            rows[name] = None
            continue
        row = estimates.ratio(f"{name}_length", totals[:, bases], totals[:, events], weights, factor)
        rows[name] = row | {key: min(max(row[key], 1.0), 100.0) for key in ("value", "low", "high")}
    return rows


def _length(lengths: np.ndarray) -> dict[str, float]:
    return {
        "mean": round(float(lengths.mean()), 1),
        "sd": round(float(lengths.std()), 1),
        "shortest": max(1, int(lengths.min())),
    }


def _identity(rates: dict[str, float], sd: float, best: float) -> dict[str, float]:
    """Return the beta distribution of identities that has this spread once it is cut off at the best read's."""
    total = sum(rates.values())
    if total == 0:
        return {"sd": 0.0, "highest": BEST_IDENTITY}
    highest = min(max(best, 1 - total * 0.9), BEST_IDENTITY)
    most = min(0.9 * math.sqrt(total * (1 - total)), 0.3)
    found = estimates.solve(lambda x: _spread(rates, x, highest) - sd, 0.0, most) if sd else 0.0
    return {"sd": estimates.short(found), "highest": round(highest, 6)}


def _spread(rates: dict[str, float], sd: float, highest: float) -> float:
    """Return the spread of identities that `long` makes of a profile's: cut off, and then scaled to the mean rates."""
    from scipy.special import betaincinv

    if sd == 0:
        return 0.0
    s, i, d = (rates[name] for name in estimates.ERRORS)
    total, mean = s + i + d, (1 - s - d) / (1 + i)
    size = mean * (1 - mean) / sd**2 - 1
    drawn = np.minimum(betaincinv(mean * size, (1 - mean) * size, (np.arange(1000) + 0.5) / 1000), highest)
    level = (1 - drawn) / (s + d + i * drawn) * total
    level /= level.mean()
    return float(((1 - (s + d) * level) / (1 + i * level)).std())


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
        float [longest + 1, 5], as `counts.Tables.runs`, summed over the groups.
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


def identities(halves: np.ndarray, resamples: int, rng: np.random.Generator) -> tuple[list[dict], np.ndarray]:
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
    if both.sum() < max(
        estimates.FEW, len(both) // 10
    ):  # too few reads are long enough for their blocks to be told apart well
        both = (halves[:, 0] > 0) & (halves[:, 2] > 0)
    even, odd = halves[both, 1] / halves[both, 0], halves[both, 3] / halves[both, 2]
    mean = float(whole.mean())
    variance = _between(even, odd, np.ones(len(even)))
    means, spreads = np.empty(resamples), np.empty(resamples)
    for k in range(resamples):
        means[k] = rng.choice(whole, len(whole)).mean()
        spreads[k] = _between(even, odd, np.bincount(rng.integers(len(even), size=len(even)), minlength=len(even)))
    rows = [estimates.row("mean", mean, means, len(whole))]
    rows.append(estimates.row("sd", math.sqrt(variance), np.sqrt(spreads), len(even)))
    noise = (
        max(float(((even - odd) ** 2 / (1 / halves[both, 0] + 1 / halves[both, 2])).mean()), 1e-12)
        if len(even)
        else 1.0
    )
    trust = variance / (variance + noise / columns[there]) if variance else np.zeros(len(whole))
    return rows, mean + (whole - mean) * trust


def _between(even: np.ndarray, odd: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum()
    if total == 0:
        return 0.0
    return max(float(weight @ (even * odd) / total - (weight @ even) * (weight @ odd) / total**2), 0.0)


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
