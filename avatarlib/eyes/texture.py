"""The texture of phantom irises in polar coordinates; it is what tells one eye from another."""

from functools import lru_cache

import cv2
import numpy as np
from numba import njit

from avatarlib.seeds import generator


def _noise(rng: np.random.Generator, rows: int, columns: int, shape: tuple[int, int]) -> np.ndarray:
    """Smooth normal noise on `shape` from a grid of rows × columns, periodic along the columns."""
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    factor = shape[1] // columns
    if factor <= 1:
        return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_AREA)
    padded = np.concatenate([grid[:, -2:], grid, grid[:, :2]], axis=1)
    wide = cv2.resize(padded, ((columns + 4) * factor, shape[0]), interpolation=cv2.INTER_CUBIC)
    return wide[:, 2 * factor : 2 * factor + shape[1]]


def bump(t: np.ndarray, centre, width) -> np.ndarray:
    """Gaussian of height 1 about `centre`."""
    return np.exp(-(((t - centre) / width) ** 2))


@lru_cache(maxsize=16)
def texture(seed: int, person: int, side: str, columns: int) -> np.ndarray:
    """Draw the iris of an eye as a rectangle.

    Parameters
    ----------
    columns
        256, 512 or 1024: samples around the pupil. Details that don't fit are left out, the others stay.

    Returns
    -------
    float32 (columns // 8, columns), grey values around 0; the pupil's edge on top.
    """
    rng = generator(seed, "iris", person, side)
    shape = (columns // 8, columns)
    t = ((np.arange(shape[0], dtype=np.float32) + 0.5) / shape[0])[:, None]
    amount = rng.lognormal(0, 0.35, size=6).tolist()
    collarette = rng.normal(0.30, 0.04) + 0.02 * _noise(rng, 1, 8, shape) + 0.012 * _noise(rng, 1, 32, shape)
    inner = 1 / (1 + np.exp((t - collarette) / 0.015))
    # Fibres: streaks along the radius that wander a little.
    fibres = 0.7 * _noise(rng, 3, 32, shape) + _noise(rng, 4, 64, shape) + _noise(rng, 5, 128, shape)
    wander = np.arange(columns, dtype=np.float32) + _noise(rng, 4, 8, shape) * (columns / 90)
    down = np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None], shape).copy()
    fibres = cv2.remap(fibres, wander % columns, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    iris = 4.5 * amount[0] * fibres * (0.65 + 0.2 * inner)
    iris += 3.5 * _noise(rng, 2, 8, shape) + 3.5 * _noise(rng, 6, 32, shape)
    # The frill between pupil and collarette, and the collarette's own bright, broken line.
    frill = 0.8 * _noise(rng, 2, 128, shape) + _noise(rng, 3, 256, shape)
    iris += inner * (5.5 * amount[1] * np.clip(frill, -1.6, 1.4) - 3)
    iris += 8 * amount[1] * bump(t, collarette, 0.025) * (0.8 + 0.6 * _noise(rng, 1, 64, shape))
    # Contraction furrows: arcs about the pupil, each only part of the way round.
    for where in rng.uniform(0.5, 0.92, size=rng.integers(1, 5)).tolist():
        along = where + 0.015 * _noise(rng, 1, 8, shape)
        iris -= 7 * amount[2] * bump(t, along, 0.014) * np.clip(0.2 + _noise(rng, 1, 8, shape), 0, 1)
    iris = _pits(iris, rng, collarette[0], amount)
    if columns > 256:
        iris += 2.5 * _noise(rng, 32, 256, shape)
    if columns > 512:
        iris += 2.5 * _noise(rng, 64, 512, shape)
    return iris.astype(np.float32)


def _pits(iris: np.ndarray, rng: np.random.Generator, collarette: np.ndarray, amount: list[float]) -> np.ndarray:
    """Stamp what is sunk into the surface: pits of the frill, crypts outside it, fine pores and pigment spots."""
    rows, columns = iris.shape
    near, far = int(60 * amount[3]), int(15 * amount[4])
    # Crypts come in groups; half axes are shares of the ring's width and of a turn, depths grey values.
    groups = rng.random(3)
    angle = np.concatenate([rng.random(near), (groups[rng.integers(0, 3, far)] + rng.normal(0, 0.09, far)) % 1])
    ring = collarette[(angle * columns).astype(int)]
    radius = ring + np.concatenate([rng.normal(0.01, 0.035, near), rng.gamma(2, 0.07, far)])
    long = np.concatenate([rng.gamma(8, 0.005, near), rng.gamma(8, 0.011, far)])
    wide = np.concatenate([rng.gamma(8, 0.0007, near), rng.gamma(8, 0.0017, far)])
    depth = np.concatenate([rng.uniform(15, 55, near), rng.uniform(12, 45, far)])
    lean, square = rng.normal(0, 0.5, near + far), rng.uniform(1.6, 3.5, near + far)
    share = np.concatenate([rng.uniform(0.3, 0.9, near), rng.uniform(0.05, 0.7, far)])  # dark floor or only a wall
    if columns > 256:  # pores are too fine for small pictures
        pores = int(140 * amount[5])
        angle, radius = np.append(angle, rng.random(pores)), np.append(radius, rng.uniform(0.35, 0.97, pores))
        long = np.append(long, rng.gamma(8, 0.0016, pores))
        wide = np.append(wide, rng.gamma(8, 0.00022, pores))
        depth = np.append(depth, rng.uniform(15, 55, pores))
        share, lean, square = (
            np.append(share, np.full(pores, 0.8)),
            np.append(lean, np.zeros(pores)),
            np.append(square, np.full(pores, 2.0)),
        )
    iris = iris.astype(np.float32)
    _stamp(iris, radius * rows, angle * columns, long * rows, wide * columns, depth, share, lean, square)
    return iris


@njit(cache=True)
def _stamp(iris, ys, xs, longs, wides, depths, shares, leans, squares):
    """Add rounded pits with a wall that is lit from one side; the columns are periodic."""
    rows, columns = iris.shape
    smallest = 0.55
    for i in range(len(ys)):
        # What is thinner than a sample is drawn as wide as one and fainter.
        a, b = max(longs[i], smallest), max(wides[i], smallest)
        depth = depths[i] * min(1.0, longs[i] / smallest) * min(1.0, wides[i] / smallest)
        reach = 1.5 * b + 0.75 * a * abs(leans[i])
        for row in range(max(int(ys[i] - 1.5 * a), 0), min(int(ys[i] + 1.5 * a) + 2, rows)):
            v = (row - ys[i]) / a
            for column in range(int(xs[i] - reach), int(xs[i] + reach) + 2):
                u = (column - xs[i] - leans[i] * v * a * 0.5) / b
                d = (abs(u) ** squares[i] + v * v) ** 0.5
                if d < 1.6:
                    wall = np.exp(-(((d - 1.05) / 0.25) ** 2)) * (0.35 + 0.35 * min(max(u, -1.0), 1.0))
                    floor = min(max((1.1 - d) / 0.4, 0.0), 1.0)
                    iris[row, column % columns] += depth * (wall - shares[i] * floor)
