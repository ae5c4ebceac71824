"""Read `metadata.csv`, the table of an image folder, strictly: every doubt is an error with one clear line."""

import csv
import io
import os
import re
from pathlib import Path

import pandas as pd

from avatarlib.errors import InputError
from avatarlib.eyes.cohort import COLUMNS, MODALITIES, SIDES
from avatarlib.eyes.decode import Unusable, read_bytes

METADATA = "metadata.csv"
WORDS = {"side": SIDES, "sex": ("female", "male"), "modality": MODALITIES}


def shown(name: str, most: int = 120) -> str:
    """Return a name that is safe to print: control characters escaped, at most `most` characters.

    Examples
    --------
    >>> shown("a\\nb.png")
    "'a\\\\nb.png'"
    """
    text = ascii(name) if not name.isprintable() else repr(name)
    return text if len(text) <= most else text[: most - 2] + "…'"


def read_metadata(path: Path, role: str) -> pd.DataFrame:
    """Read metadata.csv strictly, every value as text."""
    file = f"{role}: {path / METADATA}"
    try:
        text = read_bytes(path / METADATA).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{file} is not UTF-8 text. Save it as CSV in UTF-8") from None
    except Unusable as problem:
        raise InputError(f"{file} {problem}") from None
    if "\0" in text:
        raise InputError(f"{file} holds NUL bytes. Save it as CSV in UTF-8")
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(cell.strip() for cell in row)
        ]
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
    table = table.assign(**{column: table[column].str.strip() for column in ("person", *WORDS) if column in table})
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
            if not person:
                raise InputError(f"{file}: row {number} has no person. Fill it in, or leave the column out")
    for column, words in WORDS.items():
        for number, value in enumerate(table.get(column, ()), start=1):
            if value and value not in words:
                known = " or ".join(words)
                raise InputError(f"{file}: row {number}: {column} is {shown(value)}; it must be {known}, or empty")


def unlisted_files(table: pd.DataFrame, files: list[str]) -> list[str]:
    """Return those of `files` that the table does not name."""
    listed = {os.path.normpath(name) for name in table.file_name}
    return [name for name in files if os.path.normpath(name) not in listed]


def refuse_incomplete(table: pd.DataFrame, unlisted: list[str], path: Path) -> None:
    """Raise InputError where originals are listed and not there, or there and not listed."""
    for name in table.file_name:
        if not os.path.lexists(path / name):
            raise InputError(f"originals: {shown(name)} is listed in {METADATA} but missing. Add it or remove its row")
    if unlisted:
        raise InputError(
            f"originals: {shown(unlisted[0])} is not listed in {METADATA} ({len(unlisted)} such files), "
            "so it would protect nobody. List or remove it"
        )
