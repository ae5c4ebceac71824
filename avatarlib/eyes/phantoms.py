"""Cohorts of phantom eyes: pictures of invented people about whom everything is known."""

import numpy as np
import pandas as pd

from avatarlib.eyes.cohort import MODALITIES, SIDES, Cohort
from avatarlib.eyes.people import TRUTH, people

LARGEST = 512


def as_size(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return (height, width) of a size, which is a side length or already a pair; both 16..512 pixels.

    Examples
    --------
    >>> as_size(64)
    (64, 64)
    """
    height, width = (size, size) if isinstance(size, (int, np.integer)) else size
    if not (16 <= height <= LARGEST and 16 <= width <= LARGEST):
        raise ValueError(f"size must lie between 16 and {LARGEST} pixels, not {height} x {width}")
    return int(height), int(width)


def cohort(
    n_people: int,
    *,
    seed: int,
    modality: str = "iris",
    sides: tuple[str, ...] = SIDES,
    captures: int = 2,
    size: int | tuple[int, int] = 64,
    first_person: int = 0,
) -> Cohort:
    """Draw the eyes of phantom people.

    Parameters
    ----------
    n_people
        Number of people; a person's pictures don't depend on it.
    seed
        Of people, eyes and captures alike.
    modality
        iris (near infrared, grey), fundus or papilla (RGB).
    sides
        Any of left and right.
    captures
        Pictures of every eye, each taken under conditions of its own.
    size
        Pixels: side length, or (height, width).
    first_person
        Number of the first person.

    Returns
    -------
    n_people × len(sides) × captures images, ordered by person, side and capture; the table holds `person`, `side`,
    `capture`, `modality` and everything that is true of the person.

    Examples
    --------
    >>> eyes = cohort(2, seed=1, captures=1, size=32)
    >>> eyes.images.shape, list(eyes.table.side)
    ((4, 32, 32), ['left', 'right', 'left', 'right'])
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality must be one of {', '.join(MODALITIES)}, not {modality!r}")
    if not sides or set(sides) - set(SIDES):
        raise ValueError(f"sides must be some of {', '.join(SIDES)}, not {sides!r}")
    if captures < 1:
        raise ValueError(f"captures must be at least 1, not {captures}")
    height, width = as_size(size)
    truth = people(n_people, seed, first_person)
    shape = (n_people * len(sides) * captures, height, width)
    images = np.empty(shape if modality == "iris" else (*shape, 3), np.uint8)
    rows = []
    for person in truth.to_dict("records"):
        for side in sides:
            for capture in range(captures):
                images[len(rows)] = _draw(person, side, capture, (height, width), seed, modality)
                rows.append({"side": side, "capture": capture, "modality": modality, **person})
    return Cohort(images, pd.DataFrame(rows, columns=["person", "side", "capture", "modality", *TRUTH[1:]]))


def _draw(person: dict, side: str, capture: int, size: tuple[int, int], seed: int, modality: str) -> np.ndarray:
    if modality == "iris":
        from avatarlib.eyes.iris import draw_iris

        return draw_iris(person, side, capture, size, seed)
    from avatarlib.eyes.fundus import draw_fundus

    return draw_fundus(person, side, capture, size, seed, modality)
