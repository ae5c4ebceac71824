"""Variants as VCF 4.3: written phased, with both alleles spelt out and the ancestral one named; read back strictly."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pysam

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.people import copies_of
from avatarlib.genomes.simulate import Contig, Genomes
from avatarlib.genomes.variants import (
    DELETION,
    INSERTION,
    INVERSION,
    KINDS,
    SNP,
    Variants,
    first_base,
    join_variants,
    no_variants,
    written,
)
from avatarlib.genomes.vcf_text import ALLELE, edits_of, info_of, lines, position_of

STRUCTURAL = 50  # bases from which a variant gets SVTYPE and SVLEN
TBI_LONGEST = 1 << 29  # bases that this kind of index can address
COLUMNS = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
DONOR = {"Population": "population", "Sex": "sex", "Father": "father", "Mother": "mother"}

HEADER = """\
##fileformat=VCFv4.3
##source=avatarlib
##FILTER=<ID=PASS,Description="All filters passed">
##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral allele, the whole of REF or ALT">
##INFO=<ID=TYPE,Number=1,Type=String,Description="SNP, INS, DEL, INV or DUP, against the reference">
##INFO=<ID=SVTYPE,Number=1,Type=String,Description="TYPE of variants of 50 bases or more">
##INFO=<ID=SVLEN,Number=1,Type=Integer,Description="Bases added, or negative, removed; of an inversion, inverted">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Phased genotype: haplotype 1|haplotype 2, or the only copy">
"""


def write_vcf(path: Path, genomes: Genomes) -> None:
    """Write all contigs' variants, bgzip, with their index beside it; the same genomes give the same bytes.

    A donor with one copy of a contig has a haploid genotype, with none a dot. Donors' populations, sexes and parents
    stand in the header.

    Parameters
    ----------
    path
        For instance `variants.vcf.gz`; replaced if it exists. The index is `.tbi`, or `.csi` where a contig is longer
        than that can hold.

    Examples
    --------
    >>> import gzip, tempfile
    >>> from avatarlib.genomes.fasta import join
    >>> reference = join(["chrM"], [b"ACGT"])
    >>> genomes = Genomes(reference, [{"donor": "d1"}], (Contig("chrM", ((0, 1),), no_variants(1), None),))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_vcf(Path(folder) / "v.vcf.gz", genomes)
    ...     gzip.open(Path(folder) / "v.vcf.gz").read().splitlines()[-1].split()[-1]
    b'd1'
    """
    reference = genomes.reference
    number = {name: contig for contig, name in enumerate(reference.names)}
    with pysam.BGZFile(str(path), "wb") as file:
        file.write("".join(_header(genomes)).encode())
        for contig in genomes.contigs:
            rows = _rows(contig, reference.sequence(number[contig.name]), len(genomes.donors))
            file.write(b"".join(rows))
    long = max(map(reference.length, range(len(reference)))) > TBI_LONGEST
    pysam.tabix_index(str(path), preset="vcf", force=True, csi=long)


def _header(genomes: Genomes) -> Iterator[str]:
    yield HEADER
    for contig, name in enumerate(genomes.reference.names):
        yield f"##contig=<ID={name},length={genomes.reference.length(contig)}>\n"
    for person in genomes.donors:
        known = "".join(f',{title}="{person[key]}"' for title, key in DONOR.items() if person.get(key))
        yield f"##SAMPLE=<ID={person['donor']}{known}>\n"
    yield "\t".join([*COLUMNS, *(person["donor"] for person in genomes.donors)]) + "\n"


def _rows(contig: Contig, sequence: np.ndarray, donors: int) -> Iterator[bytes]:
    variants = contig.variants
    reference, alternative = written(variants, sequence)
    cells, places = _cells(contig.copies, donors)
    genotypes = np.tile(np.frombuffer(cells, np.uint8), (len(variants), 1))
    genotypes[:, places] = variants.genotypes + ord("0")
    lengths = np.where(variants.kind == DELETION, -variants.reference_length, np.diff(variants.allele_offsets))
    columns = zip(
        (first_base(variants.kind, variants.position) + 1).tolist(),
        reference,
        alternative,
        variants.reference_is_derived.tolist(),
        variants.kind.tolist(),
        lengths.tolist(),
        genotypes,
        strict=True,
    )
    name = contig.name.encode()
    for position, ref, alt, derived, kind, length, row in columns:
        what = KINDS[kind].encode()
        info = b"AA=%b;TYPE=%b" % (alt if derived else ref, what)
        if kind > DELETION or abs(length) >= STRUCTURAL:
            info += b";SVTYPE=%b;SVLEN=%d" % (what, length)
        yield b"%b\t%d\t.\t%b\t%b\t.\tPASS\t%b\tGT%b\n" % (name, position, ref, alt, info, row.tobytes())


def _cells(copies: Sequence[tuple[int, int]], donors: int) -> tuple[bytes, list[int]]:
    """Genotype columns with 0 for each copy, and the places of these zeros in the order of `copies`."""
    owned = np.bincount(np.array([donor for donor, _ in copies], np.int64), minlength=donors)
    text = b"".join((b"\t.", b"\t0", b"\t0|0")[several] for several in owned)
    return text, [place for place, letter in enumerate(text) if letter == ord("0")]


def read_vcf(path: Path, reference: Reference) -> Genomes:
    """Read phased variants of one or more people, each allele spelt out, and hold REF against the reference.

    Alleles of several substituted bases become SNPs. Variants stay where they are written, left-aligned or not;
    two may lie side by side, an insertion before a SNP with the same position.

    Parameters
    ----------
    path
        VCF file, plain, gzip or bgzip; sorted.

    Returns
    -------
    Genomes without genealogies. How many copies of a contig a donor has is read from the first record; of contigs
    without any, they are those that the contig's name and the donor's sex (header line SAMPLE) imply.

    Raises
    ------
    InputError
        No VCF, another reference, records that overlap or are not sorted, several or symbolic alleles, genotypes that
        are missing or not phased: names file, line and what to do.
    """
    donors: list[dict] | None = None
    about: dict[str, dict] = {}
    index = {name: contig for contig, name in enumerate(reference.names)}
    found, last = [_Found() for _ in reference.names], 0
    for number, line in lines(path):
        where = f"{path}, line {number}"
        if line.startswith("##"):
            _meta(where, line, about, reference, index)
        elif donors is None:
            donors = _donors(where, line.split("\t"), about)
        elif line:
            fields = line.split("\t")
            if len(fields) != len(COLUMNS) + len(donors):
                raise InputError(f"{where}: {len(fields)} columns, the header has others: correct the record")
            if fields[0] not in index:
                raise InputError(f"{where}: no contig {fields[0][:50]!r} in the reference: use the VCF's own FASTA")
            contig = index[fields[0]]
            if contig < last:
                raise InputError(f"{where}: contigs are not in the reference's order: sort with bcftools sort")
            last = contig
            _record(where, fields, reference, contig, found[contig])
    if donors is None:
        raise InputError(f"{path}: no line #CHROM: give a whole VCF file")
    sexes = [person["sex"] for person in donors]
    contigs = [_contig(name, found[contig], sexes) for contig, name in enumerate(reference.names)]
    return Genomes(reference, donors, tuple(contigs))


class _Found:
    """What was read of one contig."""

    def __init__(self) -> None:
        self.copies: tuple[tuple[int, int], ...] | None = None
        self.edits: list = []
        self.derived: list[bool] = []
        self.genotypes: list[list[int]] = []
        self.end = 0


def _meta(where: str, line: str, about: dict[str, dict], reference: Reference, index: dict[str, int]) -> None:
    what, _, rest = line.partition("=<")
    keys = {k: quoted or plain for k, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,>]*))', rest)}
    if what == "##SAMPLE":
        about[keys.get("ID", "")] = {key: keys.get(title, "") for title, key in DONOR.items()}
    length = keys.get("length", "")
    if what == "##contig" and length.isdecimal() and keys.get("ID") in index:
        there = reference.length(index[keys["ID"]])
        if int(length) != there:
            raise InputError(f"{where}: contig {keys['ID']} has {length} bases, the reference's {there}: use its FASTA")


def _donors(where: str, fields: list[str], about: dict[str, dict]) -> list[dict]:
    names = fields[len(COLUMNS) :]
    if fields[: len(COLUMNS)] != COLUMNS or not names:
        raise InputError(f"{where}: expected the header #CHROM … FORMAT with at least one donor: give a whole VCF file")
    if len(set(names)) < len(names):
        raise InputError(f"{where}: a donor is there twice: rename one")
    unknown = dict.fromkeys(DONOR.values(), "")
    return [{"donor": name} | about.get(name, unknown) for name in names]


def _record(where: str, fields: list[str], reference: Reference, contig: int, found: _Found) -> None:
    position = position_of(where, fields, reference, contig)
    ref, alt, info = fields[3].upper(), fields[4].upper(), info_of(fields[7])
    if "," in alt:
        raise InputError(f"{where}: several alternative alleles: keep one a place (bcftools view --max-alleles 2)")
    if not ALLELE.fullmatch(ref) or not ALLELE.fullmatch(alt):
        raise InputError(f"{where}: REF and ALT must be spelt out in A, C, G and T: leave out symbolic alleles and N")
    edits = edits_of(position, ref, alt, info.get("SVTYPE", ""))
    if not edits:
        raise InputError(f"{where}: {'REF is ALT' if ref == alt else 'a replacement'}: bcftools norm --atomize")
    if edits[0][0] == 0 and edits[0][3] in (INSERTION, DELETION):
        raise InputError(f"{where}: an insertion or deletion at the contig's first base: leave it out")
    first = edits[0][0] - (edits[0][3] not in (SNP, INVERSION))
    if first < found.end:
        raise InputError(f"{where}: overlaps the record before it, or isn't sorted: sort, and leave one of the two out")
    found.end = max(edits[-1][0] + edits[-1][1], first + 1)
    keys = fields[8].split(":")
    if keys[0] != "GT":
        raise InputError(f"{where}: FORMAT doesn't begin with GT: give genotypes")
    calls = [_call(where, cell.partition(":")[0]) for cell in fields[len(COLUMNS) :]]
    copies = tuple((donor, k + 1) for donor, call in enumerate(calls) for k in range(len(call)))
    if found.copies is None:
        found.copies = copies
    elif found.copies != copies:
        raise InputError(f"{where}: donors have other numbers of copies than in the record before: correct GT")
    row = [allele for call in calls for allele in call]
    for edit in edits:
        found.edits.append(edit)
        found.derived.append(info.get("AA", "").upper() == alt)
        found.genotypes.append(row)


_CALLS = {"0|0": (0, 0), "0|1": (0, 1), "1|0": (1, 0), "1|1": (1, 1), "0": (0,), "1": (1,), ".": ()}
_CALLS |= {"0/0": (0, 0), "1/1": (1, 1)}  # nothing to phase


def _call(where: str, text: str) -> tuple[int, ...]:
    call = _CALLS.get(text)
    if call is None:
        raise InputError(f"{where}: genotype {text[:20]!r}: write phased 0 and 1, as 0|1; fill in what is missing")
    return call


def _contig(name: str, found: _Found, sexes: list[str]) -> Contig:
    if found.copies is None:
        copies = copies_of(name, sexes)
        return Contig(name, copies, no_variants(len(copies)), None)
    genotypes = np.array(found.genotypes, np.int8).reshape(len(found.edits), len(found.copies))
    variants: Variants = join_variants(found.edits, found.derived, genotypes)
    return Contig(name, found.copies, variants, None)
