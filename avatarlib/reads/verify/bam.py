"""Read truth.bam, and hold each record against what fragments, haplotypes and events make of its read."""

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatarlib.errors import InputError
from avatarlib.reads.verify.differences import NONE, Differences, canonical, of_alignment
from avatarlib.reads.verify.events import number_of
from avatarlib.reads.verify.reads import PAIRED, REVERSE, SUPPLEMENTARY, UNMAPPED, Expected
from avatarlib.reads.verify.rebuild import Genome, reverse_complement
from avatarlib.reads.verify.text import Disagreement, Watch, blocks, shown

HEAD = struct.Struct("<iiiBBHHHiiii")
LETTERS = bytes.maketrans(b"0123456789abcdef", b"=ACMGRSVTWYHKDBN")  # four bits a base, as hexadecimal digits
TO_TEXT = bytes((i + 33) & 255 for i in range(256))
NUMBERS = {kind: struct.Struct("<" + code) for kind, code in zip(b"cCsSiIf", "bBhHiIf", strict=True)}
FLAGS = PAIRED | UNMAPPED | REVERSE | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | SUPPLEMENTARY


class Alignment(NamedTuple):
    """A record of a BAM file; `tags` are bytes or numbers by name."""

    contig: int
    position: int  # 0-based
    flag: int
    name: bytes
    operations: list[tuple[str, int]]
    bases: bytes
    qualities: bytes  # as in a FASTQ
    mate_contig: int
    mate_position: int
    template: int  # TLEN
    tags: dict[bytes, bytes | int | float]


@dataclass
class Found:
    """What was seen in truth.bam; `differing` are slots whose differences are not those of their rows."""

    alignments: int = 0
    nm_checked: int = 0
    differing: list[int] = field(default_factory=list)


