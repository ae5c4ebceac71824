"""What a profile asks for, as curves to hold against those of `examine`."""

import math
from statistics import NormalDist

import numpy as np

from avatarlib.reads.examine import RUNS
from avatarlib.reads.profile import IlluminaProfile, LongProfile

_NODES = 2000  # quantiles of the normal over which means are taken


def cycle_curve(profile: IlluminaProfile, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a profile asks for by cycle: mean quality and mean error probability, float [2, length] each.

    Qualities are normal around the curve, cut off at the lowest and highest; the error is that of calibration.

    Examples
    --------
    >>> from avatarlib.reads.profile import load_profile
    >>> quality, error = cycle_curve(load_profile("default", "illumina"), 150)
    >>> quality[:, -1].round(1).tolist(), bool((error[1] > error[0]).all())
    ([32.9, 27.4], True)
    """
    nodes = np.array([NormalDist().inv_cdf((k + 0.5) / _NODES) for k in range(_NODES)])
    at, line = np.linspace(0, 1, length), profile.calibration
    qualities, errors = [], []
    for shape in (profile.quality.mate_1, profile.quality.mate_2):
        curve = np.interp(at, *np.array(shape.by_cycle, float).T)
        drawn = curve[:, None] + math.hypot(shape.read_sd, shape.cycle_sd) * nodes
        drawn = np.clip(drawn, profile.quality.lowest, profile.quality.highest)
        qualities.append(drawn.mean(1))
        errors.append(np.minimum(10 ** (-(line.offset + line.slope * drawn) / 10), 0.75).mean(1))
    return np.stack(qualities), np.stack(errors)


def run_curve(profile: LongProfile) -> np.ndarray:
    """Return a profile's factors on insertions and deletions by homopolymer length, float [2, RUNS].

    Examples
    --------
    >>> from avatarlib.reads.profile import load_profile
    >>> run_curve(load_profile("default", "ont"))[:, [1, 3, 5]].round(2).tolist()
    [[1.0, 1.2, 1.6], [1.0, 1.5, 2.5]]
    """
    shape = profile.homopolymer
    steps = np.maximum(np.minimum(np.arange(RUNS), shape.longest) - shape.first + 1, 0)
    return np.stack([1 + shape.insertion * steps, 1 + shape.deletion * steps])
