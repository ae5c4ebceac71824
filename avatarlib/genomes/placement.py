"""Where a mutation lands: one base for one event, left-aligned, on A, C, G and T only, away from all others.

Every event draws from a stream of its own, a hash of (seed, event, attempt, item): whether one event has to move aside
for another changes nothing for the rest.
"""

import numpy as np
from numba import njit

from avatarlib.genomes.variants import DELETION, INSERTION, INVERSION

TRIES = 100  # positions tried for an event before it is given up
WINDOW = 50  # bases on either side from which a novel insertion takes its composition
NO_ROOM, UNKNOWN_BASE = -1, -2

# Codes of bases: complement is 3 - code, the transition code ^ 2; everything but A, C, G and T is 4.
LETTERS = np.frombuffer(b"ACGT", np.uint8)
CODES = np.full(256, 4, np.uint8)
CODES[LETTERS] = np.arange(4)


@njit(cache=True, nogil=True)
def _uniform(seed, event, attempt, item):
    """A number in [0, 1): two rounds of SplitMix64's finaliser (Steele et al. 2014)."""
    z = np.uint64(seed) + np.uint64(event) * np.uint64(0x9E3779B97F4A7C15)
    z ^= np.uint64(attempt) * np.uint64(0xD1B54A32D192ED03) + np.uint64(item) * np.uint64(0x8CB92BA72F3D8DD7)
    for _ in range(2):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.float64(z >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True, nogil=True)
def _draw(seed, event, attempt, left, right):
    return left + np.int64(_uniform(seed, event, attempt, 0) * (right - left))


@njit(cache=True, nogil=True)
def place_bases(codes, taken, left, right, seed):
    """Place single-base events.

    Parameters
    ----------
    codes
        uint8 [length], codes of the contig's bases.
    taken
        bool [length], bases that are in use; changed.
    left, right
        int64 [events], the interval of each: a base that is taken leads to another one of the interval.
    seed
        uint64.

    Returns
    -------
    int64 [events]: the base, or NO_ROOM, or UNKNOWN_BASE where the first draw hit none of A, C, G and T: such events
    are left out, lest the bases beside a gap get the gap's share.
    """
    position = np.full(len(left), NO_ROOM, np.int64)
    for event in range(len(left)):
        for attempt in range(TRIES):
            at = _draw(seed, event, attempt, left[event], right[event])
            if codes[at] > 3:
                if attempt == 0:
                    position[event] = UNKNOWN_BASE
                    break
            elif not taken[at]:
                taken[at] = True
                position[event] = at
                break
    return position


@njit(cache=True, nogil=True)
def left_align(codes, at, length, allele, lowest):
    """Shift an insertion (of `allele`, whose bases rotate) or a deletion (`allele` empty) to the left.

    Parameters
    ----------
    codes
        uint8 [contig length].
    at, length
        The base before which `length` bases are inserted, or the first of `length` bases deleted.
    lowest
        Where to stop.

    Returns
    -------
    The new `at`; `lowest` if it could be further left.
    """
    moved = 0
    while at > lowest:
        last = allele[length - 1 - moved % length] if len(allele) else codes[at + length - 1]
        if last > 3 or last != codes[at - 1]:
            break
        at -= 1
        moved += 1
    if len(allele) and moved % length:
        turned = np.empty(length, np.uint8)
        for k in range(length):
            turned[(k + moved) % length] = allele[k]
        allele[:] = turned
    return at


@njit(cache=True, nogil=True)
def _novel(codes, at, allele, seed, event, attempt):
    """Fill an allele with bases drawn from around `at`."""
    for k in range(len(allele)):
        u = _uniform(seed, event, attempt, k + 1)
        near = at - WINDOW + np.int64(u * 2 * WINDOW)
        known = 0 <= near < len(codes) and codes[near] < 4
        allele[k] = codes[near] if known else np.int64(u * 1e6) % 4


@njit(cache=True, nogil=True)
def place_spans(codes, taken, left, right, kind, copied, length, shortest, seed, begin, alleles):
    """Place insertions, deletions, inversions and duplications; one base on either side of each stays unchanged.

    Parameters
    ----------
    codes, taken, left, right, seed
        As for `place_bases`; the base in the interval is the one that a VCF file gives: the anchor, or the first
        base of an inversion.
    kind
        uint8 [events].
    copied
        bool [events], insertions and duplications that copy the bases beside them.
    length
        int64 [events], bases; inversions that begin and end with the same pair of bases become shorter, changed.
    shortest
        Inversions below it are placed elsewhere.
    begin
        int64 [events + 1], where the allele of each begins in `alleles`.
    alleles
        uint8, codes of the inserted or inverted bases; written.

    Returns
    -------
    int64 [events]: the first base replaced, or before which the allele goes; or NO_ROOM or UNKNOWN_BASE.
    """
    position = np.full(len(left), NO_ROOM, np.int64)
    for event in range(len(left)):
        drawn = length[event]
        for attempt in range(TRIES):
            at = _draw(seed, event, attempt, left[event], right[event])
            if codes[at] > 3:
                if attempt == 0:
                    position[event] = UNKNOWN_BASE
                    break
                continue
            size = drawn
            allele = alleles[begin[event] : begin[event] + size]
            first = at  # of the span in a VCF file
            if kind[event] == INVERSION:
                while size >= shortest and at + size <= len(codes) and codes[at] + codes[at + size - 1] == 3:
                    at += 1
                    size -= 2
                first = at
                if size < shortest or at >= right[event]:
                    continue
            else:
                at += 1
            removed = 0 if kind[event] == INSERTION or copied[event] else size
            needed = at + (size if removed or copied[event] else 1)
            if needed > len(codes):
                continue
            if kind[event] != INVERSION:
                if kind[event] != DELETION and not copied[event]:
                    _novel(codes, at, allele, seed, event, attempt)
                    at = left_align(codes, at, size, allele, left[event])
                else:
                    at = left_align(codes, at, size, allele[:0], left[event])
                first = at - 1
                if first < left[event]:
                    continue
            if not _free(codes, taken, first, at, removed, size if copied[event] else 0):
                continue
            if kind[event] == INVERSION:
                for k in range(size):
                    allele[k] = 3 - codes[at + size - 1 - k]
            elif copied[event]:
                allele[:] = codes[at : at + size]
            taken[max(at - 1, 0) : at + removed + 1] = True
            length[event] = size
            position[event] = at
            break
    return position


@njit(cache=True, nogil=True)
def _free(codes, taken, first, at, removed, copied):
    """Are the bases of the span known, as are those to be copied, and those of the span and beside it not in use?"""
    for base in range(first, at + max(removed, copied)):
        if codes[base] > 3:
            return False
    for base in range(max(at - 1, 0), min(at + removed + 1, len(codes))):
        if taken[base]:
            return False
    return True
