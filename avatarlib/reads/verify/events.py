"""fragments.tsv.gz and events.tsv.gz: parsed, and each row held against reference, haplotype, VCF and read."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatarlib.errors import InputError
from avatarlib.reads.verify.rebuild import Copy, Genome, reverse_complement
from avatarlib.reads.verify.text import Disagreement, Watch, shown, table

FRAGMENTS = "read part source human donor haplotype contig start offset length strand kind"
EVENTS = "read mate contig position haplotype read_position class reference haplotype_base read_base quality"
KINDS = (b"plain", b"duplicate", b"chimera", b"junk")
CLASSES = (b"variant", b"error", b"error_on_variant", b"error_reverts_variant", b"error_mimics_variant")
TAILS = (b"adapter", b"junk")  # verbatim, and of no place in a genome
NOBODY = (b"0", b"*", b".")
YES, NO = (b"1", b"true", b"True", b"yes"), (b"0", b"false", b"False", b"no")


class Part(NamedTuple):
    """A molecule, or a part of a chimeric one: bases [left, right) of a copy."""

    contig: int
    copy: Copy
    left: int
    right: int
    reverse: bool
    haplotype: int
    group: bytes  # donor, or source where that is no person


class Row(NamedTuple):
    """A row of events.tsv.gz, its bases on the forward strand, empty where the file has a hyphen."""

    line: int
    kind: bytes
    contig: int
    position: int  # 1-based
    haplotype: bytes
    at: int  # read_position, 0-based
    reference: bytes
    there: bytes  # haplotype_base
    read: bytes
    quality: bytes


def number_of(name: bytes) -> int:
    """Return the number of a read from its name, -1 where that is not r and ten digits.

    Examples
    --------
    >>> number_of(b"r0000000012"), number_of(b"r12")
    (12, -1)
    """
    return int(name[1:]) if len(name) == 11 and name[:1] == b"r" and name[1:].isdigit() else -1


def molecules(path: Path, genome: Genome, watch: Watch | None = None) -> Iterator[tuple[bytes, list[Part]]]:
    """Yield kind and parts of each molecule, in order; the parts of junk are none.

    Raises
    ------
    InputError
        As `verify_text.table`, or a field has no meaning.
    Disagreement
        Molecules out of order, of no existing copy or outside it, or a duplicate without an original.
    """
    originals, duplicates = array("q"), array("q")
    rows = table(path, FRAGMENTS, watch)
    number = 0
    for line, fields in rows:
        kind, parts = fields[11], []
        if kind not in KINDS:
            raise InputError(f"{path.name}, line {line}: no such kind as {shown(kind)}: make the folder again")
        _in_order(path, line, fields, number, 1)
        if kind != b"junk":
            parts.append(_part(path, line, fields, genome))
        (duplicates if kind == b"duplicate" else originals).append(hash(tuple(fields[1:11])))
        if kind == b"chimera":
            line, fields = next(rows, (line, fields))
            _in_order(path, line, fields, number, 2)
            parts.append(_part(path, line, fields, genome))
        yield kind, parts
        number += 1
    if not np.isin(np.array(duplicates), np.array(originals)).all():
        raise Disagreement(f"{path.name}: a duplicate is the copy of no other molecule")


def _in_order(path: Path, line: int, fields: list[bytes], number: int, part: int) -> None:
    if number_of(fields[0]) != number or fields[1] != b"%d" % part or (part == 2) > (fields[11] == b"chimera"):
        found = f"read {shown(fields[0])} part {shown(fields[1])}"
        raise Disagreement(f"{path.name}, line {line}: {found} where read {number} part {part} is due")


def _part(path: Path, line: int, fields: list[bytes], genome: Genome) -> Part:
    _, _, source, human, donor, haplotype, contig, start, offset, length, strand, _ = fields
    if not all(text.isdigit() for text in (haplotype, start, offset, length)) or strand not in (b"+", b"-"):
        raise InputError(f"{path.name}, line {line}: numbers or strand are not as documented: make the folder again")
    where = f"{path.name}, line {line}, read {shown(fields[0])}"
    index = genome.index.get(contig, -1)
    copy = genome.copies.get((index, donor, int(haplotype)))
    if copy is None:
        raise Disagreement(f"{where}: no copy {shown(contig)}|{shown(donor)}|{int(haplotype)} in haplotypes.fa.gz")
    if genome.sources[index] != source or human not in (YES if genome.human[index] else NO):
        raise Disagreement(f"{where}: source or human is not that of contig {shown(contig)}")
    place = int(start)
    left = copy.to_haplotype(place, int(offset)) if place <= len(copy.reference) else None
    if left is None or left >= copy.length:
        raise Disagreement(f"{where}: the haplotype has no base at start {place} offset {int(offset)}")
    right = min(left + int(length), copy.length)
    breaks = genome.breaks[index]
    if breaks:
        after = bisect_left(breaks, place)
        if after < len(breaks):
            right = min(right, copy.to_haplotype(breaks[after]))
        before = copy.aligned(left, left + 1)
        if after and before is not None and copy.reference[before : before + 1] not in b"ACGT":
            right = left
    if right <= left:
        raise Disagreement(f"{where}: the molecule has no base that is A, C, G or T")
    group = donor if donor != b"*" else source
    return Part(index, copy, left, right, strand == b"-", int(haplotype), group)


class EventRows:
    """The rows of events.tsv.gz, taken read by read: a class because it stands at a place in the file."""

    def __init__(self, path: Path, genome: Genome):
        """Open the table and read ahead by one row."""
        self.path, self.genome, self.rows = path, genome, table(path, EVENTS)
        self.key, self.row = (-1, 0), None
        self._next()

    def _next(self) -> None:
        for line, fields in self.rows:
            read, mate, contig, position, haplotype, at, kind, reference, there, bases, quality = fields
            if not (mate.isdigit() and position.isdigit() and at.isdigit() and reference and there and bases):
                raise InputError(f"{self.path.name}, line {line}: a field is empty or no number: make the folder again")
            if kind not in CLASSES and kind not in TAILS:
                raise InputError(f"{self.path.name}, line {line}: no such class as {shown(kind)}")
            if (kind in TAILS) != (contig == b"*") or (contig not in self.genome.index and contig != b"*"):
                raise Disagreement(f"{self.path.name}, line {line}: {shown(kind)} can't be on contig {shown(contig)}")
            if kind in TAILS and (reference != b"-" or there != b"-" or position != b"0" or haplotype not in NOBODY):
                raise Disagreement(f"{self.path.name}, line {line}: {shown(kind)} can't lie at a place in a genome")
            key, old = (number_of(read), int(mate)), self.row
            self.row = Row(
                line,
                kind,
                self.genome.index.get(contig, -1),
                int(position),
                haplotype,
                int(at),
                b"" if reference == b"-" else reference,
                b"" if there == b"-" else there,
                b"" if bases == b"-" else bases,
                quality,
            )
            if key < self.key or (key == self.key and old is not None and self.row.at < old.at):
                raise Disagreement(f"{self.path.name}, line {line}, read {shown(read)}: the rows are not sorted")
            self.key = key
            return
        self.row = None

    def take(self, number: int, mate: int) -> list[Row]:
        """Return the rows of a mate; what lies before them belongs to no read."""
        found: list[Row] = []
        while self.row is not None and self.key <= (number, mate):
            if self.key < (number, mate):
                self.refuse()
            found.append(self.row)
            self._next()
        return found

    def refuse(self) -> None:
        """Raise Disagreement if a row is left."""
        if self.row is not None:
            read, mate = self.key
            raise Disagreement(f"{self.path.name}, line {self.row.line}: no read {read} with a mate {mate}")


def check_row(row: Row, part: Part, reverse: bool, genome: Genome, bases: bytes, qualities: bytes) -> str | None:
    """Hold a row against its read, the reference, the haplotype and the VCF; return what is wrong, or None.

    Parameters
    ----------
    row
        A row that is neither adapter nor junk.
    part
        The molecule that it lies on.
    reverse
        True where the read is the molecule's reverse strand.
    bases, qualities
        The read as in the FASTQ file.
    """
    at, size, place = row.at, len(row.reference), row.position - 1
    if row.contig != part.contig or row.haplotype != b"%d" % part.haplotype:
        return "contig or haplotype is not the fragment's"
    expected = reverse_complement(row.read) if reverse else row.read
    if bases[at : at + len(expected)] != expected or at > len(bases):
        return f"the read has not {shown(expected)} at read position {at}"
    if problem := check_quality(row, qualities):
        return problem
    outside = place + size > len(part.copy.reference) or place < (0 if size else -1)
    if outside or part.copy.reference[place : place + size] != row.reference:
        return f"the reference has not {shown(row.reference)} at position {row.position}"
    if not _there(row, part.copy):
        return f"the haplotype has not {shown(row.there) or '-'} at position {row.position}"
    return _class(row, part, genome)


def check_quality(row: Row, qualities: bytes) -> str | None:
    """Hold the quality of a row against its read's; it may be a dot where the row shows no base of the read."""
    if row.quality == b"." and not row.read:
        return None
    if row.at < len(qualities) and row.quality == b"%d" % (qualities[row.at] - 33):
        return None
    return f"quality {shown(row.quality)} is not the read's"


