"""Truth as bytes: a BAM record a read, and a line for every labelled difference and for every molecule."""

from typing import NamedTuple

import numpy as np
from numba import njit

from avatarlib.reads.align import (
    ADAPTER,
    CLASSES,
    FIRST,
    HAP,
    HAP_LENGTH,
    JUNK_READ,
    KIND,
    LAST,
    MATCHED,
    MD_BYTES,
    OPERATIONS,
    POSITION,
    READ,
    READ_LENGTH,
    REF,
    REF_LENGTH,
    ROWS,
    align,
    to_reference,
)
from avatarlib.reads.bam import (
    FIRST_MATE,
    MATE_REVERSE,
    MATE_UNMAPPED,
    PAIRED,
    PCR_COPY,
    PROPER,
    REVERSE,
    SECOND_MATE,
    SUPPLEMENTARY,
    UNMAPPED,
    put_record,
)
from avatarlib.reads.bases import COMPLEMENT, put, put_name, put_number
from avatarlib.reads.molecules import CHIMERA, DUPLICATE, JUNK, KINDS

EVENTS_HEADER = (
    "read\tmate\tcontig\tposition\thaplotype\tread_position\tclass\treference\thaplotype_base\tread_base\tquality\n"
)
FRAGMENTS_HEADER = "read\tpart\tsource\thuman\tdonor\thaplotype\tcontig\tstart\toffset\tlength\tstrand\tkind\n"
_LINE = 160  # bytes of a line or record besides names, sequences and alignments
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


@njit(cache=True)
def _events(out, at, counts, lib, batch, text, r, number, mate, copy, reverse, haplotype, slot, al, names):
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


@njit(cache=True)
def _verbatim(out, at, counts, batch, text, r, number, mate, kind, begins, names):
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


@njit(cache=True)
def _bound(lib, batch, molecules, i, al, paired, longest_name):
    """Return at most how many bytes (BAM, events) molecule i takes, from its alignments in the slots."""
    bam, events = 0, 0
    reads = 2 if paired else 1
    for slot in range(2):
        bam += 2 * _LINE + 3 * longest_name
        events += _LINE + longest_name
        for r in range(reads * i, reads * (i + 1)):
            bam += 2 * batch.length[r]
            events += batch.length[r]
        bam += 20 * (al.number[0, OPERATIONS] + al.number[1, OPERATIONS]) + al.number[slot, MD_BYTES]
        for k in range(al.number[slot, ROWS]):
            row = al.rows[slot, k]
            events += _LINE + longest_name + row[REF_LENGTH] + row[HAP_LENGTH] + row[READ_LENGTH]
    return bam, events


@njit(cache=True)
def _flag(al, slot, reverse):
    return (REVERSE if reverse else 0) if slot >= 0 and al.number[slot, MATCHED] else UNMAPPED


