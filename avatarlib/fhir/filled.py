"""What profiles claim beside what resources fill: for each element of a profile, in how many resources it is there."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from avatarlib.fhir.identifying import SLICE
from avatarlib.fhir.stream import Found


def filled(resources: Iterable[Found], index: sqlite3.Connection) -> pd.DataFrame:
    """Return how often resources that name a profile fill its elements.

    A profile counts where `meta.profile` names it, in whichever version. Slices are not told apart: an element counts
    as filled where any value stands at its path, and a path is must-support where one of its slices is.

    Parameters
    ----------
    resources
        What `stream.read_resources` gives.
    index
        With the profiles; a resource of an unknown profile counts for nothing.

    Returns
    -------
    pandas.DataFrame
        A row an element: `package`, `profile`, `path`, `must_support`, `required` (its minimum is above 0),
        `identifying`, `resources`, `filled`.
    """
    claims = _claims(index)
    seen: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for found in resources:
        for url in sorted(_profiles(found.resource) & claims.keys()):
            seen[url] += 1
            counts.update((url, path) for path in claims[url] if _there(found.resource, path.split(".")[1:]))
    rows = [
        {**claim, "resources": seen[url], "filled": counts[url, path]}
        for url in claims
        if seen[url]
        for path, claim in claims[url].items()
    ]
    columns = ["package", "profile", "path", "must_support", "required", "identifying", "resources", "filled"]
    return pd.DataFrame(rows, columns=columns)


def _claims(index: sqlite3.Connection) -> dict[str, dict[str, dict]]:
    """Return url -> path without slices -> what the profile says of it; the resource itself is left out."""
    query = """SELECT url, package, profile, element, must_support, minimum, maximum, slice, identifying FROM elements
        WHERE kind = 'resource' AND number > 0 ORDER BY package, profile, number"""
    claims: dict[str, dict[str, dict]] = {}
    for url, package, profile, element, must, minimum, maximum, slice_name, group in index.execute(query):
        path = SLICE.sub("", element)
        if maximum == "0":
            continue
        claim = {"package": package, "profile": profile, "path": path, "must_support": False, "required": False}
        known = claims.setdefault(url, {}).setdefault(path, claim | {"identifying": group})
        known["must_support"] |= bool(must)
        known["required"] |= minimum > 0 and not slice_name and ":" not in element and path.count(".") == 1
    return claims


def _profiles(resource: dict) -> set[str]:
    meta = resource.get("meta")
    named = meta.get("profile") if isinstance(meta, dict) else None
    return {url.partition("|")[0] for url in named if isinstance(url, str)} if isinstance(named, list) else set()


def _there(value, steps: list[str]) -> bool:
    """Return whether a value stands at a path; an element with a choice of types is there under any of its names."""
    if isinstance(value, list):
        return any(_there(part, steps) for part in value)
    if not steps:
        return value not in (None, "", {}, [])
    if not isinstance(value, dict):
        return False
    name, rest = steps[0], steps[1:]
    if name in value:
        return _there(value[name], rest)
    return any(_there(value[key], rest) for key in value if key.startswith(name) and key[len(name)].isupper())
