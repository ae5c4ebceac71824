"""A phantom genome: invented, seeded, composed like a human one, with what makes human reads hard to recognise.

Isochores, rare CpG, interspersed repeats, low complexity, a gene family and tandem arrays; microbes and a near-human
decoy to go with it. Nothing is taken from anybody.
"""

from dataclasses import dataclass

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.composition import BASES, coding, markov, mutate, reverse_complement
from avatarlib.genomes.fasta import Reference, join
from avatarlib.seeds import generator

STRATA = ("unique", "repeat", "low_complexity", "gene_family", "vntr")
UNIQUE, REPEAT, LOW_COMPLEXITY, GENE_FAMILY, VNTR = range(len(STRATA))
INTERVAL = np.dtype([("contig", np.int32), ("start", np.int64), ("end", np.int64), ("stratum", np.uint8)])

SMALLEST = 500_000
MITOCHONDRION = 16_000
CHROMOSOMES = {"chr1": 0.5, "chr2": 0.3, "chrX": 0.2}
ISOCHORE = 150_000
GC = (0.36, 0.55)
REPEAT_SHARE = 0.40
# Length, GC, beta distribution of the part that a copy keeps, longest poly-A tail.
FAMILIES = {"sine": (300, 0.52, (8, 1), 30), "ltr": (900, 0.43, (2, 2), 0), "line": (6000, 0.38, (0.5, 2), 20)}
SHORTEST_COPY = 50
DIVERGENCE = (0.02, 0.20)
NEW_CPG = 0.2  # how many CpG stay that arise by divergence
PARALOGS, PARALOG_LENGTH, PARALOG_WINDOW = 12, 8_000, 200
MICROSATELLITES, HOMOPOLYMERS, ARRAYS = 1 / 3000, 1 / 5000, 1 / 60_000  # a base
DECOY_LENGTH, DECOY_DIVERGENCE = 30_000, 0.03
BACTERIA = {0.30: 100_000, 0.42: 160_000, 0.55: 230_000, 0.68: 300_000}
VIRUSES = {"small": (5_400, 0.44), "medium": (18_000, 0.36), "repeats": (40_000, 0.52)}
VIRUS_REPEATS = (("sine", 300, 0.10), ("line", 1500, 0.05), ("ltr", 600, 0.02))
OPERON, OPERON_BLOCKS, OPERON_RATES = 4_500, (150, 100), (0.01, 0.2)

Piece = tuple[np.ndarray, int, float]  # codes, stratum, share of them that is replaced in the end
Unit = list[Piece]  # what stays together


@dataclass(frozen=True)
class PhantomGenome:
    """An invented genome and what each of its bases belongs to.

    Attributes
    ----------
    reference
        chr1, chr2, chrX and chrM.
    strata
        Structured array, one row an interval: `contig` (number), `start`, `end` (0-based, half open) and `stratum`
        (number in `STRATA`). In the order of the genome, without gap or overlap.
    """

    reference: Reference
    strata: np.ndarray


def phantom_genome(*, size: int = 3_000_000, seed: int = 1) -> PhantomGenome:
    """Draw the phantom genome.

    Isochores of about 150 kb with GC from 0.36 to 0.55; CpG at a third of chance; 40 % repeats of three families (300,
    900 and 6000 bases, copies diverged by 2 to 20 %, most of them cut short, short ones preferring GC-rich isochores);
    microsatellites, homopolymers and poly-A tails; 12 paralogs of 8 kb, any two of which differ by 1 to 15 %, most of
    it in three variable windows; tandem arrays of 10 to 100 units of 15 to 70 bases in two to five versions.
    Divergence is substitutions alone, so that bases of a family can be compared one by one.

    Parameters
    ----------
    size
        Bases in all, 16 kb of chrM included: 500,000 or more. Below a million the gene family takes so much room that
        isochores can miss their GC.
    seed
        0 or more.

    Raises
    ------
    InputError
        `size` is too small for the gene family and the repeats.

    Examples
    --------
    >>> genome = phantom_genome(size=500_000, seed=7)
    >>> genome.reference.names, len(genome.reference.bases)
    (('chr1', 'chr2', 'chrX', 'chrM'), 500000)
    >>> STRATA[genome.strata["stratum"][-1]]
    'unique'
    """
    if size < SMALLEST:
        raise InputError(f"phantom genome of {size:,} bases: ask for {SMALLEST:,} or more")
    rng = generator(seed, "phantom", "layout")
    ends = np.round(np.cumsum(list(CHROMOSOMES.values())) * (size - MITOCHONDRION)).astype(int)
    lengths = [_isochores(int(n), rng) for n in np.diff(ends, prepend=0)]
    total = sum(map(len, lengths))
    # Skewed as in human DNA, with most isochores poor in GC; both ends of the range are always there.
    levels = rng.permutation(GC[0] + (GC[1] - GC[0]) * np.linspace(0, 1, total) ** 1.8).tolist()
    places = rng.permutation(total).tolist()
    members = [[] for _ in range(total)]
    for i, member in enumerate(_paralogs(seed)):
        members[places[i % total]].append(member)
    families = _families(seed)
    contigs, number = [], 0
    for name, parts in zip(CHROMOSOMES, lengths, strict=True):
        rng = generator(seed, "phantom", name)
        pieces = []
        for length in parts:
            pieces += _isochore(length, levels[number], members[number], families, rng)
            number += 1
        contigs.append(_assemble(pieces, rng))
    rng = generator(seed, "phantom", "chrM")
    contigs.append(_assemble([(markov(MITOCHONDRION, 0.44, rng), UNIQUE, 0.0)], rng))
    rows = [(i, *row) for i, (_, strata) in enumerate(contigs) for row in strata]
    reference = join([*CHROMOSOMES, "chrM"], [BASES[codes] for codes, _ in contigs])
    return PhantomGenome(reference, np.array(rows, INTERVAL))