@njit(cache=True)
def _truth(lib, batch, molecules, first, begin, paired, al, names, longest_name, bam, events, counts):
    """Write molecules begin, begin + 1, … as far as the buffers hold them; return (next molecule, bytes, bytes)."""
    b, e = 0, 0
    junk_group = len(names.group_at) - 2
    for i in range(begin, len(molecules.kind)):
        number, kind = first + i, molecules.kind[i]
        parts = molecules.parts[i]
        slots = 2 if paired else parts
        if kind == JUNK:
            slots = 0
        for slot in range(2):
            al.number[slot, :] = 0
        for slot in range(slots):
            part = slot if parts == 2 else 0
            r = 2 * i + slot if paired else i
            copy, size, left = molecules.copy[i, part], molecules.size[i, part], molecules.left[i, part]
            if paired:
                reverse = molecules.reverse[i, part] != (slot == 1)
                used = batch.used[r, 0]
                text = batch.text_1 if slot == 0 else batch.text_2
                h0 = left + size - used if reverse else left
                align(
                    lib, batch, text, r, 0, batch.tail[r], copy, h0, used, reverse, 0, batch.error_at[r],
                    batch.error_at[r + 1], al, slot,
                )  # fmt: skip
            else:
                e0, e1, t0 = batch.error_at[r], batch.error_at[r + 1], 0
                begins, ends = 0, batch.part_end[r]
                border = molecules.size[i, 0]
                middle = e0
                while middle < e1 and batch.error_t[middle] < border:
                    middle += 1
                if part == 0:
                    e1 = middle
                else:
                    e0, t0, begins, ends = middle, border, batch.part_end[r], batch.length[r]
                align(
                    lib, batch, batch.text_1, r, begins, ends, copy, left, size, molecules.reverse[i, part], t0, e0,
                    e1, al, slot,
                )  # fmt: skip
        most_bam, most_events = _bound(lib, batch, molecules, i, al, paired, longest_name)
        if b + most_bam > len(bam) or e + most_events > len(events):
            return i, b, e
        extra = PCR_COPY if kind == DUPLICATE else 0
        if paired:
            r = 2 * i
            two = 1 if parts == 2 else 0
            copy_1, copy_2 = molecules.copy[i, 0], molecules.copy[i, two]
            rev_1, rev_2 = molecules.reverse[i, 0], not molecules.reverse[i, two]
            slot_1, slot_2 = (0, 1) if kind != JUNK else (-1, -1)
            flag_1, flag_2 = _flag(al, slot_1, rev_1), _flag(al, slot_2, rev_2)
            contig_1 = lib.copy_contig[copy_1] if copy_1 >= 0 else -1
            contig_2 = lib.copy_contig[copy_2] if copy_2 >= 0 else -1
            first_1 = al.number[0, FIRST] if copy_1 >= 0 else -1
            first_2 = al.number[1, FIRST] if copy_2 >= 0 else -1
            both = PAIRED | extra
            if not (flag_1 | flag_2) & UNMAPPED and parts == 1:
                both |= PROPER
            span = 0
            if not (flag_1 | flag_2) & UNMAPPED and contig_1 == contig_2:
                span = max(al.number[0, LAST], al.number[1, LAST]) - min(first_1, first_2)
                if first_1 > first_2:
                    span = -span
            group_1 = lib.copy_group[copy_1] if copy_1 >= 0 else junk_group
            group_2 = lib.copy_group[copy_2] if copy_2 >= 0 else junk_group
            hap_1 = lib.copy_haplotype[copy_1] if copy_1 >= 0 else 0
            hap_2 = lib.copy_haplotype[copy_2] if copy_2 >= 0 else 0
            for mate in range(2):
                text = batch.text_1 if mate == 0 else batch.text_2
                flag, other = (flag_1, flag_2) if mate == 0 else (flag_2, flag_1)
                flag |= both | (FIRST_MATE if mate == 0 else SECOND_MATE)
                if other & UNMAPPED:
                    flag |= MATE_UNMAPPED
                if other & REVERSE:
                    flag |= MATE_REVERSE
                b = put_record(
                    bam, b, batch, text, r + mate, number, contig_1 if mate == 0 else contig_2, flag,
                    slot_1 if mate == 0 else slot_2, al, contig_2 if mate == 0 else contig_1,
                    first_2 if mate == 0 else first_1, span if mate == 0 else -span, names.group, names.group_at,
                    group_1 if mate == 0 else group_2, hap_1 if mate == 0 else hap_2, -1, 0, False, names.contig,
                    names.contig_at,
                )  # fmt: skip
                copy = copy_1 if mate == 0 else copy_2
                if kind == JUNK:
                    e = _verbatim(events, e, counts, batch, text, r + mate, number, mate + 1, JUNK_READ, 0, names)
                    continue
                e = _events(
                    events, e, counts, lib, batch, text, r + mate, number, mate + 1, copy,
                    rev_1 if mate == 0 else rev_2, hap_1 if mate == 0 else hap_2, mate, al, names,
                )  # fmt: skip
                tail = batch.tail[r + mate]
                if tail < batch.length[r + mate]:
                    e = _verbatim(events, e, counts, batch, text, r + mate, number, mate + 1, ADAPTER, tail, names)
            continue
        if kind == JUNK:
            b = put_record(
                bam, b, batch, batch.text_1, i, number, -1, UNMAPPED | extra, -1, al, -1, -1, 0, names.group,
                names.group_at, junk_group, 0, -1, 0, False, names.contig, names.contig_at,
            )  # fmt: skip
            e = _verbatim(events, e, counts, batch, batch.text_1, i, number, 0, JUNK_READ, 0, names)
            continue
        good_0 = al.number[0, MATCHED] > 0
        good_1 = parts == 2 and al.number[1, MATCHED] > 0
        for part in range(parts):
            copy, reverse = molecules.copy[i, part], molecules.reverse[i, part]
            contig, haplotype = lib.copy_contig[copy], lib.copy_haplotype[copy]
            flag = _flag(al, part, reverse) | extra
            # A part that lies wholly within an insertion has no alignment; one record a read remains.
            if part == 0 or good_1:
                if part == 1 and good_0:
                    flag |= SUPPLEMENTARY
                other = 1 - part if good_0 and good_1 else -1
                if part == 1 or good_0 or not good_1:
                    copy_b = molecules.copy[i, 1 - part] if parts == 2 else copy
                    b = put_record(
                        bam, b, batch, batch.text_1, i, number, contig, flag, part, al, -1, -1, 0, names.group,
                        names.group_at, lib.copy_group[copy], haplotype, other, lib.copy_contig[copy_b],
                        molecules.reverse[i, 1 - part], names.contig, names.contig_at,
                    )  # fmt: skip
            e = _events(
                events, e, counts, lib, batch, batch.text_1, i, number, 0, copy, reverse, haplotype, part, al, names
            )
    return len(molecules.kind), b, e


