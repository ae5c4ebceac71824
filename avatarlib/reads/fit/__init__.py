"""Fit a profile to a user's own aligned sample, in which the sample's known variants are masked.

What is counted is what the alignment shows: bases that an aligner clips, or reads that it can't place, are not in the
rates, and variants that are not in the file of known ones count as errors. Where insertions and deletions lie is the
aligner's choice; in a homopolymer it makes no difference here, since all of it is one place.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from avatarlib import seeds
from avatarlib.errors import InputError
from avatarlib.genomes.fasta import read_fasta
from avatarlib.reads.fit import counts, estimates
from avatarlib.reads.fit.alignments import count_reads
from avatarlib.reads.fit.illumina import illumina_profile
from avatarlib.reads.fit.known import read_known
from avatarlib.reads.fit.long import long_profile
from avatarlib.reads.profile import PLATFORMS, IlluminaProfile, LongProfile, load_profile, save_profile

LONGEST_RUN = 60  # homopolymers of so many bases and more are one


@dataclass(frozen=True)
class Fit:
    """A fitted profile and what it rests on. Intervals are of 95 %.

    Attributes
    ----------
    profile
        For `write`, and then for `errors.profile` of a configuration.
    rates
        Rows of name, value, low, high, n: errors per base, mean lengths of indels, slopes over homopolymers, the line
        of calibration. Intervals by bootstrap over molecules (dealt into `counts.GROUPS` groups by their names).
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
        VCF of the sample's variants, all of which are masked; see `known.read_known`.
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
    if resamples < 2:
        raise InputError(f"resamples is {resamples}: intervals need 2 or more, better 200")
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
        raise InputError(
            f"{alignments}: no base of {sample.used:,} reads is compared: all are masked, or N, or clipped"
        )
    groups = (sample.tables.quality[:, :, 0].sum(1) > 0) | (sample.tables.totals.sum((1, 2)) > 0)
    weights = estimates.resample(groups, resamples, seeds.generator(seed, "fit", "molecules"))
    if long:
        values, results = long_profile(sample, start, weights, seeds.generator(seed, "fit", "identity"))
    else:
        values, results = illumina_profile(sample, start, weights)
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
