"""Hold variants.vcf.gz against the reference, and haplotypes.fa.gz against what the two make together."""

import re
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.reads.verify.rebuild import Copy, Edit, Genome
from avatarlib.reads.verify.text import Disagreement, Watch, lines, shown

FIXED = b"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
ALLELE = re.compile(rb"[ACGT]+")


@dataclass
class Alleles:
    """What the VCF says: edits of (contig, donor, place in the genotype), and which of these places exist there."""

    donors: list[bytes]
    edits: dict[tuple[int, int, int], list[Edit]] = field(default_factory=dict)
    present: dict[tuple[int, int], tuple[bool, ...]] = field(default_factory=dict)
    records: int = 0


def edits_of(position: int, reference: bytes, allele: bytes) -> list[Edit]:
    """Return what an allele changes: a replacement of equal length, then an insertion or a deletion; at most two.

    Examples
    --------
    >>> edits_of(4, b"A", b"ACC"), edits_of(4, b"ACC", b"A"), edits_of(4, b"A", b"G")
    ([(5, 0, b'CC')], [(5, 2, b'')], [(4, 1, b'G')])
    """
    shared = min(len(reference), len(allele))
    found = []
    if reference[:shared] != allele[:shared]:
        found.append((position, shared, allele[:shared]))
    if len(reference) != len(allele):
        found.append((position + shared, len(reference) - shared, allele[shared:]))
    return found


def read_variants(path: Path, genome: Genome, watch: Watch | None = None) -> Alleles:
    """Read a phased VCF, hold each REF against the reference and note the known SNP alleles in `genome.known`.

    Raises
    ------
    InputError
        The file is no VCF with explicit alleles and phased genotypes.
    Disagreement
        A REF is not the reference's, or the records are not sorted.
    """
    found: Alleles | None = None
    last = (-1, -1)
    for number, line in enumerate(lines(path, watch), 1):
        where = f"{path.name}, line {number}"
        if line.startswith(b"##"):
            continue
        fields = line.split(b"\t")
        if found is None:
            if fields[: len(FIXED)] != FIXED and fields != FIXED[:8]:
                raise InputError(f"{where}: the header #CHROM … FORMAT is missing: make the folder again")
            found = Alleles(fields[len(FIXED) :])
            continue
        if len(fields) != len(FIXED) + len(found.donors):
            raise InputError(f"{where}: {len(fields)} columns, unlike the header: make the folder again")
        contig = genome.index.get(fields[0], genome.own.get(fields[0]))
        if contig is None or not fields[1].isdigit():
            raise InputError(f"{where}: no such place as {shown(fields[0])}:{shown(fields[1])} in the reference")
        position, reference, alleles = int(fields[1]) - 1, fields[3], fields[4].split(b",")
        if found.donors and fields[8].split(b":")[0] != b"GT":
            raise InputError(f"{where}: FORMAT does not begin with GT: make the folder again")
        if not ALLELE.fullmatch(reference) or not all(ALLELE.fullmatch(allele) for allele in alleles):
            raise InputError(f"{where}: REF and ALT must be written out in A, C, G, T: make the folder again")
        if genome.bases[contig][max(position, 0) : position + len(reference)] != reference:
            raise Disagreement(f"{where}: REF {shown(reference)} is not what the reference has there")
        if (contig, position) < last:
            raise Disagreement(f"{where}: the records are not sorted")
        last = (contig, position)
        found.records += 1
        if len(reference) == 1:
            genome.known[contig].extend(position * 256 + allele[0] for allele in alleles if len(allele) == 1)
        _genotypes(found, contig, fields, [edits_of(position, reference, allele) for allele in alleles], where)
    if found is None:
        raise InputError(f"{path.name}: no VCF, it has no header: make the folder again")
    genome.known[:] = [array("q", sorted(known)) for known in genome.known]
    return found