@njit(cache=True)
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


@njit(cache=True)
def _longest_span(lib, molecules):
    longest = 0
    for i in range(len(molecules.kind)):
        for part in range(molecules.parts[i]):
            copy = molecules.copy[i, part]
            if copy >= 0:
                left, size = molecules.left[i, part], molecules.size[i, part]
                first, last = to_reference(lib, copy, left)[1], to_reference(lib, copy, left + size - 1)[1]
                longest = max(longest, last - first + 1)
    return longest


def longest_span(library, molecules) -> int:
    """Return the most reference bases that a part of a molecule spans."""
    return int(_longest_span(library, molecules))


def write(library, batch, molecules, first: int, paired: bool, room, names: Names, counts: np.ndarray, size: int):
    """Yield (BAM records, events' lines) of a batch, in about `size` bytes at a time, and add to `counts` by class."""
    longest = int(max(np.diff(names.contig_at).max(), np.diff(names.group_at).max()))
    bam, events = np.empty(size, np.uint8), np.empty(size, np.uint8)
    at = 0
    while at < len(molecules.kind):
        then, b, e = _truth(
            library, batch, molecules, np.int64(first), at, paired, room, names, longest, bam, events, counts
        )
        yield bam[:b], events[:e]
        if then == at:  # one molecule needs more than there is
            bam, events = np.empty(2 * len(bam), np.uint8), np.empty(2 * len(events), np.uint8)
        at = then


def fragments(library, molecules, first: int, names: Names) -> np.ndarray:
    """Return the lines of `fragments.tsv.gz` for a batch, uint8."""
    longest = int(np.diff(names.contig_at).max() + np.diff(names.front_at).max())
    out = np.empty(int(molecules.parts.sum()) * (_LINE + longest), np.uint8)
    return out[: _fragments(library, molecules, np.int64(first), names, out)]
