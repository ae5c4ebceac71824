"""Near-infrared pictures of phantom irises.

An eye has a texture in polar coordinates (radial fibres, collarette, crypts, contraction furrows, pigment spots) and a
build (radius, lids, lashes), both fixed by seed, person and side. A capture stretches the texture between pupil and
limbus, moves and lights the eye, and lets the camera lose something of it. Everything is drawn as a right eye, nose
to the right, in units of pixels of a 320 × 240 picture; left eyes are flipped at the end.
"""

import math
from collections.abc import Mapping

import cv2
import numpy as np

from avatarlib.eyes.people import parameters
from avatarlib.eyes.texture import bump, texture
from avatarlib.seeds import generator

FIELD = (240.0, 320.0)  # height and width that a picture shows, in units


def _build(person: Mapping, side: str, seed: int) -> dict:
    """What stays of an eye besides its iris."""
    rng = generator(seed, "build", int(person["person"]), side)
    seen = {trait: per_sd * person[trait] for trait, per_sd in parameters()["iris"]["per_sd"].items()}
    return {
        "radius": 101 + 5 * rng.standard_normal(),
        "offset": (rng.normal(2, 1.5), rng.normal(0, 1.5)),  # of the pupil; most lie a little to the nose
        "upper": 68 + seen["lid_opening"] + 5 * rng.standard_normal(),
        "lower": -(94 + seen["lid_opening"] / 3 + 4 * rng.standard_normal()),
        "inner": (rng.normal(176, 7), rng.normal(-32, 8)),
        "outer": (rng.normal(-228, 12), rng.normal(-14, 9)),
        "top": rng.normal(10, 8),
        "oval": rng.uniform(0, 0.03),  # no pupil is a circle
        "oval_turn": rng.uniform(0, 6.3),
        "crease": rng.uniform(28, 60),
        "crease_depth": rng.uniform(5, 40),
        "iris": 118 + seen["iris_pigment"] + 4 * rng.standard_normal(),
        "pupil": min(max(0.43 + seen["pupil_size"], 0.25), 0.65),
        "skin": 196 + seen["skin_tone"],
        "lash_seed": int(rng.integers(1 << 62)),
        "lash_length": rng.uniform(26, 46),
        "liner": rng.uniform(10, 70),
        "lash_rise": rng.beta(2, 2),
        "lash_count": int(rng.integers(150, 290)),
    }


