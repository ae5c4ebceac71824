"""How each transformation changes a picture: uint8 (h, w[, 3]) in and out.

The functions `(image, s, rng, partner)` draw a transformation of the catalogue at severity s, 0 < s ≤ 1; the others are
what these and the recipes are made of. Lengths are given in pixels at an image width of 320 and scale with the image.
"""

import cv2
import numpy as np

WIDTH = 320  # pixels; the width at which lengths are stated


def sign(rng) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


def ramp(s: float, everyday: float, strongest: float) -> float:
    """Go from 0 at severity 0 by `everyday` at 0.5 to `strongest` at 1, in two straight lines."""
    return 2 * s * everyday if s <= 0.5 else everyday + (2 * s - 1) * (strongest - everyday)


def factor(s: float, rng, everyday: tuple[float, float], strongest: tuple[float, float]) -> float:
    """Draw whether to multiply by less or by more than 1, each given as (less, more); 1 at severity 0."""
    way = int(rng.random() < 0.5)
    return float(np.exp(ramp(s, np.log(everyday[way]), np.log(strongest[way]))))


def along(row: np.ndarray) -> np.ndarray:
    """Smooth the values along an edge, (1, n) or (n, 1)."""
    n = max(row.shape[:2])
    reach = max(1, n // 16)
    size = (2 * reach + 1, 1) if row.shape[0] == 1 else (1, 2 * reach + 1)
    return cv2.GaussianBlur(row, size, reach / 2).reshape(row.shape)


def soft_border(image: np.ndarray) -> np.ndarray:
    """Smooth the outermost pixels along each edge, so that repeating them draws no streaks out of single lashes."""
    out = image.copy()
    for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
        out[edge] = along(np.ascontiguousarray(image[edge]))
    return out


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a 2×3 or 3×3 matrix; what enters the frame repeats the border, so a dark aperture stays dark."""
    size = (image.shape[1], image.shape[0])
    warp = cv2.warpAffine if matrix.shape[0] == 2 else cv2.warpPerspective
    return warp(soft_border(image), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def similarity(image: np.ndarray, degrees: float, dx: float, dy: float, zoom: float) -> np.ndarray:
    """Turn about the centre, zoom, then shift by shares of width and height."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    matrix[:, 2] += (dx * width, dy * height)
    return warp(image, matrix)


def levels(image: np.ndarray, gain: float = 1.0, offset: float = 0.0) -> np.ndarray:
    table = np.clip(np.arange(256, dtype=np.float32) * gain + offset, 0, 255).round().astype(np.uint8)
    return cv2.LUT(image, table)


def contrast(image: np.ndarray, factor: float) -> np.ndarray:
    mean = float(image.mean())
    return levels(image, factor, mean * (1 - factor))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    sigma *= image.shape[1] / WIDTH
    return image if sigma < 0.05 else cv2.GaussianBlur(image, (0, 0), sigma)


def noise(image: np.ndarray, sigma: float, rng) -> np.ndarray:
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return cv2.add(image, np.float32(sigma) * noise, dtype=cv2.CV_8U)  # rounds, and stays within 0..255


def lid(image: np.ndarray, depth: float) -> np.ndarray:
    """Pull an upper lid down, `depth` of the height at the middle and more at the corners, with a dark margin.

    It has one shade, the median of the picture's upper border: skin of an iris picture, the black around a fundus.
    """
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width)
    margin = height * depth * (1 + 0.3 * x**2)
    below = np.arange(height)[:, None] - margin[None]
    edge = max(1.5, 4 * width / WIDTH)
    cover = 1 / (1 + np.exp(np.clip(below / (edge / 3), -30, 30)))
    shadow = 0.45 * np.exp(-np.clip(below, 0, None) / edge) * (below > -edge)
    skin = np.median(image[: max(1, height // 16)].reshape(-1, *image.shape[2:]), axis=0)
    shape = (height, width) + (1,) * (image.ndim - 2)
    cover, shadow = cover.reshape(shape), shadow.reshape(shape)
    return np.clip((image * (1 - cover) + skin * cover) * (1 - shadow), 0, 255).round().astype(np.uint8)


def shift(image, s, rng, _):
    far = ramp(s, 0.06, 0.5)
    return similarity(image, 0, far * rng.uniform(-1, 1), far * sign(rng), 1)


def rotate(image, s, rng, _):
    return similarity(image, ramp(s, 8, 45) * sign(rng), 0, 0, 1)


def zoom(image, s, rng, _):
    return similarity(image, 0, 0, 0, factor(s, rng, (0.85, 1.15), (0.5, 2)))


def crop(image, s, rng, _):
    height, width = image.shape[:2]
    keep = 1 - 0.6 * s
    h, w = max(2, round(height * keep)), max(2, round(width * keep))
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    return cv2.resize(image[top : top + h, left : left + w], (width, height), interpolation=cv2.INTER_LINEAR)


def perspective(image, s, rng, _):
    height, width = image.shape[:2]
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    moved = corners + np.float32(rng.uniform(-0.3, 0.3, (4, 2)) * s * [width, height])
    return warp(image, cv2.getPerspectiveTransform(corners, np.float32(moved)))


def elastic(image, s, rng, _):
    height, width = image.shape[:2]
    field = rng.uniform(-1, 1, (2, 5, 6)).astype(np.float32) * (0.08 * s**2 * width)
    dx, dy = (cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in field)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(soft_border(image), x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def brightness(image, s, rng, _):
    return levels(image, factor(s, rng, (0.8, 1.2), (0.15, 2.8)))


def change_contrast(image, s, rng, _):
    return contrast(image, factor(s, rng, (0.75, 1.3), (0.1, 3)))


def gamma(image, s, rng, _):
    power = factor(s, rng, (0.6, 1.7), (0.15, 7))
    return (255 * (image / np.float32(255)) ** np.float32(power)).round().astype(np.uint8)


def glare(image, s, rng, _):
    height, width = image.shape[:2]
    out = image.astype(np.float32)
    y, x = np.mgrid[:height, :width]
    for _spot in range(1 + round(3 * s)):
        radius = width * 0.09 * s * rng.uniform(0.6, 1.4)
        cy, cx = rng.uniform(0.2, 0.8) * height, rng.uniform(0.2, 0.8) * width
        spot = np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / max(radius, 0.5) ** 2) ** 1.5))
        out += 255 * spot.reshape(height, width, *(1,) * (image.ndim - 2))
    return np.clip(out, 0, 255).round().astype(np.uint8)


def change_blur(image, s, rng, _):
    return blur(image, ramp(s, 2, 10))


def add_noise(image, s, rng, _):
    return noise(image, ramp(s, 8, 80), rng)


def jpeg(image, s, rng, _):
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, max(2, round(95 - 93 * s**0.5))])
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).reshape(image.shape)


