"""Fit a profile to a user's own aligned sample, in which the sample's known variants are masked.

What is counted is what the alignment shows: bases that an aligner clips, or reads that it can't place, are not in the
rates, and variants that are not in the file of known ones count as errors. Where insertions and deletions lie is the
aligner's choice; in a homopolymer it makes no difference here, since all of it is one place.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from avatarlib import seeds
from avatarlib.errors import InputError
from avatarlib.genomes.fasta import read_fasta
from avatarlib.reads import fit_counts as counts
from avatarlib.reads import fit_estimates as estimates
from avatarlib.reads import fit_quality
from avatarlib.reads.curves import cycle_curve
from avatarlib.reads.fit_known import read_known
from avatarlib.reads.fit_reads import Sample, count_reads
from avatarlib.reads.profile import PLATFORMS, IlluminaProfile, LongProfile, load_profile, save_profile

LONGEST_RUN = 60  # homopolymers of so many bases and more are one
ERRORS = ("substitution", "insertion", "deletion")
EVENTS = {"substitution": counts.SUBSTITUTED, "insertion": counts.INSERTED, "deletion": counts.DELETED}
BEST_IDENTITY = 0.99999


@dataclass(frozen=True)
class Fit:
    """A fitted profile and what it rests on. Intervals are of 95 %.

    Attributes
    ----------
    profile
        For `write`, and then for `errors.profile` of a configuration.
    rates
        Rows of name, value, low, high, n: errors per base, mean lengths of indels, slopes over homopolymers, the line
        of calibration. Intervals by bootstrap over molecules (dealt into `fit_counts.GROUPS` groups by their names).
    by_quality
        Rows of stated, empirical (None without errors), bases, wrong, low, high. Long reads: inserted bases are wrong.
    by_cycle
        Illumina: rows of mate (1, 2), cycle (from 1), quality (mean stated), error (substitutions per base), n.
    by_homopolymer
        Long reads: rows of run (its length), insertion and deletion (bases per base), n (bases).
    identity
        Long reads: rows named mean and sd, of reads' identities without the chance within a read.
    masked
        sites (known variants), reference_bases (marked for them), read_bases (that lie there, and were not counted).
    reads
        used, and the number left out by reason.
    kept
        What was not fitted and is as in the profile started from.
    """

    profile: IlluminaProfile | LongProfile
    rates: list[dict]
    by_quality: list[dict]
    masked: dict[str, int]
    reads: dict[str, int]
    by_cycle: list[dict] = field(default_factory=list)
    by_homopolymer: list[dict] = field(default_factory=list)
    identity: list[dict] = field(default_factory=list)
    kept: tuple[str, ...] = ()


def fit(
    alignments: Path,
    reference: Path,
    *,
    platform: str,
    known: Path | None = None,
    about: str,
    seed: int = 0,
    resamples: int = 200,
    min_mapping_quality: int = 20,
    start_from: IlluminaProfile | LongProfile | None = None,
) -> Fit:
    """Fit a profile to aligned reads.

    Illumina: the quality model of each mate (single reads: both alike), substitutions by quality, with the line's
    offset such that the mean rate comes out as observed; indels are counted as bases. Long reads: rates per reference
    base, homopolymers, context, spread of identities, quality. HiFi keeps the `passes` it starts from: only the mean
    rates are fitted to them.

    Parameters
    ----------
    alignments
        BAM, SAM or CRAM, in any order. Secondary, supplementary, duplicate and failed reads are left out.
    reference
        FASTA that the reads were aligned to, plain or gzip.
    platform
        "illumina", "ont" or "hifi".
    known
        VCF of the sample's variants, all of which are masked; see `fit_known.read_known`.
    about
        What the profile says of itself.
    seed, resamples
        Of the bootstrap; the profile doesn't depend on them.
    min_mapping_quality
        Reads below it are left out.
    start_from
        Profile that has what can't be fitted (adapters, passes, where homopolymers begin), and all of which there is
        too little to fit; None: the platform's own.

    Raises
    ------
    InputError
        A file can't be used, the files don't belong together, or fewer than 100 reads are left: says which and why.

    Examples
    --------
    >>> fit(Path("no.bam"), Path("no.fa"), platform="sanger", about="")
    Traceback (most recent call last):
    avatarlib.errors.InputError: there is no platform 'sanger'; there are illumina, ont, hifi
    """
    if platform not in PLATFORMS:
        raise InputError(f"there is no platform {platform!r}; there are {', '.join(PLATFORMS)}")
    start = load_profile("default", platform) if start_from is None else start_from
    if start.platform != platform:
        raise InputError(f"start_from is a profile of {start.platform}, but {platform} is asked for")
    long = platform != "illumina"
    sequences = read_fasta(Path(reference))
    mask, sites = read_known(Path(known), sequences) if known else (np.zeros(len(sequences.bases), bool), 0)
    longest = max(LONGEST_RUN, start.homopolymer.longest) if long else 1
    sample = count_reads(
        Path(alignments),
        sequences,
        mask,
        long=long,
        longest=longest,
        min_mapping_quality=min_mapping_quality,
    )
    totals = sample.tables.totals.sum((0, 1))
    if not totals[counts.ALIGNED]:
        raise InputError(f"{alignments}: no base of {sample.used:,} reads is compared: all are masked, or N, or clipped")
    groups = (sample.tables.quality[:, :, 0].sum(1) > 0) | (sample.tables.totals.sum((1, 2)) > 0)
    weights = estimates.resample(groups, resamples, seeds.generator(seed, "fit", "molecules"))
    values, results = (_long if long else _illumina)(sample, start, weights, resamples, seed)
    values |= {"platform": platform, "about": about}
    try:
        profile = type(start)(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "profile"
        raise InputError(f"{alignments}: what was fitted is no profile: {key}: {first['msg']}") from None
    return Fit(
        profile=profile,
        by_quality=estimates.by_quality(sample.tables.quality, weights),
        masked={
            "sites": sites,
            "reference_bases": int(mask.sum()),
            "read_bases": int(totals[counts.MASKED]),
        },
        reads={"used": sample.used} | dict(sample.skipped.most_common()),
        **results,
    )


def write(fit: Fit, path: Path) -> None:
    """Write the fitted profile, for `errors.profile` of a configuration."""
    save_profile(fit.profile, Path(path))


def _rates(totals: np.ndarray, weights: np.ndarray, per: int | None) -> list[dict]:
    """Return the three rates' rows from totals [groups, 10], per base of the reference or as `per` says."""
    aligned = totals[:, counts.ALIGNED]
    bases = aligned + totals[:, counts.DELETED]
    chances = {"substitution": bases if per is None else totals[:, per], "deletion": bases}
    chances["insertion"] = totals[:, counts.INSERTABLE]
    return [estimates.ratio(name, totals[:, EVENTS[name]], chances[name], weights) for name in ERRORS]


