"""The fingerprints, behind one interface in the manner of scikit-learn: `fit`, `transform`, `distances`.

`fit` and `transform` take images or `Raw` material; `kinds` names the material that a fingerprint needs.
"""

import numpy as np
from sklearn.base import BaseEstimator

from avatarlib.errors import InputError
from avatarlib.fingerprints.backbone import HEAD
from avatarlib.fingerprints.features import Features, Raw, extract
from avatarlib.fingerprints.whitening import Whitening


def euclidean(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances between the rows of (n, m) and (k, m), float32 (n, k), by one matrix product.

    Examples
    --------
    >>> euclidean(np.array([[0.0, 3.0]]), np.array([[4.0, 0.0]]))
    array([[5.]], dtype=float32)
    """
    # In float64: the difference of large squares would lose what tells an exact copy from a near one.
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0)).astype(np.float32)


class Fingerprint(BaseEstimator):
    """Base: what all fingerprints share."""

    kinds: tuple[str, ...] = ()

    def fit(self, X, y=None, *, groups=None) -> "Fingerprint":
        """Learn from originals and their versions (images or Raw); equal `groups` are versions of one original."""
        raw = self._raw(X)
        self._fit(raw, np.arange(len(raw)) if groups is None else np.asarray(groups))
        return self

    def transform(self, X) -> Features:
        """Return the fingerprints of images or Raw material."""
        raw = self._raw(X)
        reason = np.full(len(raw), "", dtype=object)
        for kind in self.kinds:
            reason = np.where(reason == "", raw.reasons[kind], reason)
        return Features(self._transform(raw), reason)

    def distances(self, a: Features, b: Features) -> np.ndarray:
        """Return float32 (len(a), len(b)) distances, 0 for identical images."""
        return euclidean(a.arrays["vector"], b.arrays["vector"])

    def _raw(self, X) -> Raw:
        return X if isinstance(X, Raw) else extract(X, self.kinds)

    def _fit(self, raw: Raw, groups: np.ndarray) -> None:
        """Nothing to learn unless a fingerprint says so."""


class Pixels(Fingerprint):
    """Principal components of small grey pixels: the baseline."""

    kinds = ("pixels",)

    def __init__(self, components: int = 64):
        self.components = components

    def _fit(self, raw, groups):
        from sklearn.decomposition import PCA

        pixels = raw.arrays["pixels"]
        self.pca_ = PCA(min(self.components, *pixels.shape), svd_solver="full").fit(pixels)

    def _transform(self, raw):
        return {"vector": self.pca_.transform(raw.arrays["pixels"])}


class LastLayer(Fingerprint):
    """The backbone's last layer, of unit length."""

    kinds = ("layers",)

    def _transform(self, raw):
        return {"vector": raw.arrays["layers"][:, -HEAD:]}


class WhitenedLayers(Fingerprint):
    """Five layers on grids, whitened on transformed versions."""

    kinds = ("layers",)

    def __init__(self, components: int = 600, floor: float = 0.1):
        self.components = components
        self.floor = floor

    def _fit(self, raw, groups):
        self.whitening_ = Whitening(self.components, self.floor).fit(raw.arrays["layers"], groups=groups)

    def _transform(self, raw):
        return {"vector": self.whitening_.transform(raw.arrays["layers"])}


class IrisCode(Fingerprint):
    """Masked Hamming distance of iris codes."""

    kinds = ("iris_code",)

    def _transform(self, raw):
        return {"code": raw.arrays["code"], "mask": raw.arrays["mask"]}

    def distances(self, a, b):
        from avatarlib.fingerprints.iris_code import hamming

        return hamming(a.arrays["code"], a.arrays["mask"], b.arrays["code"], b.arrays["mask"])


class Fused(Fingerprint):
    """Whitened layers and iris code: their distances added, each in units of its typical distance between originals.

    The unit is the median distance between different originals seen in `fit`, so no identity labels are needed, and
    the distance of an image to itself stays 0.
    """

    kinds = ("layers", "iris_code")

    def __init__(self, components: int = 600, floor: float = 0.1):
        self.components = components
        self.floor = floor

    def _fit(self, raw, groups):
        self.parts_ = (WhitenedLayers(self.components, self.floor).fit(raw, groups=groups), IrisCode().fit(raw))
        first = np.unique(groups, return_index=True)[1]
        apart = ~np.eye(len(first), dtype=bool)
        self.units_ = []
        for part in self.parts_:
            features = part.transform(raw[first])
            between = part.distances(features, features)
            unit = float(np.median(between[apart])) if apart.any() else 1.0
            if unit == 0:
                raise InputError("more than half of the originals look alike to the fingerprint. Remove duplicates")
            self.units_.append(unit)

    def _transform(self, raw):
        return self.parts_[0].transform(raw).arrays | self.parts_[1].transform(raw).arrays

    def distances(self, a, b):
        return sum(part.distances(a, b) / unit for part, unit in zip(self.parts_, self.units_, strict=True))


NAMES = {
    "pixels": Pixels,
    "last_layer": LastLayer,
    "whitened_layers": WhitenedLayers,
    "iris_code": IrisCode,
    "fused": Fused,
}


def make(name: str) -> Fingerprint:
    """Return an unfitted fingerprint by its name in `NAMES`.

    Examples
    --------
    >>> make("fused").kinds
    ('layers', 'iris_code')
    """
    if name not in NAMES:
        raise ValueError(f"no fingerprint is called {name!r}; there are {', '.join(NAMES)}")
    return NAMES[name]()
