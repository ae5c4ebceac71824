"""From a reference and settings to donors, their copies of every contig, and their variants."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from avatarlib.genomes.ancestry import Bundle, genealogies
from avatarlib.genomes.demography import history, pair_age
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.genotypes import against_reference, carriers, cut, genealogy
from avatarlib.genomes.known_sites import draw_sites, read_sites
from avatarlib.genomes.mutations import CLASSES, place
from avatarlib.genomes.people import donors_table
from avatarlib.genomes.settings import KNOWN_SITES, Variation
from avatarlib.genomes.variants import Variants, no_variants

if TYPE_CHECKING:
    import tskit

MOST_TREES = 10_000


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
    trees: "tskit.TreeSequence | None"


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


def simulate(reference: Reference, settings: Variation) -> Genomes:
    """Simulate donors on a reference.

    Genealogies depend on `ancestry_seed` and the contigs' names and lengths, variants on `mutation_seed` beside them.
    A contig's result doesn't depend on the other contigs, except that runs of contigs shorter than 10,000 bases share
    a genealogy (see `ancestry`). In a reference of more than `MOST_TREES` contigs, those of such runs come without
    their genealogies, which would need more room than the variants.

    Raises
    ------
    InputError
        A model, population, pedigree or file of sites that can't be used: says what and where.

    Examples
    --------
    >>> import numpy as np
    >>> from avatarlib.genomes.fasta import join
    >>> reference = join(["chr1", "chrM"], [np.random.default_rng(1).choice(list(b"ACGT"), n) for n in (9000, 900)])
    >>> genomes = simulate(reference, Variation(snp_rate=0.01))
    >>> [donor["donor"] for donor in genomes.donors], genomes.contigs[0].variants.genotypes.shape[1]
    (['donor001', 'donor002'], 4)
    """
    if settings.model == KNOWN_SITES:
        return _from_sites(reference, settings)
    past = history(settings)
    donors, pedigree = donors_table(settings, reference.names, next(iter(settings.populations), past.home))
    age = pair_age(past, [person["population"] for person in donors])
    contigs, crowded = [], Counter()
    for bundle in genealogies(reference, settings, past, donors, pedigree):
        contigs += _mutated(bundle, reference, settings, age, crowded)
    return Genomes(reference, donors, tuple(contigs), {f"{what} without room": n for what, n in crowded.items() if n})


def _mutated(bundle: Bundle, reference: Reference, settings: Variation, age: float, crowded: Counter) -> list[Contig]:
    """The contigs of a bundle with their variants; events that found no room are counted in `crowded`."""
    names = [reference.names[contig] for contig in bundle.contigs]
    if bundle.trees is None:
        return [Contig(name, (), no_variants(0), None) for name in names]
    sequences = [reference.sequence(contig) for contig in bundle.contigs]
    pieces, sites = cut(bundle), []
    for name, sequence, part in zip(names, sequences, pieces, strict=True):
        placed, numbers = place(sequence, name, part, settings, age)
        sites.append(placed)
        crowded.update(dict(zip(CLASSES, numbers, strict=True)))
    carries = carriers(bundle, sites)
    ends = np.cumsum([0, *(len(placed.position) for placed in sites)])
    keep_trees = len(names) == 1 or len(reference) <= MOST_TREES
    nothing = no_variants(len(bundle.copies))
    contigs = []
    for k, name in enumerate(names):
        mine = carries[ends[k] : ends[k + 1]]
        variants = against_reference(sites[k], mine) if len(mine) else nothing
        trees = genealogy(bundle, pieces[k], sites[k], variants, sequences[k]) if keep_trees else None
        contigs.append(Contig(name, bundle.copies, variants, trees))
    return contigs


def _from_sites(reference: Reference, settings: Variation) -> Genomes:
    """Donors whose genotypes are drawn from known sites; no genealogies."""
    donors, _ = donors_table(settings, reference.names, "")
    populations = list(settings.populations) or [""]
    sites, left_out = read_sites(settings.sites, reference, populations)
    home = [populations.index(person["population"]) for person in donors]
    sexes = [person["sex"] for person in donors]
    contigs = []
    for contig, name in enumerate(reference.names):
        length = reference.length(contig)
        variants, copies, overlapping = draw_sites(sites[contig], name, home, sexes, length, settings.mutation_seed)
        left_out["sites that overlap another"] += overlapping
        contigs.append(Contig(name, copies, variants, None))
    return Genomes(reference, donors, tuple(contigs), {what: n for what, n in left_out.items() if n})
