"""Deliberate transformations of eye images, each with a severity from 0 (none) to 1 (no reader sees the same eye).

Severity 0.5 is everyday strength: what a second picture of the same eye may well show. Lengths are given in pixels at
an image width of 320 and scale with the image.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort

WIDTH = 320  # pixels; the width at which lengths are stated


@dataclass(frozen=True)
class Transformation:
    """One way of altering an image.

    `keeps_side`: the altered image still shows the side that its label names. `needs_partner`: a second image takes
    part. `draw(image, severity, rng, partner)` does it.
    """

    name: str
    family: str
    draw: Callable
    keeps_side: bool = True
    needs_partner: bool = False


def _sign(rng) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def _warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a 2×3 or 3×3 matrix; what enters the frame repeats the border, so a dark aperture stays dark."""
    size = (image.shape[1], image.shape[0])
    warp = cv2.warpAffine if matrix.shape[0] == 2 else cv2.warpPerspective
    return warp(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _similarity(image: np.ndarray, degrees: float, dx: float, dy: float, zoom: float) -> np.ndarray:
    """Turn about the centre, zoom, then shift by shares of width and height."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    matrix[:, 2] += (dx * width, dy * height)
    return _warp(image, matrix)


def _levels(image: np.ndarray, gain: float = 1.0, offset: float = 0.0) -> np.ndarray:
    return np.clip(image.astype(np.float32) * gain + offset, 0, 255).round().astype(np.uint8)


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    mean = float(image.mean())
    return _levels(image, factor, mean * (1 - factor))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    sigma *= image.shape[1] / WIDTH
    return image if sigma < 0.05 else cv2.GaussianBlur(image, (0, 0), sigma)


def _noise(image: np.ndarray, sigma: float, rng) -> np.ndarray:
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + sigma * noise, 0, 255).round().astype(np.uint8)


def _skin(image: np.ndarray) -> np.ndarray:
    """Typical lid shade: what the upper border of the picture shows."""
    return np.median(image[: max(1, image.shape[0] // 12)].reshape(-1, *image.shape[2:]), axis=0)


def _lid(image: np.ndarray, depth: float) -> np.ndarray:
    """Cover the upper part, `depth` of the height at the middle, by a lid with a curved dark margin."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width)
    margin = height * depth * (1 - 0.35 * x**2)
    below = np.arange(height)[:, None] - margin[None]
    edge = max(1.5, 4 * width / WIDTH)
    lid = 1 / (1 + np.exp(np.clip(below / (edge / 3), -30, 30)))
    shadow = 0.45 * np.exp(-np.clip(below, 0, None) / edge) * (below > -edge)
    shape = (height, width) + (1,) * (image.ndim - 2)
    covered = image * (1 - lid.reshape(shape)) + _skin(image) * lid.reshape(shape)
    return np.clip(covered * (1 - shadow.reshape(shape)), 0, 255).round().astype(np.uint8)


def _shift(image, s, rng, _):
    return _similarity(image, 0, 0.12 * s * rng.uniform(-1, 1), 0.12 * s * _sign(rng), 1)


def _rotate(image, s, rng, _):
    # 8° at everyday strength, 45° at severity 1.
    return _similarity(image, (16 * s if s <= 0.5 else 8 + 74 * (s - 0.5)) * _sign(rng), 0, 0, 1)


def _zoom(image, s, rng, _):
    factor = 1 + 0.3 * s if s <= 0.5 else 1.15 + (s - 0.5) * 1.3
    return _similarity(image, 0, 0, 0, factor if rng.random() < 0.5 else 1 / factor)


def _crop(image, s, rng, _):
    height, width = image.shape[:2]
    keep = 1 - 0.6 * s
    h, w = max(2, round(height * keep)), max(2, round(width * keep))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return cv2.resize(image[top : top + h, left : left + w], (width, height), interpolation=cv2.INTER_LINEAR)


def _perspective(image, s, rng, _):
    height, width = image.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners + np.float32(rng.uniform(-0.3, 0.3, (4, 2)) * s * [width, height])
    return _warp(image, cv2.getPerspectiveTransform(corners, np.float32(moved)))


def _elastic(image, s, rng, _):
    height, width = image.shape[:2]
    field = rng.uniform(-1, 1, (2, 5, 6)).astype(np.float32) * (0.08 * s**2 * width)
    dx, dy = (cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in field)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _brightness(image, s, rng, _):
    # ±20 % at everyday strength, down to 15 % or up to 280 % of the light at severity 1.
    return _levels(image, 1 + 0.4 * s if s <= 0.5 else 1.2 * 2.33 ** (2 * s - 1)) if rng.random() < 0.5 else _levels(
        image, 1 - 0.4 * s if s <= 0.5 else 0.8 * 0.19 ** (2 * s - 1)
    )  # fmt: skip


def _change_contrast(image, s, rng, _):
    return _contrast(image, 1 + 0.6 * s if s <= 0.5 else 1.3 * 2.3 ** (2 * s - 1)) if rng.random() < 0.5 else _contrast(
        image, 1 - 0.5 * s if s <= 0.5 else 0.75 * 0.13 ** (2 * s - 1)
    )  # fmt: skip


def _gamma(image, s, rng, _):
    power = 3.0 ** (s * _sign(rng))
    return (255 * (image / np.float32(255)) ** power).round().astype(np.uint8)


def _glare(image, s, rng, _):
    height, width = image.shape[:2]
    out = image.astype(np.float32)
    y, x = np.mgrid[:height, :width]
    for _spot in range(1 + round(3 * s)):
        radius = width * 0.09 * s * rng.uniform(0.6, 1.4)
        cy, cx = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
        spot = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / max(radius, 0.5) ** 2) ** 1.5))
        out += 255 * spot.reshape(height, width, *(1,) * (image.ndim - 2))
    return np.clip(out, 0, 255).round().astype(np.uint8)


