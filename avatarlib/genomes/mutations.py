"""Mutations on the branches of a genealogy, written as variants of the reference.

Events fall on branches in proportion to their length in time and along the contig, at `rate / (2 E[T])` a base and
generation, where E[T] is the expected age of a pair: so the expected pairwise difference is the rate that was asked.
Each class of each contig has its own stream, in which the number of events is drawn by inversion and each event takes
its own numbers: a higher rate keeps the events of a lower one and adds to them.

An event has its type against the reference, whichever of the two alleles is the older one: the reference leaf decides.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import pdtrik

from avatarlib.genomes.placement import CODES, LETTERS, NO_ROOM, place_bases, place_spans
from avatarlib.genomes.settings import Variation
from avatarlib.genomes.variants import DELETION, DUPLICATION, INSERTION, INVERSION, SNP
from avatarlib.seeds import child_seed, generator

SLIPPAGE = 0.5  # share of short insertions that copy the bases beside them
# Structural variants; long reads find insertions and deletions to be the most of them (Ebert et al. 2021).
SV_SHARES = {DELETION: 0.4, INSERTION: 0.3, DUPLICATION: 0.2, INVERSION: 0.1}
CLASSES = ("structural variants", "indels", "SNPs")


@dataclass(frozen=True)
class Pieces:
    """Edges of a genealogy cut to one contig: intervals on it, nodes below and above, branch lengths."""

    left: np.ndarray
    right: np.ndarray
    child: np.ndarray
    parent: np.ndarray
    generations: np.ndarray


@dataclass(frozen=True)
class Sites:
    """Placed events of one contig, sorted: as in `Variants`, with the node below instead of genotypes."""

    position: np.ndarray
    reference_length: np.ndarray
    allele_offsets: np.ndarray
    alleles: np.ndarray
    kind: np.ndarray
    node: np.ndarray


def place(sequence: np.ndarray, name: str, pieces: Pieces, settings: Variation, age: float) -> tuple[Sites, list[int]]:
    """Draw the events of a contig and place them: structural variants, then indels, then SNPs.

    Parameters
    ----------
    sequence
        uint8 ASCII, the contig's reference bases.
    name
        Its name, which gives the streams.
    age
        Expected age of a pair of copies in generations, autosomes.

    Returns
    -------
    The sites, and for each of `CLASSES` how many events found no room within the interval of their branch.
    """
    area = (pieces.right - pieces.left) * pieces.generations
    total = float(area.sum())
    rates = (settings.sv_rate, settings.indel_rate, settings.snp_rate)
    draws = [
        _draws(settings.mutation_seed, name, what, r * total / (2 * age))
        for what, r in zip(CLASSES, rates, strict=True)
    ]
    if not any(map(len, draws)):
        return _NONE, [0, 0, 0]
    edges = np.cumsum(area)
    codes, taken = CODES[sequence], np.zeros(len(sequence), bool)
    placed, crowded = [], []
    for what, u in zip(CLASSES, draws, strict=True):
        if not len(u):
            crowded.append(0)
            continue
        # Side "right": a branch of no length is never hit. The last one where rounding points beyond the end.
        edge = np.minimum(np.searchsorted(edges, u[:, 0] * total, side="right"), len(edges) - 1)
        seed = np.uint64(child_seed(settings.mutation_seed, "mutations", name, what, "place"))
        where = pieces.left[edge], pieces.right[edge]
        if what == "SNPs":
            columns = _snps(codes, taken, where, u, settings, seed)
        elif what == "indels":
            columns = _indels(codes, taken, where, u, settings, seed)
        else:
            columns = _structural(codes, taken, where, u, settings, seed)
        crowded.append(int((columns[0] == NO_ROOM).sum()))
        placed.append((*columns, pieces.child[edge]))
    return _sorted(placed), crowded


def _draws(seed: int, name: str, what: str, expected: float) -> np.ndarray:
    """Uniform numbers [events, 4]: the first rows don't depend on how many follow."""
    stream = generator(seed, "mutations", name, what)
    several = int(np.ceil(pdtrik(stream.random(), expected))) if expected > 0 else 0
    return stream.random((several, 4))


