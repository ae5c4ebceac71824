"""Random sequences with a composition: isochores with rare CpG, coding sequence, substitutions.

Sequences are uint8 codes, 0 A, 1 C, 2 G, 3 T: the complement is 3 - code, a transition is code ^ 2.
"""

from functools import cache

import numpy as np

BASES = np.frombuffer(b"ACGT", np.uint8)

# How much more often than by chance neighbours stand together in human DNA (rounded from its dinucleotide odds
# ratios); equal for a pair and its reverse complement, so that both strands look alike.
PAIRS = {"CG": 0.18, "CA": 1.2, "TG": 1.2, "TA": 0.75, "AA": 1.1, "TT": 1.1, "CC": 1.15, "GG": 1.15}
TRIPLES = {"AAA": 1.15, "TTT": 1.15}
CODON_LENGTH = (300, 2.0)  # mean of a gene and shape of its gamma distribution, in codons
PURINES = (0.62, 0.50, 0.42)  # share of A and G in the three positions of a codon
SPACER = (20, 250)  # bases between genes


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """GC shares [n], and the cumulative distributions of the next base in 1/65536 [n, two bases before, first three].

    A sequence is as probable as the product of its base, pair and triple weights; the largest eigenvalue's vectors
    turn that into a chain (Perron-Frobenius), whose GC share they tell exactly.
    """
    strong = np.linspace(0.1, 0.9, 161)
    base = np.stack([1 - strong, strong, strong, 1 - strong], 1) / 2
    weight = np.ones((4, 4, 4))
    for name, factor in (PAIRS | TRIPLES).items():
        code = tuple("ACGT".index(c) for c in name)
        weight[(slice(None),) * (3 - len(code)) + code] *= factor
    weight = weight * base[:, None, None, :]
    right, left = (np.ones((len(strong), 4, 4)) for _ in range(2))
    for _ in range(200):
        right = np.einsum("lxyz,lyz->lxy", weight, right)
        left = np.einsum("lxyz,lxy->lyz", weight, left)
        right /= right.sum((1, 2), keepdims=True)
        left /= left.sum((1, 2), keepdims=True)
    pairs = left * right
    gc = (pairs / pairs.sum((1, 2), keepdims=True)).sum(1)[:, 1:3].sum(1)
    after = weight * right[:, None]
    cumulative = np.cumsum(after, 3)
    shares = (cumulative / cumulative[..., 3:]).reshape(len(strong), 16, 4)
    return gc, np.round(65536 * shares[..., :3]).astype(np.int32)


def markov(length: int, gc: float, rng: np.random.Generator) -> np.ndarray:
    """Draw human-like sequence from an order-2 chain: CpG about a quarter of chance, both strands alike.

    Parameters
    ----------
    gc
        Expected share of C and G, 0.15 to 0.85 (the nearest that exists is taken).

    Returns
    -------
    uint8 codes [length].

    Examples
    --------
    >>> drawn = markov(100_000, 0.4, np.random.default_rng(1))
    >>> len(drawn), round(float(((drawn == 1) | (drawn == 2)).mean()), 2)
    (100000, 0.4)
    """
    levels, tables = _tables()
    table = tables[np.abs(levels - gc).argmin()]
    # Many chains side by side, then end to end: the loop takes √length steps.
    lanes = int(np.ceil(np.sqrt(length)))
    context = rng.integers(0, 16, lanes)
    out = np.empty((lanes, lanes), np.uint8)
    for row, draws in zip(out, rng.integers(0, 65536, (lanes, lanes), dtype=np.uint16), strict=True):
        row[:] = (draws[:, None] >= table[context]).sum(1)
        context = (context * 4 + row) & 15
    return out.T.ravel()[:length]


def mutate(codes: np.ndarray, rate: np.ndarray | float, rng: np.random.Generator, *, cpg: float = 1.0) -> np.ndarray:
    """Replace bases by others, two transitions for each transversion.

    Parameters
    ----------
    rate
        Probability that a base is replaced: one, or [length].
    cpg
        How many of the CpG that arise stay, 0 to 1; the others become another base. In human DNA they decay.

    Examples
    --------
    >>> bool((mutate(np.zeros(9, np.uint8), 1.0, np.random.default_rng(1)) != 0).all())
    True
    """
    hit = np.flatnonzero(rng.random(len(codes), np.float32) < rate)
    shift = rng.choice(np.array([2, 1, 3], np.uint8), len(hit), p=[2 / 3, 1 / 6, 1 / 6])
    changed = codes.copy()
    changed[hit] ^= shift
    around = np.concatenate([[0], changed, [0]])
    arisen = ((changed[hit] == 1) & (around[hit + 2] == 2)) | ((changed[hit] == 2) & (around[hit] == 1))
    arisen &= rng.random(len(hit)) >= cpg
    changed[hit[arisen]] = codes[hit[arisen]] ^ (shift[arisen] % 3 + 1)
    return changed


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Return the other strand's codes."""
    return 3 - codes[::-1]


def _codons(gc: float) -> np.ndarray:
    """Probability of 64 codons: positions one and two follow GC weakly, the third strongly (Muto & Osawa 1987)."""
    first, second = 0.55 + 0.7 * (gc - 0.5), 0.41 + 0.45 * (gc - 0.5)
    strong = (first, second, np.clip(3 * gc - first - second, 0.03, 0.97))
    parts = zip(strong, PURINES, strict=True)
    return np.einsum("x,y,z->xyz", *([(1 - s) * r, s * (1 - r), s * r, (1 - s) * (1 - r)] for s, r in parts)).ravel()


def coding(length: int, gc: float, rng: np.random.Generator, inserts: tuple[np.ndarray, ...] = ()) -> np.ndarray:
    """Draw a microbe's sequence: genes on both strands, nearly end to end, with a period of three.

    Genes run from ATG to a stop codon, without one in between.

    Parameters
    ----------
    gc
        Expected share of C and G, inserts included; about 0.28 to 0.7.
    inserts
        Put as they are at random places between genes.

    Returns
    -------
    uint8 codes [length], inserts included.
    """
    stops = np.array([48, 50, 56])  # TAA, TAG, TGA
    strong = np.array([((c >> 4) in (1, 2)) + ((c >> 2 & 3) in (1, 2)) + ((c & 3) in (1, 2)) for c in range(64)]) / 3
    rest = length - sum(map(len, inserts))
    gc = (gc * length - sum(int(((i == 1) | (i == 2)).sum()) for i in inserts)) / rest
    level = gc
    for _ in range(20):  # Codons without stops are richer in GC than their bases: aim lower.
        codons = _codons(level)
        stop = codons[stops] / codons[stops].sum()
        codons[stops] = 0
        codons /= codons.sum()
        level += gc - codons @ strong
    parts, left = [], rest
    while left > 0:
        count = 50 + int(rng.gamma(CODON_LENGTH[1], (CODON_LENGTH[0] - 50) / CODON_LENGTH[1]))
        words = np.concatenate([[14], rng.choice(64, count, p=codons), rng.choice(stops, 1, p=stop)])
        gene = np.stack([words >> 4, words >> 2 & 3, words & 3], 1).ravel().astype(np.uint8)
        if rng.random() < 0.5:
            gene = reverse_complement(gene)
        spacer = rng.choice(4, rng.integers(*SPACER), p=np.array([1 - gc, gc, gc, 1 - gc]) / 2).astype(np.uint8)
        parts.append(np.concatenate([gene, spacer])[:left])
        left -= len(parts[-1])
    for insert in inserts:
        parts.insert(int(rng.integers(len(parts) + 1)), insert)
    return np.concatenate(parts)
