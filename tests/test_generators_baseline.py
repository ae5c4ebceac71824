"""The statistical baseline: what it must recover, and what it must refuse."""

import json

import numpy as np
import pandas as pd
import pytest

from avatarlib.errors import InputError
from avatarlib.generators.baseline import PCAGaussian


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    side = rng.choice(["left", "right"], 300)
    sex = rng.choice(["female", "male"], 300, p=[0.7, 0.3])
    images = rng.normal(120, 12, (300, 12, 16))
    images[side == "left", :, :8] += 40
    images[sex == "male", :4] -= 30
    conditions = pd.DataFrame({"side": side, "sex": sex})
    return PCAGaussian(0.95).fit(np.clip(images, 0, 255).astype(np.uint8), conditions), conditions


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


def test_saved_and_loaded_model_draws_the_same(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "m")
    assert np.array_equal(PCAGaussian.load(tmp_path / "m").sample(4, seed=1)[0], model.sample(4, seed=1)[0])


@pytest.mark.parametrize("harm", ["weights", "card", "missing", "family", "pickle"])
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


def test_unconditional_and_colour():
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 6, 3)).astype(np.uint8)
    model = PCAGaussian(0.9).fit(images, pd.DataFrame(index=range(40)))
    drawn, table = model.sample(2, seed=0)
    assert drawn.shape == (2, 6, 6, 3) and list(table) == ["seed"]
