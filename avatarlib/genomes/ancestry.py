"""Genealogies: who shares which ancestor where, by msprime, below that the pedigree.

The copies of a contig are the samples, and after them one haploid leaf more: the reference, which is thus somebody of
the same population and no outgroup. Contigs shorter than `SHORT` are too many in some references to be simulated one
by one: a run of them is laid end to end up to `LONGEST_BUNDLE` and shares one genealogy, so neighbours in a run are
linked as neighbouring pieces of a chromosome are. All other contigs are independent of each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.demography import History, scaled
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.people import AUTOSOME, MALE, M, Pedigree, X, Y, contig_kind, copies_of
from avatarlib.genomes.settings import Variation
from avatarlib.seeds import child_seed, generator

if TYPE_CHECKING:
    import tskit

SHORT = 10_000
LONGEST_BUNDLE = 1_000_000

# Effective size and recombination, as shares of an autosome's: three X for four autosomes, one Y, M of mothers only;
# X recombines in females, where it spends two thirds of its time.
SHARES = {AUTOSOME: (1, 1), X: (3 / 4, 2 / 3), Y: (1 / 4, 0), M: (1 / 4, 0)}


@dataclass(frozen=True)
class Bundle:
    """Contigs that share a genealogy, nearly always one.

    Attributes
    ----------
    contigs
        Their numbers in the reference, neighbours.
    offsets
        int64 [contigs + 1], where each begins on the genealogy.
    copies
        (donor index, haplotype) of sample 0, 1, …; the reference is the last sample.
    trees
        tskit tree sequence whose nodes 0, 1, … are the samples. Not simulated, None, where nobody has a copy.
    """

    contigs: tuple[int, ...]
    offsets: np.ndarray
    copies: tuple[tuple[int, int], ...]
    trees: "tskit.TreeSequence | None"


def genealogies(
    reference: Reference, settings: Variation, past: History, donors: Sequence[dict], pedigree: Pedigree | None
) -> Iterator[Bundle]:
    """Simulate the genealogies of all contigs, one bundle after the other.

    Parameters
    ----------
    past
        The demography of `settings.model`.
    donors
        Rows of the donors table, of which `population`, `sex` and `donor` are read.
    pedigree
        Their parents, or None where all are unrelated.

    Raises
    ------
    InputError
        The model is one that msprime can't run.
    """
    import msprime

    sexes = [person["sex"] for person in donors]
    histories = {share: scaled(past.demography, share) for share, _ in SHARES.values()}
    for contigs in bundles(reference):
        name = reference.names[contigs[0]]
        share, recombination = SHARES[contig_kind(name)]
        offsets = np.cumsum([0, *(reference.length(c) for c in contigs)])
        copies = copies_of(name, sexes)
        if not copies:
            yield Bundle(contigs, offsets, copies, None)
            continue
        rate = settings.recombination_rate * recombination
        seed = child_seed(settings.ancestry_seed, "ancestry", name) % (2**32 - 1) + 1
        tables = _leaves(histories[share], past.home, donors, copies, int(offsets[-1]))
        if pedigree is not None:
            stream = generator(settings.ancestry_seed, "pedigree", name)
            _drop(tables, pedigree, contig_kind(name), sexes, copies, settings.recombination_rate, stream)
        try:
            trees = msprime.sim_ancestry(
                initial_state=tables,
                demography=histories[share],
                recombination_rate=rate,
                random_seed=seed,
                record_provenance=False,  # it holds the time of day
            )
        except (msprime.LibraryError, ValueError) as error:
            what = " ".join(str(error).split())
            raise InputError(f"model {settings.model}: msprime can't run it ({what}): choose another") from error
        if pedigree is not None:  # parts of parents that they didn't pass on, and ancestors with one heir
            trees = trees.simplify(range(len(copies) + 1), filter_populations=False, record_provenance=False)
        yield Bundle(contigs, offsets, copies, trees)


def bundles(reference: Reference) -> list[tuple[int, ...]]:
    """Group the numbers of contigs: runs of short autosomes together, all others alone."""
    groups: list[tuple[int, ...]] = []
    run, total = [], 0
    for contig, name in enumerate(reference.names):
        length = reference.length(contig)
        joins = length < SHORT and contig_kind(name) == AUTOSOME
        if run and (not joins or total + length > LONGEST_BUNDLE):
            groups.append(tuple(run))
            run, total = [], 0
        if joins:
            run.append(contig)
            total += length
        else:
            groups.append((contig,))
    return [*groups, tuple(run)] if run else groups


def _leaves(demography, home: str, donors: Sequence[dict], copies, length: int) -> "tskit.TableCollection":
    """Tables with a sample node for each copy and, last, the reference; individuals are the donors with a copy."""
    import tskit

    tables = tskit.TableCollection(length)
    tables.time_units = "generations"
    demography.insert_populations(tables)
    number = {population.name: population.id for population in demography.populations}
    tables.individuals.metadata_schema = tskit.MetadataSchema({"codec": "json"})
    individual = {donor: tables.individuals.add_row(metadata={"donor": donors[donor]["donor"]}) for donor, _ in copies}
    for donor, _ in copies:
        place = number[donors[donor]["population"]]
        tables.nodes.add_row(tskit.NODE_IS_SAMPLE, 0, place, individual[donor])
    tables.nodes.add_row(tskit.NODE_IS_SAMPLE, 0, number[home])
    return tables


def _drop(
    tables: "tskit.TableCollection",
    pedigree: Pedigree,
    kind: str,
    sexes: Sequence[str],
    copies: Sequence[tuple[int, int]],
    recombination_rate: float,
    stream: np.random.Generator,
) -> None:
    """Let the copies descend through the pedigree: add the edges of every meiosis between known relatives.

    A parent with two copies passes on a mosaic of them with Poisson many crossovers, one with a single copy (M, Y, a
    father's X) passes it on whole. Copies from unknown parents stay roots, and coalesce under the model.
    """
    length = int(tables.sequence_length)
    owned: dict[int, list[int]] = {}
    for node, (donor, _) in enumerate(copies):
        owned.setdefault(donor, []).append(node)
    times = tables.nodes.time
    for node, (donor, _) in enumerate(copies):
        times[node] = pedigree.generation[donor]
    tables.nodes.time = times
    for donor, nodes in owned.items():
        for node, parent in zip(nodes, _givers(pedigree, donor, kind, sexes), strict=True):
            if parent >= 0:
                _meiosis(tables, owned[parent], node, length, recombination_rate, stream)
    tables.sort()


def _givers(pedigree: Pedigree, donor: int, kind: str, sexes: Sequence[str]) -> tuple[int, ...]:
    """Index of the parent (-1: unknown) from whom each copy of a donor comes."""
    father, mother = pedigree.father[donor], pedigree.mother[donor]
    if kind == M or (kind == X and sexes[donor] == MALE):
        return (mother,)
    return (father,) if kind == Y else (father, mother)


def _meiosis(tables, parents: list[int], child: int, length: int, rate: float, stream: np.random.Generator) -> None:
    several = stream.poisson(rate * (length - 1)) if len(parents) == 2 else 0
    ends = [0, *sorted(set(stream.integers(1, length, size=several).tolist())), length]
    parents = parents if stream.random() < 0.5 else parents[::-1]
    for k, (left, right) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        tables.edges.add_row(left, right, parents[k % len(parents)], child)
