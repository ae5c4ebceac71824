"""Variants of one contig: what replaces which bases of the reference, and who carries it."""

from dataclasses import dataclass

import numpy as np

SNP, INSERTION, DELETION, INVERSION, DUPLICATION = range(5)
KINDS = ("SNP", "INS", "DEL", "INV", "DUP")


@dataclass(frozen=True)
class Variants:
    """Variants of one contig, sorted by position; no two of them touch the same base, anchors included.

    They touch only A, C, G and T of the reference. Insertions, deletions and duplications are left-aligned and never
    reach base 0, so that their anchor, the base before `position`, exists. At least one unchanged base lies on either
    side of everything but single-base variants, so positions are strictly increasing.

    Attributes
    ----------
    position
        int64 [n], 0-based: the first reference base replaced; the base before which an insertion goes.
    reference_length
        int32 [n]: 1 for SNPs, 0 for insertions and duplications, else the number of reference bases replaced.
    allele_offsets
        int64 [n + 1], where each allele begins and ends in `alleles`.
    alleles
        uint8 ASCII, the alternative sequences without anchors; empty for deletions.
    kind
        uint8 [n]: SNP, INSERTION, DELETION, INVERSION or DUPLICATION.
    reference_is_derived
        bool [n]: the reference carries the younger allele.
    genotypes
        int8 [n, copies]: 1 where the copy carries the alternative.
    """

    position: np.ndarray
    reference_length: np.ndarray
    allele_offsets: np.ndarray
    alleles: np.ndarray
    kind: np.ndarray
    reference_is_derived: np.ndarray
    genotypes: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def allele(self, index: int) -> np.ndarray:
        """Return the alternative bases of one variant, uint8 ASCII without its anchor."""
        return self.alleles[self.allele_offsets[index] : self.allele_offsets[index + 1]]


def no_variants(copies: int) -> Variants:
    """Return the variants of a contig that has none, for so many copies.

    Examples
    --------
    >>> no_variants(4).genotypes.shape
    (0, 4)
    """
    return Variants(
        position=np.zeros(0, np.int64),
        reference_length=np.zeros(0, np.int32),
        allele_offsets=np.zeros(1, np.int64),
        alleles=np.zeros(0, np.uint8),
        kind=np.zeros(0, np.uint8),
        reference_is_derived=np.zeros(0, bool),
        genotypes=np.zeros((0, copies), np.int8),
    )


def first_base(kind: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return where a VCF record of each variant begins, 0-based int64: at its anchor, or where it has none itself.

    Examples
    --------
    >>> first_base(np.array([SNP, DELETION, INVERSION]), np.array([5, 9, 20])).tolist()
    [5, 8, 20]
    """
    return position - ((kind != SNP) & (kind != INVERSION))


def written(variants: Variants, sequence: np.ndarray) -> tuple[list[bytes], list[bytes]]:
    """Return REF and ALT of each variant as a VCF file writes them, anchors included.

    Parameters
    ----------
    sequence
        uint8 ASCII, the contig's reference bases.

    Examples
    --------
    >>> one = Variants(np.array([2]), np.array([1], np.int32), np.array([0, 0]), np.zeros(0, np.uint8),
    ...                np.array([DELETION], np.uint8), np.zeros(1, bool), np.ones((1, 2), np.int8))
    >>> written(one, np.frombuffer(b"ACGT", np.uint8))
    ([b'CG'], [b'C'])
    """
    first = first_base(variants.kind, variants.position)
    bases, alleles = sequence.tobytes(), variants.alleles.tobytes()
    ends = (variants.position + variants.reference_length).tolist()
    offsets = variants.allele_offsets.tolist()
    reference = [bases[a:b] for a, b in zip(first.tolist(), ends, strict=True)]
    anchors = [bases[a:b] for a, b in zip(first.tolist(), variants.position.tolist(), strict=True)]
    spans = zip(anchors, offsets[:-1], offsets[1:], strict=True)
    return reference, [anchor + alleles[a:b] for anchor, a, b in spans]


def join_variants(edits: list[tuple[int, int, bytes, int]], derived: list[bool], genotypes: np.ndarray) -> Variants:
    """Make `Variants` of (position, reference length, allele, kind) that are sorted and don't overlap.

    Parameters
    ----------
    genotypes
        int8 [edits, copies].
    """
    position, removed, alleles, kind = zip(*edits, strict=True) if edits else ((), (), (), ())
    return Variants(
        position=np.array(position, np.int64),
        reference_length=np.array(removed, np.int32),
        allele_offsets=np.cumsum([0, *map(len, alleles)], dtype=np.int64),
        alleles=np.frombuffer(b"".join(alleles), np.uint8),
        kind=np.array(kind, np.uint8),
        reference_is_derived=np.array(derived, bool),
        genotypes=genotypes,
    )
