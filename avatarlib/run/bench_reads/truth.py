"""The promises about simulated reads at their full size: rebuilt, labelled, as asked, and what samtools says."""

import shutil
from collections.abc import Callable
from pathlib import Path

from avatarlib.genomes.fasta import read_fasta
from avatarlib.reads.config import Config
from avatarlib.reads.examine import examine
from avatarlib.reads.profile import load_profile
from avatarlib.reads.simulate import simulate
from avatarlib.reads.verify import verify
from avatarlib.reads.verify.text import fastq
from avatarlib.run.bench_reads import checks as measures

NUMBERS = {"illumina": 500_000, "ont": 10_000, "hifi": 10_000}  # pairs, or reads
VARIATION = {"snp_rate": 0.001, "indel_rate": 0.0002, "sv_rate": 0.000005}
RARE = {"illumina": {"substitution": 0.004, "insertion": 0.002, "deletion": 0.002}, "hifi": {"scale": 10.0}}
FEWER = 100  # times fewer reads where nothing is counted, only compared


def checks(reference: Path, place: Path, say: Callable[[str], None] = lambda step: None, part: float = 1.0) -> dict:
    """Simulate each platform and return all that the promises are about, by platform.

    Parameters
    ----------
    reference
        A bgzip FASTA file.
    place
        Folder for the simulations, which are removed.
    part
        Of the promised numbers of reads.
    """
    out = {}
    for platform, number in NUMBERS.items():
        n = max(1, round(number * part))
        say(f"checks: {platform}")
        made = place / "checked"
        run = simulate(_config(reference, platform, n), made)
        out[platform] = {"reads": run["counts"]["reads"], "bases": run["counts"]["bases"]} | _agreement(made, reference)
        found, profile = examine(made), load_profile("default", platform)
        asked = {name: rate for name, rate in profile.rates.model_dump().items() if rate is not None}
        out[platform]["calibration"] = measures.calibration(found)
        correlations = measures.cycle_correlations if platform == "illumina" else measures.run_correlations
        out[platform]["curves"] = correlations(found, profile)
        shutil.rmtree(made)
        if platform in RARE:  # so rare by default that a percent is less than chance
            errors = RARE[platform]
            asked = {name: rate * errors["scale"] for name, rate in asked.items()} if "scale" in errors else errors
            simulate(_config(reference, platform, n, errors=errors, truth={"bam": False}), made)
            found = examine(made)
            shutil.rmtree(made)
        out[platform]["rates"] = measures.rate_deviations(found, asked)
        say(f"limits: {platform}")
        out[platform]["limits"] = limits(reference, platform, max(1, n // FEWER), made)
    return out


def _config(reference: Path, platform: str, n: int, *, variation=VARIATION, errors=None, truth=None) -> Config:
    reads = {"platform": platform, "pairs" if platform == "illumina" else "reads": n}
    return Config(reference=reference, reads=reads, variation=variation, errors=errors or {}, truth=truth or {})


def _agreement(made: Path, reference: Path) -> dict:
    """Return what `avatar reads verify`, samtools and bcftools say of a folder."""
    report = verify(made)
    aligned, differing = measures.calmd(made, reference)
    sequences, others = measures.consensus(made, reference)
    return {
        "first_disagreement": report.first,
        "rebuilt": report.reads if report.agrees else 0,
        "unlabelled": report.unlabelled,
        "without_difference": report.without_difference,
        "aligned": report.nm_checked,
        "compared_with_calmd": aligned,
        "differing_from_calmd": differing,
        "haplotypes": sequences,
        "differing_from_consensus": others,
        "mismatching_ref": measures.mismatching_ref(made, reference),
        "quickcheck": measures.quickcheck(made),
    }


def limits(reference: Path, platform: str, n: int, made: Path) -> dict[str, bool]:
    """Return whether reads without errors equal haplotypes, haplotypes without variation the reference, and all three.

    Parameters
    ----------
    made
        Folder to simulate into, removed afterwards.
    """
    none, exact = {"snp_rate": 0, "indel_rate": 0}, {"scale": 0.0}
    out = {}
    for name, settings in {
        "no_errors": {"errors": exact},
        "no_variation": {"variation": none},
        "neither": {"errors": exact, "variation": none},
    }.items():
        run = simulate(_config(reference, platform, n, truth={"error_free": True}, **settings), made)
        labels = {kind for kind, count in run["counts"]["labels"].items() if count}
        agrees = verify(made).agrees
        if name == "no_errors":
            agrees &= labels == {"variant"} and _twins_equal(made)
        else:
            agrees &= _equal_reference(made, reference) and "variant" not in labels
        if name == "neither":
            agrees &= not labels and _twins_equal(made)
        out[name] = bool(agrees)
        shutil.rmtree(made)
    return out


def _twins_equal(made: Path) -> bool:
    """Whether every read is its error-free twin, which `verify` holds against the haplotype."""
    for path in made.glob("reads*.fastq*"):
        twin = path.with_name(path.name.replace("reads", "error_free"))
        if any(a[:2] != b[:2] for a, b in zip(fastq(path), fastq(twin), strict=True)):
            return False
    return True


def _equal_reference(made: Path, reference: Path) -> bool:
    """Whether every haplotype is the reference's sequence."""
    known, copies = read_fasta(reference), read_fasta(made / "haplotypes.fa.gz")
    bases = {name: known.sequence(number).tobytes() for number, name in enumerate(known.names)}
    return all(copies.sequence(k).tobytes() == bases[n.rsplit("|", 2)[0]] for k, n in enumerate(copies.names))
