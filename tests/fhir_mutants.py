"""Mutants of FHIR resources: each breaks one rule of a profile's snapshot, and none of the checker's code makes them.

A mutant is made only where the rule must be broken by it: outside of optional slices, where an item that no longer
matches may stay as an item of its own.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("min", "max", "fixed", "pattern", "slice", "binding")
# What is put where the profile allows nothing.
_SAMPLES = {
    "string": "x",
    "code": "x",
    "CodeableConcept": {"text": "x"},
    "Identifier": {"value": "x"},
    "HumanName": {"text": "x"},
    "Address": {"text": "x"},
    "Reference": {"display": "x"},
    "Annotation": {"text": "x"},
    "Extension": {"url": "https://example.org/x", "valueString": "x"},
}


@dataclass(frozen=True)
class Mutant:
    """A resource with one fault: the kind of rule, the element's id, and the resource."""

    kind: str
    element: str
    resource: dict


def mutants(resource: dict, elements: list[dict]) -> Iterator[Mutant]:
    """Yield mutants of a resource that meets the profile with these snapshot elements."""
    by_id = {element["id"]: element for element in elements}
    for element in elements[1:]:
        ident = element["id"]
        if ":" not in ident:
            yield from _broken(resource, element, ident.split(".")[1:])
        elif element.get("sliceName") and ":" not in ident.rpartition(".")[0]:
            yield from _of_slice(resource, element, by_id)
        elif ident.count(":") == 1:
            yield from _in_slice(resource, element, by_id)


def _broken(resource: dict, element: dict, steps: list[str], within=lambda resource: [resource]) -> Iterator[Mutant]:
    """Yield mutants of an element that lies at a path (steps) in the objects that `within` finds in a resource."""
    for kind, change in _changes(element):
        for n in range(len(_holders(within(resource), steps))):
            broken = copy.deepcopy(resource)
            holder, key = _holders(within(broken), steps)[n]
            if change(holder, key):
                yield Mutant(kind, element["id"], broken)
    value = next((_SAMPLES[kind["code"]] for kind in element.get("type", []) if kind["code"] in _SAMPLES), None)
    if element["max"] == "0" and value is not None and not steps[-1].endswith("[x]"):
        many = element.get("base", {}).get("max") != "1"
        for n in range(len(_objects(within(resource), steps[:-1]))):
            broken = copy.deepcopy(resource)
            _objects(within(broken), steps[:-1])[n][steps[-1]] = [value] if many else value
            yield Mutant("max", element["id"], broken)


def _in_slice(resource: dict, element: dict, by_id: dict[str, dict]) -> Iterator[Mutant]:
    """Yield mutants of an element of a slice's items, where these still belong to the slice after it."""
    head, _, tail = element["id"].partition(":")
    slice_id = f"{head}:{tail.partition('.')[0]}"
    steps = tail.split(".")[1:]
    marks = _marks(by_id[slice_id], by_id)
    told = [path + leaf for path, value in marks for leaf in _leaves(value)]
    shortest = min((len(path) for path in told), default=0)
    if not told or any(path[: len(steps)] == steps or steps[: len(path)] == path for path in told) or not shortest:
        return

    def within(whole: dict) -> list[dict]:
        items = [one for holder, key in _holders([whole], head.split(".")[1:]) for one in _list(holder[key])]
        return [one for one in items if all(_has(one, path, value) for path, value in marks)]

    yield from _broken(resource, element, steps, within)


def _leaves(value) -> list[list[str]]:
    """Return the paths of what a fixed value or pattern states."""
    if isinstance(value, list):
        return [path for one in value for path in _leaves(one)]
    if isinstance(value, dict):
        return [[key, *path] for key, part in value.items() for path in _leaves(part)]
    return [[]]


def _changes(element: dict):
    if element["min"] >= 1:
        yield "min", _remove
    base = element.get("base", {}).get("max", "*")
    if element["max"] == "1":
        yield "max", _twice if base != "1" else _listed_twice
    for prefix, kind in (("fixed", "fixed"), ("pattern", "pattern")):
        value = next((element[k] for k in element if k.startswith(prefix)), None)
        if value is not None:
            yield kind, lambda holder, key, value=value: _altered(holder, key, value)
    if element.get("binding", {}).get("strength") == "required":
        yield "binding", _recode


def _objects(objects: list[dict], steps: list[str]) -> list[dict]:
    for step in steps:
        inner = [value for obj in objects for key in _keys(obj, step) for value in _list(obj[key])]
        objects = [value for value in inner if isinstance(value, dict)]
    return objects


def _holders(objects: list[dict], steps: list[str]) -> list[tuple[dict, str]]:
    """Return all (object, key) where an element is, below objects."""
    return [(obj, key) for obj in _objects(objects, steps[:-1]) for key in _keys(obj, steps[-1])]


