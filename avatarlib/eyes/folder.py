"""Read and write image folders: images beside a `metadata.csv`, as the ecosystem's `imagefolder`, or DICOM files.

Folders come from strangers. Originals are read strictly, because one that is silently left out protects nobody;
candidates that can't be read are rows with a problem, because a stop would hide the verdicts on all others.
"""

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort
from avatarlib.eyes.decode import LEAST_SIDE, Unusable, decode, read_bytes, refuse_size, shrink
from avatarlib.eyes.metadata import METADATA, read_metadata, refuse_incomplete, shown, unlisted_files

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm")


@dataclass(frozen=True)
class ImageFolder:
    """A folder as read.

    Attributes
    ----------
    images
        uint8 (n, h, w) or (n, h, w, 3), one common size and mode; black where a candidate has a problem.
    table
        n rows in input order, `file_name` first.
    problems
        n entries: None, or why a candidate can't be used.
    notes
        What was converted; counts, never names.
    checksums
        n SHA-256 of the files; None where a file can't be read.
    """

    images: np.ndarray
    table: pd.DataFrame
    problems: list[str | None]
    notes: list[str]
    checksums: list[str | None]


def read(path: Path, *, role: str, like: ImageFolder | None = None) -> ImageFolder:
    """Read a folder of images.

    Parameters
    ----------
    path
        Folder with images and `metadata.csv` (first column `file_name`; `person`, `side`, `sex`, `modality` optional),
        or with DICOM files alone. Candidates may lack `metadata.csv`.
    role
        "originals" or "candidates".
    like
        Originals whose size and mode candidates are brought to.

    Raises
    ------
    InputError
        Anything wrong with originals; a missing or empty folder or a malformed `metadata.csv` of either.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            raise InputError(f"{role}: {path} is not a folder. Name a folder of images")
        files, passed_over = _files(path)
    except OSError as error:
        raise InputError(f"{role}: {path} can't be read ({error.strerror}). Check its permissions") from None
    if not files and not (path / METADATA).exists():
        raise InputError(f"{role}: {path} holds no images. Add images ({', '.join(ENDINGS[:5])} …) and {METADATA}")
    notes = [f"{passed_over} other files or linked or hidden folders were not looked at"] if passed_over else []
    dicom = bool(files) and all(name.lower().endswith(".dcm") for name in files) and not (path / METADATA).exists()
    if (path / METADATA).exists():
        table = read_metadata(path, role)
        unlisted = unlisted_files(table, files)
        if role == "originals":
            refuse_incomplete(table, unlisted, path)
        elif unlisted:  # what lies in the folder may be shared with it, so it is judged too
            table = pd.concat([table, pd.DataFrame({"file_name": unlisted})], ignore_index=True).fillna("")
            notes.append(f"{len(unlisted)} images are not listed in {METADATA}; they are the last rows")
    elif role == "originals" and not dicom:
        raise InputError(f"originals: {path} has no {METADATA}. Add one whose first column is file_name")
    else:
        table = pd.DataFrame({"file_name": files})
    loaded = [_load_row(path, name) for name in table.file_name]
    if role == "originals":
        for name, (_, problem, *_) in zip(table.file_name, loaded, strict=True):
            if problem is not None:
                raise InputError(f"originals: {shown(name)} {problem}")
    if dicom:
        table = _with_tags(table, [tags for *_, tags in loaded])
    images, conversions = _common(loaded, like)
    return ImageFolder(images, table, [row[1] for row in loaded], notes + conversions, [row[2] for row in loaded])


def _files(path: Path) -> tuple[list[str], int]:
    """Image files below the folder, as POSIX paths, sorted, and how much else there is that is not looked into."""
    found, others = [], 0
    for base, folders, names in os.walk(path, followlinks=False):
        entered = sorted(f for f in folders if not f.startswith(".") and not (Path(base) / f).is_symlink())
        others += len(folders) - len(entered)
        folders[:] = entered
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                found.append((Path(base) / name).relative_to(path).as_posix())
            elif name != METADATA:
                others += 1
    return sorted(found), others


def _load_row(path: Path, name: str):
    """(image or None, problem or None, checksum or None, converted mode, tags)."""
    try:
        data = read_bytes(path / name)
        if name.lower().endswith(".dcm"):
            from avatarlib.eyes import dicom

            image, mode, tags = dicom.decode(data, refuse_size)
        else:
            (image, mode), tags = decode(data), {}
        return shrink(image), None, hashlib.sha256(data).hexdigest(), mode, tags
    except (Unusable, InputError) as error:
        return None, str(error), None, None, {}


def _is_coloured(image: np.ndarray) -> bool:
    if image.ndim == 2:
        return False
    spread = image.max(axis=2).astype(int) - image.min(axis=2)
    return bool(spread.mean() > 2)  # JPEG leaves grey pictures a trace of colour


def _common(loaded: list, like: ImageFolder | None) -> tuple[np.ndarray, list[str]]:
    """Bring all images to one size and mode."""
    import cv2

    usable = [row[0] for row in loaded if row[0] is not None]
    if like is not None:
        size, colour = like.images.shape[1:3], like.images.ndim == 4
    elif usable:
        counts = Counter(image.shape[:2] for image in usable)
        most = max(counts.values())
        size = max(s for s, n in counts.items() if n == most)
        colour = any(_is_coloured(image) for image in usable)
    else:
        size, colour = (LEAST_SIDE, LEAST_SIDE), False
    images = np.zeros((len(loaded), *size, *((3,) if colour else ())), dtype=np.uint8)
    resized = recoloured = 0
    for i, (image, *_) in enumerate(loaded):
        if image is None:
            continue
        if (image.ndim == 3) != colour:
            recoloured += _is_coloured(image) or colour
            image = np.stack([image] * 3, axis=2) if colour else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if image.shape[:2] != size:
            resized += 1
            image = _fit(image, size)
        images[i] = image
    notes = []
    if resized:
        notes.append(f"{resized} of {len(loaded)} images were brought to {size[1]}×{size[0]} pixels")
    if recoloured:
        notes.append(f"{recoloured} of {len(loaded)} images were converted to {'colour' if colour else 'grey'}")
    modes = Counter(row[3] for row in loaded if row[3] not in (None, "L", "RGB"))
    notes += [f"{n} images had mode {mode} and were converted to 8 bits" for mode, n in sorted(modes.items())]
    return images, notes


def _fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale to cover the size, then cut centrally: shapes stay true."""
    import cv2

    factor = max(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(want, round(side * factor)) for want, side in zip(size, image.shape[:2], strict=True))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(image, (width, height), interpolation=way)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return scaled[top : top + size[0], left : left + size[1]]


