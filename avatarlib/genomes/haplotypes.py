"""Haplotypes: a contig's variants written into its sequence, and the blocks in which the two differ.

Outside the blocks a haplotype equals the reference base for base, so the blocks are the whole alignment.
"""

from dataclasses import dataclass

import numpy as np

from avatarlib.genomes.variants import Variants


@dataclass(frozen=True)
class Haplotype:
    """One copy of a contig.

    Attributes
    ----------
    bases
        uint8 [H], ASCII.
    start, length
        int64 [blocks]: where each block lies on the haplotype, and how many bases it has there (0: a deletion).
    reference_start, reference_length
        int64 [blocks]: the same on the reference (length 0: an insertion before `reference_start`).
    """

    bases: np.ndarray
    start: np.ndarray
    length: np.ndarray
    reference_start: np.ndarray
    reference_length: np.ndarray


def haplotype(sequence: np.ndarray, variants: Variants, copy: int) -> Haplotype:
    """Write the alleles of one copy into a contig.

    Parameters
    ----------
    sequence
        uint8 [n], the contig's reference bases.
    variants
        Of this contig: sorted, none overlapping another.
    copy
        Column of `variants.genotypes`.

    Examples
    --------
    >>> alleles, kinds = np.frombuffer(b"TGG", np.uint8), np.array([0, 1], np.uint8)
    >>> one = Variants(np.array([1, 3]), np.array([1, 0], np.int32), np.array([0, 1, 3]), alleles, kinds,
    ...                np.zeros(2, bool), np.ones((2, 1), np.int8))
    >>> haplotype(np.frombuffer(b"ACGTA", np.uint8), one, 0).bases.tobytes()
    b'ATGGGTA'
    """
    carried = np.flatnonzero(variants.genotypes[:, copy])
    at = variants.position[carried]
    removed = variants.reference_length[carried].astype(np.int64)
    first, last = variants.allele_offsets[carried], variants.allele_offsets[carried + 1]
    added = (last - first).astype(np.int64)
    start = at + np.concatenate([[0], np.cumsum(added - removed)[:-1]]).astype(np.int64) if len(at) else at
    bases = np.empty(len(sequence) + int((added - removed).sum()), np.uint8)
    if np.array_equal(added, removed):  # nothing moves: copy once, then write the alleles over it
        bases[:] = sequence
    else:
        ends, starts = np.concatenate([at, [len(sequence)]]), np.concatenate([[0], at + removed])
        shifts = np.concatenate([[0], np.cumsum(added - removed)])
        moves = np.flatnonzero(np.concatenate([[True], np.diff(shifts) != 0]))
        for move, begin in enumerate(moves):
            until = ends[moves[move + 1] - 1] if move + 1 < len(moves) else len(sequence)
            bases[starts[begin] + shifts[begin] : until + shifts[begin]] = sequence[starts[begin] : until]
    single = added == 1
    bases[start[single]] = variants.alleles[first[single]]
    for k in np.flatnonzero(added > 1):
        bases[start[k] : start[k] + added[k]] = variants.alleles[first[k] : last[k]]
    return Haplotype(bases, start, added, at.astype(np.int64), removed)
