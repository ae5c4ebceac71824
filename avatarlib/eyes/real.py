"""Real eyes, through one function. All declared sources are for evaluation only, and their cohorts say so."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from avatarlib import manifests
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort

# How each source writes person, capture and side into its file names.
NAMES = {
    "iitd_iris": re.compile(r"(?P<person>\d{3})/(?P<capture>\d\d)_(?P<side>[LR])\.png"),
    "chase_db1": re.compile(r"Image_(?P<person>\d\d)(?P<side>[LR])\.jpg"),
    "ridb": re.compile(r"(?P<person>\d\d)_(?P<capture>\d)\.jpg"),
}
SIDES = {"L": "left", "R": "right", None: ""}
# Nothing is learned, calibrated or tuned on these people; a closing run adds them as test and new people.
RESERVED = {"iitd_iris": frozenset(f"{n:03d}" for n in range(101, 113))}
WIDTH = 320  # pixels; larger photographs are reduced to it unless a size is asked for


def files(name: str) -> pd.DataFrame:
    """Return what a source's file names tell, one row a file, without opening any.

    Returns
    -------
    `file`, `person`, `side` (left, right, or "" where the source doesn't tell), `capture` (0, 1, … of an eye),
    `modality` and `reserved`.

    Raises
    ------
    InputError
        No such source, or one without eyes.

    Examples
    --------
    >>> files("chase_db1")[["file", "person", "side"]].iloc[0].tolist()
    ['Image_01L.jpg', '01', 'left']
    """
    source = manifests.source(name)
    if name not in NAMES:
        raise InputError(f"{name} is no source of eyes ({source.modality}); those are {', '.join(sorted(NAMES))}")
    rows = []
    for file in sorted(source.checksums):
        part = NAMES[name].fullmatch(file).groupdict()
        rows.append({"file": file, "person": part["person"], "side": SIDES[part.get("side")]})
    table = pd.DataFrame(rows)
    table["capture"] = table.groupby(["person", "side"]).cumcount()
    table["modality"] = source.modality
    table["reserved"] = table.person.isin(RESERVED.get(name, frozenset()))
    return table


def load(
    name: str, *, people: Sequence[str] | None = None, size: tuple[int, int] | None = None, closing: bool = False
) -> Cohort:
    """Load a cohort of real eyes.

    Parameters
    ----------
    name
        "iitd_iris" (near infrared, grey), "chase_db1" or "ridb" (colour fundus).
    people
        Persons as the source numbers them, such as "007"; all but the reserved ones if None.
    size
        (height, width); if None the pictures keep theirs, up to a width of 320.
    closing
        True adds the reserved persons.

    Returns
    -------
    Cohort with `person`, `side` ("" where the source doesn't tell), `capture` (0, 1, … of an eye), `modality` and
    `reserved`; `evaluation_only` as the source's licence demands.

    Raises
    ------
    InputAbsent
        The files are not here and can't be fetched.
    InputError
        Unknown source or person, reserved persons outside a closing run, a file that isn't the declared one.
    """
    import cv2

    source, table = manifests.source(name), files(name)
    reserved = RESERVED.get(name, frozenset())
    known = set(table.person)
    wanted = set(people) if people is not None else known - (set() if closing else reserved)
    if wanted & reserved and not closing:
        raise InputError(f"{name}: people {', '.join(sorted(wanted & reserved))} are reserved for a closing run")
    if wanted - known:
        raise InputError(f"{name} has no people {', '.join(sorted(wanted - known))}")
    table = table[table.person.isin(wanted)].reset_index(drop=True)
    colour = cv2.IMREAD_GRAYSCALE if source.modality == "iris" else cv2.IMREAD_COLOR_RGB
    images = []
    for path in manifests.fetch(source, list(table.file)):
        image = cv2.imread(str(path), colour)
        target = size or (round(image.shape[0] * WIDTH / image.shape[1]), WIDTH)
        if size or image.shape[1] > WIDTH:
            image = cv2.resize(image, target[::-1], interpolation=cv2.INTER_AREA)
        images.append(image)
    return Cohort(np.stack(images), table.drop(columns="file"), source.evaluation_only)
