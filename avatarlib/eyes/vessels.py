"""Vessel trees of phantom fundi: grown once for an eye, drawn at any scale.

Trunks of arterioles and venules leave the disc in pairs, four of them along the arcades that bend around the macula or
away to the nose. Branches leave them alternately, steer towards the fovea or away from it, and stop where a vessel of
their own kind already runs. Calibres follow Murray's law: the cubes of the daughters' calibres add up to the parent's
(Murray 1926). Everything is in degrees of visual angle, x to the nose and y down, the origin in the field's centre.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numba import njit
from scipy.interpolate import CubicSpline

ARTERIOLE, VENULE = 0, 1
REACH = 30.0  # degrees from the field's centre up to which vessels grow
STEPS, DEGREES = (40, 20, 12), (0.5, 0.45, 0.4)  # of the branches, by order
SLOTS = (11, 7, 5, 1)  # places where daughters may leave a trunk, a first and a second branch; the last have none
THINNEST = 0.09  # calibre below which nothing branches, as share of a trunk at the disc
CELL = 0.45  # degrees; of the grid that says where vessels run
CELLS = int(2 * (REACH + 1) / CELL) + 1
SPAN = 8  # points that are drawn with one strength

# The course of trunks as degrees from the disc, (towards the fovea, up): temporal and nasal, above; mirrored below.
# Then the small vessels that leave the disc's edge straight for the macula and for the nose.
TEMPORAL = ((0, 0), (0.2, 2.6), (1.8, 6.0), (5.5, 9.0), (11.0, 10.5), (17.5, 10.2), (24.5, 8.0), (33.0, 4.0))
NASAL = ((0, 0), (-0.9, 2.4), (-2.8, 5.0), (-5.2, 7.6), (-8.0, 10.4), (-11.0, 13.4), (-14.0, 16.6), (-18.0, 20.5))
TO_MACULA = ((0.5, 0), (2.4, 0.6), (4.2, 1.1), (6.0, 1.5), (7.8, 1.7), (9.4, 1.7), (10.9, 1.5), (12.2, 1.2))
TO_NOSE = ((0, 0), (-2.4, 0.4), (-4.8, 0.9), (-7.2, 1.4), (-9.6, 2.0), (-12.0, 2.6), (-14.5, 3.3), (-17.5, 4.2))


@dataclass(frozen=True)
class Order:
    """The n vessels of one branching order: trunks, their branches, and so on.

    Attributes
    ----------
    points
        float32 (n, m, 2), degrees; after a vessel's end its last point is repeated.
    calibre
        float32 (n, m), relative to the calibre of the kind's trunks at the disc.
    length
        Points that belong to the vessel, int (n,).
    kind
        ARTERIOLE or VENULE, int (n,).
    """

    points: np.ndarray
    calibre: np.ndarray
    length: np.ndarray
    kind: np.ndarray


@cache
def _spline(knots: int, samples: int) -> np.ndarray:
    """Matrix that turns values at evenly spaced knots into a smooth curve."""
    return CubicSpline(np.arange(knots), np.eye(knots))(np.linspace(0, knots - 1, samples)).astype(np.float32)


def _wobble(rng: np.random.Generator, n: int, knots: int, samples: int) -> np.ndarray:
    return rng.standard_normal((n, knots), dtype=np.float32) @ _spline(knots, samples).T


def _trunks(rng: np.random.Generator, disc: np.ndarray, tortuosity: float) -> Order:
    """Lay the vessels that leave the disc."""
    head = rng.normal(-0.35, 0.35) * np.array([1, 0.8, 0.4, 0, 0, 0, 0, 0])  # most trunks emerge a little to the nose
    course, kind, calibre = [], [], []
    for shape, up in ((TEMPORAL, 1), (TEMPORAL, -1), (NASAL, 1), (NASAL, -1)):
        shared = np.cumsum(rng.normal(0, 0.32, (8, 2)), axis=0) * (np.arange(8)[:, None] > 1)
        stretch = rng.normal((1, 1.0), (0.06, 0.10))
        bend = rng.normal(0, 0.35) * np.array([0, 0, 0, 0, 0.5, 1.5, 3.5, 6.0])
        outer = rng.choice((-1, 1))
        size = 1 if shape is TEMPORAL else rng.uniform(0.62, 0.82)
        for which in (ARTERIOLE, VENULE):
            own = np.cumsum(rng.normal(0, 0.22, (8, 2)), axis=0)
            apart = outer * (which - 0.5) * np.array([0.3, 0.7, 0.9, 1.2, 1.5, 1.6, 1.6, 1.6])
            way = np.asarray(shape, float) * stretch + shared + own
            way[:, 1] += apart + bend * (shape is TEMPORAL)
            way[:, 0] += apart * (1 if shape is NASAL else 0.5) + head
            course.append(way * (1, up))
            kind.append(which)
            calibre.append(size * rng.uniform(0.92, 1.08))
    for shape, count in ((TO_MACULA, rng.integers(2, 5)), (TO_NOSE, rng.integers(3, 6))):
        for number in range(count):
            way = np.asarray(shape, float) + np.cumsum(rng.normal(0, 0.16, (8, 2)), axis=0)
            spread = (number + rng.uniform(0.2, 0.8)) / count * 2 - 1
            way[:, 1] = way[:, 1] * np.sign(spread) + spread * np.linspace(1.0, 3.0 if shape is TO_MACULA else 7.0, 8)
            course.append(way)
            kind.append(int(rng.integers(2)))
            calibre.append(rng.uniform(0.25, 0.42))
    course, n, m = np.array(course, np.float32), len(course), 64
    points = np.einsum("mk,nkd->nmd", _spline(8, m), course)
    run = np.cumsum(np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=2), axis=1)
    for row in range(n):  # even steps along the vessel
        even = np.linspace(0, run[row, -1], m)
        points[row] = np.column_stack([np.interp(even, run[row], points[row, :, d]) for d in (0, 1)])
    ahead = np.gradient(points, axis=1)
    ahead /= np.linalg.norm(ahead, axis=2, keepdims=True) + 1e-6
    bend = 0.24 * _wobble(rng, n, 12, m) + 0.07 * _wobble(rng, n, 30, m)
    bend *= tortuosity * np.clip(np.arange(m, dtype=np.float32) / 10, 0, 1)
    points += bend[..., None] * ahead[..., ::-1] * (-1, 1)
    points = (points * (-1, -1) + disc).astype(np.float32)
    inside = np.abs(points).max(axis=2) < REACH
    length = np.where(inside.all(axis=1), m, np.argmin(inside, axis=1))
    return Order(points, np.repeat(np.array(calibre, np.float32)[:, None], m, axis=1), length, np.array(kind))


def _slots(rng: np.random.Generator, n: int, count: int, first: float, m: int, least: float, most: float):
    """Places along n vessels where daughters leave, and their calibre as share of the mother's, both (n, count)."""
    places = first + (m - first) * (np.arange(count) + rng.uniform(0.05, 0.95, (n, count))) / count
    return places.astype(int), rng.uniform(least, most, (n, count)).astype(np.float32)