def resolution(image, s, rng, _):
    height, width = image.shape[:2]
    shrink = 1 + ramp(s, 2, 23)
    small = (max(2, round(width / shrink)), max(2, round(height / shrink)))
    return cv2.resize(
        cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_LINEAR
    )


def cover_lid(image, s, rng, _):
    return lid(image, ramp(s, 0.3, 0.9))


def lashes(image, s, rng, _):
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    thickness = max(1, round(width / WIDTH * ramp(s, 1.6, 4)))
    t = np.linspace(0, 1, 12)
    for _lash in range(round(ramp(s, 35, 110))):
        x0, y0 = rng.uniform(0, width), rng.uniform(0, 0.25) * height
        length, lean = rng.uniform(0.1, ramp(s, 0.3, 0.9)) * height, rng.uniform(-0.8, 0.8)
        points = np.stack([x0 + lean * length * t**1.5, y0 + length * t], axis=1)
        cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
    cover = (mask / np.float32(255)).reshape(height, width, *(1,) * (image.ndim - 2))
    return (image * (1 - cover) + 25 * cover).round().astype(np.uint8)


def patches(image, s, rng, _):
    out, (height, width) = image.copy(), image.shape[:2]
    for _patch in range(6):
        h, w = max(1, round(0.42 * s**1.5 * height)), max(1, round(0.42 * s**1.5 * width))
        top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
        out[top : top + h, left : left + w] = image.reshape(-1, *image.shape[2:]).mean(axis=0).round()
    return out


def morph(image, s, rng, partner):
    """Cross-fade to the partner without aligning the two: at severity 0.5 both are there."""
    return (image * (1 - s) + partner * s).round().astype(np.uint8)


def paste(image, s, rng, partner):
    """Paste an ellipse of the partner; at severity 1 it covers the frame."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    offset = 0.8 * (1 - s)
    inside = np.hypot(x - offset * np.cos(angle), y - offset * np.sin(angle)) < s * 1.45
    return np.where(inside.reshape(height, width, *(1,) * (image.ndim - 2)), partner, image)
