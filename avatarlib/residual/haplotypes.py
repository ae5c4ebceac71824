"""The cone for haplotypes: is a synthetic one too near to a donor's, given how dense donors are around it?

Distance is the share of sites at which two haplotypes differ; local scale, score and threshold are those of images
(`avatarlib.cone`).
"""

import numpy as np

from avatarlib.cone.score import Scores, local_scale, score


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the share of sites at which haplotypes differ, float64 [c, n].

    Parameters
    ----------
    one, other
        0 or 1, [c, sites] and [n, sites].

    Examples
    --------
    >>> distances(np.array([[0, 1, 1, 0]]), np.array([[0, 1, 1, 0], [1, 1, 1, 1]])).tolist()
    [[0.0, 0.5]]
    """
    a, b = one.astype(np.float32), other.astype(np.float32)
    same = a @ b.T + (1 - a) @ (1 - b).T  # whole numbers below 2^24: exact
    return 1 - same.astype(float) / one.shape[1]


def mutated(haplotypes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return copies in which this share of the sites is drawn again from the panel's other haplotypes, site by site."""
    out = haplotypes.copy()
    drawn = rng.random(out.shape) < share
    donor = rng.integers(len(haplotypes), size=out.shape)
    out[drawn] = haplotypes[donor, np.arange(out.shape[1])][drawn]
    return out


def recombined(haplotypes: np.ndarray, share: float, crossovers: int, rng: np.random.Generator) -> np.ndarray:
    """Return copies of which a share comes from one other haplotype, in pieces between so many crossovers.

    Parameters
    ----------
    haplotypes
        [n, sites], n at least 2.
    share
        Of the sites that the other one gives, in the mean.
    crossovers
        At least 1.
    """
    n, sites = haplotypes.shape
    out = haplotypes.copy()
    for row in range(n):
        other = (row + 1 + rng.integers(n - 1)) % n
        ends = np.sort(rng.integers(0, sites, crossovers))
        foreign = rng.random(crossovers + 1) < share
        foreign[rng.integers(crossovers + 1)] = True  # a copy that is not altered at all is none
        taken = foreign[np.searchsorted(ends, np.arange(sites), side="right")]
        out[row, taken] = haplotypes[other, taken]
    return out


def cone_scores(candidates: np.ndarray, originals: np.ndarray, people: np.ndarray, *, b: float = 1.0) -> Scores:
    """Score candidate haplotypes against the donors'.

    Parameters
    ----------
    candidates, originals
        0 or 1, [c, sites] and [n, sites].
    people
        [n], whose each original is: a person's two haplotypes don't make a region look dense.
    b
        1 is the cone, 0 a fixed threshold.
    """
    scale = local_scale(distances(originals, originals), people)
    return score(distances(candidates, originals), scale=scale, b=b)
