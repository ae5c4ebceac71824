"""Values of FHIR's primitive types in JSON, and how values are compared with fixed values, patterns and limits."""

import re
from datetime import date
from typing import Any

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DAY = r"(0[1-9]|[1-2][0-9]|3[0-1])"
_TOKEN = r"[^\s]+(\s[^\s]+)*"
# The forms are those of the page "Data types" of R4 (4.0.1).
_TEXTS = {
    "base64Binary": r"[0-9a-zA-Z+/=\s]*",
    "canonical": r"\S*",
    "code": _TOKEN,
    "date": rf"{_YEAR}(-(0[1-9]|1[0-2])(-{_DAY})?)?",
    "dateTime": rf"{_YEAR}(-(0[1-9]|1[0-2])(-{_DAY}(T{_CLOCK}{_ZONE})?)?)?",
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "instant": rf"{_YEAR}-(0[1-9]|1[0-2])-{_DAY}T{_CLOCK}{_ZONE}",
    "markdown": r"[\s\S]*\S[\s\S]*",
    "oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "string": r"[\s\S]*\S[\s\S]*",
    "time": _CLOCK,
    "uri": r"\S*",
    "url": r"\S*",
    "uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "xhtml": r"\s*<div[\s\S]*",
}
_FORMS = {kind: re.compile(form) for kind, form in _TEXTS.items()}
_LEAST = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
_DATES = ("date", "dateTime", "instant")


def problem(kind: str, value: Any) -> str:
    """Return what is wrong with a value as one of a primitive type, or "".

    Examples
    --------
    >>> problem("date", "2025-02-30"), problem("boolean", True)
    ('is no day of the calendar', '')
    """
    if kind == "boolean":
        return "" if isinstance(value, bool) else "must be true or false"
    if kind in _LEAST:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number ({kind})"
        return "" if _LEAST[kind] <= value < 2**31 else f"is out of the range of {kind}"
    if kind == "decimal":
        return "must be a number" if isinstance(value, bool) or not isinstance(value, int | float) else ""
    if not isinstance(value, str):
        return f"must be a text in quotation marks ({kind})"
    if not value:
        return "must not be empty"
    if not _FORMS[kind].fullmatch(value):
        return f"has not the form of {kind}"
    if kind == "base64Binary" and len("".join(value.split())) % 4:
        return "has not the form of base64Binary"
    if kind in _DATES and len(value) >= 10:
        try:
            date.fromisoformat(value[:10])
        except ValueError:
            return "is no day of the calendar"
    return ""


def equal(value: Any, wanted: Any) -> bool:
    """Return whether two JSON values are the same; true is not 1, and the order of lists counts."""
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(equal(value[key], part) for key, part in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(equal(have, part) for have, part in zip(value, wanted, strict=True))
        )
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def contains(value: Any, pattern: Any) -> bool:
    """Return whether a value has at least what a pattern has: each key, and in lists each element somewhere.

    Examples
    --------
    >>> contains({"coding": [{"code": "a"}, {"code": "b", "system": "s"}]}, {"coding": [{"code": "b"}]})
    True
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            key in value and contains(value[key], part) for key, part in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(contains(have, part) for have in value) for part in pattern)
    return equal(value, pattern)


def beyond(value: Any, name: str, limit: Any) -> bool:
    """Return whether a value lies outside a limit (`minValue…` or `maxValue…`); what can't be compared does not.

    Numbers are compared, and dates and times of the same precision.
    """
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (value, limit))
    texts = isinstance(value, str) and isinstance(limit, str) and len(value) == len(limit) <= 10
    if not numbers and not texts:
        return False
    return value < limit if name.startswith("min") else value > limit
