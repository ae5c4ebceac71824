"""The text of VCF files of strangers: lines, places on the reference, and what an allele changes there."""

import re
from collections.abc import Iterator
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.opened import opened
from avatarlib.genomes.variants import DELETION, DUPLICATION, INSERTION, INVERSION, SNP

LONGEST_LINE = 1 << 28
ALLELE = re.compile(r"[ACGT]+")
COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")

Edit = tuple[int, int, bytes, int]  # position, reference length, allele, kind; as in `Variants`


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line of a VCF file, plain, gzip or bgzip.

    Raises
    ------
    InputError
        The file can't be read, is cut off or damaged, or is no VCF.
    """
    number = 0
    try:
        with opened(path, "check the path of the VCF file") as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number == 1 and not line.startswith(b"##fileformat=VCF"):
                    raise InputError(f"{path}: no VCF, it doesn't begin with ##fileformat=VCF: give a VCF file")
                if len(line) == LONGEST_LINE:
                    raise InputError(f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes: split the file")
                yield number, line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"{path}, line {number}: no UTF-8: VCF files are text in UTF-8") from None
    if not number:
        raise InputError(f"{path}: empty: give a VCF file")


def position_of(where: str, fields: list[str], reference: Reference, contig: int) -> int:
    """Return the 0-based position of a record, whose REF is held against the reference.

    Raises
    ------
    InputError
        POS is none or beyond the contig, or REF differs: with the place and both sequences.
    """
    if not fields[1].isdecimal() or len(fields[1]) > 12:
        raise InputError(f"{where}: POS {fields[1][:20]!r} is no position: correct it")
    position, ref = int(fields[1]) - 1, fields[3].upper()
    if not 0 <= position <= reference.length(contig) - len(ref):
        name = reference.names[contig]
        raise InputError(f"{where}: position {fields[1]} is outside {name}, {reference.length(contig)} bases long")
    there = reference.sequence(contig)[position : position + len(ref)].tobytes().decode()
    if ref != there:
        raise InputError(
            f"{where}: position {fields[1]}: REF is {_short(ref)}, the reference has {_short(there)}: "
            "use the FASTA file that the VCF belongs to"
        )
    return position


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."


def edits_of(position: int, ref: str, alt: str, said: str = "") -> list[Edit] | None:
    """Return what an allele changes, or None where that is no single variant.

    Alleles of equal length become SNPs, but an inversion stays one.

    Parameters
    ----------
    position
        0-based position of REF.
    ref, alt
        A, C, G and T.
    said
        SVTYPE of the record; DUP makes an insertion a duplication.

    Examples
    --------
    >>> edits_of(4, "CA", "C"), edits_of(4, "AC", "TG"), edits_of(4, "AC", "TGG")
    ([(5, 1, b'', 2)], [(4, 1, b'T', 0), (5, 1, b'G', 0)], None)
    """
    if len(ref) == len(alt):
        if said == "INV" and alt.encode() == ref.encode().translate(COMPLEMENT)[::-1]:
            return [(position, len(ref), alt.encode(), INVERSION)]
        return [(position + k, 1, b.encode(), SNP) for k, (a, b) in enumerate(zip(ref, alt, strict=True)) if a != b]
    shared = min(len(ref), len(alt))
    front = next((k for k in range(shared) if ref[k] != alt[k]), shared)
    back = next((k for k in range(shared - front) if ref[-1 - k] != alt[-1 - k]), shared - front)
    removed, allele = len(ref) - front - back, alt[front : len(alt) - back].encode()
    if removed and allele:
        return None
    kind = DELETION if removed else DUPLICATION if said == "DUP" else INSERTION
    return [(position + front, removed, allele, kind)]


def info_of(text: str) -> dict[str, str]:
    """Split the INFO column.

    Examples
    --------
    >>> info_of("AF=0.5;DB")
    {'AF': '0.5', 'DB': ''}
    """
    return {key: value for key, _, value in (part.partition("=") for part in text.split(";"))}
