"""Unwrap the iris to a rectangle (Daugman's rubber sheet) and mask what isn't iris: lids, lashes, reflections."""

import cv2
import numpy as np
from numba import njit

from avatarlib.fingerprints.locate import Located

ROWS, COLUMNS = 32, 256
# Columns of the sides of the iris, where lids rarely reach: 36° above and below the horizontal.
SIDES = np.zeros(COLUMNS, dtype=bool)
SIDES[np.r_[0:26, 102:154, 230:256]] = True
LOWER, UPPER = slice(10, 118), slice(138, 246)  # columns in which a lid may cover the iris
LEAST_SPREAD = 5.0  # grey values; a smooth iris has camera noise at least
EVIDENCE = (-1.5, 3.0)  # a single pixel says no more than this for lid, in units of log-likelihood
LID_STEP, LID_PRICE = 3, 1.0  # a lid's edge moves at most so many rows from column to column, at this price a row
LEAST_SIDE = 50  # pixels of the sides that must lie inside the image


def unwrap(image: np.ndarray, found: Located) -> tuple[np.ndarray, np.ndarray]:
    """Map the ring between the circles to a rectangle.

    Parameters
    ----------
    image
        uint8 (h, 320).

    Returns
    -------
    float32 (ROWS, COLUMNS) grey values, the pupil's edge on top and the angle growing clockwise from the right; bool
    of the same shape, True where iris is seen: inside the image, no reflection, no lash, no lid.
    """
    angle = np.arange(COLUMNS) * (2 * np.pi / COLUMNS)
    # The outermost twelfths are the edges themselves.
    t = (np.arange(ROWS)[:, None] + 0.5) / ROWS * 0.84 + 0.08
    (px, py, pr), (lx, ly, lr) = found.pupil, found.limbus
    x = (1 - t) * (px + pr * np.cos(angle)) + t * (lx + lr * np.cos(angle))
    y = (1 - t) * (py + pr * np.sin(angle)) + t * (ly + lr * np.sin(angle))
    ring = cv2.remap(image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR).astype(np.float32)
    height, width = image.shape
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return ring, _iris(ring, inside)


def _iris(ring: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Tell iris from what covers it, by comparison with the sides at the same distance from the pupil."""
    sides = inside & SIDES
    if sides.sum() < LEAST_SIDE:
        return np.zeros_like(inside)
    overall = np.median(ring[sides])
    profile = np.array([np.median(row[on]) if on.any() else overall for row, on in zip(ring, sides, strict=True)])
    profile = cv2.GaussianBlur(profile.astype(np.float32)[:, None], (1, 7), 1.5)
    spread = max(1.4826 * float(np.median(abs(ring - profile)[sides])), LEAST_SPREAD)
    z = (ring - profile) / spread
    calm = cv2.GaussianBlur(z, (0, 0), 0.5)
    # Log-likelihood ratio of "anything, all grey values alike" against "iris, normal around the profile".
    evidence = np.clip(calm**2 / 2 + np.log(spread * np.sqrt(2 * np.pi) / 256), *EVIDENCE)
    evidence[~inside] = 0
    seen = inside.copy()
    for columns in (LOWER, UPPER):
        edge = _lid_edge(np.ascontiguousarray(evidence[:, columns], dtype=np.float64), LID_STEP, LID_PRICE)
        seen[:, columns] &= np.arange(ROWS)[:, None] < edge
    # Dark spots are crypts, except above, where they are lashes.
    lash = calm < -4
    lash[:, : COLUMNS // 2] = False
    odd = (calm > 4) | (z > 6) | lash
    return seen & ~cv2.dilate(odd.astype(np.uint8), np.ones((3, 5), np.uint8)).astype(bool)


@njit(cache=True, nogil=True)
def _lid_edge(evidence, step, price):
    """First covered row of every column (the number of rows where none is), by dynamic programming.

    The edge takes in as much evidence as it can beyond itself, at a price for every row that it moves; it starts and
    ends at the limbus.
    """
    rows, columns = evidence.shape
    best, origin = np.empty((rows + 1, columns)), np.zeros((rows + 1, columns), np.int64)
    beyond = np.zeros(rows + 1)
    for c in range(columns):
        for r in range(rows - 1, -1, -1):
            beyond[r] = beyond[r + 1] + evidence[r, c]
        for r in range(rows + 1):
            if c == 0:
                best[r, c] = beyond[r] - price * (rows - r)
                continue
            top = -np.inf
            for q in range(max(0, r - step), min(rows, r + step) + 1):
                value = best[q, c - 1] - price * abs(q - r)
                if value > top:
                    top, origin[r, c] = value, q
            best[r, c] = top + beyond[r]
    edge = np.empty(columns, np.int64)
    edge[-1] = np.argmax(best[:, -1] - price * (rows - np.arange(rows + 1)))
    for c in range(columns - 1, 0, -1):
        edge[c - 1] = origin[edge[c], c]
    return edge
