"""Split-conformal thresholds, and the intervals that stand beside every share."""

import math

import numpy as np

from avatarlib.errors import InputError


def conformal_threshold(scores: np.ndarray, alpha: float) -> float:
    """Return the ⌈(n+1)(1−α)⌉-th smallest score; ∞ where n is too small for α.

    If one more score is exchangeable with these n, it is ≤ τ with probability at least 1 − α
    (Vovk et al. 2005; Angelopoulos & Bates 2023, section 1).

    Parameters
    ----------
    scores
        (n,); NaN (not judgeable) is left out, so that the guarantee holds among what can be judged.
    alpha
        Share that may be missed, 0 < α < 1.

    Examples
    --------
    >>> conformal_threshold(np.arange(1.0, 20.0), 0.05)
    19.0
    >>> conformal_threshold(np.arange(1.0, 19.0), 0.05)
    inf
    """
    if not 0 < alpha < 1:
        raise InputError(f"the recall must lie strictly between 0 and 1, not {1 - alpha:g}")
    scores = np.sort(np.asarray(scores, dtype=float)[~np.isnan(scores)])
    # Rounding guards (n+1)(1−α) against 18.999999999999996 or 19.000000000000004.
    rank = math.ceil(round((len(scores) + 1) * (1 - alpha), 9))
    return float(scores[rank - 1]) if rank <= len(scores) else math.inf


def largest_by_person(scores: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Return each person's largest judgeable score, in sorted order of person; people without one are left out.

    Examples
    --------
    >>> largest_by_person(np.array([1.0, np.nan, 3.0, 2.0]), np.array(["a", "a", "b", "b"]))
    array([1., 3.])
    """
    scores, persons = np.asarray(scores, dtype=float), np.asarray(persons)
    keep = ~np.isnan(scores)
    return np.array([scores[keep & (persons == person)].max() for person in np.unique(persons[keep])])


def smallest_alpha(n: int) -> float:
    """Return the smallest α for which n scores give a finite threshold: 1/(n+1)."""
    return 1 / (n + 1)


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact binomial interval of hits/n (Clopper & Pearson 1934); (0, 1) for n = 0.

    Examples
    --------
    >>> tuple(round(x, 4) for x in clopper_pearson(0, 10))
    (0.0, 0.3085)
    """
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def share(hits: np.ndarray) -> dict:
    """Count True values: `hits`, `n`, `share` (None for n = 0) and its Clopper–Pearson `interval` (95 %).

    Examples
    --------
    >>> share(np.array([True, False]))["share"]
    0.5
    """
    n, k = len(hits), int(np.sum(hits))
    return {"hits": k, "n": n, "share": k / n if n else None, "interval": list(clopper_pearson(k, n))}


def person_bootstrap(
    hits: np.ndarray, persons: np.ndarray, rng: np.random.Generator, draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a share when persons, not images, are drawn again.

    It degenerates to a point when all images agree; use it beside the exact interval, not instead.

    Examples
    --------
    >>> person_bootstrap(np.array([True, True, False]), np.array([1, 1, 2]), np.random.default_rng(0), draws=200)
    (0.0, 1.0)
    """
    names, codes = np.unique(persons, return_inverse=True)
    count = np.bincount(codes)
    total = np.bincount(codes, weights=np.asarray(hits, dtype=float))
    drawn = rng.integers(len(names), size=(draws, len(names)))
    shares = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)
