"""How well a remover does where the truth is known: shares with Wilson intervals, curves, and effects on the logit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Z95 = 1.959963984540054


def wilson(hits: np.ndarray | int, n: np.ndarray | int, z: float = Z95) -> tuple[np.ndarray, np.ndarray]:
    """Return the Wilson score interval of hits/n (Wilson 1927); 0 and 1 where n is 0.

    Examples
    --------
    >>> low, high = wilson(0, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0, 0.2775)
    """
    hits, n = np.asarray(hits, float), np.asarray(n, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, shrink = hits / n, 1 + z**2 / n
        middle = (p + z**2 / (2 * n)) / shrink
        half = z / shrink * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = np.where(hits == 0, 0, middle - half), np.where(hits == n, 1, middle + half)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def shares(groups: Mapping[str, tuple[int, int]], *, of: str = "group") -> pd.DataFrame:
    """Return a row a group with hits, n, share and its 95 % Wilson interval (`low`, `high`).

    Examples
    --------
    >>> shares({"human": (9, 10)}).round(3).values.tolist()
    [['human', 9, 10, 0.9, 0.596, 0.982]]
    """
    hits, n = (np.array([group[k] for group in groups.values()], np.int64) for k in (0, 1))
    low, high = wilson(hits, n)
    share = hits / np.maximum(n, 1)
    return pd.DataFrame({of: list(groups), "hits": hits, "n": n, "share": share, "low": low, "high": high})


def operating_curve(score: np.ndarray, human: np.ndarray) -> pd.DataFrame:
    """Return sensitivity and false-removal rate for every threshold that changes them, from strict to lax.

    A read is removed where its score is above `threshold`.

    Parameters
    ----------
    score
        float [n].
    human
        bool [n], with both kinds in it.

    Examples
    --------
    >>> operating_curve(np.array([0.9, 0.5, 0.0]), np.array([True, False, True])).sensitivity.tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    values = np.unique(score)
    below = np.concatenate([values[::-1], [-np.inf]])  # thresholds: nothing is above the largest, all above -inf
    rows = {}
    for name, group in (("sensitivity", score[human]), ("false removals", score[~human])):
        group = np.sort(group)
        rows[name] = 1 - np.searchsorted(group, below, side="right") / len(group)
    return pd.DataFrame({"threshold": below} | rows)


def area(curve: pd.DataFrame) -> float:
    """Return the area under an operating curve: how often a human read scores above another one (ties count half)."""
    return float(np.trapezoid(curve.sensitivity, curve["false removals"]))


@dataclass(frozen=True)
class Effects:
    """A binomial model on the logit: `table` (term, estimate, low, high), and the spread beyond the binomial's."""

    table: pd.DataFrame
    dispersion: float


def effects(hits: np.ndarray, n: np.ndarray, terms: Mapping[str, np.ndarray]) -> Effects:
    """Fit logit P(hit) = intercept + Σ estimate · term by iterated least squares (McCullagh & Nelder 1989, chapter 4).

    Intervals are 95 %, widened by the Pearson dispersion where cells differ by more than chance. Half a hit and half
    a miss are added to every cell, so that a cell in which all or none are hit has a finite logit.

    Parameters
    ----------
    hits, n
        [cells].
    terms
        Name -> values [cells]; in a product's units for an interaction.

    Examples
    --------
    >>> x = np.array([0.0, 1.0])
    >>> effects(np.array([500, 731]), np.array([1000, 1000]), {"x": x}).table.estimate.round(2).tolist()[1:]
    [1.0]
    """
    hits, n = np.asarray(hits, float) + 0.5, np.asarray(n, float) + 1
    design = np.column_stack([np.ones(len(n)), *terms.values()])
    beta = np.zeros(design.shape[1])
    for _ in range(100):
        mean = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        weight = np.maximum(n * mean * (1 - mean), 1e-9)
        information = design.T * weight @ design
        step = np.linalg.solve(information, design.T @ (hits - n * mean))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    mean = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
    pearson = float(((hits - n * mean) ** 2 / np.maximum(n * mean * (1 - mean), 1e-9)).sum())
    dispersion = max(1.0, pearson / max(1, len(n) - design.shape[1]))
    half = Z95 * np.sqrt(dispersion * np.diag(np.linalg.inv(information)))
    table = pd.DataFrame({"term": ["intercept", *terms], "estimate": beta, "low": beta - half, "high": beta + half})
    return Effects(table, dispersion)


def strata_of(
    contig: Sequence[str], start: np.ndarray, length: np.ndarray, names: Sequence[str], offsets: np.ndarray,
    strata: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return the stratum in which most of each read's bases lie, int64; the lower number where two have as many.

    Parameters
    ----------
    contig, start, length
        Where each read comes from on the reference, 0-based.
    names, offsets
        Of the reference's contigs, as in `avatarlib.genomes.fasta.Reference`.
    strata
        As `avatarlib.genomes.phantom.PhantomGenome.strata`: intervals that cover the whole reference.
    """
    number = {name: k for k, name in enumerate(names)}
    first = offsets[[number[name] for name in contig]] + start
    every = np.repeat(strata["stratum"], strata["end"] - strata["start"])
    last = np.minimum(first + length, len(every))
    kinds = int(strata["stratum"].max()) + 1
    counts = np.empty((len(first), kinds))
    for kind in range(kinds):
        so_far = np.concatenate([[0], np.cumsum(every == kind)])
        counts[:, kind] = so_far[last] - so_far[first]
    return counts.argmax(axis=1)


def pareto(sensitivity: Sequence[float], false_removals: Sequence[float]) -> np.ndarray:
    """Return True for those that none of the others beats in both: at least as good in each, better in one.

    Examples
    --------
    >>> pareto([0.9, 0.8, 0.99], [0.01, 0.02, 0.05]).tolist()
    [True, False, True]
    """
    found, lost = np.asarray(sensitivity, float), np.asarray(false_removals, float)
    better = (found[:, None] >= found) & (lost[:, None] <= lost) & ((found[:, None] > found) | (lost[:, None] < lost))
    return ~better.any(axis=0)


def recommend(rows: pd.DataFrame, *, most_lost: float) -> int | None:
    """Return the index of the setting with the highest sensitivity among those that surely lose little; None: none.

    Ties go to the one that loses less, then to the first.

    Parameters
    ----------
    rows
        One setting a row: share (sensitivity), lost_high (upper 95 % bound of what is lost of the rest).
    most_lost
        Bound that `lost_high` may reach.

    Examples
    --------
    >>> rows = pd.DataFrame({"share": [0.99, 0.9], "lost_high": [0.2, 0.001]})
    >>> recommend(rows, most_lost=0.01), recommend(rows, most_lost=0.5), recommend(rows, most_lost=0.0001)
    (1, 0, None)
    """
    fits = rows[rows.lost_high <= most_lost]
    if fits.empty:
        return None
    return int(fits.sort_values(["share", "lost_high"], ascending=[False, True], kind="stable").index[0])
