"""The cone itself: local scale of an original, score of a candidate.

Distances come in as matrices, so any fingerprint can stand behind them.
"""

from dataclasses import dataclass

import numpy as np

from avatarlib.errors import InputError

NEIGHBOURS = 5
EXPONENT = 1.0
# An original with at least k exact duplicates under other names would get scale 0, and everything near it an
# infinite score, a pass. The floor turns that hole into a fixed threshold.
SCALE_FLOOR = 0.1


def person_distances(distances: np.ndarray, persons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduce distances to originals to distances to persons, each by the nearest capture.

    Parameters
    ----------
    distances
        (c, n), non-negative.
    persons
        (n,), the person of every original.

    Returns
    -------
    (c, p) distances and the (p,) persons, sorted.

    Examples
    --------
    >>> person_distances(np.array([[3.0, 1.0, 2.0]]), np.array(["a", "b", "a"]))[0]
    array([[2., 1.]])
    """
    order = np.argsort(persons, kind="stable")
    names, starts = np.unique(np.asarray(persons)[order], return_index=True)
    return np.minimum.reduceat(distances[:, order], starts, axis=1), names


def local_scale(distances: np.ndarray, persons: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """Mean distance from every original to its k nearest other persons, each by their nearest capture.

    Repeated captures of one person don't make a region look dense, whoever they belong to. Scales below
    `SCALE_FLOOR` times the median are raised to it.

    Parameters
    ----------
    distances
        (n, n) between originals.
    persons
        (n,).
    k
        At least 1; at least k + 1 persons are needed.

    Returns
    -------
    (n,) positive scales, in the unit of the distances.

    Raises
    ------
    InputError
        Fewer than k + 1 persons.

    Examples
    --------
    >>> points = np.array([0.0, 0.1, 1.0, 3.0])
    >>> local_scale(abs(points[:, None] - points), np.array(["a", "a", "b", "c"]), k=2)
    array([2.  , 1.9 , 1.45, 2.45])
    """
    persons = np.asarray(persons)
    by_person, names = person_distances(distances, persons)
    if len(names) < k + 1:
        raise InputError(
            f"the originals show {len(names)} persons; the local scale needs at least {k + 1} (k = {k} other persons). "
            "Add persons"
        )
    by_person = by_person.astype(np.float64)
    by_person[np.arange(len(persons)), np.searchsorted(names, persons)] = np.inf
    scale = np.partition(by_person, k - 1, axis=1)[:, :k].mean(axis=1)
    floor = SCALE_FLOOR * np.median(scale)
    if floor == 0:
        raise InputError("more than half of the originals have exact duplicates under other persons. Remove duplicates")
    return np.maximum(scale, floor)


@dataclass(frozen=True)
class Scores:
    """Scores of c candidates; all arrays (c,).

    `nearest` is the row of the original that decides, `distance` and `scale` are d and ρ of the rule, `score` is
    c = d/ρ^b; where a fingerprint can't judge, `score` is NaN.
    """

    nearest: np.ndarray
    distance: np.ndarray
    scale: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows) -> "Scores":
        return Scores(self.nearest[rows], self.distance[rows], self.scale[rows], self.score[rows])


def score(
    *views: np.ndarray,
    scale: np.ndarray,
    b: float = EXPONENT,
    rule: str = "nearest",
    judgeable: np.ndarray | None = None,
) -> Scores:
    """Score candidates against originals.

    Parameters
    ----------
    views
        (c, n) distances of the candidates as they are, then of their mirror images (and half-turned ones); the view
        with the smallest score counts, because flipping must not be a way round.
    scale
        (n,) local scales.
    b
        1 is the cone, 0 the fixed threshold.
    rule
        "nearest": d/ρ^b at the nearest original. "minimum": the smallest d_i/ρ_i^b over all originals.
    judgeable
        (c,) bool; False gives NaN scores.

    Examples
    --------
    >>> d = np.array([[1.0, 1.5]])
    >>> score(d, scale=np.array([1.0, 3.0])).score, score(d, scale=np.array([1.0, 3.0]), rule="minimum").score
    (array([1.]), array([0.5]))
    """
    if rule not in ("nearest", "minimum"):
        raise ValueError(f"rule is 'nearest' or 'minimum', not {rule!r}")
    weight = scale**b
    best = None
    for distances in views:
        nearest = np.argmin(distances if rule == "nearest" else distances / weight, axis=1)
        distance = distances[np.arange(len(distances)), nearest].astype(np.float64)
        one = np.stack([nearest, distance, scale[nearest], distance / weight[nearest]])
        best = one if best is None else np.where(one[3] < best[3], one, best)
    value = best[3] if judgeable is None else np.where(judgeable, best[3], np.nan)
    return Scores(best[0].astype(int), best[1], best[2], value)


def flagged(score: np.ndarray, threshold: float) -> np.ndarray:
    """Return True where c ≤ τ; NaN (not judgeable) is False here and never a pass elsewhere."""
    return np.asarray(score) <= threshold


def caught(score: np.ndarray, threshold: float) -> np.ndarray:
    """Return True where a candidate does not pass: flagged or not judgeable."""
    return ~(np.asarray(score) > threshold)
