"""Checks of a simulated folder against samtools and bcftools, and against what was asked for.

`make test` runs them on small folders, `make bench` on those of the promised sizes.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pysam
import pysam.bcftools

from avatarlib.genomes.fasta import read_fasta
from avatarlib.reads.curves import cycle_curve, run_curve
from avatarlib.reads.examine import ERRORS, Examination
from avatarlib.reads.profile import IlluminaProfile, LongProfile

QUALITIES = range(5, 41)  # in which stated and empirical are compared
ENOUGH = 400  # wrong bases, so that a decibel is 4.6 standard errors
RUN_BASES = 100  # indels in a homopolymer length, so that it counts in the curve


def calmd(folder: Path, reference: Path) -> tuple[int, int]:
    """Return how many aligned records truth.bam has, and of how many NM or MD isn't what `samtools calmd` makes it.

    Parameters
    ----------
    folder
        What `avatar reads simulate` wrote.
    reference
        Its reference, bgzip or plain FASTA.
    """
    aligned = differing = 0
    with tempfile.TemporaryDirectory(dir=folder.parent) as place, _quiet():
        made = f"{place}/calmd.bam"
        pysam.calmd("-b", "-Q", str(folder / "truth.bam"), str(reference), save_stdout=made)
        with pysam.AlignmentFile(str(folder / "truth.bam")) as ours, pysam.AlignmentFile(made) as theirs:
            for mine, other in zip(ours, theirs, strict=True):
                if mine.is_unmapped:
                    continue
                aligned += 1
                mine_tags, other_tags = ((r.query_name, r.get_tag("NM"), r.get_tag("MD")) for r in (mine, other))
                differing += mine_tags != other_tags
    return aligned, differing


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of htslib."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)


def consensus(folder: Path, reference: Path) -> tuple[int, int]:
    """Return how many sequences haplotypes.fa.gz has, and how many aren't what `bcftools consensus` makes of the VCF.

    Parameters as for `calmd`.
    """
    vcf = str(folder / "variants.vcf.gz")
    ours = read_fasta(folder / "haplotypes.fa.gz")
    named = {tuple(name.rsplit("|", 2)): ours.sequence(number).tobytes() for number, name in enumerate(ours.names)}
    copies: dict[tuple[str, str], list[str]] = {}
    for contig, donor, haplotype in named:
        copies.setdefault((contig, donor), []).append(haplotype)
    differing = 0
    with pysam.VariantFile(vcf) as file:
        donors = list(file.header.samples)
    for donor in donors:
        made = {}
        for haplotype in ("1", "2"):
            # A path given with -o or save_stdout can crash the process; the text is as long as the reference.
            text = pysam.bcftools.consensus("-f", str(reference), "-s", donor, "-H", haplotype, vcf)
            for record in text[1:].split("\n>"):
                name, _, bases = record.partition("\n")
                made[name.split()[0], haplotype] = bases.replace("\n", "").encode()
        for (contig, owner), haplotypes in copies.items():
            if owner == donor:
                for haplotype in haplotypes:  # of one copy alone the VCF doesn't say which
                    key = (contig, haplotype if len(haplotypes) > 1 else "1")
                    differing += made[key] != named[contig, donor, haplotype]
    return len(named), differing


def mismatching_ref(folder: Path, reference: Path) -> bool:
    """Return whether `bcftools norm -c e` finds a REF that isn't the reference's."""
    try:
        pysam.bcftools.norm("-c", "e", "-f", str(reference), "-o", "/dev/null", str(folder / "variants.vcf.gz"))
    except pysam.SamtoolsError:
        return True
    return False


def quickcheck(folder: Path) -> bool:
    """Return whether `samtools quickcheck` passes truth.bam."""
    try:
        pysam.quickcheck(str(folder / "truth.bam"))
    except pysam.SamtoolsError:
        return False
    return True


def rate_deviations(found: Examination, asked: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return for each kind of error what was asked for, what came, the relative deviation, and its standard error.

    The standard error is that of independent errors, and so a lower bound: reads differ in their rates.
    """
    out = {}
    for name in ERRORS:
        came = found.rates[name]
        deviation = came / asked[name] - 1
        error = 1 / np.sqrt(max(found.errors[name], 1))
        out[name] = {"asked": asked[name], "came": came, "deviation": deviation, "standard_error": float(error)}
    return out


def calibration(found: Examination, enough: int = ENOUGH) -> dict[str, float]:
    """Return the largest deviation of empirical from stated quality, decibels, over Q5 to Q40 with enough wrong bases.

    `compared` of the 36 qualities have them; the deviation is that of `worst`.
    """
    kept = [q for q in QUALITIES if found.wrong[q] >= enough]
    gaps = {q: float(found.empirical_quality[q] - q) for q in kept}
    worst = max(gaps, key=lambda q: abs(gaps[q]), default=0)
    return {"compared": len(kept), "largest": abs(gaps.get(worst, np.nan)), "worst": worst}


def cycle_correlations(found: Examination, profile: IlluminaProfile, asked: float | None = None) -> dict[str, float]:
    """Return Pearson's r of mean quality and of wrong bases by cycle, both mates together, with what the profile asks.

    Parameters
    ----------
    asked
        The substitution rate, where it isn't the profile's.
    """
    quality, error = cycle_curve(profile, found.by_cycle.shape[1])
    error = error * (1 if asked is None else asked / error.mean())
    return {
        "quality": float(np.corrcoef(found.cycle_quality.ravel(), quality.ravel())[0, 1]),
        "error": float(np.corrcoef(found.cycle_error.ravel(), error.ravel())[0, 1]),
    }


def run_correlations(found: Examination, profile: LongProfile) -> dict[str, float | int | None]:
    """Return Pearson's r of insertion and deletion rates by homopolymer length with the profile's factors.

    Lengths count in which enough indels were seen, each with the number of its bases as its weight, and once more
    (`_plain`) all with the same. None where they are fewer than three.
    """
    wanted, out = run_curve(profile), {}
    for row, (name, counts) in enumerate((("insertion", found.run_insertions), ("deletion", found.run_deletions))):
        kept = np.flatnonzero(counts >= RUN_BASES)
        came, asked, bases = found.run_rates[row, kept], wanted[row, kept], found.run_bases[kept]
        enough = len(kept) > 2
        out[name] = _weighted_r(came, asked, bases) if enough else None
        out[f"{name}_plain"] = _weighted_r(came, asked, np.ones(len(kept))) if enough else None
        out[f"{name}_lengths"] = len(kept)
    return out


def _weighted_r(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    x, y = (values - np.average(values, weights=weight) for values in (x, y))
    return float((weight * x * y).sum() / np.sqrt((weight * x * x).sum() * (weight * y * y).sum()))
