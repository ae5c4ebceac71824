"""Transformations: severity 0 changes nothing, more changes more, and flips mean what they say."""

import numpy as np
import pandas as pd
import pytest

from avatarlib import augment
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort


@pytest.fixture(params=["grey", "colour"])
def pair(request):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :160]
    image = 120 + 60 * np.sin(x / 5) * np.cos(y / 7)
    images = np.clip(np.stack([image, image[::-1, ::-1]]) + rng.normal(0, 4, (2, 120, 160)), 0, 255).astype(np.uint8)
    return images if request.param == "grey" else np.stack([images, images // 2, images // 3], axis=3)


@pytest.mark.parametrize("name", augment.CATALOGUE)
def test_severity(name, pair):
    image, partner = pair

    def change(severity):
        draws = [
            augment.apply(image, name, severity, np.random.default_rng(i), partner=partner).astype(float) - image
            for i in range(8)
        ]
        return float(np.mean(np.abs(draws)))

    altered = augment.apply(image, name, 0.7, np.random.default_rng(1), partner=partner)
    assert altered.dtype == np.uint8 and altered.shape == image.shape
    assert change(0) == 0
    assert 0 < change(0.25) < change(1.0)


def test_families_share_out_the_catalogue():
    assert sorted(n for names in augment.FAMILIES.values() for n in names) == sorted(augment.CATALOGUE)
    assert {family: len(names) for family, names in augment.FAMILIES.items()} == {
        "geometry": 6,
        "light": 4,
        "optics": 4,
        "occlusion": 3,
        "composition": 2,
    }


def test_the_original_is_left_alone_and_draws_repeat(pair):
    image, partner = pair
    before = image.copy()
    for name in augment.CATALOGUE:
        first = augment.apply(image, name, 0.6, np.random.default_rng(3), partner=partner)
        assert np.array_equal(first, augment.apply(image, name, 0.6, np.random.default_rng(3), partner=partner))
    augment.everyday(image, np.random.default_rng(0))
    assert np.array_equal(image, before)


def test_wrong_calls_are_refused(pair):
    image, _ = pair
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="no transformation"):
        augment.apply(image, "melt", 0.5, rng)
    with pytest.raises(InputError, match="between 0 and 1"):
        augment.apply(image, "blur", 1.5, rng)
    with pytest.raises(InputError, match="partner"):
        augment.apply(image, "morph", 0.5, rng)
    with pytest.raises(InputError, match="no cell"):
        augment.lcmem(image, "blur", 3, rng)


def test_morph_ends_at_the_partner(pair):
    image, partner = pair
    assert np.array_equal(augment.apply(image, "morph", 1, np.random.default_rng(0), partner=partner), partner)


def test_everyday_is_half_severity_and_zero_is_nothing(pair):
    image, _ = pair
    half = augment.combined(image, 0.5, np.random.default_rng(4))
    assert np.array_equal(augment.everyday(image, np.random.default_rng(4)), half)
    assert np.array_equal(augment.combined(image, 0, np.random.default_rng(4)), image)


def test_everyday_stays_within_its_ranges():
    # A bright square on grey: its centre moves by at most 6 % of each side and a turn of 8°, its size by 15 %.
    image = np.full((200, 200), 100, np.uint8)
    image[80:120, 80:120] = 200
    for i in range(60):
        out = augment.everyday(image, np.random.default_rng(i))
        bright = out > (int(out.max()) + int(np.median(out))) / 2
        y, x = np.nonzero(bright)
        assert abs(y.mean() - 99.5) < 0.06 * 200 + 3 and abs(x.mean() - 99.5) < 0.06 * 200 + 3
        assert 0.6 < bright.sum() / 1600 < 1.5


@pytest.mark.parametrize("name, value", [(n, v) for n, values in augment.LCMEM_GRID.items() for v in values])
def test_public_grid(name, value, pair):
    out = augment.lcmem(pair[0], name, value, np.random.default_rng(0))
    assert out.shape == pair[0].shape and out.dtype == np.uint8


def test_a_mirrored_left_eye_is_a_right_eye(pair):
    table = pd.DataFrame({"person": [1, 2], "side": ["left", "right"], "modality": "iris"})
    cohort = Cohort(pair, table, evaluation_only=True)
    mirrored = augment.mirror_cohort(cohort)
    assert mirrored.table.side.tolist() == ["right", "left"] and mirrored.evaluation_only
    assert np.array_equal(mirrored.images[0], pair[0][:, ::-1])
    assert np.array_equal(augment.mirror_cohort(mirrored).images, cohort.images)
    assert np.array_equal(augment.half_turn(pair)[0], pair[0][::-1, ::-1])
    assert np.array_equal(augment.mirror(pair[0]), augment.mirror(pair)[0])  # one image or several, grey or colour
    assert np.array_equal(augment.half_turn(pair[0]), augment.half_turn(pair)[0])


def test_composition_alone_promises_nothing():
    kept = {name: (t.keeps_side, t.keeps_identity, t.needs_partner) for name, t in augment.CATALOGUE.items()}
    assert {name for name, flags in kept.items() if flags == (False, False, True)} == {"morph", "paste"}
    assert {flags for name, flags in kept.items() if name not in ("morph", "paste")} == {(True, True, False)}


@pytest.mark.parametrize("name", ["shift", "rotate", "zoom", "perspective", "elastic"])
def test_a_dark_aperture_stays_dark(name):
    y, x = np.mgrid[:120, :160]
    fundus = np.zeros((120, 160, 3), np.uint8)
    fundus[np.hypot(y - 60, x - 80) < 40] = (180, 90, 40)
    for i in range(5):
        out = augment.apply(fundus, name, 0.5, np.random.default_rng(i))
        assert out[0].max() == out[-1].max() == out[:, 0].max() == out[:, -1].max() == 0


def test_what_enters_the_frame_is_no_streak():
    image = np.full((120, 160), 200, np.uint8)
    image[:, 80] = 0  # a single lash that reaches the border
    out = augment.apply(image, "shift", 1.0, np.random.default_rng(2))
    entered = out[0] if out[0].std() < out[-1].std() else out[-1]
    assert entered.min() > 120


def test_lengths_scale_with_the_image():
    # Blur of the same severity spreads a line over the same share of a large and a small picture.
    spread = []
    for width in (160, 640):
        image = np.zeros((width // 2, width), np.uint8)
        image[:, width // 2 - width // 160 : width // 2 + width // 160] = 255
        profile = augment.apply(image, "blur", 0.8, np.random.default_rng(0))[0].astype(float)
        x = np.arange(width) / width
        mean = (profile * x).sum() / profile.sum()
        spread.append(np.sqrt((profile * (x - mean) ** 2).sum() / profile.sum()))
    assert spread[0] == pytest.approx(spread[1], rel=0.05)
