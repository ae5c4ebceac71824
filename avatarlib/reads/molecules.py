"""Molecules: which piece of which copy is sequenced. Drawn in reference coordinates, so variants can't move them."""

import math
from typing import NamedTuple

import numpy as np

from avatarlib.reads.kernel import kernel
from avatarlib.reads.library import GC_BLOCK, Library
from avatarlib.reads.streams import SPREAD_LENGTH, begin, below, fraction, normal, uniform

PLAIN, DUPLICATE, CHIMERA, JUNK = range(4)
KINDS = ("plain", "duplicate", "chimera", "junk")
TRIES = 2000
DUPLICATE_REACH = 8  # a PCR copy's original is one of so many molecules before it


class Shape(NamedTuple):
    """What molecules look like: lengths in bases, shares of molecules in [0, 1].

    `lengths` is a table of quantiles of long reads' lengths, empty for Illumina, whose fragments are normal.
    """

    mean: float
    sd: float
    shortest: int
    lengths: np.ndarray
    duplicates: float
    chimeras: float
    junk: float
    gc_bias: float


class Molecules(NamedTuple):
    """Molecules [n], each of one or two parts: copy (-1: junk), reference start, bases into an insertion, drawn length,
    reverse strand; and on the copy the left end and true length."""

    kind: np.ndarray
    parts: np.ndarray
    copy: np.ndarray
    start: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    reverse: np.ndarray
    left: np.ndarray
    size: np.ndarray


@kernel
def last_at_most(values, first, last, x):
    """Return the index of the last of values[first:last] that is <= x, or first - 1."""
    while first < last:
        middle = (first + last) >> 1
        if values[middle] <= x:
            first = middle + 1
        else:
            last = middle
    return first - 1


@kernel(inline="always")
def to_copy(lib, copy, start, offset):
    """Return where reference base `start` (or base `offset` of the insertion before it) lies on a copy."""
    b = last_at_most(lib.block_ref, lib.block_at[copy], lib.block_at[copy + 1], start)
    if b < lib.block_at[copy]:
        return start
    inside = start - lib.block_ref[b]
    if offset > 0:
        return lib.block_hap[b] + offset - 1
    if inside < lib.block_removed[b]:
        return lib.block_hap[b] + min(inside, lib.block_bases[b])
    return lib.block_hap[b] + lib.block_bases[b] + inside - lib.block_removed[b]