def phantom_decoy(genome: PhantomGenome, *, seed: int = 1) -> Reference:
    """Draw a near-human decoy, the phantom's great ape: chrM and 30 kb of chr1, 3 % of whose bases are replaced.

    Returns
    -------
    Reference with `phantom_decoy_chrM` and `phantom_decoy_chr1`, as long as what they come from.
    """
    rng = generator(seed, "phantom", "decoy")
    reference = genome.reference
    chromosome, mitochondrion = (reference.sequence(reference.names.index(name)) for name in ("chr1", "chrM"))
    start = int(rng.integers(len(chromosome) - DECOY_LENGTH + 1))
    parts = (mitochondrion, chromosome[start : start + DECOY_LENGTH])
    changed = [
        BASES[mutate(np.searchsorted(BASES, p).astype(np.uint8), DECOY_DIVERGENCE, rng, cpg=NEW_CPG)] for p in parts
    ]
    return join(["phantom_decoy_chrM", "phantom_decoy_chr1"], changed)


def phantom_microbes(*, seed: int = 1) -> dict[str, Reference]:
    """Draw four bacteria and three viruses, one contig each; the name of the contig is its key.

    Bacteria have 100 to 300 kb and GC 0.30, 0.42, 0.55 and 0.68, and share a conserved operon as for ribosomal RNA,
    present two to four times. `phantom_virus_repeats` holds three pieces of the repeats of the phantom genome of the
    same seed, whatever that genome's size: it is what looks human and is not.

    Examples
    --------
    >>> sorted(phantom_microbes())[:2]
    ['phantom_bacterium_gc30', 'phantom_bacterium_gc42']
    """
    rng = generator(seed, "phantom", "operon")
    operon = rng.choice(4, OPERON, p=[0.23, 0.27, 0.27, 0.23]).astype(np.uint8)
    rates = np.resize(np.repeat(OPERON_RATES, OPERON_BLOCKS), OPERON)
    microbes = {}
    for copies, (gc, length) in zip((2, 3, 3, 4), BACTERIA.items(), strict=True):
        name = f"phantom_bacterium_gc{100 * gc:.0f}"
        rng = generator(seed, "phantom", name)
        own = mutate(operon, rates, rng)
        microbes[name] = coding(length, gc, rng, (own,) * copies)
    families = _families(seed)
    for kind, (length, gc) in VIRUSES.items():
        name = f"phantom_virus_{kind}"
        rng = generator(seed, "phantom", name)
        repeats = (
            [mutate(families[f][-n:], rate, rng, cpg=NEW_CPG) for f, n, rate in VIRUS_REPEATS]
            if kind == "repeats"
            else []
        )
        microbes[name] = coding(length, gc, rng, tuple(repeats))
    return {name: join([name], [BASES[codes]]) for name, codes in microbes.items()}


def _families(seed: int) -> dict[str, np.ndarray]:
    """The repeats' ancestors: they depend on the seed alone, because a virus holds pieces of them."""
    rng = generator(seed, "phantom", "families")
    return {name: markov(length, gc, rng) for name, (length, gc, _, _) in FAMILIES.items()}


def _paralogs(seed: int) -> list[Unit]:
    """A star-shaped family: two members differ by about the sum of their distances to the ancestor."""
    rng = generator(seed, "phantom", "paralogs")
    ancestor = markov(PARALOG_LENGTH, 0.46, rng)
    windows = np.split(ancestor, range(PARALOG_WINDOW, PARALOG_LENGTH, PARALOG_WINDOW))
    profile = np.ones(len(windows))
    profile[rng.choice(len(windows), 3, replace=False)] = 4
    profile /= profile.mean()
    distances = 0.006 + 0.072 * np.linspace(0, 1, PARALOGS) ** 1.5
    return [[(w, GENE_FAMILY, d * p) for w, p in zip(windows, profile, strict=True)] for d in distances]