def _keys(obj: dict, step: str) -> list[str]:
    if step.endswith("[x]"):
        stem = step[:-3]
        return [key for key in obj if key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()]
    return [step] if step in obj else []


def _list(value) -> list:
    return value if isinstance(value, list) else [value]


def _remove(holder: dict, key: str) -> bool:
    del holder[key]
    holder.pop(f"_{key}", None)
    return True


def _twice(holder: dict, key: str) -> bool:
    holder[key] = [*_list(holder[key]), copy.deepcopy(_list(holder[key])[0])]
    return True


def _listed_twice(holder: dict, key: str) -> bool:
    holder[key] = [holder[key], copy.deepcopy(holder[key])]
    return True


def _altered(holder: dict, key: str, wanted) -> bool:
    """Change every leaf of the value that the fixed value or pattern asks for."""
    before = json.dumps(holder[key])
    holder[key] = _spoilt(holder[key], wanted)
    return json.dumps(holder[key]) != before


def _spoilt(value, wanted):
    if isinstance(value, list):
        return [_spoilt(one, wanted[0] if isinstance(wanted, list) else wanted) for one in value]
    if isinstance(value, dict) and isinstance(wanted, dict):
        return {key: _spoilt(part, wanted[key]) if key in wanted else part for key, part in value.items()}
    if isinstance(value, bool):
        return not value
    return f"{value}-mutant" if isinstance(value, str) else value + 1


def _recode(holder: dict, key: str) -> bool:
    value = holder[key]
    if isinstance(value, list):
        holder[key] = [_recoded(one) for one in value]
    else:
        holder[key] = _recoded(value)
    return holder[key] != value


def _recoded(value):
    if isinstance(value, str):
        return "mutant"
    if isinstance(value, dict) and "coding" in value:
        return value | {"coding": [one | {"code": "mutant"} if "code" in one else one for one in value["coding"]]}
    return value | {"code": "mutant"} if isinstance(value, dict) and "code" in value else value


def _of_slice(resource: dict, element: dict, by_id: dict[str, dict]) -> Iterator[Mutant]:
    """Yield mutants without a required slice's items, and with one item too many."""
    owner = element["id"].rpartition(":")[0]
    steps = owner.split(".")[1:]
    marks = _marks(element, by_id)
    if not marks:
        return
    for n in range(len(_holders([resource], steps))):
        holder, key = _holders([resource], steps)[n]
        if not isinstance(holder[key], list):
            continue
        inside = [one for one in holder[key] if all(_has(one, path, value) for path, value in marks)]
        if element["min"] >= 1 and inside:
            broken = copy.deepcopy(resource)
            target, key = _holders([broken], steps)[n]
            target[key] = [one for one in target[key] if one not in inside]
            if not target[key]:
                del target[key]
            yield Mutant("slice", element["id"], broken)
        for k in range(len(inside)) if element.get("binding", {}).get("strength") == "required" else ():
            broken = copy.deepcopy(resource)
            target, key = _holders([broken], steps)[n]
            place = holder[key].index(inside[k])
            target[key][place] = _recoded(target[key][place])
            if all(_has(target[key][place], path, value) for path, value in marks):  # still the slice's item
                yield Mutant("binding", element["id"], broken)
        if element["max"] == "1" and len(inside) == 1:
            broken = copy.deepcopy(resource)
            target, key = _holders([broken], steps)[n]
            target[key].append(copy.deepcopy(inside[0]))
            yield Mutant("slice", element["id"], broken)


def _marks(element: dict, by_id: dict[str, dict]) -> list[tuple[list[str], object]]:
    """Return (path, value) by which items of a slice are known, from fixed values, patterns and the type's profile."""
    marks = []
    for ident, part in by_id.items():
        if ident == element["id"] or (ident.startswith(element["id"] + ".") and ":" not in ident[len(element["id"]) :]):
            for key, value in part.items():
                if key.startswith(("fixed", "pattern")):
                    marks.append(
                        (ident[len(element["id"]) :].strip(".").split(".") if ident != element["id"] else [], value)
                    )
    profiles = [profile for kind in element.get("type", []) for profile in kind.get("profile", [])]
    if element["path"].endswith(("extension", "modifierExtension")) and len(profiles) == 1 and not marks:
        marks.append((["url"], profiles[0]))
    return marks


def _has(value, path: list[str], wanted) -> bool:
    values = [value]
    for step in path:
        values = [
            inner for one in values if isinstance(one, dict) for key in _keys(one, step) for inner in _list(one[key])
        ]
    return any(_covers(one, wanted) for one in values)


def _covers(value, wanted) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and _covers(value[key], part) for key, part in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(_covers(one, part) for one in value) for part in wanted)
    return value == wanted
