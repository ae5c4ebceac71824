"""The truth about a batch as bytes: a BAM record for every read and the lines of its labelled differences."""

import numpy as np

from avatarlib.reads.align import (
    ADAPTER,
    FIRST,
    HAP_LENGTH,
    JUNK_READ,
    LAST,
    MATCHED,
    MD_BYTES,
    OPERATIONS,
    READ_LENGTH,
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
from avatarlib.reads.kernel import kernel
from avatarlib.reads.molecules import DUPLICATE, JUNK
from avatarlib.reads.tables import LINE, Names, put_events, put_verbatim


@kernel
def _bound(lib, batch, molecules, i, al, paired, longest_name):
    """Return at most how many bytes (BAM, events) molecule i takes, from its alignments in the slots."""
    bam, events = 0, 0
    reads = 2 if paired else 1
    for slot in range(2):
        bam += 2 * LINE + 3 * longest_name
        events += LINE + longest_name
        for r in range(reads * i, reads * (i + 1)):
            bam += 2 * batch.length[r]
            events += batch.length[r]
        bam += 20 * (al.number[0, OPERATIONS] + al.number[1, OPERATIONS]) + al.number[slot, MD_BYTES]
        for k in range(al.number[slot, ROWS]):
            row = al.rows[slot, k]
            events += LINE + longest_name + row[REF_LENGTH] + row[HAP_LENGTH] + row[READ_LENGTH]
    return bam, events


@kernel
def _flag(al, slot, reverse):
    return (REVERSE if reverse else 0) if slot >= 0 and al.number[slot, MATCHED] else UNMAPPED


@kernel
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
                    e = put_verbatim(events, e, counts, batch, text, r + mate, number, mate + 1, JUNK_READ, 0, names)
                    continue
                e = put_events(
                    events, e, counts, lib, batch, text, r + mate, number, mate + 1, copy,
                    rev_1 if mate == 0 else rev_2, hap_1 if mate == 0 else hap_2, mate, al, names,
                )  # fmt: skip
                tail = batch.tail[r + mate]
                if tail < batch.length[r + mate]:
                    e = put_verbatim(events, e, counts, batch, text, r + mate, number, mate + 1, ADAPTER, tail, names)
            continue
        if kind == JUNK:
            b = put_record(
                bam, b, batch, batch.text_1, i, number, -1, UNMAPPED | extra, -1, al, -1, -1, 0, names.group,
                names.group_at, junk_group, 0, -1, 0, False, names.contig, names.contig_at,
            )  # fmt: skip
            e = put_verbatim(events, e, counts, batch, batch.text_1, i, number, 0, JUNK_READ, 0, names)
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
            e = put_events(
                events, e, counts, lib, batch, batch.text_1, i, number, 0, copy, reverse, haplotype, part, al, names
            )
    return len(molecules.kind), b, e


@kernel
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
