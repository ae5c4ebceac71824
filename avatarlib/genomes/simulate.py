"""From a reference and settings to donors, their copies of every contig, and their variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from avatarlib.genomes.variants import Variants

if TYPE_CHECKING:
    import tskit

    from avatarlib.genomes.fasta import Reference


@dataclass(frozen=True)
class Contig:
    """One contig of all donors.

    Attributes
    ----------
    copies
        (donor index, haplotype 1 or 2) of each column of `variants.genotypes`; haplotype 1 is the father's and 2 the
        mother's, but a copy that is its donor's only one is always 1.
    trees
        The genealogy with its mutations; the copies are samples 0, 1, … and the reference is the last sample.
        None where there is none.
    """

    name: str
    copies: tuple[tuple[int, int], ...]
    variants: Variants
    trees: tskit.TreeSequence | None


@dataclass(frozen=True)
class Genomes:
    """All donors on one reference.

    Attributes
    ----------
    donors
        One dict a donor: donor, population, sex, father, mother; "" where there is none.
    left_out
        Counts of what could not be placed or used, by reason.
    """

    reference: Reference
    donors: list[dict]
    contigs: tuple[Contig, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def simulate(reference: Reference, settings) -> Genomes:
    raise NotImplementedError