def _capture(capture: int, person: int, side: str, seed: int) -> dict:
    """How a picture was taken."""
    rng = generator(seed, "capture", person, side, capture)
    spread = parameters()["iris"]["capture"]
    return {
        "dilation": spread["dilation"] * rng.standard_t(5),
        "shift": tuple(sd * rng.standard_normal() for sd in spread["gaze"]),
        "turn": math.radians(rng.normal(0, spread["turn"])),
        "zoom": math.exp(rng.normal(0, spread["zoom"])),
        "strain": (rng.normal(0, spread["strain"]), rng.uniform(0, 6.3)),
        # Rarely a blink: on average the two parts nearly cancel.
        "lid": rng.normal(3, spread["lid"]) - rng.exponential(spread["lid_droop"]),
        "sway": rng.normal(0, spread["sway"]),
        "sharpen": rng.uniform(0.5, 1.5),
        "light": math.exp(rng.normal(0, spread["light"])),
        "slant": rng.normal(0, spread["slant"], 2).tolist(),
        "blur": 0.5 + rng.gamma(0.9, spread["blur"] / 0.9),
        "glare": (rng.normal(0, spread["glare"]), rng.normal(-6, spread["glare"])),
        "glare_size": rng.uniform(2.5, 4.5),
        "noise": rng.uniform(*spread["noise"]),
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
    number = int(person["person"])  # the generators tell numpy's integers from Python's
    eye, shot = _build(person, side, seed), _capture(capture, number, side, seed)
    columns = 256 if scale < 0.45 else 512 if scale < 0.8 else 1024
    iris_map = texture(seed, number, side, columns)
    # Picture to eye: units, y upwards, origin at the centre of the iris.
    turn = shot["turn"]
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
    rho = rho * (1 + eye["oval"] * np.cos(2 * angle + eye["oval_turn"]) + 0.004 * np.cos(5 * angle + eye["oval_turn"]))
    t = (rho - pupil) / (radius - pupil)
    rows, columns = iris_map.shape
    # Muscles don't stretch the tissue evenly: it moves more near the pupil.
    even = np.clip(t, 0, 1)
    even = even + 0.6 * shot["dilation"] * even * (1 - even)
    first, second = shot["strain"]
    angle = angle + first * np.sin(angle + second) * (1 - even)
    ring = cv2.remap(
        iris_map, angle * (columns / (2 * np.pi)), even * (rows - 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    iris = eye["iris"] + ring + 6 * bump(t, 0.3, 0.3) - 10 * bump(t, 1.02, 0.12) - 25 * bump(t, 0.0, 0.035)
    sclera = 216 - 0.0009 * (x * x) - 0.0009 * (y * y) - 26 * bump(far, radius, 20)
    white = 1 / (1 + np.exp((radius - far) / 4))
    image = iris + white * (sclera - iris)
    dark = _step(pupil - rho, max(2.0, 1.2 / zoom))
    image = image + dark * (6 - image)
    gx, gy = shot["glare"]
    size = shot["glare_size"]
    spot = _step(size - np.maximum(abs(cx - gx), abs(cy - gy)), 2.5) + 0.4 * _step(
        0.4 * size - cv2.magnitude(cx - 0.2 * gx - 9, cy + gy - 17), 3
    )
    return image + spot * (250 - image)


def _lids(x, eye, shot) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the lids' edges above every x; they meet in the inner corner, low at the nose, and the outer one."""
    up, low = eye["upper"] + shot["lid"], eye["lower"] - 0.15 * shot["lid"]
    inner, outer = eye["inner"], eye["outer"]

    def edge(middle, top, bend_in, bend_out):
        nasal = np.clip((x - top) / (inner[0] - top), 0, 1.3)
        temporal = np.clip((top - x) / (top - outer[0]), 0, 1.3)
        return middle + (inner[1] - middle) * nasal**bend_in + (outer[1] - middle) * temporal**bend_out

    return edge(up, eye["top"], 2.3, 2.0), edge(low, -15.0, 2.6, 2.2)


def _skin(image, x, y, upper, lower, eye, shot, zoom) -> np.ndarray:
    rng = shot["rng"]
    # Skin texture belongs to the capture: the lid moves, and nobody recognises a person by these pixels.
    bumps = cv2.resize(
        rng.standard_normal((96, 128), dtype=np.float32), image.shape[::-1], interpolation=cv2.INTER_LINEAR
    )
    clouds = cv2.resize(rng.standard_normal((5, 7), dtype=np.float32), image.shape[::-1], interpolation=cv2.INTER_CUBIC)
    above, below = y - upper, lower - y
    image = image * (1 - 0.30 * np.exp(np.minimum(above, 0) / 13))  # the upper lid's shadow
    # The inner corner: caruncle behind a fold.
    cx, cy = eye["inner"]
    corner = np.exp(-(((x - cx + 12) / 15) ** 2) - (((y - cy - 2) / 15) ** 2))
    fold = np.exp(-(((x - cx + 38 + 0.004 * (y - cy) ** 2) / 9) ** 2))
    image = image - corner * (58 - 8 * bumps) - 7 * fold
    skin = eye["skin"]
    crease = np.exp(-(((above - eye["crease"] - 0.06 * x) / 7) ** 2))
    ridge = np.exp(-(((above - 0.5 * eye["crease"]) / 14) ** 2))
    lid = skin - 45 * np.exp(-np.maximum(above, 0) / 9) + 16 * ridge - eye["crease_depth"] * crease
    fleck = np.maximum(bumps - 1.5 + 0.25 * clouds, 0) * np.clip(1 + 0.5 * clouds, 0, 2)
    lid = lid - eye["liner"] * np.exp(-((above / 3.5) ** 2)) + 5 * bumps + 7 * clouds + 55 * fleck
    image = image + _step(above, 3) * (lid - image)
    # The lower lid's edge is a pale band, wet towards the eye.
    rim = np.exp(-((below / 2.2) ** 2))
    cheek = skin + 26 + 3 * bumps + 5 * clouds - 16 * np.exp(-(((below - 16) / 9) ** 2)) + 25 * fleck
    image = image + _step(below, 3) * (cheek - image) - rim * (6 + 30 * np.exp(-((x / 75) ** 2)))
    glint = np.exp(-np.square(((x - eye["offset"][0] - shot["glare"][0]) / 11) ** 2)) * (
        1 + 0.8 * np.tanh(3 * np.sin(0.8 * x + 4 * clouds) + bumps)
    )
    return image + glint * (150 * np.exp(-(((below + 4) / 2.5) ** 2)) + 70 * np.exp(-(((above + 3) / 1.6) ** 2)))


def _lashes(image, eye, shot, zoom, turn, shift) -> np.ndarray:
    """Paint lashes: quadratic curves from the lids' edges, in tufts that lean outwards, thicker at the root."""
    rng = np.random.default_rng(eye["lash_seed"])
    n, m = eye["lash_count"], int(0.35 * eye["lash_count"])
    x = np.concatenate(
        [
            rng.uniform(eye["outer"][0] + 20, eye["inner"][0] - 18, n),
            rng.uniform(eye["outer"][0] + 30, eye["inner"][0] - 35, m),
        ]
    ).astype(np.float32)
    up = np.arange(n + m) < n
    upper, lower = _lids(x, eye, shot)
    root = np.column_stack([x, np.where(up, upper + rng.uniform(0, 7, n + m), lower - rng.uniform(8, 24, n + m))])
    tuft = np.interp(x, np.linspace(-260, 200, 40), rng.normal(0, 0.3, 40))
    lean = np.clip((x + 10) / 150, -1.3, 1.3) * 0.9 + tuft + rng.normal(0, 0.15, n + m) + shot["sway"]
    length = eye["lash_length"] * rng.uniform(0.45, 1.0, n + m) * np.where(up, 0.8, 1.2)
    # Upper lashes hang over the eye, and some of them turn up; lower ones point down and curve outwards.
    rising = rng.random(n + m) < eye["lash_rise"]
    start = np.where(up, np.where(rising, 0.25, -0.35), -0.6)
    end = np.where(up, np.where(rising, 0.75, -0.65), -0.85) + rng.normal(0, 0.12, n + m)
    p1 = root + length[:, None] * np.column_stack([np.where(up, 0.6, 0.15) * lean, start])
    p2 = root + length[:, None] * np.column_stack([lean, end])
    s = np.linspace(0, 1, 7)[None, :, None]
    curve = (1 - s) ** 2 * root[:, None] + 2 * s * (1 - s) * p1[:, None] + s**2 * p2[:, None]
    # Eye to picture.
    u, v = curve[..., 0] + shift[0], curve[..., 1] + shift[1] + 8
    u, v = math.cos(turn) * u - math.sin(turn) * v, math.sin(turn) * u + math.cos(turn) * v
    h, w = image.shape
    # Drawn twice as large, so that three strokes of falling width make a hair that tapers.
    fine = 2 if zoom > 0.5 else 1
    points = np.stack([u * zoom + (w - 1) / 2, (h - 1) / 2 - v * zoom], axis=-1) * fine + (fine - 1) / 2
    points = np.round(points * 16).astype(np.int32)
    paint = np.zeros((fine * h, fine * w), np.uint8)
    shades = np.clip(rng.normal(215, 35, n + m), 110, 255) * (1 if fine == 2 else 0.75)
    base = max(1, round(1.5 * zoom * fine))
    strokes = ((7, 1),) if base == 1 else ((7, max(1, base - 2)), (5, max(1, base - 1)), (3, base))
    for line, shade, hanging in zip(points, shades.tolist(), up.tolist(), strict=True):
        for reach, thickness in strokes if hanging else strokes[:2]:
            cv2.polylines(paint, [line[:reach]], False, shade, thickness, cv2.LINE_AA, 4)
    if fine == 2:
        paint = cv2.resize(paint, (w, h), interpolation=cv2.INTER_AREA)
    return image + (paint.astype(np.float32) / 255) * (18 - image)


def _camera(image, shot, zoom, over, size, side) -> np.ndarray:
    rng = shot["rng"]
    h, w = image.shape
    slant = shot["slant"]
    light = (
        1
        + slant[0] * np.linspace(-1, 1, w, dtype=np.float32)[None]
        + slant[1] * np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    )
    image = cv2.GaussianBlur(image * (light * shot["light"]), (0, 0), max(shot["blur"] * zoom, 0.3))
    # Such cameras sharpen; the halos are part of the look.
    image = image + shot["sharpen"] * (image - cv2.GaussianBlur(image, (0, 0), 1.6 * zoom))
    if over > 1:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    image = image + shot["noise"] * rng.standard_normal(size, dtype=np.float32)
    if side == "left":
        image = image[:, ::-1]
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
