"""Walk a resource and a profile's tree side by side: names, cardinality, types, and each element's own rules."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatarlib.fhir import r4
from avatarlib.fhir.checker import primitives, rules, slicing
from avatarlib.fhir.checker.run import Run
from avatarlib.fhir.checker.tree import Node, Profile

if TYPE_CHECKING:
    from avatarlib.fhir.checker.resources import Checker


@dataclass(frozen=True)
class Item:
    """One value of an element: the value (None where only an extension stands for it), its companion, type, place."""

    value: Any
    companion: Any
    kind: str
    path: str


def profile(checker: "Checker", run: Run, resource: dict, wanted: Profile, path: str) -> None:
    """Check a resource, or a data type's value, against a profile."""
    rules.value(checker, run, resource, wanted.root, wanted.type, path)
    _children(checker, run, resource, wanted.root, wanted.type, path)
    rules.invariants(run, resource, wanted.root, wanted.type, path)


def item(checker: "Checker", run: Run, one: Item, node: Node) -> None:
    """Check one value of an element."""
    primitive = one.kind in r4.PRIMITIVES
    if one.value is None and not (primitive and isinstance(one.companion, dict) and one.companion):
        run.wrong(one.path, "type", "null says nothing: leave the element out")
        return
    if primitive:
        _primitive(checker, run, one, node)
    elif not isinstance(one.value, dict):
        run.wrong(one.path, "type", f"must be an object ({one.kind or 'element'})")
        return
    elif not one.value:
        run.wrong(one.path, "type", "is empty: leave the element out")
        return
    elif one.kind == "Resource" or r4.is_resource(one.kind):
        _resource(checker, run, one, node)
        return
    else:
        rules.value(checker, run, one.value, node, one.kind, one.path)
        rules.type_profiles(checker, run, one, node)
        _children(checker, run, one.value, node, one.kind, one.path)
    subject = one.value if one.value is not None else one.companion
    rules.invariants(run, subject, node, one.kind, one.path)


def _primitive(checker: "Checker", run: Run, one: Item, node: Node) -> None:
    if one.value is not None:
        problem = primitives.problem(one.kind, one.value)
        if problem:
            run.wrong(one.path, "type", problem)
        else:
            rules.value(checker, run, one.value, node, one.kind, one.path)
            inner = node.children.get("value")
            if inner is not None:  # rules that a profile states of the text itself
                rules.value(checker, run, one.value, inner, one.kind, one.path)
    if one.companion is not None:
        if not isinstance(one.companion, dict) or not one.companion:
            run.wrong(one.path, "type", "its companion (_) must be an object that is not empty")
            return
        holder = node if "extension" in node.children else checker.type_root("Element")
        _children(checker, run, one.companion, holder, "Element", one.path, partial=True)


def _resource(checker: "Checker", run: Run, one: Item, node: Node) -> None:
    """Check a resource inside another one: against R4, and against what it and the profile name."""
    kind = one.value.get("resourceType")
    allowed = {checker.kind_of(kind.code) for kind in node.types} - {"Resource", "DomainResource", ""}
    if not isinstance(kind, str) or not r4.is_resource(kind):
        run.wrong(one.path, "type", "is no resource of R4: its resourceType is unknown")
        return
    if allowed and kind not in allowed:
        run.wrong(one.path, "type", f"is a {kind}; the profile lets it be {' or '.join(sorted(allowed))}")
        return
    inner = run.apart(one.value)
    profile(checker, inner, one.value, checker.base(kind), one.path)
    for found in [found for kind in node.types for found in kind.profiles]:
        checker.against(inner, one.value, found, one.path)
    run.take(inner)


def _children(
    checker: "Checker", run: Run, obj: dict, node: Node, kind: str, path: str, *, partial: bool = False
) -> None:
    """Check what an object holds; with `partial` the element that has no JSON of its own (value) is left out."""
    holder = node
    while not holder.children and holder.origin is not None:
        holder = holder.origin
    if not holder.children:
        if not r4.is_type(kind):
            run.lacks(path, "type", f"definition of type {kind or '(none)'}")
            return
        holder = checker.type_root(kind)
    if not run.first(obj, id(holder)):
        return
    items = _items(run, obj, holder, path)
    for name, child in holder.children.items():
        if partial and name == "value":
            continue
        found = items.get(name, [])
        _count(run, child, len(found), path)
        matched = slicing.check(checker, run, found, child, path) if child.slices else [[]] * len(found)
        for one, parts in zip(found, matched, strict=True):
            if not any(part.children for part in parts):  # else a slice repeats what is said of all items
                item(checker, run, one, child)
            for part in parts:
                item(checker, run, one, part)


def _count(run: Run, child: Node, count: int, path: str) -> None:
    name = f"{child.name}[x]" if child.choice else child.name
    if count < child.least:
        run.wrong(path, "min", f"{name} is there {count} times; the profile wants at least {child.least}")
    if count > child.most:
        most = f"at most {child.most}" if child.most else "none"
        run.wrong(path, "max", f"{name} is there {count} times; the profile wants {most}")


def _items(run: Run, obj: dict, holder: Node, path: str) -> dict[str, list[Item]]:
    """Sort the values of an object by the element that they belong to; say what belongs to none."""
    named = holder.named()
    items: dict[str, list[Item]] = {}
    for key, content in obj.items():
        plain = key.removeprefix("_")
        if key == "resourceType" and "resourceType" not in named:
            continue
        if plain not in named:
            _unknown(run, holder, key, path)
            continue
        if key.startswith("_") and plain in obj:
            continue  # comes with the value
        child, kind = named[plain]
        if not kind:
            kind = child.types[0].code if child.types else "BackboneElement"
        companion = obj.get(f"_{plain}") if kind in r4.PRIMITIVES else None
        if kind not in r4.PRIMITIVES and (key.startswith("_") or f"_{plain}" in obj):
            run.wrong(f"{path}.{plain}", "unknown", "only primitive values have a companion (_)")
            continue
        found = _listed(run, child, kind, None if key.startswith("_") else content, companion, f"{path}.{plain}")
        items.setdefault(child.name, []).extend(found)
    return items


def _listed(run: Run, child: Node, kind: str, content: Any, companion: Any, path: str) -> list[Item]:
    lists = [part for part in (content, companion) if isinstance(part, list)]
    if not child.many:
        if lists:
            run.wrong(path, "type", "must not be a list: it is there once at most")
            return []
        return [Item(content, companion, kind, path)]
    if not lists or any(part is not None and not isinstance(part, list) for part in (content, companion)):
        run.wrong(path, "type", "must be a list")
        return []
    if any(not part for part in lists):
        run.wrong(path, "type", "is an empty list: leave the element out")
        return []
    length = max(len(part) for part in lists)
    values = (content or []) + [None] * (length - len(content or []))
    companions = (companion or []) + [None] * (length - len(companion or []))
    return [Item(value, companions[n], kind, f"{path}[{n}]") for n, value in enumerate(values)]


def _unknown(run: Run, holder: Node, key: str, path: str) -> None:
    plain = key.removeprefix("_")
    for child in holder.children.values():
        suffix = plain.removeprefix(child.name)
        if child.choice and suffix != plain and (r4.is_type(suffix) or r4.is_type(suffix[:1].lower() + suffix[1:])):
            allowed = ", ".join(kind.code for kind in child.types)
            run.wrong(f"{path}.{plain}", "type", f"the profile lets {child.name}[x] be {allowed or 'nothing'}")
            return
    shown = plain if plain.isidentifier() and len(plain) <= 60 else "a name"
    run.wrong(path, "unknown", f"{shown} is no element of it")
