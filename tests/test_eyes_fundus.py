"""Phantom fundi: anatomy by side, traits that show, the same bytes for the same call."""

import cv2
import numpy as np
import pytest

from avatarlib.augment import mirror
from avatarlib.eyes import phantoms, vessels
from avatarlib.eyes.fundus import draw_fundus, fundus_truth
from avatarlib.eyes.people import people

SEED = 5


@pytest.fixture(scope="module")
def person():
    return people(1, seed=SEED).iloc[0].to_dict()


def brightest_place(image):
    """Place of the optic disc as (x, y), 0..1: the brightest blob of the green channel."""
    smooth = cv2.GaussianBlur(image[..., 1].astype(np.float32), (0, 0), image.shape[1] / 25)
    row, column = np.unravel_index(smooth.argmax(), smooth.shape)
    return (column + 0.5) / image.shape[1], (row + 0.5) / image.shape[0]


def vessel_map(image):
    """Relative darkness of what is narrower than a twelfth of the picture, inside the round field."""
    green = image[..., 1].astype(np.float32)
    size = len(green)
    dark = cv2.morphologyEx(green, cv2.MORPH_BLACKHAT, np.ones((size // 18 | 1,) * 2))
    axis = np.linspace(-1, 1, size)
    inside = np.hypot(axis[:, None], axis[None]) < 0.9
    return inside * dark / np.maximum(cv2.GaussianBlur(green, (0, 0), size / 30), 10)


def likeness(one, other):
    """Largest correlation of two vessel maps over all shifts."""
    one, other = (cv2.GaussianBlur(vessel_map(image), (0, 0), 1) for image in (one, other))
    one, other = (part - part.mean() for part in (one, other))
    products = np.fft.irfft2(np.fft.rfft2(one) * np.fft.rfft2(other).conj(), one.shape)
    return products.max() / np.linalg.norm(one) / np.linalg.norm(other)


@pytest.mark.parametrize("size", [64, 33, (96, 128), (41, 27), 200])
@pytest.mark.parametrize("modality", ["fundus", "papilla"])
def test_sizes_and_repeats(person, size, modality):
    image = draw_fundus(person, "right", 0, size, SEED, modality)
    assert image.shape == (*((size, size) if isinstance(size, int) else size), 3) and image.dtype == np.uint8
    assert np.array_equal(image, draw_fundus(person, "right", 0, size, SEED, modality))
    assert not np.array_equal(image, draw_fundus(person, "right", 1, size, SEED, modality))


def test_bytes_do_not_depend_on_what_was_drawn_before(person):
    calls = [(side, capture, modality) for side in ("left", "right") for capture in (0, 1)
             for modality in ("fundus", "papilla")]  # fmt: skip
    forward = {call: draw_fundus(person, call[0], call[1], 64, SEED, call[2]) for call in calls}
    for other in people(9, seed=SEED + 1).to_dict("records"):  # more eyes than are remembered
        draw_fundus(other, "left", 0, 64, SEED)
    for side, capture, modality in reversed(calls):
        again = draw_fundus(person, side, capture, 64, SEED, modality)
        assert np.array_equal(forward[side, capture, modality], again)


@pytest.mark.parametrize("wrong", [{"side": "nasal"}, {"modality": "iris"}])
def test_unknown_sides_and_modalities_are_refused(person, wrong):
    with pytest.raises(ValueError, match="must be"):
        draw_fundus(person, wrong.get("side", "left"), 0, 64, SEED, wrong.get("modality", "fundus"))


def test_the_field_is_round_on_black(person):
    image = draw_fundus(person, "right", 0, 128, SEED)
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() <= 8 and image[64, 64].max() > 60
    assert draw_fundus(person, "right", 0, 128, SEED, "papilla")[[0, 0, -1, -1], [0, -1, 0, -1]].max(axis=1).min() > 30


def test_the_disc_lies_on_the_nasal_side():
    drawn = phantoms.cohort(10, seed=SEED, modality="fundus", captures=1, size=128)
    places = np.array([brightest_place(image)[0] for image in drawn.images])
    right = (drawn.table.side == "right").to_numpy()
    assert (places[right] > 0.55).mean() >= 0.9 and (places[~right] < 0.45).mean() >= 0.9
    flipped = np.array([brightest_place(image)[0] for image in mirror(drawn.images[~right])])
    assert (flipped > 0.55).mean() >= 0.9


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_disc_is_where_the_truth_says(side):
    shifts = []
    for person in people(4, seed=SEED).to_dict("records"):
        truth = fundus_truth(person, side, SEED)
        seen = [brightest_place(draw_fundus(person, side, capture, 96, SEED)) for capture in range(6)]
        shifts.append(np.median(seen, axis=0) - truth["disc"])
        nasal = truth["disc"][0] - truth["fovea"][0]
        assert nasal > 0.25 if side == "right" else nasal < -0.25
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.06  # gaze moves single pictures by 0.05 (one standard deviation)


def test_truth_of_an_average_and_of_an_unusual_person(person):
    average = dict.fromkeys(person, 0.0) | {"person": 0}
    middle = fundus_truth(average, "left", SEED)
    assert middle["arteriole_calibre"] == pytest.approx(0.37 / 45)
    assert middle["venule_calibre"] == pytest.approx(0.48 / 45)
    assert middle["cup_ratio"] == pytest.approx(0.40)
    narrow = fundus_truth(average | {"arteriole_calibre": -1.0, "disc_area": 2.0}, "left", SEED)
    assert narrow["arteriole_calibre"] / middle["arteriole_calibre"] == pytest.approx(np.exp(-0.13))
    assert narrow["venule_calibre"] == middle["venule_calibre"]
    areas = [np.prod(truth["disc_radii"]) for truth in (middle, narrow)]
    assert areas[1] / areas[0] == pytest.approx(np.exp(2 * 0.18))


@pytest.mark.parametrize("trait", ["arteriole_calibre", "venule_calibre"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_wider_vessels_cover_more(person, trait, side):
    covered = [vessel_map(draw_fundus(person | {trait: z}, side, 0, 192, SEED)).mean() for z in (-2, 0, 2)]
    assert covered[0] < covered[1] < covered[2]


def bright_areas(trait, share):
    """Bright part of disc-centred pictures with a trait of -2, 0 and 2, one threshold for all: means over four eyes."""
    areas = []
    for person in people(4, seed=SEED).to_dict("records"):
        green = [draw_fundus(person | {trait: z}, "right", 0, 192, SEED, "papilla")[..., 1] for z in (-2, 0, 2)]
        green = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2) for image in green]
        dark, bright = np.percentile(green[1], (50, 99.5))
        areas.append([(image > dark + share * (bright - dark)).mean() for image in green])
    return np.mean(areas, axis=0)


def test_larger_discs_are_larger_bright_areas():
    small, middle, large = bright_areas("disc_area", 0.5)
    assert 1.15 < middle / small < 2 and 1.15 < large / middle < 2  # 1.43 each, were all of it seen


def test_larger_cups_are_larger_bright_areas():
    small, middle, large = bright_areas("cup_ratio", 0.7)
    assert small < middle < large and large > 1.2 * small


def test_pigment_darkens(person):
    light, dark = (draw_fundus(person | {"fundus_pigment": z}, "right", 0, 96, SEED).mean() for z in (-2, 2))
    assert light > 1.1 * dark


@pytest.mark.parametrize("modality", ["fundus", "papilla"])
def test_second_pictures_are_more_alike_than_other_peoples(modality):
    drawn = phantoms.cohort(6, seed=SEED, modality=modality, sides=("right",), captures=2, size=128).images
    own = [likeness(drawn[2 * i], drawn[2 * i + 1]) for i in range(6)]
    other = [likeness(drawn[2 * i], drawn[2 * j + 1]) for i in range(6) for j in range(6) if i != j]
    assert np.median(own) > max(other) and np.mean(own) > np.mean(other) + 0.1


def test_a_vessel_is_drawn_as_wide_as_it_is():
    points = np.column_stack([np.linspace(-9, 9, 40), np.zeros(40)]).astype(np.float32)[None]
    trunk = vessels.Order(points, np.ones((1, 40), np.float32), np.array([40]), np.array([vessels.VENULE]))
    for calibre in (0.3, 0.5, 1.0):
        drawn = vessels.draw([trunk], vessels.VENULE, calibre, 20.0, (-10.0, -10.0), (400, 400)) / 255
        assert drawn[:, 200].sum() == pytest.approx(20 * calibre, abs=0.8)
        assert drawn[:, 200] @ np.arange(400) / drawn[:, 200].sum() == pytest.approx(199.5, abs=0.5)
    assert vessels.draw([trunk], vessels.ARTERIOLE, 0.5, 20.0, (-10.0, -10.0), (400, 400)).max() == 0


def test_vessels_grow_thinner_and_end_inside():
    tree = vessels.grow(np.random.default_rng(3), (8.6, -0.8), (-7.0, 0.8))
    assert len(tree) == 4 and all(np.abs(order.points).max() < vessels.REACH + 8 for order in tree)
    for order in tree[1:]:
        inside = np.arange(order.calibre.shape[1]) < order.length[:, None]
        steps = np.diff(order.calibre, axis=1)[inside[:, 1:]]
        assert steps.max() <= 1e-6  # Murray: what remains after a daughter is thinner, never thicker
    medians = [np.median(order.calibre[:, 5]) for order in tree]
    assert medians[0] > medians[1] > medians[2]


def test_later_orders_do_not_move_earlier_ones():
    few, many = (vessels.grow(np.random.default_rng(3), (8.6, -0.8), (-7.0, 0.8), orders=n) for n in (1, 3))
    for one, other in zip(few, many, strict=False):
        assert np.array_equal(one.points, other.points) and np.array_equal(one.calibre, other.calibre)
