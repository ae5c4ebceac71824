"""BAM records as bytes (SAM/BAM format specification, section 4.2)."""

import numpy as np

from avatarlib.reads.align import FIRST, LAST, MD_BYTES, NM, OPERATIONS, ROWS, VARIANTS
from avatarlib.reads.bases import COMPLEMENT, put, put_name, put_number
from avatarlib.reads.kernel import kernel

PAIRED, PROPER, UNMAPPED, MATE_UNMAPPED, REVERSE, MATE_REVERSE, FIRST_MATE, SECOND_MATE = (1 << k for k in range(8))
PCR_COPY, SUPPLEMENTARY = 1024, 2048
_MOST_OPERATIONS = 65535  # more go to the tag CG
_NIBBLE = np.full(256, 15, np.uint8)
for _code, _base in enumerate(b"=ACMGRSVTWYHKDBN"):
    _NIBBLE[_base] = _code
_LETTERS = np.frombuffer(b"MIDNS", np.uint8).copy()


@kernel
def _int32(out, at, value):
    for k in range(4):
        out[at + k] = (value >> (8 * k)) & 255
    return at + 4


@kernel
def _tag(out, at, one, two, kind):
    out[at], out[at + 1], out[at + 2] = one, two, kind
    return at + 3


@kernel
def _bin(first, last):
    """Return the bin of a region (specification, 5.3)."""
    last -= 1
    for shift, offset in ((14, 4681), (17, 585), (20, 73), (23, 9), (26, 1)):
        if first >> shift == last >> shift:
            return offset + (first >> shift)
    return 0


@kernel
def put_record(
    out, at, batch, text, r, number, contig, flag, slot, al, mate_contig, mate_first, span, group_text, group_at,
    group, haplotype, other, other_contig, other_reverse, contig_text, contig_at,
):  # fmt: skip
    """Write the record of read r, molecule `number`, from its alignment in `slot` (-1: none); return the place behind.

    `other` is the slot of the chimera's other part (-1: none), named in the tag SA.
    """
    mapped = slot >= 0 and not flag & UNMAPPED
    reverse = bool(flag & REVERSE)
    length, sequence, quality = batch.length[r], batch.sequence_at[r], batch.quality_at[r]
    operations = al.number[slot, OPERATIONS] if mapped else 0
    first = al.number[slot, FIRST] if slot >= 0 else -1
    last = al.number[slot, LAST] if mapped else first + 1
    long = operations > _MOST_OPERATIONS
    begin = at
    at = _int32(out, at + 4, contig)
    at = _int32(out, at, first)
    where = _bin(first, max(last, first + 1)) if first >= 0 else 4680
    shown = 2 if long else operations
    out[at], out[at + 1], out[at + 2], out[at + 3] = 12, 60 if mapped else 0, where & 255, where >> 8
    out[at + 4], out[at + 5], out[at + 6], out[at + 7] = shown & 255, shown >> 8, flag & 255, flag >> 8
    at = _int32(out, at + 8, length)
    at = _int32(out, at, mate_contig)
    at = _int32(out, at, mate_first)
    at = _int32(out, at, span)
    at = put_name(out, at, number)
    out[at] = 0
    at += 1
    if long:
        at = _int32(out, at, (length << 4) | 4)
        at = _int32(out, at, ((last - first) << 4) | 3)
    else:
        for k in range(operations):
            at = _int32(out, at, np.int64(al.cigar[slot, k]))
    for k in range(0, length, 2):
        byte = 0
        for j in range(min(2, length - k)):
            base = COMPLEMENT[text[sequence + length - 1 - k - j]] if reverse else text[sequence + k + j]
            byte |= _NIBBLE[base] << (4 - 4 * j)
        out[at] = byte
        at += 1
    for k in range(length):
        out[at + k] = text[quality + (length - 1 - k if reverse else k)] - 33
    at += length
    if mapped:
        at = _int32(out, _tag(out, at, 78, 77, 105), al.number[slot, NM])  # NM:i
        at = put(out, _tag(out, at, 77, 68, 90), al.md[slot, : al.number[slot, MD_BYTES]])  # MD:Z
        out[at] = 0
        at += 1
    at = put(out, _tag(out, at, 82, 71, 90), group_text[group_at[group] : group_at[group + 1]])  # RG:Z
    out[at] = 0
    at += 1
    if slot >= 0:
        at = _tag(out, at, 104, 116, 67)  # ht:C
        out[at] = haplotype
        variants = al.number[slot, VARIANTS]
        at = _int32(out, _tag(out, at + 1, 110, 118, 105), variants)  # nv:i
        at = _int32(out, _tag(out, at, 110, 101, 105), al.number[slot, ROWS] - variants)  # ne:i
    if other >= 0:
        at = put(out, _tag(out, at, 83, 65, 90), contig_text[contig_at[other_contig] : contig_at[other_contig + 1]])
        out[at] = 44
        at = put_number(out, at + 1, al.number[other, FIRST] + 1)
        out[at], out[at + 1], out[at + 2] = 44, 45 if other_reverse else 43, 44
        at += 3
        for k in range(al.number[other, OPERATIONS]):
            at = put_number(out, at, np.int64(al.cigar[other, k] >> np.uint32(4)))
            out[at] = _LETTERS[al.cigar[other, k] & np.uint32(15)]
            at += 1
        out[at], out[at + 1], out[at + 2], out[at + 3] = 44, 54, 48, 44
        at = put_number(out, at + 4, al.number[other, NM])
        out[at], out[at + 1] = 59, 0
        at += 2
    if long:
        at = _int32(out, _tag(out, at, 67, 71, 66) + 1, operations)  # CG:B,I
        out[at - 5] = 73
        for k in range(operations):
            at = _int32(out, at, np.int64(al.cigar[slot, k]))
    _int32(out, begin, at - begin - 4)
    return at
