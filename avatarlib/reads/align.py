"""The true alignment of a read: its haplotype's blocks and its errors, composed base by base."""

from typing import NamedTuple

import numpy as np

from avatarlib.reads.bases import COMPLEMENT, put_number
from avatarlib.reads.batch import DELETION, INSERTION
from avatarlib.reads.kernel import kernel
from avatarlib.reads.molecules import last_at_most

VARIANT, ERROR, ON_VARIANT, REVERTS, MIMICS, ADAPTER, JUNK_READ = range(7)
CLASSES = (
    "variant",
    "error",
    "error_on_variant",
    "error_reverts_variant",
    "error_mimics_variant",
    "adapter",
    "junk",
)
_M, _I, _D, _S = 0, 1, 2, 4  # as BAM numbers them
# Columns of a row, one labelled difference; strings are (first, length) in reference, copy and forward read.
KIND, POSITION, REF, REF_LENGTH, HAP, HAP_LENGTH, READ, READ_LENGTH = range(8)


class Alignment(NamedTuple):
    """Room for the alignments of one molecule, in two slots (mates, or parts of a chimera).

    `cigar` BAM's numbers, `md` text, `rows` [slot, row, 8]; `number` [slot, 8]: operations, bytes of MD, rows, NM,
    first reference base, one behind the last, bases matched, labelled variants.
    """

    cigar: np.ndarray
    md: np.ndarray
    rows: np.ndarray
    number: np.ndarray


OPERATIONS, MD_BYTES, ROWS, NM, FIRST, LAST, MATCHED, VARIANTS = range(8)


def room(most_bases: int, most_errors: int, longest_span: int) -> Alignment:
    """Return empty slots for molecules up to these sizes."""
    rows = 3 * most_bases + most_errors + 64
    return Alignment(
        np.empty((2, 2 * rows), np.uint32),
        np.empty((2, 4 * most_bases + 2 * longest_span + 256), np.uint8),
        np.empty((2, rows, 8), np.int64),
        np.zeros((2, 8), np.int64),
    )


@kernel
def to_reference(lib, copy, h):
    """Return (block, reference base) at base h of a copy: the first block that doesn't end before h, and the base
    aligned to h, or the one behind where h is inserted."""
    b = last_at_most(lib.block_hap, lib.block_at[copy], lib.block_at[copy + 1], h)
    if b < lib.block_at[copy]:
        return lib.block_at[copy], h
    inside = h - lib.block_hap[b]
    if inside < lib.block_bases[b]:
        return b, lib.block_ref[b] + min(inside, lib.block_removed[b])
    return b + 1, lib.block_ref[b] + lib.block_removed[b] + inside - lib.block_bases[b]


@kernel
def _push(al, slot, op, n):
    """Add an operation to the CIGAR; True where it only made the last one longer."""
    count = al.number[slot, OPERATIONS]
    if count and (al.cigar[slot, count - 1] & np.uint32(15)) == np.uint32(op):
        al.cigar[slot, count - 1] += np.uint32(n << 4)
        return True
    al.cigar[slot, count] = np.uint32((n << 4) | op)
    al.number[slot, OPERATIONS] = count + 1
    return False


@kernel
def _delete(al, slot, lib, at, n, matched):
    """Write n deleted reference bases into CIGAR, MD and NM; return the matches that MD still owes: none."""
    end = al.number[slot, MD_BYTES]
    if not _push(al, slot, _D, n):
        end = put_number(al.md[slot], end, matched)
        al.md[slot, end] = 94
        end += 1
    for k in range(n):
        al.md[slot, end + k] = lib.ref[at + k]
    al.number[slot, MD_BYTES] = end + n
    al.number[slot, NM] += n
    return 0


@kernel
def _row(al, slot, kind, position, ref, ref_length, hap, hap_length, read, read_length):
    n = al.number[slot, ROWS]
    row = al.rows[slot, n]
    row[KIND], row[POSITION], row[REF], row[REF_LENGTH] = kind, position, ref, ref_length
    row[HAP], row[HAP_LENGTH], row[READ], row[READ_LENGTH] = hap, hap_length, read, read_length
    al.number[slot, ROWS] = n + 1
    if kind == VARIANT:
        al.number[slot, VARIANTS] += 1


@kernel
def _known(lib, contig, position, base):
    """True where `base` is the alternative of a SNP of the VCF at this place."""
    k = last_at_most(lib.snp_position, lib.snp_at[contig], lib.snp_at[contig + 1], position)
    return k >= lib.snp_at[contig] and lib.snp_position[k] == position and lib.snp_allele[k] == base


