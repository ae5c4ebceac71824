"""The catalogue of tools that take human reads away, from `data_manifests/removal/tools.yml`."""

import pandas as pd

from avatarlib import manifests
from avatarlib.errors import InputError

COLUMNS = ("tool", "remover", "method", "reference", "mask", "licence", "published", "source")


def tools() -> pd.DataFrame:
    """Return a row a tool; what is published is one text, "" where nothing was looked up.

    Raises
    ------
    InputError
        A tool lacks a column or has one that is not known.
    """
    import yaml

    path = manifests.folder() / "removal" / "tools.yml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    for row in rows:
        if set(row) != set(COLUMNS):
            odd = ", ".join(sorted(set(row) ^ set(COLUMNS)))
            raise InputError(f"{path}: {row.get('tool', 'a tool')} lacks, or has too much: {odd}")
    return pd.DataFrame([row | {"remover": row["remover"] or "", "published": _text(row["published"])} for row in rows])


def _text(published: list[dict]) -> str:
    """Write what is published as one sentence each.

    Examples
    --------
    >>> _text([{"human removed": "99 %", "others kept": None, "reference": "own"}])
    'human removed 99 % (own)'
    """
    parts = []
    for one in published:
        said = [f"{what} {one[what]}" for what in ("human removed", "others kept") if one[what]]
        parts.append(f"{', '.join(said)} ({one['reference']})")
    return "; ".join(parts)