def _line_row(table: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return resampled offsets and slopes of the line of calibration, and the line of all; table [groups, 94, 2]."""
    stated = np.arange(counts.QUALITIES, dtype=float)
    drawn = np.einsum("rg,gqk->rqk", weights, table.astype(float))
    lines = np.array([estimates.line(stated, *one.T) for one in drawn]).reshape(-1, 2)
    return lines[:, 0], lines[:, 1], estimates.line(stated, *table.sum(0).astype(float).T)


def _illumina(sample: Sample, start: IlluminaProfile, weights: np.ndarray, resamples: int, seed: int):
    tables = sample.tables
    totals = tables.totals.sum(1)
    kept = ["adapters"]
    rates = _rates(totals, weights, counts.ALIGNED)
    events, n = tables.totals[:, :, counts.SUBSTITUTED], tables.totals[:, :, counts.ALIGNED]
    for mate in np.flatnonzero(n.sum(0)).tolist():
        rates.append(estimates.ratio(f"substitution_mate_{mate + 1}", events[:, mate], n[:, mate], weights))
    stated = np.bincount(np.arange(counts.QUALITIES), tables.quality[:, :, 0].sum(0), counts.QUALITIES)
    lowest, highest = estimates.range_of(stated)
    mates = [
        fit_quality.mate(tables.cycles[mate], tables.pairs[mate], lowest, highest)
        if tables.cycles[mate, :, counts.STATED].sum()
        else None
        for mate in range(2)
    ]
    quality = {"mate_1": mates[0] or mates[1], "mate_2": mates[1] or mates[0], "lowest": lowest, "highest": highest}
    offsets, slopes, (_, slope) = _line_row(tables.quality, weights)
    shape = start.model_copy(update={"quality": type(start.quality)(**quality)})
    share = n.sum(0) / n.sum()
    length = int(np.flatnonzero(tables.cycles[:, :, counts.STATED].sum(0))[-1]) + 1

    def offset(slope: float, rate: float) -> float:
        """Return the offset at which the quality model gives a mean rate."""

        def short(offset: float) -> float:
            line = type(start.calibration)(offset=offset, slope=slope)
            return rate - share @ cycle_curve(shape.model_copy(update={"calibration": line}), max(length, 2))[1].mean(1)

        return estimates.solve(short, -60, 60)

    rate = max(rates[0]["value"], 0.5 / rates[0]["n"])
    chosen = offset(slope, rate)
    rates.append(estimates.row("calibration_offset", chosen, offsets, rates[0]["n"]))
    rates.append(estimates.row("calibration_slope", slope, slopes, rates[0]["n"]))
    values = {
        "rates": {"substitution": None} | {row["name"]: _short(row["value"]) for row in rates[1:3]},
        "quality": quality,
        "calibration": {"offset": round(chosen, 4), "slope": round(slope, 4)},
        "substitution": estimates.shares(tables.matrix, start.substitution),
        "adapters": start.adapters.model_dump(),
    }
    return values, {"rates": rates, "by_cycle": estimates.curve_rows(tables.cycles), "kept": tuple(kept)}


def _long(sample: Sample, start: LongProfile, weights: np.ndarray, resamples: int, seed: int):
    tables, kept = sample.tables, []
    totals = tables.totals.sum(1)
    whole = totals.sum(0)
    rates = _rates(totals, weights, None)
    fitted = {row["name"]: _short(row["value"]) for row in rates}
    lengths = _lengths(totals, weights, start, kept)
    rates += [row for row in lengths.values() if row is not None]
    mean_lengths = {
        name: start.indel_length.model_dump()[name] if row is None else _short(row["value"])
        for name, row in lengths.items()
    }
    first, longest = start.homopolymer.first, start.homopolymer.longest
    runs = np.concatenate([tables.runs[:, :longest], tables.runs[:, longest:].sum(1, keepdims=True)], 1).astype(float)
    drawn = np.einsum("rg,glk->rlk", weights, runs)
    both = np.array([estimates.run_slopes(one, first, mean_lengths["insertion"]) for one in drawn]).reshape(-1, 2)
    slopes = estimates.run_slopes(runs.sum(0), first, mean_lengths["insertion"])
    homopolymer = {"first": first, "longest": longest}
    for k, (name, column) in enumerate((("insertion", counts.RUN_INSERTED), ("deletion", counts.RUN_DELETED))):
        if runs[:, first:, column].sum() < estimates.FEW:
            kept.append(f"homopolymer.{name}")
            homopolymer[name] = start.homopolymer.model_dump()[name]
        else:
            rates.append(estimates.row(f"homopolymer_{name}", slopes[k], both[:, k], runs[:, first:, column].sum()))
            homopolymer[name] = _short(slopes[k])
    offsets, slants, (offset, slant) = _line_row(tables.quality, weights)
    n = int(tables.quality[:, :, 0].sum())
    rates.append(estimates.row("calibration_offset", offset, offsets, n))
    rates.append(estimates.row("calibration_slope", slant, slants, n))
    lowest, highest = estimates.range_of(tables.quality[:, :, 0].sum(0))
    sd, correlation = fit_quality.local(sample.traces, lowest, highest)
    identity, each = estimates.identity(sample.halves, resamples, seeds.generator(seed, "fit", "identity"))
    values = {
        "length": _length(sample.lengths),
        "rates": fitted,
        "indel_length": mean_lengths,
        "homopolymer": homopolymer,
        "context": estimates.contexts(tables.words) if whole[counts.SUBSTITUTED] >= estimates.FEW else start.context,
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
        values["identity"] = _identity(fitted, identity[1]["value"], float(each.max()))
    results = {
        "rates": rates,
        "identity": identity,
        "by_homopolymer": estimates.homopolymer_rows(tables.runs.sum(0)),
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
    return {"sd": _short(found), "highest": round(highest, 6)}


def _spread(rates: dict[str, float], sd: float, highest: float) -> float:
    """Return the spread of identities that `long` makes of a profile's: cut off, and then scaled to the mean rates."""
    from scipy.special import betaincinv

    if sd == 0:
        return 0.0
    s, i, d = (rates[name] for name in ERRORS)
    total, mean = s + i + d, (1 - s - d) / (1 + i)
    size = mean * (1 - mean) / sd**2 - 1
    drawn = np.minimum(betaincinv(mean * size, (1 - mean) * size, (np.arange(1000) + 0.5) / 1000), highest)
    level = (1 - drawn) / (s + d + i * drawn) * total
    level /= level.mean()
    return float(((1 - (s + d) * level) / (1 + i * level)).std())


def _short(value: float) -> float:
    return float(f"{value:.5g}")
