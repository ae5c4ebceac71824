"""A pile-up of simulated reads: for each base that reads show at a place, whether person or machine put it there."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pysam

from avatarlib.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MATCH, VARIANT, ERROR, BOTH = range(4)  # causes; BOTH: an error at a variant, or one that looks like a known variant
ABSENT, GAP, PADDING = 0, ord("-"), ord(" ")  # no read here; a deleted base; a column of which the read has no base
_CAUSES = {"variant": VARIANT, "error": ERROR}


@dataclass(frozen=True)
class Pileup:
    """Reads (rows, sorted by donor, haplotype and start) against columns: reference bases and what is inserted.

    Attributes
    ----------
    position
        int64 [columns]: 0-based reference position; of inserted bases, that of the reference base left of them.
    inserted
        int64 [columns]: 0 for a reference base, k for the k-th base inserted behind it.
    reference
        uint8 [columns]: ASCII, GAP in inserted columns.
    base
        uint8 [rows, columns]: ASCII on the forward strand, or ABSENT, GAP, PADDING.
    quality
        int64 [rows, columns]: stated Phred quality, -1 where there is no base.
    cause
        uint8 [rows, columns]: MATCH, VARIANT, ERROR or BOTH.
    reads
        One row a read: read, mate (0: long read), donor (or source), haplotype, reverse.
    """

    contig: str
    position: np.ndarray
    inserted: np.ndarray
    reference: np.ndarray
    base: np.ndarray
    quality: np.ndarray
    cause: np.ndarray
    reads: "pd.DataFrame"


def read_pileup(folder: Path, reference: np.ndarray, contig: str, start: int, end: int) -> Pileup:
    """Read the pile-up of a place from truth.bam and events.tsv.gz.

    Parameters
    ----------
    folder
        What `avatarlib.reads.simulate` wrote, with `truth.bam` and `truth.events`.
    reference
        uint8 ASCII: the whole contig.
    contig
        Its name in the alignments.
    start, end
        0-based reference positions, end excluded.

    Raises
    ------
    InputError
        The folder has no alignments or no events, or no read lies there.

    Examples
    --------
    >>> read_pileup(Path("no such folder"), np.zeros(9, np.uint8), "chr1", 0, 9)
    Traceback (most recent call last):
        ...
    avatarlib.errors.InputError: no such folder: no truth.bam and events.tsv.gz in it: simulate with both
    """
    import pandas as pd

    folder = Path(folder)
    if not (folder / "truth.bam").is_file() or not (folder / "events.tsv.gz").is_file():
        raise InputError(f"{folder}: no truth.bam and events.tsv.gz in it: simulate with both")
    with pysam.AlignmentFile(folder / "truth.bam") as bam:
        found = [r for r in bam.fetch(contig, start, end) if not r.is_supplementary and r.get_overlap(start, end)]
    if not found:
        raise InputError(f"{folder}: no read at {contig}:{start + 1}-{end}: choose another place")
    found.sort(key=lambda r: (r.get_tag("RG"), r.get_tag("ht"), r.reference_start, r.query_name))
    keys = [(r.query_name, r.is_paired + r.is_read2) for r in found]
    events = pd.read_csv(folder / "events.tsv.gz", sep="\t", dtype=str, keep_default_na=False)
    events = events[events.read.isin({name for name, _ in keys})].rename(columns={"class": "label"})
    rows_of = {key: rows for key, rows in events.groupby(["read", events.mate.astype(int)])}

    cells = [list(_cells(r, rows_of.get(key), start, end)) for r, key in zip(found, keys, strict=True)]
    longest: dict[int, int] = {}  # inserted bases behind a position
    for p, k in ((p, abs(k)) for row in cells for p, k, *_ in row):
        longest[p] = max(longest.get(p, 0), k)
    cells = [[(p, k if k >= 0 else longest[p] + 1 + k, *what) for p, k, *what in row] for row in cells]
    columns = sorted({(p, 0) for p in range(start, end)} | {(p, k) for row in cells for p, k, *_ in row})
    column = {place: n for n, place in enumerate(columns)}
    position, inserted = np.array(columns, np.int64).T
    shape = (len(found), len(columns))
    base, cause = np.full(shape, ABSENT, np.uint8), np.full(shape, MATCH, np.uint8)
    quality = np.full(shape, -1, np.int64)
    for n, (r, row) in enumerate(zip(found, cells, strict=True)):
        within = (position >= r.reference_start) & (position < r.reference_end - (inserted > 0))
        base[n, within] = PADDING
        for p, k, *what in row:
            base[n, column[p, k]], quality[n, column[p, k]], cause[n, column[p, k]] = what
    reads = pd.DataFrame(keys, columns=["read", "mate"])
    reads = reads.assign(
        donor=[r.get_tag("RG") for r in found],
        haplotype=[r.get_tag("ht") for r in found],
        reverse=[r.is_reverse for r in found],
    )
    shown = np.where(inserted == 0, reference[position], GAP).astype(np.uint8)
    return Pileup(contig, position, inserted, shown, base, quality, cause, reads)


def _cells(read: pysam.AlignedSegment, events, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (position, inserted, base, quality, cause) of what a read shows from start to end.

    Where a read begins within an insertion, its inserted bases are counted from the insertion's end: -1 is the last.
    """
    at_base, at_gap, left_out = _causes(read, events)
    sequence, qualities = read.query_sequence, read.query_qualities
    pairs = [(q, p) for q, p in read.get_aligned_pairs() if p is not None or _aligned(read, q)]
    leading = next(n for n, (_, p) in enumerate(pairs) if p is not None)
    position, inserted, shown = read.reference_start - 1, -leading - 1, Counter()
    for q, p in pairs:
        position, inserted = (p, 0) if p is not None else (position, inserted + 1)
        if not start <= position < end:
            continue
        if q is None:
            yield position, 0, GAP, -1, at_gap.get(position, MATCH)
        else:
            yield position, inserted, ord(sequence[q]), qualities[q], at_base.get(q, MATCH)
            shown[position] += inserted > 0
    for p in left_out:
        if start <= p < end:
            shown[p] += 1
            yield p, shown[p], GAP, -1, BOTH


def _aligned(read: pysam.AlignedSegment, base: int) -> bool:
    """Return whether a base is not clipped."""
    return read.query_alignment_start <= base < read.query_alignment_end


def _causes(read: pysam.AlignedSegment, events) -> tuple[dict[int, int], dict[int, int], list[int]]:
    """Return causes by a read's base (numbered as in the BAM) and of missing ones by reference position.

    The last list is of reference positions behind which the machine left out a base of an inserted allele.
    """
    at_base, at_gap, left_out = {}, {}, []
    for row in events.itertuples() if events is not None else ():
        if row.contig == "*":  # an adapter
            continue
        cause = _CAUSES.get(row.label, BOTH)
        position, size = int(row.position) - 1, len(row.read_base)
        if row.read_base != "-":
            first = int(row.read_position)
            first = read.query_length - first - size if read.is_reverse else first
            at_base |= dict.fromkeys(range(first, first + size), cause)
        elif row.reference != "-":
            at_gap |= dict.fromkeys(range(position, position + len(row.reference)), cause)
        else:
            left_out += [position] * len(row.haplotype_base)
    return at_base, at_gap, left_out