@kernel
def align(lib, batch, text, r, begins, ends, copy, h0, size, reverse, t0, e0, e1, al, slot):
    """Align read r's bases begins:ends, read from `size` bases of a copy from h0 on, into a slot.

    `t0` is the template base at which this part begins; errors e0:e1 of the batch lie in it.
    """
    number = al.number[slot]
    number[:] = 0
    length, sequence = batch.length[r], batch.sequence_at[r]
    contig = lib.copy_contig[copy]
    ref0, hap0 = lib.contig_at[contig], lib.copy_at[copy]
    b, ref = to_reference(lib, copy, h0)
    b_end = lib.block_at[copy + 1]
    number[FIRST] = ref
    g = length - ends if reverse else begins
    if g:
        _push(al, slot, _S, g)
    f, matched, e = 0, 0, 0
    open_row = False  # the last row is an untouched run of an inserted allele
    while f < size:
        h = h0 + f
        if b < b_end and lib.block_hap[b] == h and lib.block_bases[b] == 0:
            n = lib.block_removed[b]
            matched = _delete(al, slot, lib, ref0 + ref, n, matched)
            _row(al, slot, VARIANT, ref + 1, ref0 + ref, n, 0, 0, g, 0)
            ref += n
            b += 1
        next_error = size
        kind, shown = -1, np.uint8(0)
        if e < e1 - e0:
            k = e1 - 1 - e if reverse else e0 + e
            kind = batch.error_kind[k]
            t = batch.error_t[k] - t0
            next_error = t if not reverse else size - 1 - t - (1 if kind == INSERTION else 0)
        inside = b < b_end and lib.block_hap[b] <= h
        if not inside:
            stop = min(size, next_error)
            if b < b_end:
                stop = min(stop, lib.block_hap[b] - h0)
            if stop > f:
                n = stop - f
                _push(al, slot, _M, n)
                number[MATCHED] += n
                matched, g, ref, f = matched + n, g + n, ref + n, stop
                open_row = False
                continue
        o = h - lib.block_hap[b] if inside else 0
        aligned = not inside or o < lib.block_removed[b]
        at = lib.block_ref[b] + min(o, lib.block_removed[b]) if inside else ref
        original, refbase = lib.hap[hap0 + h], lib.ref[ref0 + at] if aligned else np.uint8(0)
        if kind == DELETION and next_error == f:
            e += 1
            if aligned:
                matched = _delete(al, slot, lib, ref0 + at, 1, matched)
                what = ERROR if original == refbase else ON_VARIANT
                _row(al, slot, what, at + 1, ref0 + at, 1, hap0 + h, 1, g, 0)
            else:
                _row(al, slot, REVERTS, at, 0, 0, hap0 + h, 1, g, 0)
            open_row = False
        else:
            wrong = kind >= 0 and kind != INSERTION and next_error == f
            e += wrong
            shown = COMPLEMENT[text[sequence + length - 1 - g]] if reverse else text[sequence + g]
            if aligned:
                open_row = False
                _push(al, slot, _M, 1)
                number[MATCHED] += 1
                if shown == refbase:
                    matched += 1
                else:
                    number[MD_BYTES] = put_number(al.md[slot], number[MD_BYTES], matched)
                    al.md[slot, number[MD_BYTES]] = refbase
                    number[MD_BYTES] += 1
                    number[NM] += 1
                    matched = 0
                if shown != original or original != refbase:
                    if original == refbase:
                        what = MIMICS if _known(lib, contig, at, shown) else ERROR
                    else:
                        what = VARIANT if shown == original else REVERTS if shown == refbase else ON_VARIANT
                    _row(al, slot, what, at + 1, ref0 + at, 1, hap0 + h, 1, g, 1)
            else:
                _push(al, slot, _I, 1)
                number[NM] += 1
                if wrong or not open_row:
                    _row(al, slot, ON_VARIANT if wrong else VARIANT, at, 0, 0, hap0 + h, 1, g, 1)
                else:
                    al.rows[slot, number[ROWS] - 1, HAP_LENGTH] += 1
                    al.rows[slot, number[ROWS] - 1, READ_LENGTH] += 1
                open_row = not wrong
            g += 1
        if inside:
            if o == lib.block_bases[b] - 1:
                rest = lib.block_removed[b] - lib.block_bases[b]
                ref = lib.block_ref[b] + lib.block_removed[b]
                if rest > 0 and f + 1 < size:
                    matched = _delete(al, slot, lib, ref0 + ref - rest, rest, matched)
                    _row(al, slot, VARIANT, ref - rest + 1, ref0 + ref - rest, rest, 0, 0, g, 0)
                elif rest > 0:
                    ref -= rest
                b += 1
                open_row = False
            else:
                ref = at + 1 if aligned else at
        else:
            ref = at + 1
        f += 1
        while e < e1 - e0:
            k = e1 - 1 - e if reverse else e0 + e
            t = batch.error_t[k] - t0
            if batch.error_kind[k] != INSERTION or (t if not reverse else size - 2 - t) != f - 1:
                break
            _push(al, slot, _I, 1)
            number[NM] += 1
            _row(al, slot, ERROR, ref, 0, 0, 0, 0, g, 1)
            open_row = False
            g, e = g + 1, e + 1
    number[LAST] = ref
    if length - g:
        _push(al, slot, _S, length - g)
    number[MD_BYTES] = put_number(al.md[slot], number[MD_BYTES], matched)
