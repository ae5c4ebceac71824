"""Kernels that count what aligned reads show against the reference: errors and opportunities, by group of molecules.

Everything is counted on the strand that was read: of a read on the reverse strand, bases are complemented, cycles and
homopolymers run backwards. A masked place is neither error nor opportunity, nor is another letter than A, C, G, T.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

GROUPS = 2048  # molecules are dealt into so many groups, which the bootstrap draws from
QUALITIES = 94
CYCLES = 10_000  # the longest Illumina read
LAGS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96])
HALF = 256  # bases of a block; odd and even blocks of a read are told apart
WORD, UNKNOWN = 64, 4
_CODE = np.full(256, UNKNOWN, np.uint8)
for _k, _base in enumerate(b"ACGT"):
    _CODE[_base] = _k

# Columns of Tables.totals
ALIGNED, SUBSTITUTED, DELETED, INSERTED, INSERTABLE, DELETIONS, WHOLLY_DELETED, INSERTIONS, PAIRS, MASKED = range(10)
# Columns of Tables.runs
SITES, RUN_DELETED, GAPS, RUN_INSERTED, EDGES = range(5)
# Columns of Tables.cycles
STATED, STATED_SUM, STATED_SQUARES, CALLED, WRONG = range(5)


class Tables(NamedTuple):
    """What is counted, int64.

    `totals` [groups, 2 mates, 10]: bases aligned to a base, of these substituted; bases deleted, inserted; places where
    something could be inserted; whole deletions, their bases; insertions; pairs of deletions one base apart; masked
    bases. `quality` [groups, 94, 2]: bases that were read with a stated quality, of these wrong. `runs` [groups,
    longest + 1, 5] by length of homopolymer: bases, of these deleted; places where something could be inserted, bases
    inserted; runs before which a base of no run was read. `words` [64, 2] by 3-mer: middle bases, of these substituted.
    `matrix` [4, 4]: base, base read. `cycles` [2 mates, cycles, 5]: stated qualities, their sum, sum of squares; bases
    aligned, of these substituted. `pairs` [2, lags, cycles, 4]: pairs of qualities so many cycles apart, sums of first,
    second, product.
    """

    totals: np.ndarray
    quality: np.ndarray
    runs: np.ndarray
    words: np.ndarray
    matrix: np.ndarray
    cycles: np.ndarray
    pairs: np.ndarray


class Reads(NamedTuple):
    """Reads end to end: `bases` (codes), `quality`, `operation` and `count` of CIGARs, with where each read's begin
    (`base_at`, `operation_at`, and one more); by read `start` (on the contigs end to end), `low` and `high` end of its
    contig, `reverse`, `mate` (0, 1), `group`, `before` (bases cut off before its first, as read)."""

    bases: np.ndarray
    quality: np.ndarray
    base_at: np.ndarray
    operation: np.ndarray
    count: np.ndarray
    operation_at: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    reverse: np.ndarray
    mate: np.ndarray
    group: np.ndarray
    before: np.ndarray


def new_tables(longest: int) -> Tables:
    """Return empty tables; homopolymers of `longest` bases and more are one."""
    return Tables(
        totals=np.zeros((GROUPS, 2, 10), np.int64),
        quality=np.zeros((GROUPS, QUALITIES, 2), np.int64),
        runs=np.zeros((GROUPS, longest + 1, 5), np.int64),
        words=np.zeros((WORD, 2), np.int64),
        matrix=np.zeros((4, 4), np.int64),
        cycles=np.zeros((2, CYCLES, 5), np.int64),
        pairs=np.zeros((2, len(LAGS), CYCLES, 4), np.int64),
    )


def codes(text: bytes | np.ndarray) -> np.ndarray:
    """Return A 0, C 1, G 2, T 3, anything else 4, uint8."""
    return _CODE[np.frombuffer(text, np.uint8)] if isinstance(text, bytes) else _CODE[text]


@njit(cache=True)
def _run(reference, masked, low, high, p):
    """Return first and last base of the homopolymer at p, and its length: 0 where it or a neighbour is masked."""
    base = reference[p]
    first, last = p, p
    while first > low and reference[first - 1] == base:
        first -= 1
    while last + 1 < high and reference[last + 1] == base:
        last += 1
    for k in range(max(first - 1, low), min(last + 2, high)):
        if masked[k]:
            return first, last, 0
    return first, last, last - first + 1


@njit(cache=True)
def _word(reference, masked, low, high, p, reverse):
    """Return the 3-mer around p as it is read, -1 where it is not known."""
    if p <= low or p + 1 >= high:
        return -1
    one, middle, three = np.int64(reference[p - 1]), np.int64(reference[p]), np.int64(reference[p + 1])
    if one > 3 or middle > 3 or three > 3 or masked[p - 1] or masked[p] or masked[p + 1]:
        return -1
    if reverse:
        return 16 * (3 - three) + 4 * (3 - middle) + 3 - one
    return 16 * one + 4 * middle + three


@njit(cache=True)
def _owner(reference, masked, reads, i, g, a, length, longest):
    """Return the length of the run that bases read[a : a + length], inserted before reference base g, belong to: one of
    the same base beside them, of which they could be any, else that of the base read before them."""
    same = True
    for k in range(a + 1, a + length):
        same = same and reads.bases[k] == reads.bases[a]
    at = g if reads.reverse[i] else g - 1
    if same and reference[g] == reads.bases[a]:
        at = g
    elif same and reference[g - 1] == reads.bases[a]:
        at = g - 1
    return min(_run(reference, masked, reads.low[i], reads.high[i], at)[2], longest)


@njit(cache=True)
def count(reference, masked, reads, inserted_wrong, tables, halves):
    """Add reads to the tables.

    Parameters
    ----------
    reference, masked
        Codes and mask of the contigs end to end.
    inserted_wrong
        Whether an inserted base counts as one that was read wrong, by its quality.
    halves
        int64 [reads, 4], filled: columns of the alignment and matches, in even and in odd blocks.
    """
    totals, quality, runs = tables.totals, tables.quality, tables.runs
    words, matrix, cycles = tables.words, tables.matrix, tables.cycles
    longest = runs.shape[1] - 1
    for i in range(len(reads.start)):
        p, q, base0 = reads.start[i], np.int64(0), reads.base_at[i]
        low, high, reverse = reads.low[i], reads.high[i], reads.reverse[i]
        mate, group = reads.mate[i], reads.group[i]
        from_0, from_1 = reads.operation_at[i], reads.operation_at[i + 1]
        start, end = p, p
        for k in range(from_0, from_1):
            if reads.operation[k] in (0, 2, 3, 7, 8):
                end += reads.count[k]
        total = totals[group, mate]
        first, last, run = np.int64(-1), np.int64(-1), np.int64(0)
        apart = 99  # bases since the last deletion
        for k in range(from_0, from_1):
            operation, n = reads.operation[k], reads.count[k]
            half = 2 * (((p - start) // HALF) & 1)
            if operation == 4:
                q += n
            elif operation == 3:
                p, apart = p + n, 99
            elif operation == 1:
                a, q = base0 + q, q + n
                if p <= start or p >= end:
                    continue
                if masked[p - 1] or masked[p]:
                    total[MASKED] += n
                    continue
                total[INSERTED] += n
                total[INSERTIONS] += 1
                halves[i, half] += n
                for j in range(a, a + n):
                    if inserted_wrong:
                        quality[group, reads.quality[j], 0] += 1
                        quality[group, reads.quality[j], 1] += 1
                owner = _owner(reference, masked, reads, i, p, a, n, longest)
                if owner > 0:
                    runs[group, owner, RUN_INSERTED] += n
            elif operation in (0, 2, 7, 8):
                deleted = operation == 2
                if deleted and (p <= start or p + n >= end):
                    p += n
                    continue
                whole = True
                if deleted:
                    for j in range(p, p + n):
                        whole = whole and not masked[j]
                    if whole:
                        total[DELETIONS] += 1
                        total[WHOLLY_DELETED] += n
                        total[PAIRS] += apart == 1
                    origin = _run(reference, masked, low, high, p + n - 1 if reverse else p)[2]
                    apart = 0
                else:
                    apart = apart + n if apart + n < 99 else 99
                for j in range(p, p + n):
                    code, at = reference[j], base0 + q + j - p
                    half = 2 * (((j - start) // HALF) & 1)
                    read = 9 if deleted else reads.bases[at]
                    if masked[j]:
                        total[MASKED] += 1
                        continue
                    if code > 3 or read == 4:
                        continue
                    halves[i, half] += 1
                    if deleted:
                        total[DELETED] += 1
                        if origin > 0:
                            runs[group, min(origin, longest), RUN_DELETED] += 1
                    else:
                        stated, wrong = reads.quality[at], read != code
                        halves[i, half + 1] += not wrong
                        total[ALIGNED] += 1
                        total[SUBSTITUTED] += wrong
                        quality[group, stated, 0] += 1
                        quality[group, stated, 1] += wrong
                        matrix[3 - code if reverse else code, 3 - read if reverse else read] += 1
                        word = _word(reference, masked, low, high, j, reverse)
                        if word >= 0:
                            words[word, 0] += 1
                            words[word, 1] += wrong
                        cycle = reads.before[i] + (reads.base_at[i + 1] - 1 - at if reverse else at - base0)
                        if cycle < cycles.shape[1]:
                            cycles[mate, cycle, CALLED] += 1
                            cycles[mate, cycle, WRONG] += wrong
                    if not first <= j <= last:
                        first, last, run = _run(reference, masked, low, high, j)
                    following, preceding = (j - 1, j + 1) if reverse else (j + 1, j - 1)
                    open_gap = following < start or following >= end or not masked[following]
                    total[INSERTABLE] += open_gap
                    if run > 0:
                        runs[group, min(run, longest), SITES] += 1
                        runs[group, min(run, longest), GAPS] += open_gap
                        at_edge = j == (last if reverse else first)
                        if run > 2 and at_edge and start <= preceding < end and reference[preceding] < 4:
                            if 0 < _run(reference, masked, low, high, preceding)[2] < 3:
                                runs[group, min(run, longest), EDGES] += 1
                p += n
                if not deleted:
                    q += n


@njit(cache=True)
def count_qualities(reads, lags, cycles, pairs):
    """Add the stated qualities of whole reads, aligned or not, by cycle and in pairs of cycles; N is left out."""
    known, stated = np.empty(pairs.shape[2], np.bool_), np.empty(pairs.shape[2], np.int64)
    for i in range(len(reads.start)):
        base0, base1, mate = reads.base_at[i], reads.base_at[i + 1], reads.mate[i]
        before = reads.before[i]
        n = min(base1 - base0, pairs.shape[2] - before)
        for k in range(n):
            at = base1 - 1 - k if reads.reverse[i] else base0 + k
            known[k], stated[k] = reads.bases[at] < 4, reads.quality[at]
            if known[k]:
                cycles[mate, before + k, STATED] += 1
                cycles[mate, before + k, STATED_SUM] += stated[k]
                cycles[mate, before + k, STATED_SQUARES] += stated[k] * stated[k]
        for lag in range(len(lags)):
            for k in range(n - lags[lag]):
                other = k + lags[lag]
                if known[k] and known[other]:
                    at = pairs[mate, lag, before + k]
                    at[0] += 1
                    at[1] += stated[k]
                    at[2] += stated[other]
                    at[3] += stated[k] * stated[other]


@njit(cache=True)
def trace(reference, masked, reads, i, longest, stated, kind):
    """Write the stated quality of read i at each reference base of its span (255: none), and the base's kind, its 3-mer
    and homopolymer; return the bases of the span."""
    p, q, n_out = reads.start[i], reads.base_at[i], 0
    first, last, run = np.int64(-1), np.int64(-1), np.int64(0)
    low, high = reads.low[i], reads.high[i]
    for k in range(reads.operation_at[i], reads.operation_at[i + 1]):
        operation, n = reads.operation[k], reads.count[k]
        if operation in (1, 4):
            q += n
        elif operation == 3:
            p += n
        elif operation in (0, 2, 7, 8):
            for _ in range(n):
                stated[n_out] = 255
                if operation != 2:
                    if not first <= p <= last:
                        first, last, run = _run(reference, masked, low, high, p)
                    word = _word(reference, masked, low, high, p, reads.reverse[i])
                    if word >= 0:
                        stated[n_out], kind[n_out] = reads.quality[q], word * (longest + 1) + min(run, longest)
                    q += 1
                n_out += 1
                p += 1
    return n_out
