"""The metadata index: one row an element of every profile in FHIR packages, in one SQLite file with a full text."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.fhir import elements, texts
from avatarlib.fhir.elements import COLUMNS, Row
from avatarlib.fhir.identifying import SLICE
from avatarlib.fhir.packages import Package, entries

APPLICATION = 0x41564649  # "AVFI": an index of this program
VERSION = 1
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
CREATE TABLE packages (name TEXT, version TEXT, title TEXT, licence TEXT, PRIMARY KEY (name, version));
CREATE TABLE profiles (package TEXT, version TEXT, profile TEXT, url TEXT, kind TEXT, type TEXT, title TEXT, base TEXT,
    elements INTEGER, note TEXT);
CREATE TABLE displays (value_set TEXT, text TEXT);
CREATE TABLE elements ({", ".join(COLUMNS)});
CREATE VIRTUAL TABLE words USING fts5 (name, path, profile, text, elsewhere, more, content='', tokenize='ascii');
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, row);
CREATE VIRTUAL TABLE parts USING fts5 (text, content='', tokenize='trigram');
"""
NO_SNAPSHOT = "no snapshot: not indexed"


def build(packages: Iterable[Package], path: Path | str = ":memory:") -> sqlite3.Connection:
    """Index packages and return the index.

    Every StructureDefinition that is no example is taken: profiles, extensions, data types and logical models; each
    element of a snapshot gives one row. One without a snapshot is listed in `profiles` with a note and no rows.

    Parameters
    ----------
    packages
        What `packages.named` or `packages.read_package` gives.
    path
        A file, which takes the place of an older one when the index is complete; ":memory:" for none.

    Raises
    ------
    InputError
        A package can't be read, a definition is not built as FHIR says, or `path` holds something else: nothing is
        written.
    """
    if path == ":memory:":
        return _filled(sqlite3.connect(path), packages)
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder: make it first, or give another place for the index")
    if path.is_symlink() or (path.exists() and not _is_index(path)):
        raise InputError(f"{path} is there and is no index of this program: name a new file")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with contextlib.closing(sqlite3.connect(part)) as connection:
            _filled(connection, packages)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return open_index(path)


def open_index(path: Path) -> sqlite3.Connection:
    """Open an index for reading.

    Raises
    ------
    InputError
        There is none, or the file is something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no index {path}: `avatar fhir index` makes it")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        ours = connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError:
        ours = False
    if not ours or version != VERSION:
        connection.close()
        raise InputError(f"{path} is no index of this version: make it again with `avatar fhir index`")
    return connection


def _is_index(path: Path) -> bool:
    """Return whether a file is an index of this program, of any version (application id in SQLite's header)."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(72)
    return head.startswith(b"SQLite format 3\0") and int.from_bytes(head[68:72], "big") == APPLICATION


@dataclass(frozen=True)
class Count:
    """What of a package is in an index: definitions with a snapshot, their elements, definitions without one."""

    package: str
    version: str
    profiles: int
    elements: int
    without_snapshot: int


def counts(index: sqlite3.Connection) -> list[Count]:
    """Return what of each package is in an index, by name."""
    query = """SELECT name, packages.version, sum(elements > 0), total(elements), sum(elements = 0)
        FROM packages LEFT JOIN profiles ON package = name AND profiles.version = packages.version
        GROUP BY name, packages.version ORDER BY name, packages.version"""
    return [Count(*row[:2], *(int(number or 0) for number in row[2:])) for row in index.execute(query)]


def _filled(connection: sqlite3.Connection, packages: Iterable[Package]) -> sqlite3.Connection:
    connection.executescript(_SCHEMA)
    with connection:
        found, value_sets, displays = _read(connection, packages)
        found = [_with_value_set(row, value_sets) for row in found]
        pairs = ((url, text) for url, shown in displays.items() for text in shown)
        connection.executemany("INSERT INTO displays VALUES (?, ?)", pairs)
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(f"INSERT INTO elements VALUES ({marks})", map(attrgetter(*COLUMNS), found))
        elsewhere = _texts_by_path(found)
        connection.executemany(
            "INSERT INTO words (rowid, name, path, profile, text, elsewhere, more) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number, *_words(row, elsewhere, displays)) for number, row in enumerate(found, 1)),
        )
        whole = (texts.fold(f"{row.element} {row.profile} {row.text_de} {row.short}") for row in found)
        connection.executemany("INSERT INTO parts (rowid, text) VALUES (?, ?)", enumerate(whole, 1))
    return connection


def _read(connection: sqlite3.Connection, packages: Iterable[Package]) -> tuple[list[Row], dict, dict]:
    """Note packages and profiles; return the rows, and for value sets by address their codes and their codes' texts."""
    found: list[Row] = []
    value_sets: dict[str, list[str]] = {}
    included: dict[str, list[tuple[str, str]]] = {}
    systems: dict[str, list[str]] = {}
    for package in packages:
        record = (package.name, package.version, package.title, package.licence)
        connection.execute("INSERT INTO packages VALUES (?, ?, ?, ?)", record)
        for entry in entries(package):
            kind, url = entry.resource["resourceType"], str(entry.resource.get("url"))
            if entry.example:
                continue
            if kind == "ValueSet":
                value_sets[url] = elements.value_set_codes(entry.resource)
                included[url] = elements.included(entry.resource)
            elif kind == "CodeSystem":
                systems[url] = elements.displays(entry.resource.get("concept"))
            elif kind == "StructureDefinition":
                own = elements.rows(entry)
                connection.execute(f"INSERT INTO profiles VALUES ({'?, ' * 9}?)", _profile(entry, len(own)))
                found += own
    displays = {}
    for url, pairs in included.items():
        shown = (text for system, own in pairs for text in ([own] if own else systems.get(system, ())))
        displays[url] = list(dict.fromkeys(shown))
    return found, value_sets, displays


def _profile(entry, rows: int) -> tuple:
    definition = entry.resource
    keys = ("name", "url", "kind", "type", "title", "baseDefinition")
    described = [str(definition.get(key) or "") for key in keys]
    return (entry.package.name, entry.package.version, *described, rows, "" if rows else NO_SNAPSHOT)


def _with_value_set(row: Row, value_sets: dict[str, list[str]]) -> Row:
    named = value_sets.get(row.value_set.partition("|")[0])
    if not named:
        return row
    both = dict.fromkeys([*row.codes.split("; "), *named] if row.codes else named)
    return replace(row, codes="; ".join(both))


def _texts_by_path(rows: list[Row]) -> dict[str, str]:
    """Return path -> all short texts that profiles give to this element of FHIR, in both languages.

    A profile that says only in English what Patient.deceased is can so be found by the German of another one.
    """
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.kind != "logical" and not row.slice:
            found.setdefault(SLICE.sub("", row.element), {}).update({row.text_de: None, row.text_en: None})
    return {path: " ".join(texts) for path, texts in found.items()}


def _words(row: Row, elsewhere: dict[str, str], displays: dict[str, list[str]]) -> tuple[str, ...]:
    """Return the searched columns of a row: own name, path above it, profile, short texts, others' texts, the rest."""
    above, _, own = row.element.rpartition(".")
    short = " ".join(dict.fromkeys((row.text_de, row.text_en, row.short, row.about)))
    codes = " ".join(displays.get(row.value_set.partition("|")[0], ()))
    more = f"{row.definition[:400]} {row.codes} {row.value_set.rpartition('/')[2]} {codes}"
    others = "" if row.kind == "logical" else elsewhere.get(SLICE.sub("", row.element), "")
    return tuple(" ".join(texts.words(text)) for text in (own, above, row.profile, short, others, more))