@kernel(inline="always")
def _place(state, lib, shape, wanted, out, i, part):
    """Put a molecule of `wanted` bases somewhere; False where there is no place for it."""
    illumina = len(shape.lengths) == 0
    for _ in range(TRIES):
        state, u = uniform(state)
        copy = last_at_most(lib.cumulative, 0, len(lib.cumulative), u * lib.cumulative[-1]) + 1
        contig = lib.copy_contig[copy]
        size = lib.contig_at[contig + 1] - lib.contig_at[contig]
        length = min(wanted, size)
        state, start = below(state, size - length + 1)
        state, strand = uniform(state)
        state, extra = uniform(state)
        state, accept = uniform(state)
        b = last_at_most(lib.break_first, lib.break_at[contig], lib.break_at[contig + 1], start)
        if b >= lib.break_at[contig] and lib.break_last[b] > start:
            continue
        if b + 1 < lib.break_at[contig + 1]:
            room = lib.break_first[b + 1] - start
            if room < (length if illumina else min(length, shape.shortest)):
                continue
        if shape.gc_bias > 0:
            first = (lib.contig_at[contig] + start) // GC_BLOCK
            last = max((lib.contig_at[contig] + start + length) // GC_BLOCK, first + 1)
            share = (lib.gc[last] - lib.gc[first]) / ((last - first) * GC_BLOCK)
            if accept >= math.exp(-shape.gc_bias * ((share - 0.45) / 0.15) ** 2):
                continue
        offset = np.int64(0)
        if lib.long_bases[copy] > 0:
            into = np.int64(extra * (size + lib.long_bases[copy]))
            for k in range(lib.long_at[copy], lib.long_at[copy + 1]):
                block = lib.long_block[k]
                if into < lib.block_bases[block]:
                    start, offset = lib.block_ref[block], into + 1
                    break
                into -= lib.block_bases[block]
        left = to_copy(lib, copy, start, offset)
        room = lib.copy_at[copy + 1] - lib.copy_at[copy] - left
        h = last_at_most(lib.hap_break, lib.hap_break_at[copy], lib.hap_break_at[copy + 1], left) + 1
        if h < lib.hap_break_at[copy + 1]:
            room = min(room, lib.hap_break[h] - left)
        out.copy[i, part], out.start[i, part], out.offset[i, part] = copy, start, offset
        out.length[i, part], out.reverse[i, part] = length, strand < 0.5
        out.left[i, part], out.size[i, part] = left, min(length, room)
        return state, True
    return state, False


@kernel
def _draw(lib, shape, key, turn, first, out):
    """Fill `out` with molecules first, first + 1, …; return -1, or the number of one that found no place."""
    for i in range(len(out.kind)):
        number, item = first + i, first + i
        state = begin(key, item)
        state, copied = uniform(state)
        while copied < shape.duplicates and item > 0:  # read as its original, which lies before it
            state, back = below(state, DUPLICATE_REACH)
            item = max(item - 1 - back, 0)
            state = begin(key, item)
            state, copied = uniform(state)
        state, what = uniform(state)
        state, share = uniform(state)
        if len(shape.lengths):
            u = (turn + item * SPREAD_LENGTH) % 1.0 * (len(shape.lengths) - 1)
            k = int(u)
            wanted = int(shape.lengths[k] + (u - k) * (shape.lengths[k + 1] - shape.lengths[k]))
        else:
            state, z = normal(state)
            wanted = int(round(shape.mean + shape.sd * z))
        wanted = max(wanted, shape.shortest)
        out.parts[i] = 1
        if what < shape.junk:
            out.kind[i], out.copy[i, 0], out.length[i, 0], out.size[i, 0] = JUNK, -1, wanted, wanted
            out.start[i, 0], out.offset[i, 0], out.left[i, 0], out.reverse[i, 0] = 0, 0, 0, False
            continue
        other = wanted
        if what < shape.junk + shape.chimeras:
            out.kind[i], out.parts[i] = CHIMERA, 2
            if len(shape.lengths):
                wanted, other = max(int(share * wanted), shape.shortest), max(int((1 - share) * wanted), shape.shortest)
        else:
            out.kind[i] = PLAIN if item == number else DUPLICATE
        for part in range(out.parts[i]):
            state, placed = _place(state, lib, shape, wanted if part == 0 else other, out, i, part)
            if not placed:
                return number
    return -1


def sizes(molecules: Molecules) -> np.ndarray:
    """Return the bases of each molecule, of all its parts, int64 [n]."""
    return molecules.size.sum(1, where=np.arange(2) < molecules.parts[:, None])


def draw(library: Library, shape: Shape, key: np.uint64, first: int, n: int) -> Molecules | None:
    """Return molecules number first … first + n - 1 of the stream `key`; None where one finds no place.

    A molecule is drawn on the reference: its copy, start, length and strand don't change with the variants or with the
    errors. It ends early where its copy ends or another letter than A, C, G, T comes.
    """
    out = Molecules(
        kind=np.empty(n, np.uint8),
        parts=np.empty(n, np.uint8),
        copy=np.empty((n, 2), np.int64),
        start=np.empty((n, 2), np.int64),
        offset=np.empty((n, 2), np.int64),
        length=np.empty((n, 2), np.int64),
        reverse=np.empty((n, 2), np.bool_),
        left=np.empty((n, 2), np.int64),
        size=np.empty((n, 2), np.int64),
    )
    turn = fraction(np.uint64(key))
    return out if _draw(library, shape, np.uint64(key), turn, np.int64(first), out) < 0 else None
