"""CSV tables with a Table Schema, as a data package (https://datapackage.org)."""

import csv
import io
from collections.abc import Sequence

from avatarlib.catalogue import table
from avatarlib.catalogue.criteria import CRITERIA, GRADES, MODES
from avatarlib.catalogue.model import LEVELS, Source, citations
from avatarlib.catalogue.verified import proofs

_WORDS = {
    "mode": list(MODES),
    "level": list(LEVELS),
    "suitability": ["suitable", "limited", "unsuitable"],
    "residual_risk": ["low", "moderate", "high"],
    **dict.fromkeys(("sex", "side"), ["yes", "no", "unclear"]),
    **dict.fromkeys(("derivatives", "redistribution", "model_release"), ["yes", "no", "not stated"]),
}
_TYPES = {
    "size": "number",
    "people": "integer",
    "synthetic": "boolean",
    "verified": "date",
    "read": "date",
    **dict.fromkeys(CRITERIA, "integer"),
}
_ABOUT = {
    "mode": "the way to the data",
    "level": "; ".join(f"{name} {text}" for name, text in LEVELS.items()),
    "not_checked": "fields for which no evidence was found",
    "duo": "codes of the Data Use Ontology, as the catalogue reads the terms",
    "sha256": "of the quoted words, or of the mirror's list of files",
    "fields": "what this evidence is cited for",
    **{name: "; ".join(f"{n} {text}" for n, text in enumerate(GRADES[name])) for name in CRITERIA},
}
_REQUIRED = ("identifier", "title", "key", "address", "words", "level")


def files(sources: Sequence[Source]) -> dict[str, str | dict]:
    """Return the files by name: `sources.csv`, `evidence.csv`, `verification.csv` and their schema."""
    tables = {
        "sources": [table.row(source) for source in sources],
        "evidence": [row for source in sources for row in _evidence(source)],
        "verification": [{"identifier": s.identifier} | proof for s in sources for proof in proofs(s)],
    }
    resources = [_resource(name, rows) for name, rows in tables.items()]
    package = {"name": "open-medical-data", "title": "Annotated catalogue of open medical data", "resources": resources}
    return {f"{name}.csv": _text(rows) for name, rows in tables.items()} | {"datapackage.json": package}


def _evidence(source: Source) -> list[dict]:
    cited = citations(source)
    return [
        {
            "identifier": source.identifier,
            "key": key,
            "fields": tuple(name for name, keys in cited if key in keys),
            "address": item.address,
            "title": item.title,
            "read": item.read.isoformat(),
            "copy": item.copy_,
            "words": item.words,
            "at": item.at,
        }
        for key, item in source.evidence.items()
    ]


def cell(value) -> str:
    """Return what a cell holds; text that a spreadsheet would run as a formula gets an apostrophe in front.

    Examples
    --------
    >>> cell("=1+1"), cell(None), cell(True), cell(("a", "b")), cell(28.0)
    ("'=1+1", '', 'true', 'a; b', '28')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}"
    text = "; ".join(value) if isinstance(value, tuple) else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _text(rows: list[dict]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _resource(name: str, rows: list[dict]) -> dict:
    schema: dict = {"fields": [_field(column) for column in rows[0]], "missingValues": [""]}
    if name == "sources":
        schema["primaryKey"] = ["identifier"]
    else:
        reference = {"resource": "sources", "fields": ["identifier"]}
        schema["foreignKeys"] = [{"fields": ["identifier"], "reference": reference}]
    return {
        "name": name,
        "path": f"{name}.csv",
        "type": "table",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": schema,
    }


def _field(name: str) -> dict:
    limits: dict = {"required": True} if name in _REQUIRED else {}
    if name in CRITERIA:
        limits |= {"minimum": 0, "maximum": 3}
    if name in _WORDS:
        limits["enum"] = _WORDS[name]
    field = {"name": name, "type": _TYPES.get(name, "string")}
    field |= {"description": _ABOUT[name]} if name in _ABOUT else {}
    return field | ({"constraints": limits} if limits else {})
