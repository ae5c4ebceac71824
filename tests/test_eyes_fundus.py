"""Phantom fundi: anatomy by side, traits that show, the same bytes for the same call."""

import numpy as np
import pytest

from avatarlib.augment import mirror
from avatarlib.eyes import phantoms
from avatarlib.eyes.fundus import draw_fundus
from avatarlib.eyes.people import people


@pytest.fixture(scope="module")
def person():
    return people(1, seed=5).iloc[0].to_dict()


def brightest_column(image):
    """Horizontal place of the optic disc, 0..1: the brightest blob of the green channel."""
    import cv2

    smooth = cv2.GaussianBlur(image[..., 1].astype(np.float32), (0, 0), image.shape[1] / 25)
    return np.unravel_index(smooth.argmax(), smooth.shape)[1] / image.shape[1]


@pytest.mark.parametrize("size", [64, 33, (96, 128), 200])
@pytest.mark.parametrize("modality", ["fundus", "papilla"])
def test_sizes_and_repeats(person, size, modality):
    image = draw_fundus(person, "right", 0, size, 5, modality)
    assert image.shape == (*((size, size) if isinstance(size, int) else size), 3) and image.dtype == np.uint8
    assert np.array_equal(image, draw_fundus(person, "right", 0, size, 5, modality))
    assert not np.array_equal(image, draw_fundus(person, "right", 1, size, 5, modality))


def test_the_disc_lies_on_the_nasal_side():
    drawn = phantoms.cohort(10, seed=5, modality="fundus", captures=1, size=128)
    places = np.array([brightest_column(image) for image in drawn.images])
    right = (drawn.table.side == "right").to_numpy()
    assert (places[right] > 0.55).mean() >= 0.9 and (places[~right] < 0.45).mean() >= 0.9
    flipped = np.array([brightest_column(image) for image in mirror(drawn.images[~right])])
    assert (flipped > 0.55).mean() >= 0.9


def test_a_larger_disc_is_brighter_in_the_middle(person):
    small, large = (
        draw_fundus(person | {"disc_area": z}, "right", 0, 128, 5, "fundus")[..., 1].astype(float) for z in (-2, 2)
    )
    threshold = np.quantile(small, 0.98)
    assert (large > threshold).sum() > 1.2 * (small > threshold).sum()


def test_pigment_darkens(person):
    light, dark = (draw_fundus(person | {"fundus_pigment": z}, "right", 0, 96, 5).mean() for z in (-2, 2))
    assert light > 1.1 * dark


def test_second_pictures_are_more_alike_than_other_peoples():
    drawn = phantoms.cohort(6, seed=5, modality="papilla", sides=("right",), captures=2, size=128)
    green = drawn.images[..., 1].reshape(12, -1).astype(float)
    alike = np.corrcoef(green)
    own = [alike[2 * i, 2 * i + 1] for i in range(6)]
    other = alike[::2, ::2][~np.eye(6, dtype=bool)]
    assert np.median(own) > np.median(other)
