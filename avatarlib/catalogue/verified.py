"""Levels of verification that code can prove: hashes of what was read, and counts of what the mirror holds."""

from dataclasses import dataclass
from pathlib import Path

from avatarlib import manifests
from avatarlib.catalogue.model import Source
from avatarlib.errors import InputError
from avatarlib.run.store import text_sha256

IMAGE_MODALITIES = ("iris", "fundus", "papilla")
UNITS = {"fa": "bases", "fq": "reads", "vcf": "records"}  # what is counted in a text of sequences, by its ending


@dataclass(frozen=True)
class Recount:
    """What was counted in the files of a mirrored source.

    Attributes
    ----------
    counts
        Number by unit of the catalogue.
    people
        Persons, or None where files don't tell.
    schema
        What all opened files have in common.
    level
        "V3" where the counts equal what the entry claims, else "V2".
    sha256
        Of the list of files with their SHA-256.
    """

    counts: dict[str, int]
    people: int | None
    schema: str
    level: str
    sha256: str


def proofs(source: Source) -> list[dict[str, str]]:
    """Return of each level that a source states: level, date, what was done, and a hash of what was seen.

    The hash of V1 is the SHA-256 of the quoted words, one passage a line in the order in which the entry cites them;
    of V2 and V3, that of the mirror's list of files and checksums; V0 has none.
    """
    rows = []
    for entry in source.verification:
        if entry.level in ("V2", "V3"):
            digest = _files_sha256(source)
        elif entry.level == "V1":
            digest = text_sha256("".join(f"{source.evidence[key].words}\n" for key in entry.evidence))
        else:
            digest = ""
        rows.append({"level": entry.level, "date": entry.date.isoformat(), "what": entry.what, "sha256": digest})
    return sorted(rows, key=lambda row: row["level"])


def recount(source: Source) -> Recount:
    """Open every file of a mirrored source, check its SHA-256, and count.

    Raises
    ------
    InputAbsent
        The mirror is not here.
    InputError
        The source is not mirrored, or a file is not the declared one.
    """
    if source.mirror is None:
        raise InputError(f"{source.identifier} is not mirrored: nothing can be counted")
    declared = manifests.source(source.mirror)
    if declared.modality in IMAGE_MODALITIES:
        counts, people, schema = _count_images(source.mirror)
    else:
        counts, people, schema = _count_sequences(declared)
    claimed = source.size.value is not None and counts.get(source.size.unit) == source.size.value
    same_people = people is None or people == source.people.value
    level = "V3" if claimed and same_people else "V2"
    return Recount(counts, people, schema, level, _files_sha256(source))


def _files_sha256(source: Source) -> str:
    declared = manifests.source(source.mirror).checksums
    return text_sha256("".join(f"{declared[name]}  {name}\n" for name in sorted(declared)))


def _count_images(name: str) -> tuple[dict[str, int], int, str]:
    from avatarlib.eyes import real

    cohort = real.load(name, closing=True)
    kind = "grey" if cohort.images.ndim == 3 else "colour"
    columns = ", ".join(column for column in ("person", "side", "modality") if cohort.table[column].ne("").any())
    return {"images": len(cohort)}, cohort.table.person.nunique(), f"{kind} images with {columns}"


def _count_sequences(declared: manifests.Source) -> tuple[dict[str, int], None, str]:
    counts: dict[str, int] = {}
    files = sorted(declared.checksums)
    endings = [name.removesuffix(".gz").rsplit(".", 1)[-1] for name in files]
    for path, ending in zip(manifests.fetch(declared, files), endings, strict=True):
        if ending in UNITS:
            counts[UNITS[ending]] = counts.get(UNITS[ending], 0) + _count(path, ending)
    return counts, None, f"files of sequences: {', '.join(sorted(set(endings)))}"


def _count(path: Path, ending: str) -> int:
    """Return the number of bases of a FASTA file, of reads of a FASTQ file, or of records of a VCF file."""
    import pysam

    if ending == "vcf":
        loud = pysam.set_verbosity(0)  # headers that lack contigs and files that lack an index are no matter here
        try:
            with pysam.VariantFile(str(path)) as records:
                return sum(1 for _ in records)
        finally:
            pysam.set_verbosity(loud)
    with pysam.FastxFile(str(path)) as records:
        return sum(len(record.sequence) if ending == "fa" else 1 for record in records)
