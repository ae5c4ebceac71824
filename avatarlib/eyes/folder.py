"""Read and write image folders: images beside a `metadata.csv`, as the ecosystem's `imagefolder`, or DICOM files.

Folders come from strangers. Originals are read strictly, because one that is silently left out protects nobody;
candidates that can't be read are rows with a problem, because a stop would hide the verdicts on all others.
"""

import csv
import hashlib
import io
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".dcm")
METADATA = "metadata.csv"
COLUMNS = ("file_name", "person", "side", "sex", "modality")
WORDS = {"side": {"left", "right"}, "sex": {"female", "male"}, "modality": {"iris", "fundus", "papilla"}}
MOST_SIDE = 16_384  # pixels
MOST_PIXELS = 64_000_000
MOST_BYTES = 512_000_000
LEAST_SIDE = 16
WORKING_SIDE = 512  # pixels on the longer side of what is kept in memory


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


class _Unusable(Exception):
    """One image can't be used: what is wrong, and what to do."""


def shown(name: str, most: int = 120) -> str:
    """Return a name that is safe to print: control characters escaped, at most `most` characters.

    Examples
    --------
    >>> shown("a\\nb.png")
    "'a\\\\nb.png'"
    """
    text = ascii(name) if not name.isprintable() else repr(name)
    return text if len(text) <= most else text[: most - 2] + "…'"


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
        files = _files(path)
    except OSError as error:
        raise InputError(f"{role}: {path} can't be read ({error.strerror}). Check its permissions") from None
    if not files and not (path / METADATA).exists():
        raise InputError(f"{role}: {path} holds no images. Add images ({', '.join(ENDINGS[:5])} …) and {METADATA}")
    dicom = bool(files) and all(name.lower().endswith(".dcm") for name in files) and not (path / METADATA).exists()
    if (path / METADATA).exists():
        table = _metadata(path, role)
        if role == "originals":
            _refuse_incomplete(table, files, path)
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
    images, notes = _common(loaded, like)
    return ImageFolder(images, table, [row[1] for row in loaded], notes, [row[2] for row in loaded])


def _files(path: Path) -> list[str]:
    """Image files below the folder, as POSIX paths, sorted; hidden ones and links to folders are left out."""
    found = []
    for base, folders, names in os.walk(path, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                found.append((Path(base) / name).relative_to(path).as_posix())
    return sorted(found)


def _metadata(path: Path, role: str) -> pd.DataFrame:
    """Read metadata.csv strictly, every value as text."""
    file = f"{role}: {path / METADATA}"
    try:
        if (path / METADATA).stat().st_size > MOST_BYTES:
            raise InputError(f"{file} is larger than {MOST_BYTES // 1_000_000} MB. Split the folder")
        text = (path / METADATA).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8 text. Save it as CSV in UTF-8") from None
    except OSError as error:
        raise InputError(f"{file} can't be read ({error.strerror}). Check it") from None
    if "\0" in text:
        raise InputError(f"{file} holds NUL bytes. Save it as CSV in UTF-8")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise InputError(f"{file} is not valid CSV ({error}). Check quotes and commas") from None
    if not rows or rows[0][0].strip() != "file_name":
        raise InputError(f"{file} must begin with a header whose first column is file_name")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header):
        raise InputError(f"{file} names a column twice. Rename one")
    if len(rows) == 1:
        raise InputError(f"{file} lists no image. Add a row for each image")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(f"{file}: row {number} has {len(row)} fields, the header {len(header)}. Correct it")
    table = pd.DataFrame(rows[1:], columns=header, dtype=object)
    table = table[[c for c in header if c in COLUMNS]]
    _refuse_names(table.file_name, path, file)
    if role == "originals":
        _refuse_values(table, file)
    return table


