"""What a read shows that the reference does not, from rows of events and from an alignment, in one common form.

A difference is kept with the read position at which it stands, so that two equal forms mean the same alignment.
Bases inserted beside or within a deletion are put to its left, since the same read can be written either way; and a
deletion before a read's first or after its last aligned base is none, since an alignment can't show it.
"""

from collections.abc import Iterable

import numpy as np

Substitutions = dict[int, tuple[int, int]]  # 0-based reference position -> base, read position
Insertions = dict[int, tuple[bytes, int]]  # reference position left of them -> bases, read position
Deletions = dict[int, int]  # reference position -> position of the read base that follows in the read
Differences = tuple[tuple, tuple, tuple]
NONE: Differences = ((), (), ())


def canonical(changed: Substitutions, inserted: Insertions, deleted: Deletions, first: int, last: int) -> Differences:
    """Return differences of an alignment from reference position `first` to `last` in their common form.

    Examples
    --------
    >>> canonical({7: (65, 2)}, {9: (b"G", 4)}, {8: 3, 9: 3}, 5, 12)
    (((7, 65, 2),), ((7, b'G', 4),), ((8, -1), (9, -1)))
    """
    if not inserted and not deleted:
        return tuple([(position, *what) for position, what in sorted(changed.items())]), (), ()
    moved: Insertions = {}
    deleted = dict(deleted)
    for left, (bases, at) in sorted(inserted.items()):
        while left in deleted:
            left -= 1
        run = left + 1
        while run in deleted:  # which read base follows the gap depends on where the inserted ones were written
            deleted[run] = -1
            run += 1
        left = min(max(left, first - 1), last)
        before = moved.get(left, (b"", at))
        moved[left] = before[0] + bases, min(before[1], at)
    return (
        tuple([(position, *what) for position, what in sorted(changed.items())]),
        tuple([(position, *what) for position, what in sorted(moved.items())]),
        tuple([(position, at) for position, at in sorted(deleted.items()) if first < position < last]),
    )


def of_rows(rows: Iterable, reverse: bool) -> tuple[Substitutions, Insertions, Deletions]:
    """Return the differences that rows of events describe.

    Parameters
    ----------
    rows
        Rows of one alignment, as `verify_events.Row`, in the order of the read.
    reverse
        True where the read is the reverse strand, whose rows come in the opposite order of the reference.

    Raises
    ------
    KeyError
        Two rows for one reference base, whose 0-based position is the argument.
    """
    changed: Substitutions = {}
    inserted: Insertions = {}
    deleted: Deletions = {}
    for row in reversed(rows) if reverse else rows:
        reference, read, place = row.reference, row.read, row.position - 1
        if reference == read:
            continue
        shared = min(len(reference), len(read))
        for i in range(len(reference)):
            if place + i in changed or place + i in deleted:
                raise KeyError(place + i)
            if i >= shared:
                deleted[place + i] = row.at if reverse else row.at + shared
            elif reference[i] != read[i]:
                changed[place + i] = read[i], row.at + (len(read) - 1 - i if reverse else i)
        if len(read) > shared:
            left = place + shared - 1 if shared else place
            before = inserted.get(left, (b"", row.at))
            inserted[left] = before[0] + read[shared:], min(before[1], row.at if reverse else row.at + shared)
    return changed, inserted, deleted


def of_alignment(
    operations: list[tuple[str, int]], position: int, bases: bytes, reference: bytes, reverse: bool
) -> tuple[Substitutions, Insertions, Deletions, int, int, bytes]:
    """Walk an alignment and return its differences, first and last aligned reference position, and its MD.

    Parameters
    ----------
    operations
        The CIGAR as (letter, count): M, =, X, I, D, S, H.
    position
        0-based reference position at which it begins.
    bases
        The bases on the forward strand.
    reference
        The contig.
    reverse
        True where the read as sequenced is the other strand.
    """
    changed: Substitutions = {}
    inserted: Insertions = {}
    deleted: Deletions = {}
    first, last, here, at, run, size = -1, -1, position, 0, 0, len(bases)
    text: list[bytes] = []
    for letter, count in operations:
        if letter in "M=X":
            a, b = bases[at : at + count], reference[here : here + count]
            start = 0
            if a != b:
                for i in np.flatnonzero(np.frombuffer(a, np.uint8) != np.frombuffer(b, np.uint8)).tolist():
                    changed[here + i] = a[i], size - 1 - at - i if reverse else at + i
                    text.append(b"%d%c" % (run + i - start, b[i]))
                    run, start = 0, i + 1
            run += count - start
            first = here if first < 0 else first
            here, at = here + count, at + count
            last = here - 1
        elif letter == "I":
            before = inserted.get(here - 1, (b"", size))
            start = size - at - count if reverse else at
            inserted[here - 1] = before[0] + bases[at : at + count], min(before[1], start)
            at += count
        elif letter == "D":
            for i in range(here, here + count):
                deleted[i] = size - at if reverse else at
            text.append(b"%d^%b" % (run, reference[here : here + count]))
            run = 0
            here += count
        elif letter == "S":
            at += count
    text.append(b"%d" % run)
    return changed, inserted, deleted, first, last, b"".join(text)
