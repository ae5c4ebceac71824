"""Find pupil and iris in a near-infrared picture of an eye, and say how sure that is.

The pupil is a dark blob, refined by Daugman's integro-differential operator (Daugman 1993): the circle along which
the mean intensity changes most with the radius. The limbus is sought in the same way on the two sides, where lids
rarely reach. Coordinates are pixels of an image that is 320 wide.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

WIDTH = 320
PUPIL_RADII = (14, 80)
LIMBUS_RADII = (70, 135)
# Two sides alone hardly tell where the iris's centre is, nor its radius. The centres of pupil and iris are close, so
# the limbus loses this share of its edge per squared pixel of offset (x, y).
OFF_CENTRE = (0.01, 0.04)


@dataclass(frozen=True)
class Located:
    """Circles (x, y, radius) of pupil and limbus, and the step in grey values (0..255) across each edge."""

    pupil: tuple[float, float, float]
    limbus: tuple[float, float, float]
    pupil_step: float
    limbus_step: float


def working_copy(image: np.ndarray) -> np.ndarray:
    """Return a grey uint8 copy that is 320 pixels wide."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height = max(2, round(grey.shape[0] * WIDTH / grey.shape[1]))
    if grey.shape == (height, WIDTH):
        return grey
    shrink = grey.shape[1] > WIDTH
    return cv2.resize(grey, (WIDTH, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC)


@njit(cache=True, nogil=True)
def _rise(image, x, y, r, half, cosines, sines):
    """Mean grey value outside minus inside the circle along the given directions; NaN if mostly off the image."""
    height, width = image.shape
    total, count = 0.0, 0
    for j in range(len(cosines)):
        ox, oy = int(x + (r + half) * cosines[j] + 0.5), int(y + (r + half) * sines[j] + 0.5)
        if 0 <= ox < width and 0 <= oy < height:
            for h in range(1, half + 1):
                ix, iy = int(x + (r - h) * cosines[j] + 0.5), int(y + (r - h) * sines[j] + 0.5)
                ox, oy = int(x + (r + h) * cosines[j] + 0.5), int(y + (r + h) * sines[j] + 0.5)
                total += image[oy, ox] - image[iy, ix]
            count += half
    return total / count if count * 2 >= len(cosines) * half else np.nan


@njit(cache=True, nogil=True)
def _best_circle(image, xs, ys, first, last, cosines, sines, half, prior):
    """Search the circle with the largest rise of the grey value across its edge (rise, x, y, radius).

    The directions are two halves, right and left. Both must show the edge: half their difference is taken off, so that
    one strong edge of a lid or of the collarette doesn't win. A half that lies outside the image is left out. `prior`
    is an expected centre (x, y) and the share lost per squared pixel from it (x, y).
    """
    expected_x, expected_y, price_x, price_y = prior
    half_count = len(cosines) // 2
    best, bx, by, br = -1e9, 0.0, 0.0, 0.0
    for x in xs:
        for y in ys:
            for r in range(first, last + 1):
                right = _rise(image, x, y, r, half, cosines[:half_count], sines[:half_count])
                left = _rise(image, x, y, r, half, cosines[half_count:], sines[half_count:])
                if np.isnan(right) and np.isnan(left):
                    continue
                if np.isnan(right) or np.isnan(left):
                    rise = 0.6 * (left if np.isnan(right) else right)
                else:
                    rise = (right + left) / 2 - abs(right - left) / 2
                rise *= max(0.2, 1 - price_x * (x - expected_x) ** 2 - price_y * (y - expected_y) ** 2)
                if rise > best:
                    best, bx, by, br = rise, x, y, float(r)
    return best, bx, by, br


def _directions(degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the right half, then of the left; angles grow clockwise, since y points down."""
    radians = np.deg2rad(np.concatenate([degrees, 180 - degrees]))
    return np.cos(radians), np.sin(radians)


# The upper quarter of the pupil is often under a lid.
AROUND = _directions(np.arange(-40, 90, 6.0))
SIDES = _directions(np.arange(-25, 46, 4.0))
RIM = np.arange(0, 2 * np.pi, np.pi / 16)


def _dark_blobs(image: np.ndarray) -> list[tuple[float, float, float]]:
    """Candidate pupils (x, y, radius): the largest discs that fit into the darkest parts.

    A disc ignores lashes, which touch the pupil but are thin.
    """
    smooth = cv2.medianBlur(image, 7)
    low, middle = np.percentile(smooth, [1, 50])
    found = []
    for share in (0.1, 0.2, 0.35, 0.5, 0.65):
        dark = (smooth <= low + share * (middle - low)).astype(np.uint8)
        # Reflections are holes in the pupil.
        filled = cv2.morphologyEx(dark, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (19, 19)))
        depth = cv2.distanceTransform(np.pad(filled, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        for _ in range(2):
            y, x = np.unravel_index(np.argmax(depth), depth.shape)
            radius = float(depth[y, x])
            if not PUPIL_RADII[0] * 0.8 <= radius <= PUPIL_RADII[1]:
                break
            if all(abs(x - u) + abs(y - v) + abs(radius - w) > 8 for u, v, w in found):
                found.append((float(x), float(y), radius))
            cv2.circle(depth, (int(x), int(y)), int(2 * radius), 0, -1)
    return found


def locate(image: np.ndarray) -> Located | None:
    """Locate pupil and limbus; None where nothing like a pupil is there.

    Parameters
    ----------
    image
        uint8, as `working_copy` returns it.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5).astype(np.float64)
    # Reflections and skin would dominate the means; no edge that is sought leads to anything brighter than these.
    clipped = np.minimum(smooth, np.percentile(smooth, 90))
    across, down = np.arange(image.shape[1]), np.arange(image.shape[0])[:, None]
    best, most = None, 0.0
    for x, y, radius in _dark_blobs(image):
        first, last = max(PUPIL_RADII[0], int(radius * 0.75)), min(PUPIL_RADII[1], int(radius * 1.45) + 1)
        if last <= first:
            continue
        far = np.hypot(across - x, down - y)
        edges = np.minimum(smooth, np.median(smooth[(far > 1.2 * radius) & (far < 1.8 * radius)]))
        anywhere = (0.0, 0.0, 0.0, 0.0)
        span, fine = np.arange(-9.0, 10.0, 3.0), np.arange(-2.0, 2.1, 1.0)
        step, px, py, pr = _best_circle(edges, x + span, y + span, first, last, *AROUND, 3, anywhere)
        last = int(pr) + 3
        step, px, py, pr = _best_circle(edges, px + fine, py + fine, last - 6, last, *AROUND, 3, anywhere)
        low, near = max(LIMBUS_RADII[0], int(pr * 1.35)), (px, py, *OFF_CENTRE)
        rise, lx, ly, lr = _best_circle(clipped, px + span, py + span[1:-1], low, LIMBUS_RADII[1], *SIDES, 12, near)
        if lr == 0:  # the circle's sides lie outside the image
            continue
        low = max(low, int(lr) - 4)
        rise, lx, ly, lr = _best_circle(clipped, lx + fine, ly + fine, low, int(lr) + 4, *SIDES, 7, near)
        # What lies half outside the picture, such as a dark corner, is rarely the eye that was photographed.
        rim_x, rim_y = lx + lr * np.cos(RIM), ly + lr * np.sin(RIM)
        inside = np.mean((rim_x >= 0) & (rim_x < image.shape[1]) & (rim_y >= 0) & (rim_y < image.shape[0]))
        if (step + 0.5 * rise) * inside > most:
            most = (step + 0.5 * rise) * inside
            best = Located((px, py, pr), (lx, ly, lr), step, rise)
    return best
