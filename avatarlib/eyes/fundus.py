"""Colour photographs of phantom fundi, and of their optic discs.

An eye (disc, cup, fovea, vessels, pigment, nerve fibres) is fixed by seed, person and side and laid out in degrees of
visual angle as a right eye: nose to the right, the origin in the field's centre. It is painted once as a canvas of
reflectance, in which vessels and pigment are optical densities; a capture moves the canvas, lights it, and lets the
camera lose something of it. Left eyes are flipped at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from avatarlib.eyes import vessels
from avatarlib.seeds import generator

TRAITS = ("disc_area", "cup_ratio", "arteriole_calibre", "venule_calibre", "tortuosity", "fundus_pigment")
FIELD = {"fundus": 45.0, "papilla": 16.0}  # degrees that the shorter side of a picture shows, aperture included
MARGIN = {"fundus": 5.5, "papilla": 2.5}  # degrees of canvas beyond it, for gaze and rotation
APERTURE = 0.488  # radius of the round field of a fundus photograph, of the shorter side

# Means, and what one standard deviation of a trait does.
DISC_DIAMETER, DISC_STEP = 5.5, 0.09  # degrees; a step in log diameter, so 0.18 in log area
CUP, CUP_STEP, CUP_RANGE = 0.40, 0.09, (0.12, 0.78)  # vertical diameter, of the disc's
CALIBRES = (0.37, 0.48)  # degrees, of arteriole and venule trunks at the disc
CALIBRE_STEP = 0.13  # log calibre
TORTUOSITY_STEP = 0.35  # log amplitude of bends
PIGMENT_STEP = (-0.08, -0.13, -0.16)  # log reflectance of red, green, blue
FOVEA_DISTANCE = 15.5  # degrees from disc to fovea

TISSUE = (156.0, 69.0, 29.0)  # reflectance, on the camera's scale of 0..255
RIM, CUP_COLOUR = (236.0, 148.0, 72.0), (258.0, 216.0, 134.0)
# Optical density in red, green, blue.
DENSITY = {"arteriole": (0.15, 0.62, 0.50), "venule": (0.36, 1.0, 0.66)}


@dataclass(frozen=True)
class Eye:
    """What stays of an eye from picture to picture; lengths in degrees."""

    disc: tuple[float, float]
    radii: tuple[float, float]
    cup: float
    fovea: tuple[float, float]
    calibres: tuple[float, float]
    tree: list
    tint: np.ndarray
    look: dict
    key: tuple


def _name(person) -> int | str:
    return int(person) if isinstance(person, (int, np.integer)) else str(person)


def _check(side: str, modality: str) -> None:
    if side not in ("left", "right"):
        raise ValueError(f"side must be left or right, not {side!r}")
    if modality not in FIELD:
        raise ValueError(f"modality must be one of {', '.join(FIELD)}, not {modality!r}")


def _of(person: Mapping, side: str, seed: int, orders: int) -> Eye:
    return _eye(int(seed), _name(person["person"]), side, tuple(float(person[t]) for t in TRAITS), orders)


@lru_cache(maxsize=8)
def _eye(seed: int, person: int | str, side: str, traits: tuple[float, ...], orders: int) -> Eye:
    """Lay out an eye."""
    z = dict(zip(TRAITS, traits, strict=True))
    rng = generator(seed, "fundus", person, side)
    distance, drop = FOVEA_DISTANCE + 0.6 * rng.standard_normal(), rng.normal(1.6, 0.6)
    centre = np.array([8.6, -0.8]) + rng.normal(0, (0.3, 0.3))
    diameter = DISC_DIAMETER * np.exp(DISC_STEP * z["disc_area"])
    oval = np.exp(rng.normal(0.04, 0.03))
    fovea = centre + (-distance, drop)
    tree = vessels.grow(generator(seed, "vessels", person, side), centre, fovea,
                        float(np.exp(TORTUOSITY_STEP * z["tortuosity"])), orders)  # fmt: skip
    look = {
        "tilt": rng.normal(0, 0.15), "cup_at": rng.normal((-0.16, 0.0), 0.05), "pale": rng.normal(0, 0.08),
        "crescent": rng.uniform(-0.5, 1.0), "halo": rng.uniform(0.2, 1.0), "sheen": rng.gamma(4, 0.25),
        "tigroid": float(np.clip(rng.normal(0.35 - 0.25 * z["fundus_pigment"], 0.5), 0, 1.6)),
        "macula": float(np.exp(rng.normal(0, 0.2))), "reflex": rng.uniform(0.2, 1.0), "mottle": rng.uniform(0.7, 1.3),
    }  # fmt: skip
    tint = np.array(PIGMENT_STEP) * z["fundus_pigment"]
    # Blood, lens and camera colour the whole picture: brighter or darker, rosy or tawny, more or less yellow.
    tint = tint + rng.normal(0, 0.07) + rng.normal(0, 0.09) * np.array([1, -0.8, -0.4]) + rng.normal(0, (0, 0, 0.22))
    return Eye(
        disc=tuple(centre.tolist()), radii=(diameter / 2 / oval, diameter / 2 * oval),
        cup=float(np.clip(CUP + CUP_STEP * z["cup_ratio"], *CUP_RANGE)), fovea=tuple(fovea.tolist()),
        calibres=tuple(float(mean * np.exp(CALIBRE_STEP * z[trait])) for mean, trait in
                       zip(CALIBRES, ("arteriole_calibre", "venule_calibre"), strict=True)),
        tree=tree, tint=tint, look=look, key=(seed, person, side),
    )  # fmt: skip


def _field(rng: np.random.Generator, cell: float, window: tuple, reach: float = 30.0, middle=(0.0, 0.0),
           stretch: float = 1.0) -> np.ndarray:  # fmt: skip
    """Smooth normal noise with grains of `cell` degrees (`stretch` times as high), the same in every window."""
    scale, x, y, (rows, columns) = window
    wide, high = int(2 * reach / cell) + 4, int(2 * reach / (cell * stretch)) + 4
    grid = rng.standard_normal((high, wide), dtype=np.float32)
    a, b = 1 / (scale * cell), 1 / (scale * cell * stretch)
    origin = (x - middle[0] + reach) / cell + a / 2, (y - middle[1] + reach) / (cell * stretch) + b / 2
    move = np.array([[a, 0, origin[0]], [0, b, origin[1]]])
    return cv2.warpAffine(grid, move, (columns, rows), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT)  # fmt: skip


def _bump(x: np.ndarray, y: np.ndarray, centre, width: float) -> np.ndarray:
    """Round Gaussian on the axes x and y."""
    return np.exp(-(((y - centre[1]) / width) ** 2))[:, None] * np.exp(-(((x - centre[0]) / width) ** 2))[None]


@lru_cache(maxsize=3)
def _canvas(eye_key: tuple, modality: str, window: tuple) -> np.ndarray:
    """Paint an eye: reflectance on the camera's scale, float32 (rows, columns, 3)."""
    eye, (scale, left, top, shape) = _eye(*eye_key), window
    look, rng = eye.look, generator(eye.key[0], "texture", *eye.key[1:])
    x = left + (np.arange(shape[1], dtype=np.float32) + 0.5) / scale
    y = top + (np.arange(shape[0], dtype=np.float32) + 0.5) / scale
    layers, colours = [], []

    def add(layer: np.ndarray, *colour: float) -> None:
        layers.append(layer)
        colours.append(colour)

    # Tissue: patches of pigment, choroidal vessels that shine through away from the macula, fine grain.
    broad, medium, wavy = _field(rng, 5.0, window), _field(rng, 1.3, window), _field(rng, 2.2, window, stretch=1.5)
    small, patch = _field(rng, 0.55, window), _field(rng, 7.0, window)
    away = 1 - 0.9 * _bump(x, y, eye.fovea, 6.5)
    add(broad, 0.06, 0.08, 0.08)
    add(medium + 0.7 * small, *(look["mottle"] * np.array([0.012, 0.020, 0.025])))
    ridge = np.exp(-((wavy + 0.35 * medium) ** 2) / 0.35) + 0.25 * medium - 0.45
    add(ridge * away * np.clip(0.6 + 0.5 * patch, 0, 1.4), *(look["tigroid"] * np.array([0.15, 0.11, 0.05])))
    add(_bump(x, y, eye.fovea, 4.2) * 0.26 + _bump(x, y, eye.fovea, 1.5) * 0.22 + _bump(x, y, eye.fovea, 0.75) * 0.2,
        *(look["macula"] * np.array([-0.45, -1.0, -0.8])))  # fmt: skip
    add(_bump(x, y, eye.fovea, 0.16), *(look["reflex"] * np.array([0.2, 0.35, 0.35])))
    # Nerve fibres: a silvery sheen in two fans above and below the disc, streaked along the fibres.
    dx, dy = (x - eye.disc[0])[None], (y - eye.disc[1])[:, None]
    distance = cv2.sqrt(dx * dx + dy * dy)
    near = cv2.exp(np.minimum(2.7 - distance, 0) / 4.5)
    turn = cv2.phase(*np.broadcast_arrays(-dx, dy)) * np.float32(512 / (2 * np.pi))
    bearing = np.abs((np.arange(516) / 512 * 2 * np.pi + np.pi) % (2 * np.pi) - np.pi)
    streaks = np.convolve(rng.standard_normal(516), np.hanning(13), mode="same")
    streaks = ((np.exp(-(((bearing - 1.15) / 0.55) ** 2)) + 0.25) * (1 + 0.22 * streaks)).astype(np.float32)[None]
    add(look["sheen"] * near * cv2.remap(streaks, turn, np.zeros_like(turn), cv2.INTER_LINEAR), 0.05, 0.15, 0.22)
    if scale > 9:
        add(_field(rng, 0.16, window), 0.015, 0.03, 0.035)
        add(_field(rng, 0.3, window), 0.008, 0.015, 0.02)
    if scale > 18:
        add(_field(rng, 0.07, window, reach=13.0, middle=eye.disc), 0.025, 0.035, 0.04)
    paint = np.array(colours, np.float32).T @ np.stack(layers).reshape(len(layers), -1)
    paint = paint.reshape(3, *shape) + (np.log(TISSUE) + eye.tint)[:, None, None].astype(np.float32)
    _paint_disc(paint, eye, x, y)
    for kind, name in enumerate(DENSITY):
        drawn = vessels.draw(eye.tree, kind, eye.calibres[kind], scale, (left, top), shape)
        drawn = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), 0.55 + 0.05 * scale * eye.calibres[kind]) / 255
        reflex = 0
        if scale * eye.calibres[kind] > 2.5:
            line = vessels.draw(eye.tree[:2], kind, eye.calibres[kind], scale, (left, top), shape, part=0.28)
            line = cv2.GaussianBlur(line.astype(np.float32), (0, 0), 0.5 + 0.02 * scale) / 255
            line *= np.minimum(distance / 3.0, 1) ** 2
            reflex = line * (0.55 if name == "arteriole" else 0.28)
        for channel, density in enumerate(DENSITY[name]):
            paint[channel] -= density * drawn * (1 - reflex)
    return cv2.merge(list(np.exp(paint)))