def _murray(calibre: np.ndarray, places: np.ndarray, share: np.ndarray, taper: float) -> np.ndarray:
    """Narrow vessels after each daughter, and a little on the way."""
    rows = np.repeat(np.arange(len(calibre)), places.shape[1])
    loss = np.zeros(calibre.shape, np.float32)
    np.add.at(loss, (rows, places.ravel()), np.log1p(-(share.ravel() ** 3)) / 3)
    m = calibre.shape[1]
    return calibre * np.exp(np.cumsum(loss, axis=1) - taper * np.arange(m, dtype=np.float32) / m)


def grow(rng: np.random.Generator, disc: tuple[float, float], fovea: tuple[float, float], tortuosity: float = 1.0,
         orders: int = 3) -> list[Order]:  # fmt: skip
    """Grow the vessels of a right eye.

    Parameters
    ----------
    disc, fovea
        Their centres, degrees.
    tortuosity
        Amplitude of the vessels' bends; 1 is usual.
    orders
        Branching orders beyond the trunks, 0..3. Leaving some out doesn't change the others.

    Returns
    -------
    Trunks first; 1 + `orders` entries.

    Examples
    --------
    >>> tree = grow(np.random.default_rng(1), (8.0, -1.0), (-7.0, 1.0), orders=1)
    >>> len(tree), tree[0].calibre.max() > 2 * np.median(tree[1].calibre)
    (2, np.True_)
    """
    trunks = _trunks(rng, np.asarray(disc, np.float32), tortuosity)
    places, share = _slots(rng, len(trunks.kind), SLOTS[0], 6, 63, 0.35, 0.72)
    arcade = np.nonzero(trunks.calibre[:, 0] > 0.9)[0]
    places[arcade, 0] = rng.integers(8, 18, len(arcade))
    share[arcade, 0] = rng.uniform(0.62, 0.85, len(arcade))
    mother = Order(trunks.points, _murray(trunks.calibre, places, share, 0.25), trunks.length, trunks.kind)
    mother.calibre[:, :5] *= np.linspace(0.3, 1, 5, dtype=np.float32)  # they rise out of the cup
    names = np.arange(len(mother.kind)) + 1
    taken = np.zeros(2 * CELLS**2, np.int64)
    for row, name in enumerate(names):
        taken[mother.kind[row] * CELLS**2 + _cells(mother.points[row, : mother.length[row]] @ (1, 1j))] = name
    tree = [mother]
    for order in range(orders):
        mother, names, places, share = _branch(
            rng, order, mother, names, places, share, taken, complex(*disc), complex(*fovea), tortuosity
        )
        tree.append(mother)
    return tree


