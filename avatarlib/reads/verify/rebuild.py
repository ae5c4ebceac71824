"""Haplotypes from a reference and a VCF, in code of their own: what `verify` holds the simulator's files against.

Nothing here is shared with the simulator, so that an error in its kernels can't hide in its own check. A haplotype is
never held as a whole: `Copy` joins the pieces of the reference and the alleles that a read needs.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.reads.verify.text import lines

COMPLEMENT = bytes.maketrans(b"ACGTacgtRYKMBVDH", b"TGCAtgcaYRMKVBHD")
Edit = tuple[int, int, bytes]  # 0-based reference position, reference bases replaced, what stands there instead


def reverse_complement(bases: bytes) -> bytes:
    """Return the other strand, read in its own direction.

    Examples
    --------
    >>> reverse_complement(b"AACG")
    b'CGTT'
    """
    return bases.translate(COMPLEMENT)[::-1]


class Copy:
    """One haplotype of one contig: the reference and its edits, with maps between their positions (all 0-based).

    Examples
    --------
    >>> copy = Copy(b"ACGTACGT", [(1, 1, b"T"), (3, 0, b"GG"), (5, 2, b"")])
    >>> copy.length, copy.bases(0, 8), copy.to_reference(3), copy.to_haplotype(3, 2)
    (8, b'ATGGGTAT', (3, 1), 4)
    """

    def __init__(self, reference: bytes, edits: list[Edit]):
        """Take a contig (upper case) and its edits: each a replacement of equal length, an insertion or a deletion."""
        self.reference = reference
        self.starts, self.spans, self.places = array("q", [0]), array("q", [0]), array("q", [0])
        self.alleles = [b""]  # an empty edit at either end spares every search its special cases
        shift = 0
        for start, span, allele in edits:
            self._add(start, span, allele, start + shift)
            shift += len(allele) - span
        self.length = len(reference) + shift
        self._add(len(reference), 0, b"", self.length)

    def _add(self, start: int, span: int, allele: bytes, place: int) -> None:
        self.starts.append(start)
        self.spans.append(span)
        self.alleles.append(allele)
        self.places.append(place)

    def bases(self, a: int, b: int) -> bytes:
        """Return the haplotype's bases [a, b), where 0 <= a <= b <= length."""
        if a >= b:
            return b""
        i = bisect_right(self.places, a) - 1
        pieces = []
        while a < b:
            inside = self.places[i] + len(self.alleles[i]) - a
            if inside > 0:
                pieces.append(self.alleles[i][-inside:][: b - a])
            else:
                start = self.starts[i] + self.spans[i] - inside
                pieces.append(self.reference[start : start + min(b, self.places[i + 1]) - a])
            a += len(pieces[-1])
            while a < b and self.places[i + 1] <= a:
                i += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def plain(self, a: int, b: int) -> int | None:
        """Return the reference position of haplotype base `a` where no edit touches [a, b), else None."""
        i = bisect_right(self.places, a) - 1
        done = self.places[i] + len(self.alleles[i])
        if a < done or self.places[i + 1] < b:
            return None
        return self.starts[i] + self.spans[i] + a - done

    def to_reference(self, place: int) -> tuple[int, int]:
        """Return (reference position, 0) of a haplotype base, or (position, k): it is the k-th inserted before it."""
        i = bisect_right(self.places, place) - 1
        inside, size = place - self.places[i], len(self.alleles[i])
        if inside >= size:
            return self.starts[i] + self.spans[i] + inside - size, 0
        return (self.starts[i] + inside, 0) if self.spans[i] else (self.starts[i], inside + 1)

    def to_haplotype(self, position: int, offset: int = 0) -> int | None:
        """Return the haplotype's position of a reference base (or of the next that is there), or of an inserted base.

        None where fewer than `offset` bases are inserted right before `position`.
        """
        i = bisect_right(self.starts, position) - 1
        if offset:
            allele = self.insertion(position)
            return self.places[self._insertion(position)] + offset - 1 if offset <= len(allele) else None
        inside = position - self.starts[i]
        if inside < self.spans[i]:
            return self.places[i] + (inside if self.alleles[i] else 0)
        return self.places[i] + len(self.alleles[i]) + inside - self.spans[i]

    def _insertion(self, position: int) -> int | None:
        i = bisect_left(self.starts, position)
        while i < len(self.starts) and self.starts[i] == position:
            if self.alleles[i] and not self.spans[i]:
                return i
            i += 1
        return None

    def insertion(self, position: int) -> bytes:
        """Return what this haplotype inserts right before a reference position, empty where nothing."""
        i = self._insertion(position)
        return b"" if i is None else self.alleles[i]

    def deleted(self, position: int, count: int) -> bool:
        """Say whether the haplotype lacks all `count` reference bases from `position` on."""
        i = bisect_right(self.starts, position) - 1
        return not self.alleles[i] and position + count <= self.starts[i] + self.spans[i]

    def touched(self, position: int, count: int) -> bool:
        """Say whether an edit replaces one of `count` reference bases from `position` on, or inserts beside them."""
        i = bisect_left(self.starts, position)
        if self.starts[i - 1] + self.spans[i - 1] >= position and (self.alleles[i - 1] or self.spans[i - 1]) and i:
            return True
        return self.starts[i] <= position + count and bool(self.alleles[i] or self.spans[i])

    def aligned(self, a: int, b: int, last: bool = False) -> int | None:
        """Return the reference position of the first (or last) base of [a, b) that is not inserted, or None."""
        place = b - 1 if last else a
        while a <= place < b:
            i = bisect_right(self.places, place) - 1
            position, inserted = self.to_reference(place)
            if not inserted:
                return position
            place = self.places[i] - 1 if last else self.places[i] + len(self.alleles[i])
        return None


