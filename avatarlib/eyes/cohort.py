"""A cohort: images of eyes beside the table that says whose they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

COLUMNS = ("file_name", "person", "side", "sex", "modality")
SIDES = ("left", "right")
MODALITIES = ("iris", "fundus", "papilla")


@dataclass(frozen=True)
class Cohort:
    """Images with one table row each.

    Attributes
    ----------
    images
        uint8, shape (n, height, width) for grey or (n, height, width, 3) for RGB, range 0..255.
    table
        n rows, index 0..n-1; `person` (str or int) and `modality` always, further columns of `COLUMNS`,
        `capture` (0, 1, ...: repeated pictures of one eye) and truth columns where they are known.
    evaluation_only
        True where the licence of the source forbids that pictures, or weights trained on them, are kept.
    """

    images: np.ndarray
    table: pd.DataFrame
    evaluation_only: bool = False

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim not in (3, 4):
            kind = f"{self.images.dtype} {self.images.shape}"
            raise ValueError(f"images must be uint8 (n, h, w) or (n, h, w, 3), not {kind}")
        if len(self.images) != len(self.table):
            raise ValueError(f"{len(self.images)} images but {len(self.table)} table rows")
        object.__setattr__(self, "table", self.table.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows) -> "Cohort":
        """Return the cohort of the given rows (boolean mask, slice or integer array)."""
        rows = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        return Cohort(self.images[rows], self.table.iloc[rows], self.evaluation_only)
