"""Tables of the truth as text: a line for every labelled difference, and one for every molecule."""

from typing import NamedTuple

import numpy as np

from avatarlib.reads.align import (
    CLASSES,
    HAP,
    HAP_LENGTH,
    KIND,
    POSITION,
    READ,
    READ_LENGTH,
    REF,
    REF_LENGTH,
    ROWS,
)
from avatarlib.reads.bases import COMPLEMENT, put, put_name, put_number
from avatarlib.reads.kernel import kernel
from avatarlib.reads.molecules import KINDS

EVENTS_HEADER = (
    "read\tmate\tcontig\tposition\thaplotype\tread_position\tclass\treference\thaplotype_base\tread_base\tquality\n"
)
FRAGMENTS_HEADER = "read\tpart\tsource\thuman\tdonor\thaplotype\tcontig\tstart\toffset\tlength\tstrand\tkind\n"
LINE = 160  # bytes of a line or record besides names, sequences and alignments
_TAB, _DASH, _END, _STAR, _PLUS = 9, 45, 10, 42, 43


class Names(NamedTuple):
    """Texts end to end and where each begins: contigs; read groups; the front of a fragment's line by group (source,
    human, donor); classes of rows; kinds of molecules."""

    contig: np.ndarray
    contig_at: np.ndarray
    group: np.ndarray
    group_at: np.ndarray
    front: np.ndarray
    front_at: np.ndarray
    kind: np.ndarray
    kind_at: np.ndarray
    label: np.ndarray
    label_at: np.ndarray


def names(contigs: list[str], groups: list[str], fronts: list[str]) -> Names:
    """Pack names for the kernels; the last group is that of junk."""
    packed = []
    for texts in (contigs, groups, fronts, KINDS, CLASSES):
        data = [text.encode() for text in texts]
        packed += [np.frombuffer(b"".join(data), np.uint8).copy(), np.cumsum([0, *map(len, data)])]
    return Names(*packed)


@kernel
def put_events(out, at, counts, lib, batch, text, r, number, mate, copy, reverse, haplotype, slot, al, names):
    """Write the rows of a slot in reading order; return the place behind."""
    length, sequence, quality = batch.length[r], batch.sequence_at[r], batch.quality_at[r]
    contig = lib.copy_contig[copy]
    ref0 = 0
    rows = al.number[slot, ROWS]
    for k in range(rows):
        row = al.rows[slot, rows - 1 - k if reverse else k]
        at = put_name(out, at, number)
        out[at], out[at + 1], out[at + 2] = _TAB, 48 + mate, _TAB
        at = put(out, at + 3, names.contig[names.contig_at[contig] : names.contig_at[contig + 1]])
        out[at] = _TAB
        at = put_number(out, at + 1, row[POSITION])
        out[at], out[at + 1], out[at + 2] = _TAB, 48 + haplotype, _TAB
        n = row[READ_LENGTH]
        place = length - row[READ] - n if reverse else row[READ]
        at = put_number(out, at + 3, place)
        out[at] = _TAB
        kind = row[KIND]
        counts[kind] += 1
        at = put(out, at + 1, names.label[names.label_at[kind] : names.label_at[kind + 1]])
        out[at] = _TAB
        at += 1
        for first, size, which in ((row[REF], row[REF_LENGTH], 0), (row[HAP], row[HAP_LENGTH], 1)):
            if size == 0:
                out[at] = _DASH
                at += 1
            elif which == 0:
                at = put(out, at, lib.ref[ref0 + first : ref0 + first + size])
            else:
                at = put(out, at, lib.hap[first : first + size])
            out[at] = _TAB
            at += 1
        if n == 0:
            out[at], out[at + 1], out[at + 2] = _DASH, _TAB, 46
            at += 3
        else:
            for j in range(n):
                g = row[READ] + j
                out[at + j] = COMPLEMENT[text[sequence + length - 1 - g]] if reverse else text[sequence + g]
            out[at + n] = _TAB
            at = put_number(out, at + n + 1, text[quality + place] - 33)
        out[at] = _END
        at += 1
    return at


@kernel
def put_verbatim(out, at, counts, batch, text, r, number, mate, kind, begins, names):
    """Write the row of bases that come from no molecule: an adapter's from read position `begins` on, or junk's."""
    at = put_name(out, at, number)
    out[at], out[at + 1], out[at + 2], out[at + 3], out[at + 4] = _TAB, 48 + mate, _TAB, _STAR, _TAB
    out[at + 5], out[at + 6], out[at + 7], out[at + 8] = 48, _TAB, 48, _TAB
    at = put_number(out, at + 9, begins)
    out[at] = _TAB
    counts[kind] += 1
    at = put(out, at + 1, names.label[names.label_at[kind] : names.label_at[kind + 1]])
    out[at], out[at + 1], out[at + 2], out[at + 3], out[at + 4] = _TAB, _DASH, _TAB, _DASH, _TAB
    sequence = batch.sequence_at[r]
    at = put(out, at + 5, text[sequence + begins : sequence + batch.length[r]])
    out[at] = _TAB
    at = put_number(out, at + 1, text[batch.quality_at[r] + begins] - 33)
    out[at] = _END
    return at + 1


@kernel
def _fragments(lib, molecules, first, names, out):
    """Write a line for each part of each molecule; return the bytes."""
    at = 0
    junk_group = len(names.group_at) - 2
    for i in range(len(molecules.kind)):
        for part in range(molecules.parts[i]):
            copy, kind = molecules.copy[i, part], molecules.kind[i]
            group = lib.copy_group[copy] if copy >= 0 else junk_group
            at = put_name(out, at, first + i)
            out[at], out[at + 1], out[at + 2] = _TAB, 49 + part, _TAB
            at = put(out, at + 3, names.front[names.front_at[group] : names.front_at[group + 1]])
            out[at], out[at + 2] = _TAB, _TAB
            out[at + 1] = 48 + (lib.copy_haplotype[copy] if copy >= 0 else 0)
            at += 3
            if copy >= 0:
                contig = lib.copy_contig[copy]
                at = put(out, at, names.contig[names.contig_at[contig] : names.contig_at[contig + 1]])
            else:
                out[at] = _STAR
                at += 1
            for value in (molecules.start[i, part], molecules.offset[i, part], molecules.length[i, part]):
                out[at] = _TAB
                at = put_number(out, at + 1, value)
            out[at], out[at + 2] = _TAB, _TAB
            out[at + 1] = _DASH if molecules.reverse[i, part] else _PLUS
            at = put(out, at + 3, names.kind[names.kind_at[kind] : names.kind_at[kind + 1]])
            out[at] = _END
            at += 1
    return at


def fragments(library, molecules, first: int, names: Names) -> np.ndarray:
    """Return the lines of `fragments.tsv.gz` for a batch, uint8."""
    longest = int(np.diff(names.contig_at).max() + np.diff(names.front_at).max())
    out = np.empty(int(molecules.parts.sum()) * (LINE + longest), np.uint8)
    return out[: _fragments(library, molecules, np.int64(first), names, out)]
