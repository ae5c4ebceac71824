"""What fingerprints are made of: material extracted once from each image, and what can be compared of it."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

KINDS = ("pixels", "layers", "iris_code")


@dataclass(frozen=True)
class Raw:
    """Material of n images that doesn't depend on other images.

    `arrays` maps a kind (or a part of one) to an array with n rows; `reasons` maps a kind to n texts, why this kind
    can't judge the image, "" where it can. Rows are chosen by indexing; `+` joins.
    """

    arrays: Mapping[str, np.ndarray]
    reasons: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.reasons.values())))

    def __getitem__(self, rows) -> "Raw":
        return Raw({k: v[rows] for k, v in self.arrays.items()}, {k: v[rows] for k, v in self.reasons.items()})

    def __add__(self, other: "Raw") -> "Raw":
        return Raw(
            {k: np.concatenate([v, other.arrays[k]]) for k, v in self.arrays.items()},
            {k: np.concatenate([v, other.reasons[k]]) for k, v in self.reasons.items()},
        )

    def judgeable(self, kind: str) -> np.ndarray:
        """(n,) bool: this kind can judge the image."""
        return self.reasons[kind] == ""


@dataclass(frozen=True)
class Features:
    """Fingerprints of n images, as one fingerprint's `distances` takes them; `reason` says why one can't be judged."""

    arrays: Mapping[str, np.ndarray]
    reason: np.ndarray

    def __len__(self) -> int:
        return len(self.reason)

    def __getitem__(self, rows) -> "Features":
        return Features({k: v[rows] for k, v in self.arrays.items()}, self.reason[rows])

    @property
    def judgeable(self) -> np.ndarray:
        """(n,) bool."""
        return self.reason == ""


def extract(images: np.ndarray, kinds: Sequence[str] = KINDS) -> Raw:
    """Extract the material of the given kinds.

    Parameters
    ----------
    images
        uint8 (n, h, w) or (n, h, w, 3).
    kinds
        Some of `KINDS`.

    Raises
    ------
    ValueError
        Unknown kind.

    Examples
    --------
    >>> extract(np.zeros((2, 64, 64), np.uint8), ["pixels"]).judgeable("pixels")
    array([False, False])
    """
    arrays, reasons = {}, {}
    for kind in kinds:
        if kind == "pixels":
            arrays["pixels"], reasons["pixels"] = _pixels(images), _too_plain(images)
        elif kind == "layers":
            from avatarlib.fingerprints import backbone

            arrays["layers"], reasons["layers"] = backbone.layers(images), _too_plain(images)
        elif kind == "iris_code":
            from avatarlib.fingerprints import iris_code

            # Most of the work releases the interpreter's lock; the order of the results doesn't depend on the threads.
            with ThreadPoolExecutor(int(os.environ.get("OMP_NUM_THREADS", "2"))) as pool:
                described = list(pool.map(iris_code.describe, images))
            words = np.zeros((0, iris_code.WORDS), np.uint64)
            arrays["code"] = np.stack([d[0] for d in described]) if described else words
            arrays["mask"] = np.stack([d[1] for d in described]) if described else words
            reasons["iris_code"] = np.array([d[2] for d in described], dtype=object)
        else:
            raise ValueError(f"unknown kind {kind!r}; there are {', '.join(KINDS)}")
    return Raw(arrays, reasons)


PIXELS = (24, 32)  # rows, columns
LEAST_CONTRAST = 6.0  # grey values; the flattest of the real eyes looked at have 30
LEAST_SIDE = 32  # pixels


def _pixels(images: np.ndarray) -> np.ndarray:
    import cv2

    grey = [image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    small = [cv2.resize(image, PIXELS[::-1], interpolation=cv2.INTER_AREA).ravel() / np.float32(255) for image in grey]
    return np.stack(small).astype(np.float32) if small else np.zeros((0, PIXELS[0] * PIXELS[1]), np.float32)


def _too_plain(images: np.ndarray) -> np.ndarray:
    reasons = np.full(len(images), "", dtype=object)
    if min(images.shape[1:3]) < LEAST_SIDE:
        reasons[:] = f"smaller than {LEAST_SIDE} pixels"
        return reasons
    for i, image in enumerate(images):
        if image.std() < LEAST_CONTRAST:
            reasons[i] = "almost without contrast"
    return reasons
