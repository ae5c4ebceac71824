"""Is the person recognised? False matches among people who are not in the sample, ranks, and chances among N."""

import math

import numpy as np
from scipy.stats import hypergeom, norm

from avatarlib.cone.calibration import clopper_pearson, conformal_threshold

FALSE_MATCHES = 0.01


def rank(ratios: np.ndarray, person: int) -> int:
    """Return a person's place by likelihood, 1: nobody is more likely. Who ties counts before them.

    Examples
    --------
    >>> rank(np.array([3.0, 1.0, 3.0]), 0), rank(np.array([3.0, 1.0]), 0)
    (2, 1)
    """
    return int((ratios >= ratios[person]).sum())


def threshold(strangers: np.ndarray, false_matches: float = FALSE_MATCHES) -> float:
    """Return the ratio above which somebody counts as recognised; ∞ where too few strangers are known.

    Split-conformal: one more stranger, exchangeable with these, lies above it with at most this probability.

    Parameters
    ----------
    strangers
        Ratios of people who are not in the sample and not related to who is.
    """
    return conformal_threshold(strangers, false_matches)


def false_match_rate(strangers: np.ndarray, above: float) -> dict:
    """Count strangers above a threshold that was found on others: `hits`, `n`, `share`, `interval` (95 %).

    Examples
    --------
    >>> false_match_rate(np.array([0.0, 5.0]), 3.0)["hits"]
    1
    """
    hits, n = int((strangers > above).sum()), len(strangers)
    return {"hits": hits, "n": n, "share": hits / n, "interval": list(clopper_pearson(hits, n))}


def measured_among(own: float, strangers: np.ndarray, n: int) -> float:
    """Return the chance that nobody of n - 1 strangers, drawn from these, reaches the person's own ratio.

    Raises
    ------
    ValueError
        Fewer than n - 1 strangers are known: use `modelled_among`.

    Examples
    --------
    >>> measured_among(2.0, np.array([1.0, 3.0]), 2)
    0.5
    """
    if n - 1 > len(strangers):
        raise ValueError(f"{len(strangers)} strangers can't show what happens among {n}")
    return float(hypergeom.pmf(0, len(strangers), int((strangers >= own).sum()), n - 1))


def modelled_among(own: float, strangers: np.ndarray, n: int) -> float:
    """Return the same for any n, assuming that strangers' ratios are independent and normal with their mean and spread.

    The sum over many sites is nearly normal; its far tail is the assumption that no measurement on a thousand people
    can support.

    Examples
    --------
    >>> round(modelled_among(6.0, np.array([-1.0, 1.0]), 1000), 3)
    0.989
    """
    spread = float(np.std(strangers, ddof=1))
    if spread == 0:
        return float(own > strangers[0]) if n > 1 else 1.0
    beyond = norm.sf((own - np.mean(strangers)) / spread)
    return float(math.exp((n - 1) * math.log1p(-min(beyond, 1 - 1e-16))))


def needed(several: np.ndarray, recognised: np.ndarray, wanted: float = 1 - FALSE_MATCHES) -> float:
    """Return the least number of reads from which on recognition stays at the wanted probability; ∞ where none does.

    Parameters
    ----------
    several
        Numbers of reads that were tried, rising.
    recognised
        Probability of recognition with each.

    Examples
    --------
    >>> needed(np.array([10, 20, 40]), np.array([0.5, 0.995, 1.0]))
    20.0
    """
    short = np.flatnonzero(np.asarray(recognised) < wanted)
    first = short[-1] + 1 if len(short) else 0
    return float(several[first]) if first < len(several) else math.inf
