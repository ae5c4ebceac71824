"""Invariants of R4's own types, evaluated directly: they apply everywhere, also where a snapshot does not list them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from avatarlib.fhir import r4


def _extension(value: dict, root: dict) -> bool:
    valued = any(key.lstrip("_").startswith("value") for key in value)
    return bool(value.get("extension")) != valued


def _reference(value: dict, root: dict) -> bool:
    reference = value.get("reference")
    if not isinstance(reference, str) or not reference.startswith("#") or reference == "#":
        return True
    return reference[1:] in {inner.get("id") for inner in _contained(root)}


def _period(value: dict, root: dict) -> bool:
    """Compare as far as both are stated; times of day with their zones."""
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    if len(start) > 10 and len(end) > 10:
        return datetime.fromisoformat(start) <= datetime.fromisoformat(end)
    shared = min(len(start), len(end), 10)
    return start[:shared] <= end[:shared]


def _range(value: dict, root: dict) -> bool:
    """Quantities of different units are not compared."""
    low, high = value.get("low", {}), value.get("high", {})
    units = [(one.get("system"), one.get("code", one.get("unit"))) for one in (low, high)]
    numbers = [one.get("value") for one in (low, high)]
    known = all(isinstance(number, int | float) for number in numbers)
    return units[0] != units[1] or not known or numbers[0] <= numbers[1]


def _ratio(value: dict, root: dict) -> bool:
    both = "numerator" in value, "denominator" in value
    return both[0] == both[1] and (both[0] or "extension" in value)


def _contained(resource: dict) -> list[dict]:
    return [inner for inner in resource.get("contained", []) if isinstance(inner, dict)]


def _used(value: dict, root: dict) -> bool:
    """Whatever is contained is referred to, or refers to the resource that holds it."""
    named, holders = set(), set()
    for place, text in _texts(value):
        if text.startswith("#"):
            named.add(text[1:])
            if text == "#" and place is not None:
                holders.add(place)
    return all(inner.get("id") in named or number in holders for number, inner in enumerate(_contained(value)))


def _texts(value: Any, place: int | None = None, top: bool = True) -> Iterator[tuple[int | None, str]]:
    """Yield every text with the number of the contained resource that it is in."""
    if isinstance(value, dict):
        for key, part in value.items():
            if top and key == "contained" and isinstance(part, list):
                for number, inner in enumerate(part):
                    yield from _texts(inner, number, False)
            else:
                yield from _texts(part, place, False)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, place, False)
    elif isinstance(value, str):
        yield place, value


def _without(*path: str) -> Callable[[dict, dict], bool]:
    def holds(value: dict, root: dict) -> bool:
        inner = _contained(value)
        for step in path[:-1]:
            inner = [one.get(step, {}) for one in inner]
        return not any(one.get(path[-1]) for one in inner)

    return holds


def _needs(one: str, other: str) -> Callable[[dict, dict], bool]:
    return lambda value, root: one not in value or other in value or f"_{other}" in value


# By key: whether an element meets it, given the resource that holds all. The walk itself refuses what is empty (ele-1).
INVARIANTS: dict[str, Callable[[Any, dict], bool]] = {
    "ele-1": lambda value, root: True,
    "ext-1": _extension,
    "ref-1": _reference,
    "per-1": _period,
    "rng-2": _range,
    "rat-1": _ratio,
    "qty-3": _needs("code", "system"),
    "att-1": _needs("data", "contentType"),
    "cpt-2": _needs("value", "system"),
    "dom-2": _without("contained"),
    "dom-3": _used,
    "dom-4": lambda value, root: (
        _without("meta", "versionId")(value, root) and _without("meta", "lastUpdated")(value, root)
    ),
    "dom-5": _without("meta", "security"),
}
_HUMAN = {
    "ext-1": "has either a value or extensions",
    "ref-1": "a reference that begins with # points to a contained resource",
    "per-1": "start is not after end",
    "rng-2": "low is not above high",
    "rat-1": "numerator and denominator come together",
    "qty-3": "a coded unit has a system",
    "att-1": "data come with their contentType",
    "cpt-2": "a value comes with its system",
    "dom-2": "a contained resource contains none",
    "dom-3": "a contained resource is referred to",
    "dom-4": "a contained resource has no version and no time of update",
    "dom-5": "a contained resource has no security label",
}
_OF_TYPES = {
    "Extension": ("ext-1",),
    "Reference": ("ref-1",),
    "Period": ("per-1",),
    "Range": ("rng-2",),
    "Ratio": ("rat-1",),
    "Quantity": ("qty-3",),
    "Age": ("qty-3",),
    "Count": ("qty-3",),
    "Distance": ("qty-3",),
    "Duration": ("qty-3",),
    "Attachment": ("att-1",),
    "ContactPoint": ("cpt-2",),
}
_OF_RESOURCES = ("dom-2", "dom-3", "dom-4", "dom-5")
_NO_DOMAIN_RESOURCES = ("Bundle", "Binary", "Parameters")


def of_type(kind: str) -> tuple[str, ...]:
    """Return the keys of the invariants that a type brings along.

    Examples
    --------
    >>> of_type("Period"), of_type("Bundle")
    (('per-1',), ())
    """
    if kind in _OF_TYPES:
        return _OF_TYPES[kind]
    return _OF_RESOURCES if kind not in _NO_DOMAIN_RESOURCES and r4.is_resource(kind) else ()


def constraint(key: str) -> dict:
    """Return an invariant as an ElementDefinition would hold it."""
    return {"key": key, "severity": "error", "human": _HUMAN[key]}