def _genotypes(found: Alleles, contig: int, fields: list[bytes], edits: list[list[Edit]], where: str) -> None:
    for donor, cell in enumerate(fields[len(FIXED) :]):
        text = cell.partition(b":")[0]
        calls = text.split(b"|")
        present = tuple(call != b"." for call in calls)
        if found.present.setdefault((contig, donor), present) != present or len(calls) > 2:
            raise Disagreement(f"{where}: genotype {shown(text)} has not the copies of the records before it")
        for place, call in enumerate(calls):
            if call in (b"0", b"."):
                continue
            if not call.isdigit() or int(call) > len(edits):
                raise InputError(f"{where}: genotype {shown(text)} is not phased, or names no allele")
            found.edits.setdefault((contig, donor, place), []).extend(edits[int(call) - 1])


def check_haplotypes(path: Path, genome: Genome, alleles: Alleles, watch: Watch | None = None) -> int:
    """Rebuild every record of haplotypes.fa.gz, put the copies into `genome.copies` and return how many there are.

    Raises
    ------
    InputError
        The file is no FASTA with records named contig|donor|haplotype.
    Disagreement
        A base differs from reference and VCF, or a copy is missing or not in the VCF.
    """
    donors = {donor: i for i, donor in enumerate(alleles.donors)}
    copies: dict[tuple[int, bytes, int], Copy] = {}
    name, rebuilt, done, width = b"", b"", 0, 0
    for number, line in enumerate(lines(path, watch), 1):
        if line[:1] != b">":
            if rebuilt[done : done + len(line)] != line or not line or not name:
                raise Disagreement(f"{path.name}, line {number}: {shown(name)} differs from reference and VCF")
            width = width or len(line)
            if done % width or len(line) > width:  # an index (.fai) knows one length of lines for a record
                raise Disagreement(f"{path.name}, line {number}: the lines of {shown(name)} have different lengths")
            done += len(line)
            continue
        _ended(path, name, done, len(rebuilt))
        name, done, width = line[1:], 0, 0
        contig, donor, haplotype = ([*name.rsplit(b"|", 2), b"", b""])[:3]
        key = (
            genome.index.get(contig, genome.own.get(contig, -1)),
            donor,
            int(haplotype) if haplotype in (b"1", b"2") else 0,
        )
        if key[0] < 0 or not genome.human[key[0]] or donor not in donors or not key[2] or key in copies:
            raise Disagreement(f"{path.name}, line {number}: no such copy as {shown(name)}, or it comes twice")
        present = alleles.present.get((key[0], donors[donor]), (True, True))
        place = 0 if len(present) == 1 else key[2] - 1  # one copy only: the genotype does not say which haplotype
        if not present[place]:
            raise Disagreement(f"{path.name}, line {number}: the VCF has no such copy as {shown(name)}")
        copies[key] = _copy(genome.bases[key[0]], alleles.edits.get((key[0], donors[donor], place), []), name)
        rebuilt = copies[key].bases(0, copies[key].length)
    _ended(path, name, done, len(rebuilt))
    for (contig, donor), present in alleles.present.items():
        there = sum((contig, alleles.donors[donor], haplotype) in copies for haplotype in (1, 2))
        if there != sum(present):
            who = f"{shown(genome.names[contig])}, donor {shown(alleles.donors[donor])}"
            raise Disagreement(f"{path.name}: {there} copies of {who}; the VCF's genotypes have {sum(present)}")
    genome.copies.update(copies)
    return len(copies)


def _ended(path: Path, name: bytes, done: int, length: int) -> None:
    if done != length:
        raise Disagreement(f"{path.name}: {shown(name)} has {done} bases; reference and VCF make {length}")


def _copy(reference: bytes, edits: list[Edit], name: bytes) -> Copy:
    edits = sorted(edits, key=lambda edit: edit[:2])  # an insertion comes before what replaces the base after it
    for before, after in zip(edits, edits[1:], strict=False):
        if before[0] + before[1] > after[0]:
            raise Disagreement(f"variants.vcf.gz: two variants of {shown(name)} overlap at position {after[0] + 1}")
    return Copy(reference, edits)
