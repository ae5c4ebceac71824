"""The classical generator: a Gaussian over principal components of images, with a mean for every condition.

It is the yardstick of later models. The covariance is shared by all conditions (linear discriminant analysis' model),
because one of its own for each would need far more images than a study has.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from avatarlib.errors import InputError
from avatarlib.seeds import child_seed, generator

SCHEMA = "avatar-generator/1"
FAMILY = "baseline"
LEAST_IMAGES = 20


class PCAGaussian:
    """Class-conditional Gaussian in principal-component space.

    Parameters
    ----------
    variance
        Share of the variance that the kept components explain, 0 < variance < 1.
    """

    def __init__(self, variance: float = 0.99):
        self.variance = variance

    def fit(self, images: np.ndarray, conditions: pd.DataFrame) -> "PCAGaussian":
        """Learn from images and their conditions.

        Parameters
        ----------
        images
            uint8 (n, h, w) or (n, h, w, 3).
        conditions
            n rows; every column is a condition, its distinct values (as text) the vocabulary. No column is
            unconditional.

        Raises
        ------
        InputError
            Fewer than 20 images, or a value that is missing.
        """
        if len(images) < LEAST_IMAGES:
            raise InputError(f"{len(images)} images are too few to learn from; at least {LEAST_IMAGES} are needed")
        if len(conditions) != len(images) or conditions.isna().any(axis=None):
            raise InputError(f"conditions must have one complete row for each of the {len(images)} images")
        conditions = conditions.astype(str)
        self.shape_ = images.shape[1:]
        self.vocabulary_ = {column: sorted(conditions[column].unique()) for column in conditions}
        pixels = images.reshape(len(images), -1).astype(np.float32) / 255
        pca = PCA(self.variance, svd_solver="full").fit(pixels)
        codes = pca.transform(pixels)
        design = self._design(conditions)
        # Additive effects of the conditions: a combination that nobody in the cohort has can be drawn all the same.
        self.effects_ = np.ascontiguousarray(np.linalg.lstsq(design, codes, rcond=None)[0], dtype=np.float32)
        covariance, _ = ledoit_wolf(codes - design @ self.effects_)
        factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(len(covariance)))
        self.factor_ = np.ascontiguousarray(factor, dtype=np.float32)
        # One memory layout, fitted or loaded: another one would round the last bit of a product differently.
        self.components_ = np.ascontiguousarray(pca.components_, dtype=np.float32)
        self.mean_ = pca.mean_.astype(np.float32)
        if len(conditions.columns):
            self.frequencies_ = conditions.value_counts(normalize=True).rename("share").reset_index()
        else:
            self.frequencies_ = pd.DataFrame({"share": [1.0]})
        return self

    def _design(self, conditions: pd.DataFrame) -> np.ndarray:
        """(n, 1 + Σ(values − 1)) design matrix: a constant, and an indicator for every value but a column's first."""
        columns = [np.ones(len(conditions))]
        for name, values in self.vocabulary_.items():
            columns += [(conditions[name] == value).to_numpy(float) for value in values[1:]]
        return np.stack(columns, axis=1)

    def sample(
        self, n: int, conditions: Mapping[str, str] | pd.DataFrame | None = None, *, seed: int
    ) -> tuple[np.ndarray, pd.DataFrame]:
        """Draw images.

        Parameters
        ----------
        n
            Number of images.
        conditions
            One value for some of the conditions, or a frame of n rows; what is not given is drawn as often as the
            originals had it.
        seed
            Image i depends on `seed` and i alone, whatever n is.

        Returns
        -------
        uint8 images, and a frame of their conditions with the column `seed` of each image.

        Raises
        ------
        InputError
            A condition or value that the model doesn't know.
        """
        asked = pd.DataFrame([dict(conditions or {})] * n) if not isinstance(conditions, pd.DataFrame) else conditions
        if len(asked) != n:
            raise InputError(f"{n} images but {len(asked)} rows of conditions")
        self._refuse_unknown(asked)
        seeds = [child_seed(seed, "image", i) for i in range(n)]
        rngs = [generator(s, "noise") for s in seeds]
        drawn = [self._draw_conditions(row, rng) for row, rng in zip(asked.to_dict("records"), rngs, strict=True)]
        table = pd.DataFrame(drawn, columns=list(self.vocabulary_), index=range(n))
        noise = (
            np.stack([rng.standard_normal(len(self.factor_)) for rng in rngs])
            if n
            else np.zeros((0, len(self.factor_)))
        )
        codes = self._design(table) @ self.effects_ + noise @ self.factor_.T
        pixels = codes @ self.components_ + self.mean_
        images = np.clip(pixels * 255, 0, 255).round().astype(np.uint8).reshape(n, *self.shape_)
        return images, table.assign(seed=seeds)

    def _refuse_unknown(self, asked: pd.DataFrame) -> None:
        for name in asked:
            if name not in self.vocabulary_:
                known = ", ".join(self.vocabulary_) or "none"
                raise InputError(f"the model has no condition {name!r}; it knows {known}")
            for value in asked[name].astype(str).unique():
                if value not in self.vocabulary_[name]:
                    raise InputError(f"{name} can't be {value!r}; it is one of {', '.join(self.vocabulary_[name])}")

    def _draw_conditions(self, asked: dict, rng: np.random.Generator) -> dict:
        table = self.frequencies_
        for name, value in asked.items():
            fitting = table[table[name] == str(value)]
            table = fitting if len(fitting) else table
        share = table["share"].to_numpy()
        row = table.iloc[rng.choice(len(table), p=share / share.sum())]
        return {name: str(asked.get(name, row[name])) for name in self.vocabulary_}

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `card.json` into a new folder."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True)
        save_file({name: getattr(self, f"{name}_") for name in WEIGHTS}, folder / "weights.safetensors")
        card = {
            "schema": SCHEMA,
            "family": FAMILY,
            "variance": self.variance,
            "shape": list(self.shape_),
            "vocabulary": self.vocabulary_,  # in the order of the effects
            "frequencies": self.frequencies_.to_dict("list"),
            "sha256": hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest(),
        }
        (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "PCAGaussian":
        """Read what `save` wrote.

        Raises
        ------
        InputError
            Card or weights missing, of another kind, or not belonging together.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            card = json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))
            data = (Path(folder) / "weights.safetensors").read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} is not a saved generator ({error}). Save it again") from None
        if card.get("schema") != SCHEMA or card.get("family") != FAMILY:
            raise InputError(f"{folder}: card.json describes {card.get('family')!r}, not a {FAMILY} generator")
        if hashlib.sha256(data).hexdigest() != card.get("sha256"):
            raise InputError(f"{folder}: weights.safetensors is not the file that card.json describes. Copy both again")
        try:
            weights = load(data)
        except SafetensorError as error:
            raise InputError(f"{folder}: weights.safetensors can't be read ({error})") from None
        model = cls(card["variance"])
        model.shape_, model.vocabulary_ = tuple(card["shape"]), card["vocabulary"]
        model.frequencies_ = pd.DataFrame(card["frequencies"])
        for name in WEIGHTS:
            setattr(model, f"{name}_", weights[name])
        return model


WEIGHTS = ("components", "mean", "effects", "factor")
