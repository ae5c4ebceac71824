"""Fingerprints: same eye near, others far, identities of distances, and what can't be judged."""

import numpy as np
import pytest
from sklearn.base import clone

from avatarlib import augment, fingerprints
from avatarlib.eyes import phantoms
from avatarlib.fingerprints import iris_code
from avatarlib.fingerprints.whitening import Whitening


@pytest.fixture(scope="module")
def eyes():
    return phantoms.cohort(12, seed=8, size=(240, 320), captures=2)


@pytest.fixture(scope="module")
def raw(eyes):
    return fingerprints.extract(eyes.images)


@pytest.mark.parametrize("name", fingerprints.NAMES)
def test_identical_images_have_distance_0_and_order_is_kept(name, raw):
    groups = np.arange(len(raw)) // 2
    fp = clone(fingerprints.make(name)).fit(raw, groups=groups)
    features = fp.transform(raw)
    distances = fp.distances(features, features)
    assert distances.shape == (48, 48) and distances.dtype == np.float32
    assert np.abs(np.diag(distances)).max() < 1e-3
    assert np.allclose(distances, distances.T, atol=1e-3)
    assert np.allclose(fp.distances(features[[3, 1]], features), distances[[3, 1]], atol=1e-5)


@pytest.mark.parametrize("name", ["iris_code", "fused"])
def test_second_pictures_are_found(name, eyes, raw):
    first = (eyes.table.capture == 0).to_numpy()
    fp = fingerprints.make(name).fit(raw, groups=np.arange(len(raw)) // 2)
    nearest = fp.distances(fp.transform(raw[~first]), fp.transform(raw[first])).argmin(axis=1)
    assert (nearest == np.arange(first.sum())).mean() >= 0.9


def test_strangers_codes_are_near_one_half(eyes, raw):
    code = fingerprints.make("iris_code").transform(raw)
    distances = fingerprints.make("iris_code").distances(code, code)
    persons = eyes.table.person.to_numpy()
    assert 0.38 < distances[persons[:, None] != persons].mean() < 0.5


def test_features_of_an_image_do_not_depend_on_its_batch(eyes, raw):
    alone = fingerprints.extract(eyes.images[5:6])
    assert np.allclose(alone.arrays["layers"], raw.arrays["layers"][5:6], atol=1e-5)
    assert np.array_equal(alone.arrays["code"], raw.arrays["code"][5:6])


def test_layers_have_unit_parts(raw):
    layers = raw.arrays["layers"]
    assert layers.shape == (48, 9184) and np.allclose((layers**2).sum(axis=1), 5, atol=1e-3)


def test_hamming_by_hand():
    words = iris_code.WORDS
    rng = np.random.default_rng(0)
    bits = rng.random((2, words * 64)) < 0.5
    codes = np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    everything = np.full((2, words), ~np.uint64(0))
    distances = iris_code.hamming(codes, everything, codes, everything)
    assert distances[0, 0] == 0 and 0.45 < distances[0, 1] < 0.5
    nothing = np.zeros_like(everything)
    assert (iris_code.hamming(codes, nothing, codes, everything) == 0.5).all()


def test_a_turned_head_is_found_again(eyes):
    image = eyes.images[0]
    turned = augment.recipes.draw.similarity(image, 8, 0, 0, 1)
    raw = fingerprints.extract(np.stack([image, turned, eyes.images[4]]), ["iris_code"])
    code = fingerprints.make("iris_code")
    near, far = code.distances(code.transform(raw[:1]), code.transform(raw[1:]))[0]
    assert near < 0.3 < far


@pytest.mark.parametrize(
    "image, why",
    [
        (np.full((240, 320), 128, np.uint8), "contrast"),
        (np.zeros((20, 20), np.uint8), "smaller"),
    ],
)
def test_plain_and_small_pictures_are_not_judgeable(image, why):
    raw = fingerprints.extract(image[None])
    assert not raw.judgeable("layers")[0] and why in raw.reasons["layers"][0]
    assert not raw.judgeable("iris_code")[0] and raw.reasons["iris_code"][0]


def test_a_covered_eye_is_not_judgeable(eyes):
    covered = np.stack([augment.apply(image, "lid", 1.0, np.random.default_rng(0)) for image in eyes.images[:8]])
    assert fingerprints.extract(covered, ["iris_code"]).judgeable("iris_code").mean() < 0.5


def test_whitening_shrinks_what_varies_within():
    rng = np.random.default_rng(0)
    between, within = rng.normal(size=(40, 5)), rng.normal(size=(40, 6, 5)) * [5, 0.1, 0.1, 0.1, 0.1]
    X = (between[:, None] + within).reshape(-1, 5)
    groups = np.repeat(np.arange(40), 6)
    white = Whitening(components=5).fit(X, groups=groups).transform(X)

    def hits(vectors):
        distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        return (groups[distances.argmin(axis=1)] == groups).mean()

    assert hits(white) > hits(X) + 0.1
    with pytest.raises(ValueError, match="at least one version"):
        Whitening().fit(X[:4], groups=np.arange(4))


def test_unknown_names_are_refused(raw):
    with pytest.raises(ValueError, match="no fingerprint"):
        fingerprints.make("aura")
    with pytest.raises(ValueError, match="unknown kind"):
        fingerprints.extract(np.zeros((1, 64, 64), np.uint8), ["smell"])
    assert len(raw[:3] + raw[3:5]) == 5