class _Stream:
    """Bytes of a BAM file, taken by number: a class because it stands at a place in the file."""

    def __init__(self, path: Path, watch: Watch | None):
        self.path, self.blocks, self.buffer, self.at = path, blocks(path, watch), b"", 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes; fewer only at the end of the file."""
        if len(self.buffer) - self.at < count:
            pieces = [self.buffer[self.at :]]
            held = len(pieces[0])
            while held < count and (block := next(self.blocks, None)) is not None:
                pieces.append(block)
                held += len(block)
            self.buffer, self.at = b"".join(pieces), 0
        taken = self.buffer[self.at : self.at + count]
        self.at += len(taken)
        return taken

    def number(self) -> int:
        """The next four bytes as a number."""
        return int.from_bytes(self.need(4), "little", signed=True)

    def need(self, count: int) -> bytes:
        """The next `count` bytes, all of them."""
        taken = self.take(count) if 0 <= count < 1 << 30 else b""
        if len(taken) != count:
            raise InputError(f"{self.path.name}: cut off or damaged: make the folder again")
        return taken


def alignments(path: Path, genome: Genome, watch: Watch | None = None) -> Iterator[bytes | Alignment]:
    """Yield the text of the header, then every record of a BAM file.

    Raises
    ------
    InputError
        The file is no BAM, or damaged.
    Disagreement
        Its contigs are not those of the reference.
    """
    stream = _Stream(path, watch)
    if stream.take(4) != b"BAM\1":
        raise InputError(f"{path.name}: no BAM file: make the folder again")
    text = stream.need(stream.number())
    contigs = [(stream.need(stream.number())[:-1], stream.number()) for _ in range(max(0, stream.number()))]
    if contigs != [(name, len(bases)) for name, bases in zip(genome.names, genome.bases, strict=True)]:
        raise Disagreement(f"{path.name}: names, lengths or order of the contigs are not the reference's")
    yield text
    while head := stream.take(4):
        size = int.from_bytes(head, "little", signed=True)
        try:
            yield _record(head + stream.need(size))
        except (struct.error, ValueError, KeyError, IndexError):
            raise InputError(f"{path.name}: a record is damaged: make the folder again") from None


def _record(data: bytes) -> Alignment:
    _, contig, position, l_name, _, _, n_cigar, flag, size, mate_contig, mate_position, length = HEAD.unpack_from(data)
    at = HEAD.size + l_name
    name = data[HEAD.size : at - 1]
    codes = struct.unpack_from(f"<{n_cigar}I", data, at)
    at += 4 * n_cigar
    half = (size + 1) // 2
    bases = data[at : at + half].hex().encode().translate(LETTERS)[:size]
    qualities = data[at + half : at + half + size].translate(TO_TEXT)
    tags = _tags(data, at + half + size)
    if b"CG" in tags:  # more than 65,535 operations
        codes = np.frombuffer(tags[b"CG"], "<u4").tolist()
    operations = [("MIDNSHP=X"[code & 15], code >> 4) for code in codes]
    return Alignment(
        contig, position, flag, name, operations, bases, qualities, mate_contig, mate_position, length, tags
    )


def _tags(data: bytes, at: int) -> dict[bytes, bytes | int | float]:
    tags: dict[bytes, bytes | int | float] = {}
    while at < len(data):
        tag, kind, at = data[at : at + 2], data[at + 2], at + 3
        if kind in b"ZH":
            end = data.index(b"\0", at)
            tags[tag], at = data[at:end], end + 1
        elif kind == 65:  # A: one character
            tags[tag], at = data[at : at + 1], at + 1
        elif kind == 66:  # B: an array
            count = int.from_bytes(data[at + 1 : at + 5], "little") * NUMBERS[data[at]].size
            tags[tag], at = data[at + 5 : at + 5 + count], at + 5 + count
        else:
            tags[tag] = NUMBERS[kind].unpack_from(data, at)[0]
            at += NUMBERS[kind].size
    return tags


def check_alignments(
    path: Path,
    genome: Genome,
    expected: Expected,
    watch: Watch | None = None,
    wanted: dict[int, Differences | None] | None = None,
) -> Found:
    """Hold every record of truth.bam against `expected`, and its NM and MD against CIGAR and reference.

    Records whose differences are not those of their rows are collected, so that all can be counted.

    Raises
    ------
    InputError
        The file is damaged.
    Disagreement
        Any other contradiction, at the first record.
    """
    found = Found()
    records = alignments(path, genome, watch)
    there = _groups(path, next(records), expected)
    count = len(expected.flags)
    seen = bytearray(count)
    own, other = array("q", bytes(8 * count)), array("q", bytes(8 * count))
    groups = list(expected.groups)
    last = (0, 0)
    for record in records:
        mate = 1 if record.flag & (0x80 if record.flag & PAIRED else SUPPLEMENTARY) else 0
        slot = 2 * number_of(record.name) + mate
        place = (record.contig & 0xFFFFFFFF, record.position)  # -1, no contig, sorts last
        problem = None
        if not 0 <= slot < count or expected.flags[slot] < 0 or record.name != b"r%010d" % (slot // 2):
            problem = "no such read, mate or part in fragments.tsv.gz"
        elif seen[slot]:
            problem = "there are two records of it"
        elif record.flag & FLAGS != expected.flags[slot]:
            problem = f"FLAG {record.flag}, but fragments.tsv.gz makes it {expected.flags[slot]} (pair flags apart)"
        elif place < last:
            problem = "the file is not sorted by coordinate"
        elif record.tags.get(b"RG") not in there or not -1 <= record.contig < len(genome.names):
            problem = "read group or contig is not in the header"
        if problem is None:
            last, seen[slot] = place, 1
            problem = _check(record, slot, genome, expected, groups, found, wanted)
            own[slot], other[slot] = _links(record, genome)
        if problem:
            raise Disagreement(f"{path.name}, read {_label(record.name, mate, record.flag)}: {problem}")
        found.alignments += 1
    flags = np.array(expected.flags)
    missing = np.flatnonzero((flags >= 0) & (np.frombuffer(seen, np.uint8) == 0))
    if len(missing):
        slot = int(missing[0])
        label = _label(b"r%010d" % (slot // 2), slot % 2, expected.flags[slot])
        raise Disagreement(f"{path.name}: the record of read {label} is missing")
    one, two = np.array(own), np.array(other)
    both = flags[0::2].clip(0) & PAIRED | (flags[1::2] >= 0)
    apart = np.flatnonzero((both != 0) & ((one[0::2] != two[1::2]) | (one[1::2] != two[0::2])))
    if len(apart):
        raise Disagreement(f"{path.name}, read r{int(apart[0]):010d}: mate fields or SA are not the other record's")
    return found


def _label(name: bytes, mate: int, flag: int) -> str:
    return shown(name) + (f"/{mate + 1}" if flag & PAIRED else "")


def _groups(path: Path, text: bytes, expected: Expected) -> set[bytes]:
    """The read groups of a header, which must have those that are needed."""
    fields = [line.split(b"\t") for line in text.split(b"\n") if line.startswith(b"@RG")]
    there = {field[3:] for line in fields for field in line if field.startswith(b"ID:")}
    for group in expected.groups:
        if group not in there:
            raise Disagreement(f"{path.name}: the header has no read group {shown(group)}")
    return there


def _check(record: Alignment, slot: int, genome: Genome, expected: Expected, groups, found: Found, wanted):
    """What is wrong with a record, or None; a difference without a row goes to `found.differing`."""
    contig, position, flag, _, operations, bases, qualities, *_, tags = record
    reverse = bool(flag & REVERSE)
    sequence = (reverse_complement(bases), qualities[::-1]) if reverse else (bases, qualities)
    if hash(sequence) != expected.sequence[slot]:
        return "SEQ or QUAL is not the FASTQ's"
    group = expected.group[slot]
    if group >= 0 and tags.get(b"RG") != groups[group]:
        return f"RG is not {shown(groups[group])}, the fragment's"
    if not flag & PAIRED and (record.mate_contig, record.mate_position, record.template) != (-1, -1, 0):
        return "it has no mate, but mate fields"
    mapped = not flag & UNMAPPED
    wants = ((b"ht", expected.haplotype), (b"nv", expected.variants), (b"ne", expected.errors))
    for tag, values in wants if group >= 0 else ():
        if tags.get(tag, None if mapped else values[slot]) != values[slot]:
            return f"tag {tag.decode()} is {tags.get(tag)}, but the truth makes it {values[slot]}"
    if not mapped:
        return None
    if contig < 0 or not operations:
        return "mapped, but without contig or CIGAR"
    reference = genome.bases[contig]
    if operations == [("M", len(bases))] and bases == reference[position : position + len(bases)] and position >= 0:
        first, last, differences, nm, md = position, position + len(bases) - 1, NONE, 0, b"%d" % len(bases)
    else:
        if problem := _unfit(operations, position, len(bases), len(reference)):
            return problem
        *forms, first, last, md = of_alignment(operations, position, bases, reference, reverse)
        differences = canonical(*forms, first, last)
        nm = len(forms[0]) + sum([count for letter, count in operations if letter in "ID"])
    if tags.get(b"NM") != nm or tags.get(b"MD") != md:
        return f"NM {tags.get(b'NM')} MD {shown(tags.get(b'MD') or b'')}: they must be {nm} and {shown(md)}"
    found.nm_checked += 1
    clips = [count if letter == "S" else 0 for letter, count in (operations[0], operations[-1])]
    if len(operations) == 1:
        clips = [0, 0]
    if hash((contig, first, last, reverse, *clips)) != expected.place[slot]:
        return "place, strand or clipping is not that of the fragment"
    if hash(differences) != expected.differences[slot]:
        found.differing.append(slot)
    if wanted is not None and slot in wanted:
        wanted[slot] = differences
    return None


def _unfit(operations: list[tuple[str, int]], position: int, size: int, length: int) -> str | None:
    kinds = "".join([letter for letter, _ in operations]).replace("=", "M").replace("X", "M")
    shows = sum([count for letter, count in operations if letter in "MIS=X"])
    spans = sum([count for letter, count in operations if letter in "MD=X"])
    inner = kinds.strip("S")
    if inner.strip("MID") or "S" in inner or shows != size or "M" not in inner or not all([n for _, n in operations]):
        return "the CIGAR does not fit the read"
    if inner[0] == "D" or inner[-1] == "D":
        return "the alignment begins or ends with a deletion"
    if position < 0 or position + spans > length:
        return "it lies outside its contig"
    return None


def _links(record: Alignment, genome: Genome) -> tuple[int, int]:
    """Two values: of where a record lies, and of where it says that its mate (or other part) does."""
    flag, tags = record.flag, record.tags
    if flag & PAIRED:
        own = (record.contig, record.position, bool(flag & REVERSE), bool(flag & UNMAPPED), record.template)
        mate = (record.mate_contig, record.mate_position, bool(flag & 0x20), bool(flag & 0x8), -record.template)
        return hash(own), hash(mate)
    if b"SA" not in tags:
        return 0, 1
    strand = b"-" if flag & REVERSE else b"+"
    cigar = "".join([f"{count}{letter}" for letter, count in record.operations]).encode()
    own = (genome.names[record.contig], b"%d" % (record.position + 1), strand, cigar, b"%d" % tags.get(b"NM", -1))
    fields = tags[b"SA"].rstrip(b";").rsplit(b",", 5)
    return hash(own), hash((*fields[:4], *fields[5:]))
