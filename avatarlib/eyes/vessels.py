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
from scipy.interpolate import CubicSpline

ARTERIOLE, VENULE = 0, 1
REACH = 30.0  # degrees from the field's centre up to which vessels grow
STEPS, DEGREES = (40, 20, 12), (0.5, 0.45, 0.4)  # of the branches, by order
SLOTS = (10, 6, 4)  # places where daughters may leave a trunk, a first and a second branch
THINNEST = 0.09  # calibre below which nothing branches, as share of a trunk at the disc
CELL = 0.45  # degrees; of the grid that says where vessels run
SPAN = 8  # points that are drawn with one strength

# The course of trunks as degrees from the disc, (towards the fovea, up): temporal and nasal, above; mirrored below.
# Then the small vessels that leave the disc's edge straight for the macula and for the nose.
TEMPORAL = ((0, 0), (0.2, 2.6), (1.6, 5.8), (5.0, 8.8), (10.0, 10.4), (15.5, 10.2), (21.0, 8.6), (28.0, 5.5))
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
    course, kind, calibre = [], [], []
    for shape, up in ((TEMPORAL, 1), (TEMPORAL, -1), (NASAL, 1), (NASAL, -1)):
        shared = np.cumsum(rng.normal(0, 0.32, (8, 2)), axis=0) * (np.arange(8)[:, None] > 1)
        stretch = rng.normal((1, 1.0), (0.06, 0.10))
        outer = rng.choice((-1, 1))
        size = 1 if shape is TEMPORAL else rng.uniform(0.62, 0.82)
        for which in (ARTERIOLE, VENULE):
            own = np.cumsum(rng.normal(0, 0.22, (8, 2)), axis=0) * (np.arange(8)[:, None] > 0)
            apart = outer * (which - 0.5) * np.array([0, 0.5, 0.9, 1.2, 1.5, 1.6, 1.6, 1.6])
            way = np.asarray(shape, float) * stretch + shared + own
            way[:, 1] += apart
            if shape is NASAL:
                way[:, 0] += apart
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
    ahead = np.gradient(points, axis=1)
    ahead /= np.linalg.norm(ahead, axis=2, keepdims=True) + 1e-6
    bend = 0.20 * _wobble(rng, n, 14, m) + 0.07 * _wobble(rng, n, 30, m)
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
    disc, fovea = np.asarray(disc, np.float32), np.asarray(fovea, np.float32)
    trunks = _trunks(rng, disc, tortuosity)
    cells = int(2 * REACH / CELL) + 1
    taken = np.zeros((2, cells, cells), np.int32)
    places, share = _slots(rng, len(trunks.kind), SLOTS[0], 9, 63, 0.35, 0.72)
    mother = Order(trunks.points, _murray(trunks.calibre, places, share, 0.25), trunks.length, trunks.kind)
    names = np.arange(len(mother.kind)) + 1
    for row in range(len(names)):
        cell = _cell(mother.points[row, : mother.length[row]], cells)
        taken[mother.kind[row], cell[:, 1], cell[:, 0]] = names[row]
    tree = [mother]
    for order in range(orders):
        mother, names, places, share = _branch(
            rng, order, mother, names, places, share, taken, disc, fovea, tortuosity
        )
        tree.append(mother)
    return tree


def _cell(points: np.ndarray, cells: int) -> np.ndarray:
    return np.clip(((points + REACH) / CELL).astype(np.int32), 0, cells - 1)


