"""Mirrored image sources of the catalogue, all through one loader into the columns of an image folder."""

from collections.abc import Sequence

import pandas as pd

from avatarlib import manifests
from avatarlib.catalogue.model import Source
from avatarlib.catalogue.verified import IMAGE_MODALITIES
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import COLUMNS, Cohort


def mirrored(sources: Sequence[Source]) -> list[Source]:
    """Return the image sources at level V2 or better: those of which the mirror holds files."""
    return [
        source
        for source in sources
        if source.mirror is not None and manifests.source(source.mirror).modality in IMAGE_MODALITIES
    ]


def redistributable(sources: Sequence[Source]) -> list[Source]:
    """Return the mirrored image sources whose terms allow passing on."""
    return [source for source in mirrored(sources) if source.criteria.terms.redistribution == "yes"]


def mapping(source: Source) -> pd.DataFrame:
    """Return how a source's files become rows of an image folder, one row a file, without opening any.

    Columns are those of an image folder: `file_name` (a new one, for names may tell a person), `person` (as the source
    numbers them), `side` (left, right or empty), `sex` (female, male or empty), `modality`; then `source_name`,
    `capture` (0, 1, … of an eye) and `reserved`.

    Raises
    ------
    InputError
        The source has no mirrored images.
    """
    from avatarlib.eyes import real

    if not mirrored([source]):
        raise InputError(f"{source.identifier} has no mirrored images: there is nothing to load")
    table = real.files(source.mirror).rename(columns={"file": "source_name"})
    table = table.assign(file_name=[f"eye_{n + 1:06d}.png" for n in range(len(table))], sex="")
    return table[[*COLUMNS, "source_name", "capture", "reserved"]]


def load(source: Source, *, closing: bool = False) -> Cohort:
    """Load a source's images: uint8, grey or RGB, at most 320 pixels wide, with the columns of `mapping`.

    Parameters
    ----------
    closing
        True adds the persons that are kept for a closing run.

    Raises
    ------
    InputAbsent, InputError
        As `avatarlib.eyes.real.load`.
    """
    from avatarlib.eyes import real

    table = mapping(source)
    cohort = real.load(source.mirror, closing=closing)
    return Cohort(cohort.images, table[~table.reserved | closing], cohort.evaluation_only)
