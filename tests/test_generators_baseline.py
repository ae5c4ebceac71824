"""The statistical baseline: what it must recover, and what it must refuse."""

import json

import numpy as np
import pandas as pd
import pytest

from avatarlib.errors import InputError
from avatarlib.generators.baseline import PCAGaussian, choose_components


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    side = rng.choice(["left", "right"], 300)
    sex = rng.choice(["female", "male"], 300, p=[0.7, 0.3])
    images = rng.normal(120, 12, (300, 12, 16))
    images[side == "left", :, :8] += 40
    images[sex == "male", :4] -= 30
    conditions = pd.DataFrame({"side": side, "sex": sex})
    return PCAGaussian(60).fit(np.clip(images, 0, 255).astype(np.uint8), conditions), conditions


def test_conditions_act_as_in_the_originals(fitted):
    model, _ = fitted
    left, _ = model.sample(200, {"side": "left", "sex": "female"}, seed=1)
    right, _ = model.sample(200, {"side": "right", "sex": "female"}, seed=1)
    assert left[:, :, :8].mean() - right[:, :, :8].mean() == pytest.approx(40, abs=4)
    assert left[:, :, 8:].mean() - right[:, :, 8:].mean() == pytest.approx(0, abs=4)


def test_what_is_not_asked_is_as_frequent_as_in_the_originals(fitted):
    model, conditions = fitted
    _, drawn = model.sample(2000, {"side": "left"}, seed=2)
    assert set(drawn.side) == {"left"}
    expected = (conditions[conditions.side == "left"].sex == "male").mean()
    assert (drawn.sex == "male").mean() == pytest.approx(expected, abs=0.04)


def test_image_depends_on_seed_and_index_alone(fitted):
    model, _ = fitted
    few, table = model.sample(3, seed=5)
    many, _ = model.sample(30, seed=5)
    assert np.array_equal(few, many[:3]) and table.seed.is_unique
    assert not np.array_equal(few, model.sample(3, seed=6)[0])


def test_images_are_drawn_again_from_their_own_seeds(fitted):
    model, _ = fitted
    images, table = model.sample(6, seed=5)
    chosen = table.iloc[[4, 1]]
    again, _ = model.sample(2, chosen[["side", "sex"]], seed=chosen.seed)
    assert np.array_equal(again, images[[4, 1]])


def test_guidance_scales_the_conditions(fitted):
    model, _ = fitted

    def difference(guidance):
        left, right = (model.sample(50, {"side": s}, seed=1, guidance=guidance)[0] for s in ("left", "right"))
        return left[:, :, :8].mean() - right[:, :, :8].mean()

    # A change of side changes the draw of sex as well, whose effect is as strong in both halves of the picture.
    assert difference(0.0) == pytest.approx(0, abs=0.5)
    assert difference(2.0) == pytest.approx(2 * difference(None), rel=0.1)


def test_log_likelihood_is_that_of_the_gaussian():
    # With every direction kept but one, the density must equal scipy's for mean + components · factor.
    from scipy.stats import multivariate_normal

    images = np.random.default_rng(0).integers(90, 160, (60, 2, 3)).astype(np.uint8)
    nothing = pd.DataFrame(index=range(60))
    model = PCAGaussian(5).fit(images, nothing)
    directions, factor = model.components_.astype(float), model.factor_.astype(float)
    last = np.linalg.svd(directions)[2][-1:]
    covariance = directions.T @ factor @ factor.T @ directions + model.rest_[0] * last.T @ last
    centre = model.mean_ + model.effects_[0] @ directions
    expected = multivariate_normal(centre, covariance).logpdf(images.reshape(60, 6) / 255) / 6
    assert model.log_likelihood(images, nothing) == pytest.approx(expected, rel=1e-3)


def test_as_many_components_as_the_people_share():
    # Four directions shared by all people, in which images differ, and noise: more than four don't help strangers.
    rng = np.random.default_rng(0)
    shapes = np.linalg.qr(rng.normal(size=(192, 4)))[0].T
    person = np.repeat(np.arange(60), 2)
    pixels = 128 + np.repeat(rng.normal(0, 120, (60, 4)), 2, axis=0) @ shapes + rng.normal(0, 4, (120, 192))
    images = np.clip(pixels, 0, 255).astype(np.uint8).reshape(120, 12, 16)
    found = choose_components(images, pd.DataFrame(index=range(120)), person, candidates=(1, 2, 4, 16, 64, 1000))
    assert found.components.tolist() == [1, 2, 4, 16, 64]
    assert found.components[found.log_likelihood.idxmax()] == 4
    assert (found.explained_left_out < found.explained_learned + 0.02).all()


def test_saved_and_loaded_model_draws_the_same(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "m")
    assert np.array_equal(PCAGaussian.load(tmp_path / "m").sample(4, seed=1)[0], model.sample(4, seed=1)[0])


@pytest.mark.parametrize("harm", ["weights", "card", "missing", "family", "pickle", "shape", "vocabulary"])
def test_damaged_model_is_refused(fitted, tmp_path, harm):
    fitted[0].save(tmp_path / "m")
    weights, card = tmp_path / "m" / "weights.safetensors", tmp_path / "m" / "card.json"
    if harm == "weights":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    elif harm == "card":
        card.write_text("{")
    elif harm == "missing":
        weights.unlink()
    elif harm == "family":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"family": "vae"}))
    elif harm == "shape":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"shape": [16, 16]}))
    elif harm == "vocabulary":
        card.write_text(json.dumps(json.loads(card.read_text()) | {"vocabulary": {"side": ["left", "right"]}}))
    else:
        import hashlib
        import pickle

        weights.write_bytes(pickle.dumps({"a": 1}))
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        card.write_text(json.dumps(json.loads(card.read_text()) | {"sha256": digest}))
    with pytest.raises(InputError):
        PCAGaussian.load(tmp_path / "m")


def test_unknown_conditions_and_too_few_images_are_refused(fitted):
    model, conditions = fitted
    with pytest.raises(InputError, match="no condition 'age'"):
        model.sample(1, {"age": "7"}, seed=0)
    with pytest.raises(InputError, match="one of left, right"):
        model.sample(1, {"side": "up"}, seed=0)
    with pytest.raises(InputError, match="too few"):
        PCAGaussian().fit(np.zeros((5, 4, 4), np.uint8), conditions[:5])
    with pytest.raises(InputError, match="complete row"):
        PCAGaussian().fit(np.zeros((30, 4, 4), np.uint8), conditions[:30].assign(sex=None))


def test_rare_values_and_unseen_combinations_are_refused():
    images = np.random.default_rng(0).integers(0, 255, (60, 4, 4)).astype(np.uint8)
    conditions = pd.DataFrame(
        {"side": ["left"] * 40 + ["right"] * 20, "glasses": ["no"] * 30 + ["yes"] * 10 + ["no"] * 20}
    )
    with pytest.raises(InputError, match="no original is side right, glasses yes"):
        PCAGaussian(5).fit(images, conditions).sample(1, {"side": "right", "glasses": "yes"}, seed=0)
    with pytest.raises(InputError, match="glasses broken has 3 images"):
        PCAGaussian(5).fit(images, conditions.assign(glasses=["broken"] * 3 + ["no"] * 57))


def test_unconditional_and_colour():
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 6, 3)).astype(np.uint8)
    model = PCAGaussian(10).fit(images, pd.DataFrame(index=range(40)))
    drawn, table = model.sample(2, seed=0)
    assert drawn.shape == (2, 6, 6, 3) and list(table) == ["seed"]