def _cells(place: np.ndarray) -> np.ndarray:
    """Index of the grid's cell that complex positions lie in, within one kind."""
    row, column = (place.imag + REACH + 1) / CELL, (place.real + REACH + 1) / CELL
    return row.astype(np.int64) * CELLS + column.astype(np.int64)


@njit(cache=True)
def _walk(place, heading, target, sign, turns, limit, own, mothers, base, taken, step, fovea):
    """Let branches run until they meet a vessel of their kind, the fovea or the edge: float32 (n, steps, 2), lengths.

    All take a step before any takes the next, so that none has the ground to itself; `taken` is filled in.
    """
    n, steps = turns.shape
    way, length, alive = np.empty((n, steps, 2), np.float32), np.ones(n, np.int64), np.ones(n, np.bool_)
    for k in range(steps):
        for i in range(n):
            if k > 0 and alive[i]:
                wanted = (target[i] - place[i]) * sign[i]
                off = (heading[i].conjugate() * wanted).imag / (abs(wanted) + 0.1)
                turn = 0.09 * step * off + turns[i, k]
                heading[i] *= complex(np.cos(turn), np.sin(turn))
                ahead = place[i] + step * heading[i]
                alive[i] = k < limit[i] and abs(ahead - fovea) > 1.6 and abs(ahead) < REACH
                if alive[i]:
                    cell = base[i] + int((ahead.imag + REACH + 1) / CELL) * CELLS + int((ahead.real + REACH + 1) / CELL)
                    there = taken[cell]
                    alive[i] = there == 0 or there == own[i] or (there == mothers[i] and k < 4)
                if alive[i]:
                    place[i], taken[cell], length[i] = ahead, own[i], length[i] + 1
            way[i, k, 0], way[i, k, 1] = place[i].real, place[i].imag
    return way, length