def _with_tags(table: pd.DataFrame, tags: list[dict]) -> pd.DataFrame:
    """Add what DICOM tags may tell; persons become running numbers, so that no identifier goes any further."""
    identifiers = [tag.pop("patient", None) for tag in tags]
    if all(identifiers):
        numbers = {who: f"person {i + 1}" for i, who in enumerate(dict.fromkeys(identifiers))}
        table = table.assign(person=[numbers[who] for who in identifiers])
    for column in ("side", "sex"):
        if any(column in tag for tag in tags):
            table = table.assign(**{column: [tag.get(column, "") for tag in tags]})
    return table


def persons_from_name(table: pd.DataFrame, pattern: str) -> pd.DataFrame:
    """Set `person` from the file names: the pattern's first group, or the whole match where it has none.

    Raises
    ------
    InputError
        The pattern is no regular expression, or a name doesn't match.

    Examples
    --------
    >>> persons_from_name(pd.DataFrame({"file_name": ["007_L.png"]}), r"(\\d+)_").person.tolist()
    ['007']
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"--persons-from-name {shown(pattern)} is not a regular expression ({error})") from None
    persons = []
    for name in table.file_name:
        match = compiled.search(name[:300])
        person = match and (match.group(1) if compiled.groups else match.group(0))
        if not person:
            raise InputError(f"--persons-from-name {shown(pattern)} finds no person in {shown(name)}")
        persons.append(person)
    return table.assign(person=persons)


def save_imagefolder(path: Path, cohort: Cohort) -> None:
    """Write a cohort as an image folder: PNGs without metadata under new names, and `metadata.csv`.

    Raises
    ------
    LicenceError
        The cohort is for evaluation only and `path` is not below the ignored results.
    InputError
        The folder exists and is not empty.
    """
    from PIL import Image

    from avatarlib.manifests import guard_write

    path = Path(path)
    guard_write(path, cohort)
    if path.exists() and any(path.iterdir()):
        raise InputError(f"{path} is not empty. Name a new folder")
    path.mkdir(parents=True, exist_ok=True)
    names = [f"eye_{i + 1:06d}.png" for i in range(len(cohort))]
    for name, image in zip(names, cohort.images, strict=True):
        Image.fromarray(image).save(path / name)
    table = cohort.table.drop(columns="file_name", errors="ignore")
    table.insert(0, "file_name", names)
    table.to_csv(path / METADATA, index=False, lineterminator="\n")
