"""What comes before the reads: donors, their variants and haplotypes, and the library that molecules are drawn from."""

import csv
import io
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import read_fasta, write_fasta
from avatarlib.genomes.haplotypes import haplotype
from avatarlib.genomes.simulate import Genomes
from avatarlib.genomes.simulate import simulate as simulate_variation
from avatarlib.genomes.trees import write_trees
from avatarlib.genomes.vcf import write_vcf
from avatarlib.reads import parts
from avatarlib.reads.config import Config, check_names
from avatarlib.reads.library import Source, save_library
from avatarlib.reads.parts import Plan
from avatarlib.reads.profile import load_profile
from avatarlib.run.store import write_json

HUMAN = "human"  # the donors' source
MOST_TREE_FILES = 1000  # contigs; of more, genealogies are not written
Progress = Callable[[str, float], None]


def prepare(config: Config, work: Path, key: str, progress: Progress) -> tuple[Plan, dict]:
    """Make variation and library, or find them from an earlier, stopped run of the same settings."""
    profile = load_profile(config.errors.profile, config.reads.platform)
    stamp = work / "prepared.json"
    prepared = json.loads(stamp.read_text()) if stamp.is_file() else {}
    if prepared.get("key") != key:
        for path in work.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in ("out", "library", "parts"):
            (work / name).mkdir()
        prepared = _variation(config, profile, work, progress) | {"key": key}
        write_json(stamp, prepared)
    names = {name: prepared[name] for name in ("contigs", "groups", "fronts", "molecules", "batch", "part")}
    return Plan(config=config, profile=profile, folder=work, **names), prepared


def _variation(config: Config, profile, work: Path, progress: Progress) -> dict:
    """Write donors, variants, haplotypes and the library; return what the later steps need."""
    progress("variation", 0)
    reference = read_fasta(config.reference)
    genomes = simulate_variation(reference, config.variation)
    donors = [donor["donor"] for donor in genomes.donors]
    check_names(config, donors)
    share = max(0.0, 1 - sum(source.share for source in config.mixture))
    sources = [Source(HUMAN, True, share, reference, genomes)]
    sources += [Source(s.name, s.human, s.share, read_fasta(s.reference), None) for s in config.mixture]
    out = work / "out"
    write_vcf(out / "variants.vcf.gz", genomes)
    progress("variation", 0.5)
    if config.truth.haplotypes:
        _save_haplotypes(out / "haplotypes.fa.gz", genomes)
    _save_donors(out / "donors.csv", genomes)
    _save_trees(out / "genealogies", genomes)
    least = config.reads.length if config.reads.paired else parts.shortest(config.reads, profile)
    short = save_library(work / "library", sources, least)
    progress("variation", 1)
    for source in sources:
        if source.share > 0 and not (np.diff(source.reference.offsets) >= least).any():
            longest = int(np.diff(source.reference.offsets).max(initial=0))
            raise InputError(
                f"reference of {source.name}: its longest contig has {longest} bases, a read needs {least}: "
                "ask for shorter reads or give longer contigs"
            )
    contigs = _contig_names(sources)
    fronts = [f"{HUMAN}\t1\t{donor}" for donor in donors]
    fronts += [f"{source.name}\t{int(source.human)}\t*" for source in sources[1:]] + ["*\t0\t*"]
    molecules = _how_many(config, profile, int(reference.offsets[-1]), share)
    batch = max(1, int(parts.BATCH_BASES / parts.bases_of_molecule(config.reads, profile)))
    return {
        "contigs": contigs,
        "lengths": np.concatenate([np.diff(source.reference.offsets) for source in sources]).tolist(),
        "sources": [source.name for source in sources for _ in source.reference.names],
        "own_names": [name for source in sources for name in source.reference.names],
        "groups": [*donors, *(source.name for source in sources[1:]), "junk"],
        "fronts": fronts,
        "molecules": molecules,
        "batch": batch,
        "part": batch * parts.PART_BATCHES,
        "short_contigs": int(short),
        "left_out": dict(genomes.left_out),
        "variants": sum(len(contig.variants) for contig in genomes.contigs),
    }


def _how_many(config: Config, profile, bases: int, share: float) -> int:
    reads = config.reads
    if reads.coverage is None:
        return reads.pairs or reads.reads
    if share == 0:
        raise InputError("reads.coverage is the depth of the donors' reference, and the mixture leaves them no share")
    return max(1, math.ceil(reads.coverage * bases / parts.bases_of_molecule(reads, profile) / share))


def _contig_names(sources: list[Source]) -> list[str]:
    """Return every contig's name in the truth: its own, or source:name where two sources share it."""
    sharing = Counter(name for source in sources for name in source.reference.names)
    return [f"{s.name}:{n}" if sharing[n] > 1 else n for s in sources for n in s.reference.names]


def _save_haplotypes(path: Path, genomes: Genomes) -> None:
    """Write every copy of every contig, named contig|donor|haplotype."""
    rows = [
        (index, contig, copy, f"{contig.name}|{genomes.donors[donor]['donor']}|{number}")
        for index, contig in enumerate(genomes.contigs)
        for copy, (donor, number) in enumerate(contig.copies)
    ]
    sequences = (haplotype(genomes.reference.sequence(i), contig.variants, copy).bases for i, contig, copy, _ in rows)
    write_fasta(path, [name for *_, name in rows], sequences)


def _save_donors(path: Path, genomes: Genomes) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["donor", "population", "sex", "father", "mother"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(genomes.donors)
    path.write_text(text.getvalue(), encoding="utf-8")


def _save_trees(folder: Path, genomes: Genomes) -> None:
    folder.mkdir()
    for number, contig in enumerate(genomes.contigs):
        if contig.trees is not None and len(genomes.contigs) <= MOST_TREE_FILES:
            write_trees(folder / f"{number + 1}.trees", contig.trees)
