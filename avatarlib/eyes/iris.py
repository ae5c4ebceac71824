"""Near-infrared pictures of phantom irises.

An eye has a texture in polar coordinates (radial fibres, collarette, crypts, contraction furrows, pigment spots) and a
build (radius, lids, lashes), both fixed by seed, person and side. A capture stretches the texture between pupil and
limbus, moves and lights the eye, and lets the camera lose something of it. Everything is drawn as a right eye, nose
to the right, in units of pixels of a 320 × 240 picture; left eyes are flipped at the end.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np

from avatarlib.seeds import generator

FIELD = (240.0, 320.0)  # height and width that a picture shows, in units


def _noise(rng: np.random.Generator, rows: int, columns: int, shape: tuple[int, int]) -> np.ndarray:
    """Smooth normal noise on `shape` from a grid of rows × columns, periodic along the columns."""
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    factor = shape[1] // columns
    if factor <= 1:
        return cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_AREA)
    padded = np.concatenate([grid[:, -2:], grid, grid[:, :2]], axis=1)
    wide = cv2.resize(padded, ((columns + 4) * factor, shape[0]), interpolation=cv2.INTER_CUBIC)
    return wide[:, 2 * factor : 2 * factor + shape[1]]


def _bump(t: np.ndarray, centre, width) -> np.ndarray:
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
    strength = rng.uniform(0.6, 1.4, size=6)
    collarette = 0.30 + 0.04 * rng.standard_normal() + 0.03 * _noise(rng, 1, 8, shape) + 0.012 * _noise(rng, 1, 64, shape)
    # Fibres: streaks along the radius that wander a little, finer towards the pupil.
    wander = 6 * _noise(rng, 3, 8, shape) * (shape[1] / 512)
    fibres = 0.5 * _noise(rng, 3, 32, shape) + 0.8 * _noise(rng, 3, 64, shape) + 1.0 * _noise(rng, 4, 128, shape)
    fibres = cv2.remap(
        fibres, (np.arange(shape[1], dtype=np.float32) + wander) % shape[1],
        np.broadcast_to(np.arange(shape[0], dtype=np.float32)[:, None], shape).copy(),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP,
    )  # fmt: skip
    inner = 1 / (1 + np.exp((t - collarette) / 0.02))
    iris = strength[0] * fibres * (4 + 3 * inner)
    iris += 7 * strength[1] * _bump(t, collarette, 0.05) * (1 + 0.5 * _noise(rng, 1, 32, shape))
    iris += 3 * _noise(rng, 4, 16, shape) + 2 * _noise(rng, 8, 64, shape)
    # Contraction furrows: arcs about the pupil, each only part of the way round.
    for where in rng.uniform(0.5, 0.9, size=rng.integers(2, 6)).tolist():
        along = where + 0.015 * _noise(rng, 1, 8, shape)
        iris -= 6 * strength[2] * _bump(t, along, 0.012) * np.clip(0.3 + _noise(rng, 1, 8, shape), 0, 1)
    iris = _crypts(iris, rng, collarette[0], strength)
    if columns > 256:
        iris += 2.5 * _noise(rng, 32, 256, shape)
    if columns > 512:
        iris += 2 * _noise(rng, 64, 512, shape)
    return iris.astype(np.float32)


def _crypts(iris: np.ndarray, rng: np.random.Generator, collarette: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Stamp crypts and pigment spots: dark lenses with a bright rim, most of them at the collarette."""
    rows, columns = iris.shape
    near, far, spots = int(45 * strength[3]), int(14 * strength[4] ** 2), rng.integers(0, 8)
    n = near + far + spots
    angle = rng.random(n)
    ring = collarette[(angle * columns).astype(int)]
    radius = np.concatenate([
        ring[:near] + rng.normal(0.0, 0.05, near), ring[near : near + far] + rng.uniform(0.02, 0.4, far),
        rng.uniform(0.4, 0.95, spots),
    ])
    # Half axes as share of the ring's width and of a turn.
    long = np.concatenate([rng.gamma(4, 0.008, near), rng.gamma(5, 0.014, far), rng.uniform(0.008, 0.02, spots)])
    wide = np.concatenate([rng.gamma(5, 0.0009, near), rng.gamma(5, 0.0022, far), rng.uniform(0.002, 0.004, spots)])
    depth = np.concatenate([rng.uniform(12, 34, near), rng.uniform(8, 26, far), rng.uniform(10, 25, spots)])
    lean = rng.normal(0, 0.3, n)
    wrapped = np.concatenate([iris] * 3, axis=1)
    for i in range(n):
        a, b = max(long[i] * rows, 0.7), max(wide[i] * columns, 0.7)
        y, x = radius[i] * rows, (1 + angle[i]) * columns
        top, bottom = max(int(y - 1.7 * a), 0), min(int(y + 1.7 * a) + 2, rows)
        left, right = int(x - 1.7 * b - 1.7 * a * abs(lean[i]) * 0.5), int(x + 1.7 * b + 1.7 * a * abs(lean[i]) * 0.5) + 2
        if bottom <= top:
            continue
        v = (np.arange(top, bottom, dtype=np.float32)[:, None] - y) / a
        u = (np.arange(left, right, dtype=np.float32)[None] - x - lean[i] * v * a * 0.5) / b
        d = np.sqrt(u * u + v * v)
        hole = np.clip((1.05 - d) / 0.5, 0, 1)
        rim = np.exp(-(((d - 1.2) / 0.22) ** 2))
        wrapped[top:bottom, left:right] += depth[i] * (0.45 * rim - hole * (0.8 + 0.2 * v))
    middle = wrapped[:, columns : 2 * columns].copy()
    middle[:, : columns // 2] += wrapped[:, 2 * columns : 2 * columns + columns // 2] - iris[:, : columns // 2]
    middle[:, columns // 2 :] += wrapped[:, columns // 2 : columns] - iris[:, columns // 2 :]
    return middle


def _build(person: Mapping, side: str, seed: int) -> dict:
    """What stays of an eye besides its iris."""
    rng = generator(seed, "build", person["person"], side)
    return {
        "radius": 101 + 5 * rng.standard_normal(),
        "offset": (rng.normal(2, 1.5), rng.normal(0, 1.5)),  # of the pupil; most lie a little to the nose
        "upper": 62 + 9 * person["lid_opening"] + 5 * rng.standard_normal(),
        "lower": -(84 + 4 * person["lid_opening"] + 4 * rng.standard_normal()),
        "slope": rng.normal(0.06, 0.05),
        "curve": rng.uniform(0.0016, 0.0026),
        "iris": 118 - 7 * person["iris_pigment"] + 4 * rng.standard_normal(),
        "pupil": float(np.clip(0.43 + 0.055 * person["pupil_size"], 0.25, 0.65)),
        "skin": 196 + 9 * person["skin_tone"],
        "lash_seed": int(rng.integers(1 << 62)),
        "lash_length": rng.uniform(26, 44),
        "lash_count": int(rng.integers(70, 110)),
    }


def _capture(capture: int, person: int, side: str, seed: int) -> dict:
    """How a picture was taken."""
    rng = generator(seed, "capture", person, side, capture)
    return {
        "dilation": rng.normal(0, 0.035),
        "shift": (rng.normal(0, 14), rng.normal(0, 9)),
        "turn": rng.normal(0, 2.5),
        "zoom": float(np.exp(rng.normal(0, 0.03))),
        "lid": rng.normal(0, 7),
        "light": float(np.exp(rng.normal(0, 0.07))),
        "slant": rng.normal(0, 0.08, 2),
        "blur": abs(rng.normal(0, 0.6)) + 0.55,
        "glare": rng.normal(0, 5, 2) + (0, 6),
        "noise": rng.uniform(1.5, 3.5),
        "rng": rng,
    }


def draw_iris(person: Mapping, side: str, capture: int, size: tuple[int, int], seed: int) -> np.ndarray:
    """Draw one near-infrared picture of a phantom's eye.

    Parameters
    ----------
    person
        `person` and the z values of the traits, as a row of `people.people`.
    side
        left or right.
    capture
        Number of the picture; 0 is as ordinary as any other.
    size
        (height, width) in pixels.
    seed
        Of the population.

    Returns
    -------
    uint8 (height, width).
    """
    height, width = size
    # Small pictures are drawn larger and averaged, so that lashes and edges don't turn into stairs.
    over = 2 if max(size) <= 128 else 1
    h, w = height * over, width * over
    scale = (h / FIELD[0] * w / FIELD[1]) ** 0.5
    eye, shot = _build(person, side, seed), _capture(capture, person["person"], side, seed)
    columns = 256 if scale < 0.45 else 512 if scale < 1.3 else 1024
    iris_map = texture(seed, person["person"], side, columns)
    # Picture to eye: units, y upwards, origin at the centre of the iris.
    turn = math.radians(shot["turn"])
    zoom = scale * shot["zoom"]
    x = (np.arange(w, dtype=np.float32) - (w - 1) / 2)[None] / zoom
    y = ((h - 1) / 2 - np.arange(h, dtype=np.float32))[:, None] / zoom
    dx, dy = shot["shift"]
    x, y = math.cos(turn) * x + math.sin(turn) * y - dx, -math.sin(turn) * x + math.cos(turn) * y - dy - 8
    x, y = x.astype(np.float32), y.astype(np.float32)

    image = _eyeball(x, y, eye, shot, iris_map, zoom)
    upper, lower = _lids(x, eye, shot)
    image = _skin(image, x, y, upper, lower, eye, shot, zoom)
    image = _lashes(image, eye, shot, zoom, turn, (dx, dy))
    return _camera(image, shot, zoom, over, size, side)


def _step(value: np.ndarray, width: float) -> np.ndarray:
    """0 below, 1 above zero, with an edge of the given width."""
    return np.clip(value / width + 0.5, 0, 1)


def _eyeball(x, y, eye, shot, iris_map, zoom) -> np.ndarray:
    radius = eye["radius"]
    pupil = radius * min(max(eye["pupil"] + shot["dilation"], 0.22), 0.7)
    ox, oy = eye["offset"]
    far = cv2.magnitude(x, y)
    t = np.clip((far - pupil) / (radius - pupil), 0, 1)
    cx, cy = x - ox * (1 - t), y - oy * (1 - t)
    rho, angle = cv2.cartToPolar(cx, cy)
    t = (rho - pupil) / (radius - pupil)
    rows, columns = iris_map.shape
    # Muscles don't stretch the tissue evenly: it moves more near the pupil.
    even = np.clip(t, 0, 1)
    even = even + 0.6 * shot["dilation"] * even * (1 - even)
    ring = cv2.remap(iris_map, angle * (columns / (2 * np.pi)), even * rows - 0.5, cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)
    iris = eye["iris"] + ring + 6 * _bump(t, 0.3, 0.3) - 10 * _bump(t, 1.02, 0.12) - 25 * _bump(t, 0.0, 0.035)
    sclera = 214 - 0.0009 * (x * x) - 0.0006 * (y * y)
    white = _step(far - radius, 9)
    image = iris + white * (sclera - iris)
    dark = _step(pupil - rho, max(2.0, 1.2 / zoom))
    return image + dark * (6 - image)


def _lids(x, eye, shot) -> tuple[np.ndarray, np.ndarray]:
    up = eye["upper"] + shot["lid"]
    upper = up - eye["slope"] * x - eye["curve"] * (x - 10) ** 2
    lower = eye["lower"] + 0.5 * eye["slope"] * x + 0.0011 * (x - 25) ** 2
    return upper, lower


def _skin(image, x, y, upper, lower, eye, shot, zoom) -> np.ndarray:
    above, below = y - upper, lower - y
    shade = 1 - 0.35 * np.exp(-np.maximum(-above, 0) / 14)
    image = image * shade
    skin = eye["skin"] - 60 * np.exp(-np.maximum(above, 0) / 12) + 0.06 * above
    image = image + _step(above, 3) * (skin - image)
    bright = eye["skin"] + 30 - 30 * np.exp(-np.maximum(below, 0) / 6)
    return image + _step(below, 3) * (bright - image)


def _lashes(image, eye, shot, zoom, turn, shift) -> np.ndarray:
    return image


def _camera(image, shot, zoom, over, size, side) -> np.ndarray:
    rng = shot["rng"]
    image = cv2.GaussianBlur(image, (0, 0), max(shot["blur"] * zoom, 0.3))
    if over > 1:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    image = image * shot["light"] + shot["noise"] * rng.standard_normal(size, dtype=np.float32)
    if side == "left":
        image = image[:, ::-1]
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
