"""Who carries what: placed sites and a genealogy to genotypes, and to a genealogy with its mutations written in."""

from typing import TYPE_CHECKING

import numpy as np

from avatarlib.genomes.ancestry import Bundle
from avatarlib.genomes.mutations import Pieces, Sites
from avatarlib.genomes.variants import Variants, first_base, written

if TYPE_CHECKING:
    import tskit


def cut(bundle: Bundle) -> list[Pieces]:
    """Cut the edges of a bundle's genealogy at the ends of its contigs; coordinates become those of the contigs."""
    edges, time, ends = bundle.trees.tables.edges, bundle.trees.nodes_time, bundle.offsets
    left, right = edges.left.astype(np.int64), edges.right.astype(np.int64)
    first = np.searchsorted(ends, left, side="right") - 1
    several = np.searchsorted(ends, right, side="left") - first
    edge = np.repeat(np.arange(len(left)), several)
    contig = np.arange(len(edge)) - np.repeat(np.cumsum(several) - several - first, several)
    order = np.argsort(contig, kind="stable")  # the order of edges that tskit asks for is kept within a contig
    edge, contig = edge[order], contig[order]
    begin = ends[contig]
    columns = (
        np.maximum(left[edge], begin) - begin,
        np.minimum(right[edge], ends[contig + 1]) - begin,
        edges.child[edge],
        edges.parent[edge],
        time[edges.parent[edge]] - time[edges.child[edge]],
    )
    bounds = np.searchsorted(contig, np.arange(len(ends)))
    return [Pieces(*(c[a:b] for c in columns)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def carriers(bundle: Bundle, sites: list[Sites]) -> np.ndarray:
    """Return int8 [sites of all contigs, samples], 1 where a sample descends from the branch that was hit."""
    starts = [first_base(s.kind, s.position) + o for s, o in zip(sites, bundle.offsets[:-1], strict=True)]
    positions, nodes = np.concatenate(starts), np.concatenate([s.node for s in sites])
    several, ones = len(positions), np.arange(len(positions) + 1, dtype=np.uint64)
    tables = bundle.trees.dump_tables()
    letter = np.frombuffer(b"01", np.int8).repeat(several)
    tables.sites.set_columns(
        position=positions.astype(float), ancestral_state=letter[:several], ancestral_state_offset=ones
    )
    tables.mutations.set_columns(
        site=ones[:-1].astype(np.int32), node=nodes, derived_state=letter[several:], derived_state_offset=ones
    )
    return tables.tree_sequence().genotype_matrix(isolated_as_missing=False).astype(np.int8, copy=False)


def against_reference(sites: Sites, carries: np.ndarray) -> Variants:
    """Turn descent into genotypes: 1 where a copy differs from the reference, which is the last sample.

    Below a branch of a genealogy are some samples but never all, so some copy differs from the reference at each site.
    """
    columns = sites.position, sites.reference_length, sites.allele_offsets, sites.alleles, sites.kind
    return Variants(*columns, carries[:, -1] == 1, carries[:, :-1] ^ carries[:, -1:])


def genealogy(
    bundle: Bundle, pieces: Pieces, sites: Sites, variants: Variants, sequence: np.ndarray
) -> "tskit.TreeSequence":
    """Return the tree sequence of one contig with a site for each variant, at its position in a VCF file (0-based).

    Ancestral and derived states are REF and ALT, or the reverse where the reference is derived.
    """
    import tskit

    source = bundle.trees.tables
    samples = np.arange(len(bundle.copies) + 1)
    nodes = np.unique(np.concatenate([samples, pieces.child, pieces.parent]))
    tables = tskit.TableCollection(len(sequence))
    tables.time_units = source.time_units
    tables.populations.replace_with(source.populations)
    tables.individuals.replace_with(source.individuals)
    kept = source.nodes[nodes]
    tables.nodes.set_columns(flags=kept.flags, time=kept.time, population=kept.population, individual=kept.individual)
    tables.edges.set_columns(
        left=pieces.left.astype(float),
        right=pieces.right.astype(float),
        parent=np.searchsorted(nodes, pieces.parent).astype(np.int32),
        child=np.searchsorted(nodes, pieces.child).astype(np.int32),
    )
    reference, alternative = written(variants, sequence)
    derived = variants.reference_is_derived.tolist()
    old = [a if d else r for r, a, d in zip(reference, alternative, derived, strict=True)]
    new = [r if d else a for r, a, d in zip(reference, alternative, derived, strict=True)]
    letters, ends = _packed(old)
    first = first_base(variants.kind, variants.position).astype(float)
    tables.sites.set_columns(position=first, ancestral_state=letters, ancestral_state_offset=ends)
    letters, ends = _packed(new)
    tables.mutations.set_columns(
        site=np.arange(len(first), dtype=np.int32),
        node=np.searchsorted(nodes, sites.node).astype(np.int32),
        derived_state=letters,
        derived_state_offset=ends,
    )
    return tables.tree_sequence()


def _packed(states: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(b"".join(states), np.int8), np.cumsum([0, *map(len, states)], dtype=np.uint64)
