"""What the exam needs of a cohort: captures, transformed versions, their fingerprints, and splits by person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from avatarlib import augment, fingerprints
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort
from avatarlib.seeds import generator

DRAWS = 7
UNSEEN_DRAWS = 3
ROLES = ("learn", "calibrate", "test", "new")


@dataclass(frozen=True)
class Bench:
    """Fingerprint material of a cohort, extracted once and shared by all splits.

    `captures` has the rows of `table`; `versions` are transformed versions of every reference capture (the first of
    each eye) by the everyday recipe, `version_of` their rows in `table`; `unseen` and `unseen_of` the same by a recipe
    of which nothing is learned or calibrated. The mirrored ones show the same images flipped.
    """

    table: pd.DataFrame
    captures: fingerprints.Raw
    captures_mirrored: fingerprints.Raw
    versions: fingerprints.Raw
    versions_mirrored: fingerprints.Raw
    version_of: np.ndarray
    unseen: fingerprints.Raw
    unseen_mirrored: fingerprints.Raw
    unseen_of: np.ndarray

    @property
    def reference(self) -> np.ndarray:
        """(n,) bool: the first capture of every eye."""
        return ~self.table.duplicated(["person", "side"]).to_numpy()


def transformed_versions(
    images: np.ndarray,
    seed: int,
    keys: Sequence[str | int],
    draws: int = DRAWS,
    recipe: Callable[[np.ndarray, np.random.Generator], np.ndarray] = augment.everyday,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw transformations of every image.

    Parameters
    ----------
    images
        uint8 (n, h, w[, 3]).
    keys
        (n,) what names an image's own random stream, so that an image keeps its versions whoever stands beside it.

    Returns
    -------
    uint8 (n·draws, h, w[, 3]) and the (n·draws,) row that each version was made from.
    """
    versions = np.empty((len(images) * draws, *images.shape[1:]), dtype=np.uint8)
    for i, key in enumerate(keys):
        rng = generator(seed, recipe.__name__, key)
        for j in range(draws):
            versions[i * draws + j] = recipe(images[i], rng)
    return versions, np.repeat(np.arange(len(images)), draws)


def prepare(
    cohort: Cohort,
    kinds: Sequence[str],
    *,
    seed: int,
    draws: int = DRAWS,
    unseen_draws: int = UNSEEN_DRAWS,
    progress: Callable[[float], None] | None = None,
) -> Bench:
    """Extract what `exam.tables` needs: captures, transformed versions of the reference captures, and mirror images.

    `progress` is called with the share done, 0 to 1. Raises InputError where no eye has a second capture.
    """
    table = cohort.table
    reference = ~table.duplicated(["person", "side"]).to_numpy()
    if reference.all():
        raise InputError("no eye was captured twice; the exam needs re-captures")
    rows = np.flatnonzero(reference)
    keys = [f"{table.person[i]}/{table.side[i]}" for i in rows]
    versions, of = transformed_versions(cohort.images[rows], seed, keys, draws)
    unseen, unseen_of = transformed_versions(cohort.images[rows], seed, keys, unseen_draws, augment.unseen)
    total, done, parts = 2 * (len(cohort) + len(versions) + len(unseen)), 0, []
    for images in (cohort.images, versions, unseen):
        for view in (images, augment.mirror(images)):
            parts.append(fingerprints.extract(view, kinds))
            done += len(images)
            if progress:
                progress(done / total)
    return Bench(table, *parts[:4], rows[of], *parts[4:], rows[unseen_of])


def split_people(
    persons: Sequence, seed: int, sizes: Mapping[str, int], reserved: Sequence = ()
) -> dict[str, np.ndarray]:
    """Draw disjoint groups of persons.

    `sizes` gives the number of persons for each of `ROLES`. `reserved` persons join half "test", half "new", and
    nothing else: nothing is ever learned or calibrated on them.

    Raises
    ------
    InputError
        More persons asked for than there are.

    Examples
    --------
    >>> groups = split_people(range(10), 0, {"learn": 4, "calibrate": 2, "test": 2, "new": 2})
    >>> sorted(int(p) for g in groups.values() for p in g) == list(range(10))
    True
    """
    pool = np.array([p for p in np.unique(np.asarray(persons)) if p not in set(reserved)])
    if sum(sizes[role] for role in ROLES) > len(pool):
        raise InputError(f"the split asks for {sum(sizes.values())} persons, but there are only {len(pool)}")
    drawn = generator(seed, "split").permutation(pool)
    ends = np.cumsum([sizes[role] for role in ROLES])
    groups = dict(zip(ROLES, np.split(drawn, ends)[:4], strict=True))
    if len(reserved):
        extra = generator(seed, "reserved").permutation(np.unique(np.asarray(reserved)))
        half = len(extra) // 2
        groups["test"] = np.concatenate([groups["test"], extra[:half]])
        groups["new"] = np.concatenate([groups["new"], extra[half:]])
    return groups
