"""Recipes that combine transformations, flips, and a public grid for comparison."""

from dataclasses import replace

import cv2
import numpy as np

from avatarlib.augment import draw
from avatarlib.augment.catalogue import apply
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort


def everyday(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the everyday recipe by which τ is calibrated: severity 0.5 of `combined`."""
    return combined(image, 0.5, rng)


def combined(image: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Draw all of the recipe's transformations at once, their ranges scaled by 2·severity.

    At severity 0.5, the everyday recipe of table B: rotation ±8°, shift ±6 %, scale 0.85–1.15, brightness 0.8–1.2,
    contrast 0.75–1.3, in half of the draws blur of σ 0–2 px (at width 320), in half an upper lid over 0–30 % of the
    height, noise of σ 0–8 of 255.

    Parameters
    ----------
    image
        uint8 (h, w) or (h, w, 3).
    severity
        0..1.
    """
    if not 0 <= severity <= 1:
        raise InputError(f"severity must lie between 0 and 1, not {severity}")
    if severity == 0:
        return image.copy()
    s = 2 * severity
    # Every number is drawn in every call, so that equal generators give matching images at all severities.
    turn, dx, dy, zoom, bright, contrast = rng.uniform(-1, 1, 6)
    has_blur, has_lid = rng.random(2) < 0.5
    blur, lid, noise = rng.random(3)
    # The lid moves with the eye, so it comes first; the camera's share comes last.
    out = draw.lid(image, min(0.3 * s * lid, 0.95)) if has_lid and s * lid > 0 else image
    out = draw.similarity(out, 8 * s * turn, 0.06 * s * dx, 0.06 * s * dy, 1 + 0.15 * s * zoom)
    out = draw.levels(out, 1 + 0.2 * s * bright)
    out = draw.contrast(out, 1 + (0.3 if contrast > 0 else 0.25) * s * contrast)
    if has_blur:
        out = draw.blur(out, 2 * s * blur)
    return draw.noise(out, 8 * s * noise, rng)


UNSEEN = ("crop", "perspective", "elastic", "gamma", "glare", "jpeg", "resolution", "lashes", "patches")


def unseen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw two of the transformations that the everyday recipe does not hold (`UNSEEN`), each at everyday strength.

    τ is never calibrated on them: they show what a threshold does with alterations that nobody thought of.
    """
    for name in rng.choice(UNSEEN, 2, replace=False):
        image = apply(image, str(name), 0.5, rng)
    return image


def mirror(images: np.ndarray) -> np.ndarray:
    """Flip images left to right. Of eyes this changes the side: see `mirror_cohort`.

    Parameters
    ----------
    images
        One image, (h, w) or (h, w, 3), or several, (n, h, w) or (n, h, w, 3); three columns are taken for colours.

    Examples
    --------
    >>> mirror(np.array([[1, 2]], dtype=np.uint8))
    array([[2, 1]], dtype=uint8)
    """
    return np.ascontiguousarray(np.flip(images, _axes(images)[1]))


def half_turn(images: np.ndarray) -> np.ndarray:
    """Turn images, shaped as for `mirror`, by 180°.

    Examples
    --------
    >>> half_turn(np.array([[1, 2], [3, 4]], dtype=np.uint8))
    array([[4, 3],
           [2, 1]], dtype=uint8)
    """
    return np.ascontiguousarray(np.flip(images, _axes(images)))


def _axes(images: np.ndarray) -> tuple[int, int]:
    """Return the axes of height and width."""
    return (-3, -2) if images.ndim > 2 and images.shape[-1] == 3 else (-2, -1)


def mirror_cohort(cohort: Cohort) -> Cohort:
    """Mirror every image and swap the sides, since a mirrored left eye is a right eye."""
    table = cohort.table.assign(side=cohort.table.side.map({"left": "right", "right": "left"}))
    return replace(cohort, images=mirror(cohort.images), table=table)


LCMEM_GRID = {
    "blur": (0.1, 1, 2, 6),
    "noise": (0.01, 0.1, 0.2, 0.3),
    "rotation": (5, 10, 20, 30),
    "brightness": (1.1, 1.3, 1.6, 2),
    "contrast": (1.1, 1.3, 1.6, 2),
    "jpeg": (90, 60, 30, 5),
}


def lcmem(image: np.ndarray, name: str, value: float, rng: np.random.Generator) -> np.ndarray:
    """Apply a cell of LCMem's public grid (arXiv 2512.14421), so that results can be compared.

    Parameters
    ----------
    name, value
        A key of `LCMEM_GRID` and one of its values: blur σ in pixels, noise σ as a share of 255, degrees, factors,
        JPEG quality.
    """
    if value not in LCMEM_GRID.get(name, ()):
        raise InputError(f"LCMem's grid has no cell {name} = {value}")
    if name == "blur":
        return cv2.GaussianBlur(image, (0, 0), value)
    if name == "noise":
        return draw.noise(image, 255 * value, rng)
    if name == "rotation":
        return draw.similarity(image, value * draw.sign(rng), 0, 0, 1)
    if name == "brightness":
        return draw.levels(image, value)
    if name == "contrast":
        return draw.contrast(image, value)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(value)])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(image.shape)
