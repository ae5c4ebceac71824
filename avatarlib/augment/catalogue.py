"""The catalogue of deliberate transformations, each with a severity from 0 (none) to 1 (no reader sees the same eye).

Severity 0.5 is everyday strength: what a second picture of the same eye may well show.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatarlib.augment import draw
from avatarlib.errors import InputError


@dataclass(frozen=True)
class Transformation:
    """One way of altering an image.

    Attributes
    ----------
    name, family
        As in `FAMILIES`.
    draw
        `draw(image, severity, rng, partner)`.
    keeps_side, keeps_identity
        Whether a reader sees the same side and the same person up to everyday strength, severity 0.5. Beyond it,
        nothing is promised.
    needs_partner
        Whether an image of another person takes part.
    """

    name: str
    family: str
    draw: Callable
    keeps_side: bool = True
    keeps_identity: bool = True
    needs_partner: bool = False


def _of_two(name: str, draw: Callable) -> Transformation:
    """Return one of the transformations that mix in a partner, of whatever side."""
    return Transformation(name, "composition", draw, keeps_side=False, keeps_identity=False, needs_partner=True)


CATALOGUE = {
    t.name: t
    for t in (
        Transformation("shift", "geometry", draw.shift),
        Transformation("rotate", "geometry", draw.rotate),
        Transformation("zoom", "geometry", draw.zoom),
        Transformation("crop", "geometry", draw.crop),
        Transformation("perspective", "geometry", draw.perspective),
        Transformation("elastic", "geometry", draw.elastic),
        Transformation("brightness", "light", draw.brightness),
        Transformation("contrast", "light", draw.change_contrast),
        Transformation("gamma", "light", draw.gamma),
        Transformation("glare", "light", draw.glare),
        Transformation("blur", "optics", draw.change_blur),
        Transformation("noise", "optics", draw.add_noise),
        Transformation("jpeg", "optics", draw.jpeg),
        Transformation("resolution", "optics", draw.resolution),
        Transformation("lid", "occlusion", draw.cover_lid),
        Transformation("lashes", "occlusion", draw.lashes),
        Transformation("patches", "occlusion", draw.patches),
        _of_two("morph", draw.morph),
        _of_two("paste", draw.paste),
    )
}
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