def _snps(codes, taken, where, u, settings, seed):
    position = place_bases(codes, taken, *where, seed)
    old = codes[np.maximum(position, 0)]
    transition = u[:, 1] < settings.ts_tv / (1 + settings.ts_tv)
    new = old ^ np.where(transition, 2, np.where(u[:, 2] < 0.5, 1, 3)).astype(np.uint8)
    several = len(u)
    return position, np.full(several, SNP), np.ones(several, np.int64), np.arange(several), new


def _indels(codes, taken, where, u, settings, seed):
    kind = np.where(u[:, 1] < settings.insertion_share, INSERTION, DELETION).astype(np.uint8)
    stays = 1 - 1 / settings.indel_mean_length  # probability of one base more: a geometric law, cut off
    if stays:
        cut = 1 - stays**settings.indel_longest
        length = np.minimum(1 + np.log1p(-u[:, 2] * cut) / np.log(stays), settings.indel_longest).astype(np.int64)
    else:
        length = np.ones(len(u), np.int64)
    copied = (kind == INSERTION) & (u[:, 3] < SLIPPAGE)
    return _spans(codes, taken, where, kind, copied, length, 1, seed)


def _structural(codes, taken, where, u, settings, seed):
    bounds = np.cumsum(list(SV_SHARES.values()))
    drawn = np.minimum(np.searchsorted(bounds, u[:, 1], side="right"), len(bounds) - 1)
    kind = np.array(list(SV_SHARES), np.uint8)[drawn]
    lowest, highest = np.log(settings.sv_shortest), np.log(settings.sv_longest + 1)
    length = np.minimum(np.exp(lowest + u[:, 2] * (highest - lowest)), settings.sv_longest).astype(np.int64)
    return _spans(codes, taken, where, kind, kind == DUPLICATION, length, settings.sv_shortest, seed)


def _spans(codes, taken, where, kind, copied, length, shortest, seed):
    begin = np.cumsum(np.concatenate([[0], np.where(kind == DELETION, 0, length)]))
    alleles = np.zeros(begin[-1], np.uint8)
    position = place_spans(codes, taken, *where, kind, copied, length, shortest, seed, begin, alleles)
    return position, kind, length, begin[:-1], alleles


def _sorted(placed) -> Sites:
    """Join the classes, leave out what was not placed, and sort by position."""
    starts = np.cumsum([0, *(len(alleles) for *_, alleles, _ in placed)])
    position, kind, length, begin, node = (
        np.concatenate(column)
        for column in zip(
            *((p, k, n, b + start, node) for (p, k, n, b, _, node), start in zip(placed, starts, strict=False)),
            strict=True,
        )
    )
    alleles = np.concatenate([a for *_, a, _ in placed])
    keep = np.flatnonzero(position >= 0)
    keep = keep[np.argsort(position[keep])]
    position, kind, length, begin, node = (column[keep] for column in (position, kind, length, begin, node))
    written = np.where(kind == DELETION, 0, length)
    offsets = np.cumsum(np.concatenate([[0], written]))
    index = np.repeat(begin - offsets[:-1], written) + np.arange(offsets[-1])
    removed = np.where((kind == INSERTION) | (kind == DUPLICATION), 0, length)
    return Sites(
        position,
        removed.astype(np.int32),
        offsets,
        LETTERS[alleles[index]],
        kind.astype(np.uint8),
        node.astype(np.int32),
    )


_NONE = Sites(
    np.zeros(0, np.int64),
    np.zeros(0, np.int32),
    np.zeros(1, np.int64),
    np.zeros(0, np.uint8),
    np.zeros(0, np.uint8),
    np.zeros(0, np.int32),
)
