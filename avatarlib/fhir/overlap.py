"""Where profiles of several packages claim the same, and where two profiles of one resource differ."""

import sqlite3

import pandas as pd

from avatarlib.errors import InputError
from avatarlib.fhir.identifying import SLICE

COMPARED = {"minimum": "min", "maximum": "max", "must_support": "must-support", "types": "types", "strength": "binding"}


def claimed(index: sqlite3.Connection) -> dict[str, set[str]]:
    """Return package -> paths without slices that its profiles of resources declare must-support."""
    query = "SELECT package, element FROM elements WHERE kind = 'resource' AND must_support AND maximum != '0'"
    found: dict[str, set[str]] = {}
    for package, element in index.execute(query):
        found.setdefault(package, set()).add(SLICE.sub("", element))
    return dict(sorted(found.items()))


def shared(index: sqlite3.Connection) -> pd.DataFrame:
    """Return a square frame by package: how many must-support paths two share; on the diagonal how many each has."""
    sets = claimed(index)
    table = {one: {other: len(sets[one] & sets[other]) for other in sets} for one in sets}
    return pd.DataFrame(table).reindex(index=list(sets), columns=list(sets))


def differences(index: sqlite3.Connection, first: str, second: str) -> pd.DataFrame:
    """Return where two profiles of one resource say different things about an element that both have.

    Elements are matched by id, slices by name in any case; what only one of them has is not compared.

    Returns
    -------
    pandas.DataFrame
        A row a difference: `element`, `about` (min, max, must-support, types, binding), `first`, `second`.

    Raises
    ------
    InputError
        There is no such profile in the index.
    """
    one, other = _profile(index, first), _profile(index, second)
    rows = [
        {"element": one[key]["element"], "about": name, "first": one[key][column], "second": other[key][column]}
        for key in one
        if key in other
        for column, name in COMPARED.items()
        if one[key][column] != other[key][column]
    ]
    return pd.DataFrame(rows, columns=["element", "about", "first", "second"])


def common(index: sqlite3.Connection, first: str, second: str) -> int:
    """Return how many elements two profiles both have, matched as `differences` does."""
    return len(_profile(index, first).keys() & _profile(index, second).keys())


def _profile(index: sqlite3.Connection, name: str) -> dict[str, dict]:
    columns = ["element", *COMPARED]
    query = f"SELECT {', '.join(columns)} FROM elements WHERE profile = ? ORDER BY number"
    found = [dict(zip(columns, row, strict=True)) for row in index.execute(query, (name,))]
    if not found:
        raise InputError(f"the index has no profile {name!r}. `SELECT DISTINCT profile FROM elements` lists them")
    return {row["element"].lower(): row for row in found}
