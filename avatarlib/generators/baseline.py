"""The classical generator: a Gaussian over principal components of images, with a mean for every condition.

It is the yardstick of later models. The covariance is shared by all conditions (linear discriminant analysis' model),
because one of its own for each would need far more images than a study has.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.model_selection import GroupKFold

from avatarlib.errors import InputError
from avatarlib.seeds import child_seed, generator

SCHEMA = "avatar-generator/1"
FAMILY = "baseline"
LEAST_IMAGES = 20  # in all
LEAST_OF_A_VALUE = 8  # of every value of a condition: fewer would draw their average, and that is nearly them
ROUNDING = 1 / 12 / 255**2  # variance that 8 bits add to a pixel in 0..1
WEIGHTS = ("components", "mean", "effects", "factor", "rest")


class PCAGaussian:
    """Class-conditional Gaussian in principal-component space.

    A picture in 0..1 is mean + components · (effects of its conditions + factor · noise), noise standard normal.

    Parameters
    ----------
    components
        Number of principal components; fewer are kept where there are too few images. `choose_components` finds how
        many the data support.

    Examples
    --------
    >>> eyes = np.random.default_rng(0).integers(0, 256, (40, 6, 8)).astype(np.uint8)
    >>> model = PCAGaussian(5).fit(eyes, pd.DataFrame({"side": ["left", "right"] * 20}))
    >>> images, table = model.sample(2, {"side": "left"}, seed=1)
    >>> images.shape, list(table.side)
    ((2, 6, 8), ['left', 'left'])
    """

    def __init__(self, components: int = 30):
        self.components = components

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
            Fewer than 20 images, fewer than 8 of some value, or a value that is missing.
        """
        conditions = _checked(images, conditions)
        mean, directions, codes = _principal(images)
        return self._learn(images.shape[1:], mean, directions, codes, conditions)

    def _learn(self, shape, mean, directions, codes, conditions) -> "PCAGaussian":
        k = min(self.components, len(directions))
        self.shape_ = tuple(int(length) for length in shape)
        self.vocabulary_ = {column: sorted(conditions[column].unique()) for column in conditions}
        # Additive effects: that of sex is learned from both sides, that of side from both sexes.
        design = self._design(conditions)
        effects = np.linalg.lstsq(design, codes[:, :k], rcond=None)[0]
        covariance, _ = ledoit_wolf(codes[:, :k] - design @ effects)
        factor = np.linalg.cholesky(covariance + ROUNDING * np.eye(k))
        rest = (codes[:, k:] ** 2).sum() / (len(codes) * max(1, len(mean) - k))
        # One memory layout, fitted or loaded: another one would round the last bit of a product differently.
        for name, value in zip(WEIGHTS, (directions[:k], mean, effects, factor, [rest + ROUNDING]), strict=True):
            setattr(self, f"{name}_", np.ascontiguousarray(value, dtype=np.float32))
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

    def log_likelihood(self, images: np.ndarray, conditions: pd.DataFrame) -> np.ndarray:
        """Return how well the model predicts each image of the given conditions, in nats a pixel; more is better.

        Outside the components, pixels count as independent with one variance (probabilistic principal components,
        Tipping & Bishop 1999).
        """
        centred = images.reshape(len(images), -1).astype(np.float32) / 255 - self.mean_
        codes = centred @ self.components_.T
        standard = solve_triangular(
            self.factor_, (codes - self._design(conditions.astype(str)) @ self.effects_).T, lower=True
        )
        outside = ((centred**2).sum(axis=1) - (codes**2).sum(axis=1)) / self.rest_[0]
        k, pixels = self.components_.shape
        spread = 2 * np.log(np.diag(self.factor_)).sum() + (pixels - k) * np.log(self.rest_[0])
        return -0.5 * ((standard**2).sum(axis=0) + outside + spread + pixels * np.log(2 * np.pi)) / pixels

    def sample(
        self,
        n: int,
        conditions: Mapping[str, str] | pd.DataFrame | None = None,
        *,
        seed: int | Sequence[int],
        guidance: float | None = None,
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
            One seed, of which image i depends on `seed` and i alone, whatever n is; or the seeds of n images, as in the
            column `seed` of what was returned, to draw these again.
        guidance
            How much conditions count: 0 not at all, 1 (or None) as learned, 2 twice as much.

        Returns
        -------
        uint8 images, and a frame of their conditions with the column `seed` of each image.

        Raises
        ------
        InputError
            A condition or value that the model doesn't know, or a combination that no original had.
        """
        asked = conditions if isinstance(conditions, pd.DataFrame) else pd.DataFrame([dict(conditions or {})] * n)
        seeds = (
            [child_seed(seed, "image", i) for i in range(n)] if isinstance(seed, Integral) else [int(s) for s in seed]
        )
        if not len(asked) == len(seeds) == n:
            raise InputError(f"{n} images but {len(asked)} rows of conditions and {len(seeds)} seeds")
        self._refuse_unknown(asked)
        rngs = [generator(s, "noise") for s in seeds]
        drawn = [self._draw_conditions(row, rng) for row, rng in zip(asked.to_dict("records"), rngs, strict=True)]
        table = pd.DataFrame(drawn, columns=list(self.vocabulary_), index=range(n))
        noise = np.array([rng.standard_normal(len(self.factor_)) for rng in rngs]).reshape(n, -1)
        design, usual = self._design(table), self.frequencies_["share"].to_numpy() @ self._design(self.frequencies_)
        design = usual + (1.0 if guidance is None else guidance) * (design - usual)
        codes = design @ self.effects_ + noise @ self.factor_.T.astype(float)
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
            table = table[table[name] == str(value)]
        if table.empty:
            wanted = ", ".join(f"{name} {value}" for name, value in asked.items())
            raise InputError(f"no original is {wanted}, so nothing is known of such a picture. Leave one condition out")
        share = table["share"].to_numpy()
        row = table.iloc[rng.choice(len(table), p=share / share.sum())]
        return {name: str(row[name]) for name in self.vocabulary_}

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors` and `card.json` into a new folder."""
        from safetensors.numpy import save

        folder = Path(folder)
        folder.mkdir(parents=True)
        data = save({name: getattr(self, f"{name}_") for name in WEIGHTS})
        (folder / "weights.safetensors").write_bytes(data)
        card = {
            "schema": SCHEMA,
            "family": FAMILY,
            "components": self.components,
            "shape": list(self.shape_),
            "vocabulary": self.vocabulary_,  # in the order of the effects
            "frequencies": self.frequencies_.to_dict("list"),
            "sha256": hashlib.sha256(data).hexdigest(),
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
        kind = (card.get("schema"), card.get("family")) if isinstance(card, dict) else None
        if kind != (SCHEMA, FAMILY):
            raise InputError(f"{folder}: card.json describes {kind}, not {(SCHEMA, FAMILY)}")
        if hashlib.sha256(data).hexdigest() != card.get("sha256"):
            raise InputError(f"{folder}: weights.safetensors is not the file that card.json describes. Copy both again")
        try:
            weights = load(data)
            model = cls(card["components"])
            model.shape_, model.vocabulary_ = tuple(card["shape"]), card["vocabulary"]
            model.frequencies_ = pd.DataFrame(card["frequencies"])
            for name in WEIGHTS:
                setattr(model, f"{name}_", weights[name])
            model._refuse_misfit()
        except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{folder}: card.json and weights.safetensors don't fit ({error}). Save it again"
            ) from None
        return model

    def _refuse_misfit(self) -> None:
        k, pixels = len(self.factor_), int(np.prod(self.shape_))
        rows = 1 + sum(len(values) - 1 for values in self.vocabulary_.values())
        shapes = ((k, pixels), (pixels,), (rows, k), (k, k), (1,))
        for name, shape in zip(WEIGHTS, shapes, strict=True):
            weight = getattr(self, f"{name}_")
            if weight.shape != shape or weight.dtype != np.float32 or not np.isfinite(weight).all():
                raise ValueError(f"{name} is {weight.dtype} {weight.shape}, expected finite float32 {shape}")
        if sorted(self.frequencies_) != sorted([*self.vocabulary_, "share"]) or self.frequencies_.empty:
            raise ValueError("frequencies and vocabulary name different conditions")


def choose_components(
    images: np.ndarray,
    conditions: pd.DataFrame,
    person: Sequence,
    candidates: Sequence[int] = (5, 10, 20, 40, 80, 160),
    folds: int = 3,
) -> pd.DataFrame:
    """Find how many components predict the pictures of people who were left out.

    Parameters
    ----------
    images, conditions
        As for `PCAGaussian.fit`.
    person
        n labels; nobody is on both sides of a split.
    candidates
        Numbers of components, ascending; those that a split can't give are left out.
    folds
        Number of parts into which the people are divided; each is left out once.

    Returns
    -------
    A row for each number: `components`; `log_likelihood`, mean in nats a pixel over left-out images;
    `explained_learned` and `explained_left_out`, shares of the variance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> flat = rng.normal(128, 30, (40, 1, 1)) + rng.normal(0, 3, (40, 6, 8))  # one component, and noise
    >>> nothing = pd.DataFrame(index=range(40))
    >>> found = choose_components(flat.astype(np.uint8), nothing, range(40), candidates=(1, 5, 20))
    >>> int(found.components[found.log_likelihood.idxmax()])
    1
    """
    conditions = _checked(images, conditions)
    rows = []
    for learn, judge in GroupKFold(folds).split(images, groups=np.asarray(person)):
        mean, directions, codes = _principal(images[learn])
        centred = images[judge].reshape(len(judge), -1).astype(np.float32) / 255 - mean
        left_out = centred @ directions.T
        for k in (k for k in candidates if k < len(directions)):
            model = PCAGaussian(k)._learn(images.shape[1:], mean, directions, codes, conditions.iloc[learn])
            rows.append(
                {
                    "components": k,
                    "log_likelihood": model.log_likelihood(images[judge], conditions.iloc[judge]).mean(),
                    "explained_learned": (codes[:, :k] ** 2).sum() / (codes**2).sum(),
                    "explained_left_out": (left_out[:, :k] ** 2).sum() / (centred**2).sum(),
                }
            )
    return pd.DataFrame(rows).groupby("components", as_index=False).mean()


def _checked(images: np.ndarray, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return conditions as text, or refuse what can't be learned from."""
    if len(images) < LEAST_IMAGES:
        raise InputError(f"{len(images)} images are too few to learn from; at least {LEAST_IMAGES} are needed")
    if len(conditions) != len(images) or conditions.isna().any(axis=None):
        raise InputError(f"conditions must have one complete row for each of the {len(images)} images")
    conditions = conditions.astype(str)
    for name in conditions:
        counts = conditions[name].value_counts()
        if counts.min() < LEAST_OF_A_VALUE:
            raise InputError(
                f"{name} {counts.idxmin()} has {counts.min()} images, too few to learn from; at least "
                f"{LEAST_OF_A_VALUE} are needed: leave them or the condition {name} out"
            )
    return conditions


def _principal(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean (pixels,), all directions (n − 1 at most, pixels) and codes (n, directions) of images in 0..1."""
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    pca = PCA(min(len(pixels) - 1, pixels.shape[1]), svd_solver="full")
    codes = pca.fit_transform(pixels)
    return pca.mean_, pca.components_, codes