def _refuse_names(names: pd.Series, path: Path, file: str) -> None:
    root, seen = path.resolve(), {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise InputError(f"{file}: row {number} names no file. Fill in file_name")
        pure = Path(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or re.match(r"[A-Za-z]:", name):
            raise InputError(f"{file}: row {number}: {shown(name)} leaves the folder. Use names inside it")
        try:
            inside = (root / pure).resolve().is_relative_to(root)
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not inside:
            raise InputError(f"{file}: row {number}: {shown(name)} leaves the folder. Use names inside it")
        key = os.path.normpath(name)
        if key in seen:
            raise InputError(f"{file}: row {number}: {shown(name)} is listed twice (row {seen[key]}). Remove one")
        seen[key] = number


def _refuse_values(table: pd.DataFrame, file: str) -> None:
    if "person" in table:
        for number, person in enumerate(table.person, start=1):
            if not person.strip():
                raise InputError(f"{file}: row {number} has no person. Fill it in, or leave the column out")
    for column, words in WORDS.items():
        for number, value in enumerate(table.get(column, ()), start=1):
            if value.strip() and value.strip() not in words:
                raise InputError(
                    f"{file}: row {number}: {column} is {shown(value)}; it must be {' or '.join(sorted(words))}, or empty"
                )


def _refuse_incomplete(table: pd.DataFrame, files: list[str], path: Path) -> None:
    listed = {os.path.normpath(name) for name in table.file_name}
    for name in table.file_name:
        if not os.path.lexists(path / name):
            raise InputError(f"originals: {shown(name)} is listed in {METADATA} but missing. Add it or remove its row")
    unlisted = [name for name in files if os.path.normpath(name) not in listed]
    if unlisted:
        raise InputError(
            f"originals: {shown(unlisted[0])} is not listed in {METADATA} ({len(unlisted)} such files), "
            "so it would protect nobody. List or remove it"
        )


def _load_row(path: Path, name: str):
    """(image or None, problem or None, checksum or None, converted mode, tags)."""
    try:
        data = _bytes(path / name)
        if name.lower().endswith(".dcm"):
            from avatarlib.eyes.dicom import decode

            image, mode, tags = decode(data, _refuse_size)
        else:
            (image, mode), tags = _decode(data), {}
        return _shrink(image), None, hashlib.sha256(data).hexdigest(), mode, tags
    except (_Unusable, InputError) as error:
        return None, str(error), None, None, {}


def _bytes(file: Path) -> bytes:
    try:
        # Without O_NONBLOCK, opening a FIFO that is named like an image would wait for ever.
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _Unusable("is not a file. Replace it by an image")
            if status.st_size > MOST_BYTES:
                raise _Unusable(f"is larger than {MOST_BYTES // 1_000_000} MB. Shrink it")
            return opened.read()
    except FileNotFoundError:
        raise _Unusable("is listed but missing. Add it or remove its row") from None
    except (OSError, ValueError) as error:
        raise _Unusable(f"can't be read ({getattr(error, 'strerror', None) or error}). Check it") from None


def _refuse_size(width: int, height: int) -> None:
    if width > MOST_SIDE or height > MOST_SIDE or width * height > MOST_PIXELS:
        raise _Unusable(
            f"has {width}×{height} pixels; at most {MOST_SIDE} a side and {MOST_PIXELS:,} in all. Shrink it"
        )
    if min(width, height) < LEAST_SIDE:
        raise _Unusable(f"has {width}×{height} pixels; at least {LEAST_SIDE} a side are needed")


def _decode(data: bytes) -> tuple[np.ndarray, str]:
    """Decode to uint8 (h, w) or (h, w, 3), and name the mode it came in."""
    from PIL import Image, ImageOps

    if not data:
        raise _Unusable("is empty. Replace it by an image")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP", "TIFF", "WEBP")) as image:
            _refuse_size(*image.size)
            mode = image.mode
            image = ImageOps.exif_transpose(image)
            if mode in ("I;16", "I;16B", "I;16L", "I", "F"):
                return _to_bytes(np.asarray(image)), mode
            if "A" in mode or "transparency" in image.info:
                image = image.convert("RGBA")
                # What shines through is shown on black, like the surroundings of a fundus photograph.
                image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
            return np.asarray(image.convert("L" if mode in ("L", "1", "LA") else "RGB")), mode
    except _Unusable:
        raise
    except Image.DecompressionBombError:
        raise _Unusable(f"is too large; at most {MOST_PIXELS:,} pixels. Shrink it") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error on hostile bytes
        what = "is truncated" if "truncated" in str(error) else "is not a readable image"
        raise _Unusable(f"{what}. Replace it by a whole PNG, JPEG, BMP, TIFF or WebP file") from None


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Bring 16-bit, integer or float values to 0..255: by their range's upper end if that is a usual one."""
    values = values.astype(np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise _Unusable("holds values that are not finite. Replace it")
    low, high = values.min(), values.max()
    top = next((t for t in (1.0, 255.0, 4095.0, 65535.0) if high <= t), high)
    if values.dtype.kind == "f" and low < 0:
        values, top = values - low, high - low
    return np.clip(values * (255 / max(top, 1e-12)), 0, 255).round().astype(np.uint8)


def _shrink(image: np.ndarray) -> np.ndarray:
    import cv2

    longest = max(image.shape[:2])
    if longest <= WORKING_SIDE:
        return np.ascontiguousarray(image)
    height, width = (max(LEAST_SIDE, round(side * WORKING_SIDE / longest)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


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
