"""Read a molecule again: its bases from the end at which reading begins, with the error rows of one read applied."""

from collections.abc import Callable
from typing import NamedTuple

from avatarlib.reads.verify.events import Part, Row
from avatarlib.reads.verify.rebuild import reverse_complement
from avatarlib.reads.verify.text import Disagreement, shown

Leg = tuple[Part, bool]  # a molecule, and whether the read is its reverse strand
Fail = Callable[..., Disagreement]


class Replay(NamedTuple):
    """How a read came about. Its template is what the molecule (or both parts of a chimeric one) offers."""

    template: bytes
    sizes: list[int]  # bases of the template that each leg gave
    bases: bytes  # the read, without an adapter
    used: int  # template bases that were read or skipped
    spans: list[tuple[int, int, int]]  # template bases [a, b) stand at this read position
    owners: dict[int, int]  # leg of each row that changed something, by the row's line


class Share(NamedTuple):
    """The part of a read that one leg made."""

    leg: Leg
    rows: list[Row]
    ends: tuple[int, int] | None  # first and last reference position to which a base is aligned
    left: int  # read bases that are not its own, on the forward strand
    right: int


def stretch(leg: Leg, count: int) -> bytes:
    """Return the first `count` bases of a molecule from the end at which reading begins."""
    part, reverse = leg
    if reverse:
        return reverse_complement(part.copy.bases(max(part.left, part.right - count), part.right))
    return part.copy.bases(part.left, min(part.right, part.left + count))


def replay(legs: list[Leg], rows: list[Row], body: int, whole: bool, fail: Fail) -> Replay:
    """Read `body` bases off the legs while applying the rows that differ from the haplotype.

    Parameters
    ----------
    legs
        One, or the two of a chimeric long molecule.
    rows
        All rows of the read but adapter and junk.
    body
        Number of read bases before an adapter.
    whole
        Whether the whole molecule is the template, or only what is needed.
    fail
        Makes the Disagreement from a text and a row.

    Raises
    ------
    Disagreement
        A row does not fit the haplotype, or lies behind the molecule's end.
    """
    changes = [row for row in rows if row.there != row.read]
    needed = 1 << 62 if whole else body + sum([len(row.there) for row in changes])
    pieces = [stretch(leg, needed) for leg in legs]
    template = pieces[0] if len(legs) == 1 else b"".join(pieces)
    sizes = [len(piece) for piece in pieces]
    if not changes:
        return Replay(template, sizes, template[:body], body, [(0, body, 0)], {})
    if len(legs) == 1:  # gaps that lie before one read base: in the direction of reading
        sign = -1 if legs[0][1] else 1
        changes.sort(key=lambda row: (row.at, row.read != b"", sign * (2 * row.position + (not row.reference))))
    read, spans, owners = [], [], {}
    used = at = 0
    for row in changes:
        step = row.at - at
        if step < 0 or used + step > len(template):
            raise fail("overlaps the row before it, or lies behind the molecule's end", row)
        if step:
            read.append(template[used : used + step])
            spans.append((used, used + step, at))
            used, at = used + step, row.at
        owner = owners[row.line] = _owner(legs, row, used, sizes[0])
        reverse = legs[owner][1]
        there = reverse_complement(row.there) if reverse else row.there
        if template[used : used + len(there)] != there:
            raise fail(f"the haplotype reads {shown(template[used : used + len(there)])}, not {shown(there)}", row)
        if there and row.read:
            spans.append((used, used + min(len(there), len(row.read)), at))
        used, at = used + len(there), at + len(row.read)
        read.append(reverse_complement(row.read) if reverse else row.read)
    if at < body:
        read.append(template[used : used + body - at])
        spans.append((used, used + body - at, at))
        used += body - at
    return Replay(template, sizes, b"".join(read), used, spans, owners)


def _owner(legs: list[Leg], row: Row, used: int, border: int) -> int:
    """The leg that a row belongs to; bases inserted between two legs belong to that beside which they say they lie."""
    if len(legs) == 1 or used < border:
        return 0
    if used > border or row.there:
        return 1
    part, reverse = legs[0]
    position, inserted = part.copy.to_reference(part.left if reverse else part.right - 1)
    closes = row.contig == part.contig and row.position == position + (not reverse and not inserted)
    return 0 if closes else 1


def shares(legs: list[Leg], rows: list[Row], made: Replay, body: int, length: int) -> list[Share]:
    """Return for each leg its rows, where it is aligned, and how much of the read lies on either side of it."""
    if len(legs) == 1:
        return [_share(legs[0], rows, made, 0, 0, body, length)]
    border = made.sizes[0]
    cut = [at + max(0, border - a) for a, b, at in made.spans if b > border]
    cut = min([length, *cut, *(row.at for row in rows if made.owners.get(row.line))])
    owner = [made.owners.get(row.line, int(row.at > cut or (row.at == cut and row.read != b""))) for row in rows]
    first, second = ([row for row, leg in zip(rows, owner, strict=True) if leg == i] for i in (0, 1))
    return [_share(legs[0], first, made, 0, 0, cut, length), _share(legs[1], second, made, 1, cut, length, length)]


def _share(leg: Leg, rows: list[Row], made: Replay, index: int, begin: int, end: int, length: int) -> Share:
    part, reverse = leg
    low, size = sum(made.sizes[:index]), made.sizes[index]
    spans = [(max(a - low, 0), min(b - low, size)) for a, b, _ in made.spans]
    spans = [(a, b) for a, b in spans if a < b]
    if reverse:
        places = [(part.right - b, part.right - a) for a, b in reversed(spans)]
        begin, end = length - end, length - begin
    else:
        places = [(part.left + a, part.left + b) for a, b in spans]
    return Share(leg, rows, _ends(part, places), begin, length - end)


def _ends(part: Part, places: list[tuple[int, int]]) -> tuple[int, int] | None:
    copy = part.copy
    if len(places) == 1:
        first = copy.plain(*places[0])
        if first is not None:
            return first, first + places[0][1] - places[0][0] - 1
    first = next((found for place in places if (found := copy.aligned(*place)) is not None), None)
    last = next((found for place in reversed(places) if (found := copy.aligned(*place, last=True)) is not None), None)
    return None if first is None else (first, last)