def _paint_disc(paint: np.ndarray, eye: Eye, x: np.ndarray, y: np.ndarray) -> None:
    """Paint halo, crescent, rim and cup onto the log reflectance."""
    look = eye.look
    columns = slice(*np.searchsorted(x, (eye.disc[0] - 6, eye.disc[0] + 6)))
    rows = slice(*np.searchsorted(y, (eye.disc[1] - 6, eye.disc[1] + 6)))
    paint = paint[:, rows, columns]
    dx, dy = (x[columns] - eye.disc[0])[None], (y[rows] - eye.disc[1])[:, None]
    c, s = np.cos(look["tilt"]), np.sin(look["tilt"])
    u, v = (c * dx + s * dy) / eye.radii[0], (c * dy - s * dx) / eye.radii[1]
    rho = np.sqrt(u * u + v * v)
    temporal = np.clip(-u / (rho + 0.2), -1, 1)
    halo = np.exp(-(((rho - 1.0) / 0.28) ** 2))
    ring = np.exp(-(((rho - 1.07) / 0.06) ** 2)) * np.clip(temporal, 0, 1)
    inside = 0.5 - 0.5 * np.tanh((rho - 1) / (0.07 - 0.024 * temporal))
    ru, rv = (u - look["cup_at"][0]) / eye.cup, (v - look["cup_at"][1]) / eye.cup
    cup = 0.5 - 0.5 * np.tanh((np.sqrt(ru * ru + rv * rv) - 1) / 0.26)
    rim, bottom = np.log(RIM) + 0.6 * eye.tint, np.log(CUP_COLOUR) + 0.3 * eye.tint
    for channel in range(3):
        outside = paint[channel] + look["halo"] * halo * (0.10, 0.16, 0.10)[channel]
        outside -= look["crescent"] * ring * (0.3, 0.35, 0.2)[channel]
        colour = rim[channel] + (0.02, 0.12, 0.16)[channel] * temporal + look["pale"]
        colour = colour + (bottom[channel] - colour) * 0.85 * cup
        paint[channel] = outside + inside * (colour - paint[channel])