def _change_blur(image, s, rng, _):
    return _blur(image, 4 * s if s <= 0.5 else 2 + (s - 0.5) * 16)


def _add_noise(image, s, rng, _):
    return _noise(image, 16 * s if s <= 0.5 else 8 + (s - 0.5) * 144, rng)


def _jpeg(image, s, rng, _):
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, max(2, round(95 - 93 * s**0.5))])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(image.shape)


def _resolution(image, s, rng, _):
    height, width = image.shape[:2]
    factor = 1 + 9 * s**2
    small = cv2.resize(
        image, (max(2, round(width / factor)), max(2, round(height / factor))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _cover_lid(image, s, rng, _):
    return _lid(image, 0.6 * s if s <= 0.5 else 0.3 + (s - 0.5) * 1.1)


def _lashes(image, s, rng, _):
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _lash in range(round(70 * s)):
        x0, y0 = rng.uniform(0, width), rng.uniform(0, 0.25) * height
        length, lean = rng.uniform(0.1, 0.15 + 0.35 * s) * height, rng.uniform(-0.8, 0.8)
        t = np.linspace(0, 1, 12)
        points = np.stack([x0 + lean * length * t**1.5, y0 + length * t], axis=1)
        cv2.polylines(
            mask, [np.round(points * 16).astype(np.int32)], False, 255, max(1, round(width / 200)), cv2.LINE_AA, 4
        )
    cover = (mask / np.float32(255)).reshape(height, width, *(1,) * (image.ndim - 2))
    return (image * (1 - cover) + 25 * cover).round().astype(np.uint8)


def _patches(image, s, rng, _):
    out, (height, width) = image.copy(), image.shape[:2]
    for _patch in range(6):
        h, w = max(1, round(0.42 * s**1.5 * height)), max(1, round(0.42 * s**1.5 * width))
        top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
        out[top : top + h, left : left + w] = image.reshape(-1, *image.shape[2:]).mean(axis=0).round()
    return out


def _morph(image, s, rng, partner):
    return (image * (1 - s) + partner * s).round().astype(np.uint8)


def _paste(image, s, rng, partner):
    """Paste an ellipse of the partner; at severity 1 it covers the frame."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    offset = 0.8 * (1 - s)
    inside = np.hypot(x - offset * np.cos(angle), y - offset * np.sin(angle)) < s * 1.45
    return np.where(inside.reshape(height, width, *(1,) * (image.ndim - 2)), partner, image)


CATALOGUE = {
    t.name: t
    for t in (
        *(Transformation(n, "geometry", f) for n, f in (
            ("shift", _shift), ("rotate", _rotate), ("zoom", _zoom), ("crop", _crop), ("perspective", _perspective), ("elastic", _elastic),
        )),
        *(Transformation(n, "light", f) for n, f in (
            ("brightness", _brightness), ("contrast", _change_contrast), ("gamma", _gamma), ("glare", _glare),
        )),
        *(Transformation(n, "optics", f) for n, f in (
            ("blur", _change_blur), ("noise", _add_noise), ("jpeg", _jpeg), ("resolution", _resolution),
        )),
        *(Transformation(n, "occlusion", f) for n, f in (("lid", _cover_lid), ("lashes", _lashes), ("patches", _patches))),
        *(Transformation(n, "composition", f, needs_partner=True) for n, f in (("morph", _morph), ("paste", _paste))),
    )
}  # fmt: skip
FAMILIES = {
    family: tuple(t.name for t in CATALOGUE.values() if t.family == family)
    for family in ("geometry", "light", "optics", "occlusion", "composition")
}


def apply(
    image: np.ndarray, name: str, severity: float, rng: np.random.Generator, partner: np.ndarray | None = None
) -> np.ndarray:
    """Alter one image.

    Parameters
    ----------
    image
        uint8 (h, w) or (h, w, 3).
    name
        A key of `CATALOGUE`.
    severity
        0 returns the image unchanged; 0.5 is everyday strength; 1 the strongest.
    partner
        Image of the same shape, of another person; needed by the family "composition".

    Returns
    -------
    A new uint8 array of the same shape.

    Raises
    ------
    InputError
        Unknown name, severity outside 0..1, partner missing or of another shape.

    Examples
    --------
    >>> image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> bool((apply(image, "rotate", 0, np.random.default_rng(0)) == image).all())
    True
    """
    if name not in CATALOGUE:
        raise InputError(f"no transformation is called {name!r}; there are {', '.join(CATALOGUE)}")
    if not 0 <= severity <= 1:
        raise InputError(f"severity must lie between 0 and 1, not {severity}")
    transformation = CATALOGUE[name]
    if transformation.needs_partner and (partner is None or partner.shape != image.shape):
        raise InputError(f"{name} needs a partner image of shape {image.shape}")
    if severity == 0:
        return image.copy()
    return np.ascontiguousarray(transformation.draw(image, severity, rng, partner))


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
    s = 2 * severity
    # Every number is drawn in every call, so that equal generators give matching images at all severities.
    turn, dx, dy, zoom, bright, contrast = rng.uniform(-1, 1, 6)
    has_blur, has_lid = rng.random(2) < 0.5
    blur, lid, noise = rng.random(3)
    # The lid moves with the eye, so it comes first; the camera's share comes last.
    out = _lid(image, min(0.3 * s * lid, 0.95)) if has_lid and s * lid > 0 else image
    out = _similarity(out, 8 * s * turn, 0.06 * s * dx, 0.06 * s * dy, 1 + 0.15 * s * zoom)
    out = _levels(out, 1 + 0.2 * s * bright)
    out = _contrast(out, 1 + (0.3 if contrast > 0 else 0.25) * s * contrast)
    if has_blur:
        out = _blur(out, 2 * s * blur)
    return _noise(out, 8 * s * noise, rng)


def mirror(images: np.ndarray) -> np.ndarray:
    """Flip images left to right: (h, w), (n, h, w) or (n, h, w, 3). Of eyes this changes the side: see `mirror_cohort`.

    Examples
    --------
    >>> mirror(np.array([[1, 2]], dtype=np.uint8))
    array([[2, 1]], dtype=uint8)
    """
    axis = 1 if images.ndim == 2 else 2
    return np.ascontiguousarray(np.flip(images, axis))


def half_turn(images: np.ndarray) -> np.ndarray:
    """Turn images by 180°: (n, h, w) or (n, h, w, 3)."""
    return np.ascontiguousarray(np.flip(images, (1, 2)))


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
        return _noise(image, 255 * value, rng)
    if name == "rotation":
        return _similarity(image, value * _sign(rng), 0, 0, 1)
    if name == "brightness":
        return _levels(image, value)
    if name == "contrast":
        return _contrast(image, value)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(value)])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(image.shape)
