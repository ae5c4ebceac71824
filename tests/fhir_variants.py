"""Variants of FHIR resources: harmless ones, which no profile forbids, and such as hold whatever JSON can hold."""

import copy
from collections.abc import Iterator

_UNKNOWN = {"url": "https://example.org/unknown", "valueCode": "x"}


def harmless(resource: dict) -> Iterator[tuple[str, dict]]:
    """Yield variants that no profile forbids: unknown extensions of all values, ids, lists in another order."""
    yield "extensions of values", _varied(resource, _extend_values)
    yield "extensions of objects", _varied(resource, _extend_objects)
    yield "ids", _varied(resource, _identify)
    yield "order", _varied(resource, _reverse)


def _varied(resource: dict, change) -> dict:
    variant = copy.deepcopy(resource)
    for key, value in list(variant.items()):
        if key not in ("meta", "contained", "text", "extension", "modifierExtension"):
            for inner in _items(value):
                _visit(inner, change)
    change(variant)
    return variant


def _visit(value, change) -> None:
    if isinstance(value, dict):
        for key, part in list(value.items()):
            for inner in _items(part) if key not in ("extension", "modifierExtension") else []:
                _visit(inner, change)
        change(value)


def _extend_values(obj: dict) -> None:
    for key, value in list(obj.items()):
        plain = not isinstance(value, dict | list) and not key.startswith("_") and f"_{key}" not in obj
        if plain and key not in ("resourceType", "id", "url", "reference"):
            obj[f"_{key}"] = {"extension": [_UNKNOWN]}


def _extend_objects(obj: dict) -> None:
    if not any(key.startswith("value") and "url" in obj for key in obj):
        obj["extension"] = [*obj.get("extension", []), _UNKNOWN]


def _identify(obj: dict) -> None:
    obj.setdefault("id", "i1")


def _reverse(obj: dict) -> None:
    for key, value in obj.items():
        if isinstance(value, list) and isinstance(value[0], dict) and f"_{key}" not in obj:
            value.reverse()


_ODD = [
    *(None, True, 0, -1.5, "", "x", "\n", [], {}, [None], [[]], [{}]),
    *({"coding": 1}, {"coding": [1]}, {"coding": [{"code": 1, "system": []}]}, {"reference": 5}, {"extension": [1]}),
    *({"url": 1}, {"resourceType": "Patient"}, {"start": 1, "end": 2}, {"start": "x", "end": "2025"}, {"low": 1}),
]


def scrambled(resource: dict, draw) -> dict:
    """Return a resource with up to three values, or their companions, replaced by whatever JSON can hold."""
    broken = copy.deepcopy(resource)
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice([place for place in _places(broken) if place[1] != "resourceType"])
        if isinstance(holder, dict) and draw.random() < 0.2:
            key = f"_{key}"
        holder[key] = copy.deepcopy(draw.choice(_ODD))
    return broken


def _places(value) -> Iterator[tuple]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _items(value) -> list:
    return value if isinstance(value, list) else [value]
