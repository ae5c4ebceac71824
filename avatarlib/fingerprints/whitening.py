"""Whitening without identity labels: directions in which an image's own transformed versions vary count less.

Within-class covariance normalisation (Hatch et al. 2006) after principal components; a class is an original with its
versions.
"""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.covariance import ledoit_wolf


class Whitening(TransformerMixin, BaseEstimator):
    """Principal components, then the inverse square root of the shrunken within-original covariance, then unit length.

    Parameters
    ----------
    components
        Most components kept; fewer where the data have fewer.
    floor
        Share of the mean within-original variance that is added to every direction, so that directions which happen
        not to vary among few originals aren't blown up.
    """

    def __init__(self, components: int = 600, floor: float = 0.1):
        self.components = components
        self.floor = floor

    def fit(self, X: np.ndarray, y=None, *, groups: np.ndarray) -> "Whitening":
        """Learn from (n, m) vectors, of which those with equal `groups` are versions of one original.

        Raises
        ------
        ValueError
            No original has a version.
        """
        X = np.asarray(X, dtype=np.float64)
        groups = np.unique(groups, return_inverse=True)[1]
        if len(X) <= groups.max() + 1:
            raise ValueError("whitening needs at least one version of an original")
        self.mean_ = X.mean(axis=0)
        centred = X - self.mean_
        # Few images, many dimensions: the small Gram matrix has the same components.
        few = len(X) < X.shape[1]
        values, vectors = np.linalg.eigh(centred @ centred.T if few else centred.T @ centred)
        keep = np.argsort(values)[::-1][: self.components]
        keep = keep[values[keep] > 1e-9 * values.max()]
        basis = centred.T @ vectors[:, keep] / np.sqrt(values[keep]) if few else vectors[:, keep]
        reduced = centred @ basis
        sums = np.zeros((groups.max() + 1, reduced.shape[1]))
        np.add.at(sums, groups, reduced)
        within = reduced - (sums / np.bincount(groups)[:, None])[groups]
        covariance, self.shrinkage_ = ledoit_wolf(within, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, 0) + self.floor * values.mean()
        self.projection_ = (basis @ (vectors / np.sqrt(values))).astype(np.float32)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return float32 (n, components) of unit length."""
        projected = (np.asarray(X, dtype=np.float32) - self.mean_.astype(np.float32)) @ self.projection_
        return projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-12)