@dataclass(frozen=True)
class Genome:
    """All contigs in the order of truth.bam, and the copies of them that exist.

    `known[contig]` holds position * 256 + base of every SNP allele of the VCF, sorted; `copies` is keyed by contig,
    donor (`*` where the source is no person) and haplotype (then 0). The VCF and the haplotypes may call a contig as
    the donors' reference does (`own`), where truth.bam has to put the source before it.
    """

    names: list[bytes]
    sources: list[bytes]
    human: list[bool]
    bases: list[bytes]
    index: dict[bytes, int]
    own: dict[bytes, int]
    breaks: list[list[int]]  # where runs of other letters than A, C, G, T begin
    known: list[array] = field(default_factory=list)
    copies: dict[tuple[int, bytes, int], Copy] = field(default_factory=dict)


def read_reference(path: Path) -> dict[bytes, bytes]:
    """Return the contigs of a FASTA file by name, upper case."""
    found: dict[bytes, list[bytes]] = {}
    pieces: list[bytes] | None = None
    for number, line in enumerate(lines(path, ended=False), 1):
        if line[:1] == b">":
            name = (line[1:].split() or [b""])[0]
            if not name or name in found:
                raise InputError(f"{path}, line {number}: a contig without a name, or a second one of that name")
            pieces = found[name] = []
        elif pieces is not None:
            pieces.append(line.strip())
        elif line.strip():
            raise InputError(f"{path}, line {number}: no FASTA, it does not begin with >: give the reference")
    return {name: b"".join(pieces).upper() for name, pieces in found.items()}


def genome(contigs: list[tuple[bytes, bytes, bool, bytes, bytes]]) -> Genome:
    """Put contigs (name, source, human, bases, own name) together; those of no person get their one copy."""
    names, sources, human, bases, owns = (list(column) for column in zip(*contigs, strict=True))
    breaks = [[run.start() for run in re.finditer(rb"[^ACGT]+", text)] for text in bases]
    copies = {(i, b"*", 0): Copy(text, []) for i, text in enumerate(bases) if not human[i]}
    index = {name: i for i, name in enumerate(names)}
    own = {name: i for i, name in reversed(list(enumerate(owns))) if human[i]}
    return Genome(names, sources, human, bases, index, own, breaks, [array("q") for _ in names], copies)