def _isochores(length: int, rng: np.random.Generator) -> list[int]:
    """Cut a chromosome into isochores."""
    shares = rng.uniform(0.7, 1.3, max(1, round(length / ISOCHORE)))
    return np.diff(np.round(np.cumsum(shares) / shares.sum() * length).astype(int), prepend=0).tolist()


def _isochore(
    length: int, gc: float, members: list[Unit], families: dict[str, np.ndarray], rng: np.random.Generator
) -> list[Piece]:
    """Lay units out in random order and strand, and fill up with unique sequence that brings GC to `gc`."""
    units = [*members, *_low_complexity(length, rng), *_arrays(length, rng)]
    room = length - sum(len(piece[0]) for unit in units for piece in unit)
    units += _copies(min(round(REPEAT_SHARE * length), round(0.9 * room)), gc, families, rng)
    inside = [piece[0] for unit in units for piece in unit]
    free = length - sum(map(len, inside))
    strong = sum(int(((codes == 1) | (codes == 2)).sum()) for codes in inside)
    # In a small genome, units can be so many that no human-like filling makes up for them.
    background = markov(free, min(max((gc * length - strong) / free, 0.25), 0.70), rng)
    gaps = np.split(background, np.sort(rng.integers(0, free + 1, len(units))))
    pieces = []
    for gap, i in zip(gaps[:-1], rng.permutation(len(units)).tolist(), strict=True):
        unit = units[i]
        if rng.random() < 0.5:
            unit = [(reverse_complement(codes), stratum, rate) for codes, stratum, rate in unit[::-1]]
        pieces += [(gap, UNIQUE, 0.0), *unit]
    pieces.append((gaps[-1], UNIQUE, 0.0))
    return pieces


def _copies(quota: int, gc: float, families: dict[str, np.ndarray], rng: np.random.Generator) -> list[Unit]:
    """Repeats that together have `quota` bases without their tails; short ones prefer GC-rich isochores."""
    short = 0.15 + 0.45 * (gc - GC[0]) / (GC[1] - GC[0])
    units = []
    for name, share in (("sine", short), ("line", 0.75 - short), ("ltr", 0.25)):
        longest, _, (a, b), tail = FAMILIES[name]
        left = round(share * quota)
        while left >= SHORTEST_COPY:
            length = min(left, max(SHORTEST_COPY, int(longest * rng.beta(a, b))))
            left -= length
            units.append([(families[name][-length:], REPEAT, rng.uniform(*DIVERGENCE))])
            if tail:
                units[-1].append((np.zeros(int(rng.integers(10, tail + 1)), np.uint8), LOW_COMPLEXITY, 0.0))
    return units


def _low_complexity(length: int, rng: np.random.Generator) -> list[Unit]:
    """Microsatellites of 20 to 80 bases with units of 2 to 6, and homopolymers of 10 to 30, nine tenths of them A."""
    units = []
    for _ in range(rng.poisson(length * MICROSATELLITES)):
        unit = markov(int(rng.integers(2, 7)), 0.35, rng)
        unit[0] = unit[0] if (unit != unit[0]).any() else unit[0] ^ 1
        repeated = np.resize(unit, int(rng.integers(20, 81)))
        units.append([(repeated, LOW_COMPLEXITY, rng.uniform(0, 0.05))])
    for _ in range(rng.poisson(length * HOMOPOLYMERS)):
        base = 0 if rng.random() < 0.9 else 1
        units.append([(np.full(int(rng.integers(10, 31)), base, np.uint8), LOW_COMPLEXITY, 0.0)])
    return units


def _arrays(length: int, rng: np.random.Generator) -> list[Unit]:
    """Tandem arrays; each of their units is one of two to five versions."""
    units = []
    for _ in range(round(length * ARRAYS)):
        unit = markov(int(rng.integers(15, 71)), 0.56, rng)
        versions = np.stack([mutate(unit, 0.05, rng) for _ in range(rng.integers(2, 6))])
        copies = round(float(np.exp(rng.uniform(np.log(10), np.log(100)))))
        units.append([(versions[rng.integers(0, len(versions), copies)].ravel(), VNTR, 0.0)])
    return units


def _assemble(pieces: list[Piece], rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Join pieces and let them diverge: codes, and the strata's start, end and number."""
    lengths = [len(piece[0]) for piece in pieces]
    strata = np.repeat(np.array([piece[1] for piece in pieces], np.uint8), lengths)
    rates = np.repeat(np.array([piece[2] for piece in pieces], np.float32), lengths)
    codes = mutate(np.concatenate([piece[0] for piece in pieces]), rates, rng, cpg=NEW_CPG)
    ends = np.append(np.flatnonzero(np.diff(strata)) + 1, len(strata))
    starts = np.append(0, ends[:-1])
    return codes, list(zip(starts.tolist(), ends.tolist(), strata[starts].tolist(), strict=True))