def _there(row: Row, copy: Copy) -> bool:
    size, place = len(row.reference), row.position - 1
    if not size:
        return row.there in copy.insertion(row.position)
    if not row.there:
        return copy.deleted(place, size)
    left = copy.to_haplotype(place)
    if len(row.there) == size:
        right = left + size
        return right <= copy.length and copy.to_reference(left) == (place, 0) and copy.bases(left, right) == row.there
    return copy.bases(left, copy.to_haplotype(place + size)) == row.there


def _class(row: Row, part: Part, genome: Genome) -> str | None:
    _, kind, _, position, _, _, reference, there, read, _ = row
    varies, shows, reverts = there != reference, read == there, read == reference
    known = False
    if len(reference) == len(read) == 1:
        key, alleles = (position - 1) * 256 + read[0], genome.known[part.contig]
        i = bisect_left(alleles, key)
        known = i < len(alleles) and alleles[i] == key
    if kind == b"variant":
        right = varies and shows
    elif kind == b"error":
        right = not varies and not shows and not known
    elif kind == b"error_mimics_variant":
        right = not varies and not shows and known
    elif kind == b"error_reverts_variant":
        right = varies and reverts
    else:  # one base of an inserted or deleted allele may be reverted while the allele as a whole is not
        right = not shows and (varies or part.copy.touched(position - 1, len(reference) or 1))
        right = right and (not reverts or not reference or not there)
    return None if right else f"class {kind.decode()} does not fit its bases"