def _branch(rng, order, mother, names, places, share, taken, disc, fovea, tortuosity):
    """Grow the next order, all its vessels step by step together. Positions and headings are complex numbers here."""
    rows, slot = np.nonzero((places < mother.length[:, None] - 2) & (share > 0))
    at, share = places[rows, slot], share[rows, slot]
    calibre = mother.calibre[rows, at] * share / (1 - share**3) ** (1 / 3)
    keep = calibre > THINNEST
    rows, slot, at, share, calibre = rows[keep], slot[keep], at[keep], share[keep], calibre[keep]
    n, steps, step = len(rows), STEPS[order], DEGREES[order]
    place = mother.points[rows, at] @ (1, 1j)
    heading = (mother.points[rows, at + 1] - mother.points[rows, np.maximum(at - 1, 0)]) @ (1, 1j)
    side = np.where((slot + rows) % 2, 1, -1) * np.where(rng.random(n) < 0.8, 1, -1)
    # The larger daughter turns less (Murray 1926).
    heading *= np.exp(1j * side * (1.35 - 0.95 * share + rng.normal(0, 0.15, n))) / (np.abs(heading) + 1e-9)
    # A branch that sets out towards the fovea from near it goes on to it; the others leave for the periphery.
    to_fovea = fovea - place
    near = np.abs(to_fovea)
    inward = ((heading.conj() * to_fovea).real > 0.1 * near) & (near < 14.5) & (place.real < disc.real - 1)
    middle = disc + (fovea - disc) * np.clip((disc.real - place.real) / 16, 0, 0.8)
    sign = np.where(inward, 1, -1)
    target = np.where(inward, fovea + rng.normal(0, 1.5, (n, 2)) @ (1, 1j), middle)
    limit = np.minimum(steps, 45 * calibre**0.8 * rng.uniform(0.6, 1.2, n) / step).astype(int)
    turns = tortuosity * (0.16 * _wobble(rng, n, 2 + steps // 3, steps) + 0.10 * _wobble(rng, n, steps, steps))
    own, mothers, base = names.max() + 1 + np.arange(n), names[rows], mother.kind[rows] * CELLS**2
    way, length = _walk(place, heading, target, sign, turns, limit, own, mothers, base, taken, step, fovea)
    places, share = _slots(rng, n, SLOTS[order + 1], 3, steps - 1, 0.4, 0.8)
    # Where a vessel runs out it has become thin, and a thick one that found no room is left out.
    fine = (length > 3) & (length * step > 14 * calibre)
    along = np.minimum(np.arange(steps) / length[:, None], 1)
    calibre = np.float32(calibre[:, None] * (1 - 0.75 * along**4))
    calibre = _murray(calibre, places, share, 0.35)
    branches = Order(way[fine], calibre[fine], length[fine], mother.kind[rows][fine])
    return branches, own[fine], places[fine], share[fine]


def _spans(tree: list[Order], kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut the vessels of a kind into spans of `SPAN` points, thin orders first: points (c, SPAN, 2), calibre."""
    points, calibre = [], []
    for order in reversed(tree):
        mine = np.nonzero(order.kind == kind)[0]
        m = order.points.shape[1]
        starts = np.arange(0, m - 1, SPAN - 1)
        index = np.minimum(starts[:, None] + np.arange(SPAN), m - 1)
        there = order.length[mine, None] > starts + 1
        points.append(order.points[mine][:, index][there])
        calibre.append(order.calibre[mine][:, index][there])
    return np.concatenate(points), np.concatenate(calibre)


def draw(tree: list[Order], kind: int, calibre: float, scale: float, corner: tuple[float, float],
         shape: tuple[int, int], part: float = 1.0) -> np.ndarray:  # fmt: skip
    """Draw the vessels of one kind as optical density.

    Parameters
    ----------
    calibre
        Of a trunk at the disc, degrees.
    scale, corner
        Pixels a degree, and the position of the picture's upper left corner in degrees.
    part
        Share of the calibre that is filled: below 1 for the inner part, such as the light reflex.

    Returns
    -------
    uint8 `shape`; 255 is the density at the axis of a trunk. Vessels narrower than a pixel are weaker, not wider.
    """
    points, width = _spans(tree, kind)
    pixels = (points - np.asarray(corner, np.float32)) * scale - 0.5
    inside = (pixels > -3 * scale).any(axis=1) & (pixels < np.array(shape[::-1]) + 3 * scale).any(axis=1)
    pixels, width = pixels[inside.all(axis=1)], width[inside.all(axis=1)]
    strength = np.minimum((width / 1.1) ** 0.55, 1).mean(axis=1)
    width = width * (calibre * part * scale)
    mean = width.mean(axis=1)
    picture, shift = np.zeros(shape, np.uint8), 5
    thin = mean < 1.6
    level = np.ceil(strength * np.minimum(mean / 1.2, 1) * 12).astype(int)
    fixed = np.rint(pixels * (1 << shift)).astype(np.int32)
    for value in range(1, 13):
        chosen = thin & (level == value)
        if chosen.any():
            cv2.polylines(picture, list(fixed[chosen]), False, value * 21, 1, cv2.LINE_AA, shift)
    if not thin.all():
        ahead = np.gradient(pixels[~thin], axis=1)
        across = ahead[..., ::-1] * (-0.5, 0.5) / (np.linalg.norm(ahead, axis=2, keepdims=True) + 1e-6)
        # Anti-aliased edges add almost a pixel to the width of what they bound.
        reach = across * np.maximum(width[~thin] - 0.8, 0.2)[..., None]
        ribbon = np.concatenate([pixels[~thin] + reach, (pixels[~thin] - reach)[:, ::-1]], axis=1)
        for outline, value in zip(np.rint(ribbon * (1 << shift)).astype(np.int32), strength[~thin], strict=True):
            cv2.fillPoly(picture, [outline], int(255 * value), cv2.LINE_AA, shift)
    return picture