@lru_cache(maxsize=8)
def _aperture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Round field with a soft edge, and the distance from its centre in radii; both float32 (height, width)."""
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2).astype(np.float32)
    radius = APERTURE * min(height, width)
    return np.clip(radius + 0.5 - distance, 0, 1), distance / radius


def draw_fundus(
    person: Mapping, side: str, capture: int, size: int | tuple[int, int], seed: int, modality: str = "fundus"
) -> np.ndarray:
    """Photograph a phantom's fundus.

    Parameters
    ----------
    person
        `person` (int or str) and the z values of `TRAITS`.
    side
        left or right. The disc lies on the nasal side: at the picture's right in a right eye.
    capture
        Number of the picture; gaze, light, focus, colour and noise depend on it.
    size
        Pixels: side length, or (height, width). The shorter side shows `FIELD` degrees.
    seed
        Of the cohort.
    modality
        "fundus", a round field of 45 degrees; or "papilla", the disc's surroundings, filling the picture.

    Returns
    -------
    uint8 (height, width, 3), RGB. Bit for bit the same for the same arguments.

    Examples
    --------
    >>> person = dict.fromkeys(TRAITS, 0.0) | {"person": 1}
    >>> draw_fundus(person, "left", 0, 64, seed=1).shape
    (64, 64, 3)
    """
    _check(side, modality)
    height, width = (size, size) if isinstance(size, (int, np.integer)) else size
    short, field = min(height, width), FIELD[modality]
    scale = short / field
    orders = 3 if scale > 5 else 2  # twigs of the last order would be a third of a pixel wide
    eye = _of(person, side, seed, orders)
    fine = 2 if short <= 160 else 1
    at = np.array(eye.disc if modality == "papilla" else (0.0, 0.0))
    extent = np.array((field, field) if modality == "fundus" else (width / scale, height / scale))
    extent += 2 * MARGIN[modality]
    grain = scale * (2.0 if fine == 2 else 1.3)
    columns, rows = (int(v) for v in np.ceil(extent * grain))
    window = (grain, float(at[0] - extent[0] / 2), float(at[1] - extent[1] / 2), (rows, columns))
    key = (int(seed), _name(person["person"]), side, tuple(float(person[t]) for t in TRAITS), orders)
    canvas = _canvas(key, modality, window)

    rng = generator(seed, "fundus capture", _name(person["person"]), side, int(capture))
    shift = np.clip(rng.normal(0, (2.1, 1.1)), -4.5, 4.5) * (1 if modality == "fundus" else 0.45)
    turn, zoom = np.clip(rng.normal(0, 1.2), -4, 4), np.exp(np.clip(rng.normal(0, 0.012), -0.03, 0.03))
    shape = (height * fine, width * fine)
    picture = cv2.warpAffine(canvas, _placement(window, at + shift, turn, scale * fine * zoom, shape), shape[::-1],
                             flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    blur = scale * fine * rng.gamma(2.0, 0.026)
    if blur > 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    if fine == 2:
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    picture = _expose(picture, rng, modality)
    return np.ascontiguousarray(picture[:, ::-1]) if side == "left" else picture


def _placement(window: tuple, centre: np.ndarray, turn: float, scale: float, shape: tuple[int, int]) -> np.ndarray:
    """Affine map from pixels of a picture to pixels of the canvas."""
    grain, left, top, _ = window
    c, s = np.cos(np.deg2rad(turn)) * grain / scale, np.sin(np.deg2rad(turn)) * grain / scale
    turned = np.array([[c, -s], [s, c]])
    middle = (np.array(shape[::-1]) - 1) / 2
    origin = (centre - (left, top)) * grain - 0.5 - turned @ middle
    return np.column_stack([turned, origin])


def _expose(picture: np.ndarray, rng: np.random.Generator, modality: str) -> np.ndarray:
    """Light a picture and take it: uneven light, haze, colour balance, noise, aperture."""
    height, width = picture.shape[:2]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / (min(height, width) / 2)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / (min(height, width) / 2)
    reach = 1.0 if modality == "fundus" else 0.35
    gain = np.exp(rng.normal(0, 0.05) + rng.normal(0, (0.02, 0.04, 0.11))).astype(np.float32)
    fall, slant, middle = rng.uniform(0.15, 0.85) * reach, rng.normal(0, 0.13, 2) * reach, rng.normal(0, 0.18, 2)
    light_x = np.exp(slant[0] * x - fall * (x - middle[0]) ** 2)
    light = np.exp(slant[1] * y - fall * (y - middle[1]) ** 2)[:, None] * light_x
    picture = picture * (light[..., None] * (gain * np.float32(np.exp(0.35 * fall))))
    # Haze from the lens and a crescent of stray light at one edge, both without detail of their own.
    bearing, strength = rng.uniform(0, 2 * np.pi), rng.gamma(1.2, 9.0) * reach
    haze = np.array([0.62, 0.62, 0.45]) * rng.uniform(0.8, 1.2, 3)
    veil = strength * _bump(x, y, (1.05 * np.cos(bearing), 1.05 * np.sin(bearing)), rng.uniform(0.35, 0.7))
    if rng.random() < 0.3:
        veil = veil + rng.uniform(8, 30) * _bump(x, y, rng.normal(0, 0.4, 2), rng.uniform(0.03, 0.08))
    picture += (veil + rng.gamma(1.3, 8.0))[..., None].astype(np.float32) * haze.astype(np.float32)
    grain = rng.uniform(0.8, 2.6)
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    picture += noise * np.array([grain, 0.8 * grain, 1.1 * grain], np.float32)
    if modality == "fundus":
        mask, _ = _aperture(height, width)
        picture *= mask[..., None]
        picture += (1 - mask[..., None]) * (2 + 0.7 * noise[..., :1])
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def fundus_truth(person: Mapping, side: str, seed: int) -> dict:
    """Return where things are in a phantom's fundus, and how large.

    Parameters
    ----------
    person, side, seed
        As for `draw_fundus`.

    Returns
    -------
    `disc`, `fovea`: centres as (x, y); `disc_radii`: half axes across and along; `arteriole_calibre`,
    `venule_calibre`: of the trunks at the disc; `cup_ratio`. Lengths are shares of the shorter side of a square picture
    without gaze shift, positions are counted from its upper left corner.

    Examples
    --------
    >>> person = dict.fromkeys(TRAITS, 0.0) | {"person": 1}
    >>> truth = fundus_truth(person, "left", seed=1)
    >>> truth["disc"][0] < truth["fovea"][0], truth["arteriole_calibre"] < truth["venule_calibre"]
    (True, True)
    """
    _check(side, "fundus")
    eye = _of(person, side, seed, 2)
    sign, field = (1 if side == "right" else -1), FIELD["fundus"]
    return {
        "disc": (0.5 + sign * eye.disc[0] / field, 0.5 + eye.disc[1] / field),
        "fovea": (0.5 + sign * eye.fovea[0] / field, 0.5 + eye.fovea[1] / field),
        "disc_radii": (eye.radii[0] / field, eye.radii[1] / field),
        "arteriole_calibre": eye.calibres[0] / field,
        "venule_calibre": eye.calibres[1] / field,
        "cup_ratio": eye.cup,
    }