def _branch(rng, order, mother, names, places, share, taken, disc, fovea, tortuosity):
    """Grow the next order, all its vessels step by step together."""
    rows, slot = np.nonzero((places < mother.length[:, None] - 2) & (share > 0))
    at = places[rows, slot]
    calibre = mother.calibre[rows, at] * share[rows, slot] / (1 - share[rows, slot] ** 3) ** (1 / 3)
    keep = calibre > THINNEST
    rows, slot, at, calibre = rows[keep], slot[keep], at[keep], calibre[keep]
    n, steps, step = len(rows), STEPS[order], DEGREES[order]
    start = mother.points[rows, at]
    ahead = mother.points[rows, at + 1] - mother.points[rows, np.maximum(at - 1, 0)]
    heading = np.arctan2(ahead[:, 1], ahead[:, 0])
    side = np.where((slot + rows) % 2, 1, -1) * np.where(rng.random(n) < 0.8, 1, -1)
    heading = heading + side * rng.uniform(0.5, 1.05, n)
    # A branch that sets out towards the fovea from near it goes on to it; the others leave for the periphery.
    to_fovea = fovea - start
    near = np.linalg.norm(to_fovea, axis=1)
    faces = np.cos(heading) * to_fovea[:, 0] + np.sin(heading) * to_fovea[:, 1] > 0.2 * near
    inward = faces & (near < 14.5) & (start[:, 0] < disc[0] - 1)
    middle = disc + (fovea - disc) * np.clip((disc[0] - start[:, :1]) / 16, 0, 0.8)
    sign = np.where(inward, 1, -1).astype(np.float32)
    target = np.where(inward[:, None], fovea + rng.normal(0, 1.5, (n, 2)), middle).astype(np.float32)
    limit = np.minimum(steps, (45 * calibre ** 0.8 * rng.uniform(0.6, 1.2, n) / step)).astype(int)
    turns = tortuosity * (0.16 * _wobble(rng, n, 2 + steps // 3, steps) + 0.10 * _wobble(rng, n, steps, steps))
    points = np.empty((n, steps, 2), np.float32)
    points[:, 0], length, alive = start, np.ones(n, int), np.ones(n, bool)
    own, mothers = names.max() + 1 + np.arange(n), names[rows]
    kind, place, cells = mother.kind[rows], start.astype(np.float32), taken.shape[1]
    for k in range(1, steps):
        wanted = (target - place) * sign[:, None]
        off = np.arctan2(wanted[:, 1], wanted[:, 0]) - heading
        heading = heading + step * 0.09 * np.sin(off) + turns[:, k]
        place = place + (step * alive)[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
        cell = _cell(place, cells)
        there = taken[kind, cell[:, 1], cell[:, 0]]
        free = (there == 0) | (there == own) | ((there == mothers) & (k < 4))
        bare = (fovea[0] - place[:, 0]) ** 2 + (fovea[1] - place[:, 1]) ** 2 < 1.6**2
        alive &= free & ~bare & (k < limit) & (np.abs(place).max(axis=1) < REACH)
        place = np.where(alive[:, None], place, points[:, k - 1])
        points[:, k] = place
        length += alive
        taken[kind[alive], cell[alive, 1], cell[alive, 0]] = own[alive]
    slots = SLOTS[order + 1] if order + 1 < len(SLOTS) else 1
    places, share = _slots(rng, n, slots, 3, steps - 1, 0.4, 0.8)
    if order + 1 == len(SLOTS):
        share[:] = 0
    calibre = _murray(np.repeat(calibre[:, None].astype(np.float32), steps, axis=1), places, share, 0.35)
    fine = length > 3
    return Order(points[fine], calibre[fine], length[fine], kind[fine]), own[fine], places[fine], share[fine]


def _spans(tree: list[Order], kind: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut the vessels of a kind into spans of `SPAN` points, thin orders first: points (c, SPAN, 2), calibre."""
    points, calibre = [], []
    for order in reversed(tree):
        mine = np.nonzero(order.kind == kind)[0]
        m = order.points.shape[1]
        for start in range(0, m - 1, SPAN - 1):
            rows = mine[order.length[mine] > start + 1]
            index = np.minimum(np.arange(start, start + SPAN), m - 1)
            points.append(order.points[rows][:, index])
            calibre.append(order.calibre[rows][:, index])
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
    strength = np.minimum((width / 1.1) ** 0.55, 1).mean(axis=1)
    pixels = (points - np.asarray(corner, np.float32)) * scale - 0.5
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
