"""Which slice an element's items belong to, by their discriminators, and the rules of slices: counts, order, closed."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from avatarlib.fhir import r4
from avatarlib.fhir.checker import primitives, rules
from avatarlib.fhir.checker.run import Run
from avatarlib.fhir.checker.terminology import NO, YES
from avatarlib.fhir.checker.tree import Node, Slicing

if TYPE_CHECKING:
    from avatarlib.fhir.checker.resources import Checker
    from avatarlib.fhir.checker.walk import Item

_STEP = re.compile(r"\$this|resolve\(\)|extension\('[^']+'\)|ofType\([A-Za-z]+\)|[A-Za-z][A-Za-z0-9]*")
_BY_TYPE = Slicing((("type", "$this"),), "open", False)


def check(checker: "Checker", run: Run, items: list["Item"], node: Node, path: str) -> list[list[Node]]:
    """Return for each item the slices (and slices of slices) that it belongs to; check the rules of the slicing."""
    how = node.slicing or _BY_TYPE
    found: list[Node | None] = []
    doubtful = 0
    for one in items:
        answers = [_belongs(checker, run, one, part, how) for part in node.slices]
        fitting = [part for part, answer in zip(node.slices, answers, strict=True) if answer]
        match = fitting[0] if len(fitting) == 1 else None
        if len(fitting) > 1:
            doubtful += 1
            names = " and ".join(part.slice_name for part in fitting)
            run.lacks(one.path, "slice", f"the profile's slices {names} can't be told apart by {_described(how)}")
        elif match is None and None in answers:
            doubtful += 1
            part = node.slices[answers.index(None)]
            run.lacks(one.path, "slice", f"whether it is slice {part.slice_name}: {_described(how)} can't be decided")
        found.append(match)
    for part in node.slices:
        _count(run, part, sum(match is part for match in found), doubtful, path)
    if not doubtful:
        _rules(run, items, found, node, how)
    matched = [[] if match is None else [match] for match in found]
    for part in node.slices:
        inner = [n for n, match in enumerate(found) if match is part]
        if part.slices:
            for n, more in zip(inner, check(checker, run, [items[n] for n in inner], part, path), strict=True):
                matched[n] += more
    return matched


def _count(run: Run, part: Node, count: int, doubtful: int, path: str) -> None:
    name = f"{part.name}:{part.slice_name}"
    if count + doubtful < part.least:
        run.wrong(path, "slice", f"slice {name} is there {count} times; the profile wants at least {part.least}")
    if count > part.most:
        run.wrong(path, "slice", f"slice {name} is there {count} times; the profile wants at most {part.most}")


def _rules(run: Run, items: list["Item"], found: list[Node | None], node: Node, how: Slicing) -> None:
    places = [None if match is None else node.slices.index(match) for match in found]
    for one, place in zip(items, places, strict=True):
        if place is None and how.rules == "closed":
            run.wrong(one.path, "slice", "is in none of the slices, and the profile allows no others")
    last = max((n for n, place in enumerate(places) if place is not None), default=-1)
    if how.rules == "openAtEnd" and None in places[: last + 1]:
        run.wrong(items[places.index(None)].path, "slice", "is in none of the slices; such come after them only")
    known = [place for place in places if place is not None]
    if how.ordered and known != sorted(known):
        run.wrong(items[0].path, "slice", "the slices are not in the order that the profile wants")


def _described(how: Slicing) -> str:
    return " and ".join(f"{kind} of {path}" for kind, path in how.discriminators) or "no discriminator"


def _belongs(checker: "Checker", run: Run, one: "Item", part: Node, how: Slicing) -> bool | None:
    """Return whether an item is in a slice; None where that can't be told."""
    answers = [_told(checker, run, one, part, kind, path) for kind, path in how.discriminators]
    if False in answers:
        return False
    return None if None in answers or not answers else True


def _told(checker: "Checker", run: Run, one: "Item", part: Node, kind: str, path: str) -> bool | None:
    steps = _STEP.findall(path)
    if "".join(steps) != path.replace(".", "") and ".".join(steps) != path:
        return None
    if steps == ["$this"] and kind == "type":
        return one.kind in {found.code for found in part.types}
    if steps and steps[-1] == "resolve()" and kind in ("type", "profile"):
        return _target(checker, run, one, part, steps[:-1], kind)
    values = _values(run, [one.value], steps)
    if values is None:
        return None
    views = _views(checker, [part])
    for step in steps:
        views = _views(checker, _below(views, step))
    if kind == "exists":
        needed = max((view.least for view in views), default=0)
        return bool(values) == bool(needed) if views else None
    if kind == "type":
        allowed = {checker.kind_of(found.code) for view in views for found in view.types}
        return any(isinstance(have, dict) and have.get("resourceType") in allowed for have in values)
    if kind == "url" or (kind in ("value", "pattern") and steps == ["url"] and one.kind == "Extension"):
        return _same_url(one, part)
    if kind == "profile":
        return None
    told = [_meets(checker, have, views) for have in values]
    if True in told:
        return True
    if not values and views:
        told = any(_stated(view) or _required(view) or view.least for view in views)
        return False if told else None
    return None if None in told or not views else False


def _same_url(one: "Item", part: Node) -> bool | None:
    stated = part.children.get("url")
    url = one.value.get("url") if isinstance(one.value, dict) else None
    if stated is not None and stated.fixed is not None:
        return url == stated.fixed[0]
    profiles = [found.partition("|")[0] for kind in part.types for found in kind.profiles]
    return url in profiles if profiles else None


def _target(checker: "Checker", run: Run, one: "Item", part: Node, steps: list[str], by: str) -> bool | None:
    """Tell a slice by what a Reference points to: its type, or the profile that it meets."""
    views = _views(checker, [part])
    for step in steps:
        views = _views(checker, _below(views, step))
    targets = [target for view in views for kind in view.types for target in kind.targets]
    references = _values(run, [one.value], steps)
    if not references or not targets:
        return None if references is None or not targets else False
    kind, resource = run.target(references[0]) if isinstance(references[0], dict) else ("", None)
    if not kind:
        return None
    same = [target for target in targets if checker.kind_of(target) in (kind, "Resource")]
    if by == "type" or not same:
        return bool(same)
    if any(target.startswith(r4.CORE) for target in same):
        return True
    if resource is None:
        return None
    answers = [checker.meets(run, resource, target) for target in same]
    return True if True in answers else None if None in answers else False


def _values(run: Run, values: list[Any], steps: list[str]) -> list[Any] | None:
    """Return what lies at a path in values; None where a reference leads out of what is at hand."""
    for step in steps:
        if step == "resolve()":
            found = [run.target(have)[1] for have in values if isinstance(have, dict)]
            if None in found:
                return None
            values = found
        elif step.startswith("extension("):
            url = step[len("extension('") : -2]
            values = [
                e for have in values for e in _list(have, "extension") if isinstance(e, dict) and e.get("url") == url
            ]
        elif step != "$this" and not step.startswith("ofType("):
            values = [inner for have in values for inner in _list(have, step)]
    return values


def _list(have: Any, name: str) -> list[Any]:
    """Return the values of an element of an object, a choice (value[x]) by its plain name."""
    if not isinstance(have, dict):
        return []
    if name not in have:
        chosen = [key for key in have if key.startswith(name) and key[len(name) : len(name) + 1].isupper()]
        suffixes = [key for key in chosen if r4.is_type(key[len(name) :]) or r4.is_type(_lower(key[len(name) :]))]
        return [have[key] for key in suffixes]
    return have[name] if isinstance(have[name], list) else [have[name]]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _below(views: list[Node], step: str) -> list[Node]:
    """Return the elements that definitions hold at one step of a path."""
    if step in ("$this", "resolve()") or step.startswith("ofType("):
        return views
    if step.startswith("extension("):
        url = step[len("extension('") : -2]
        holders = [_holder(view, "extension") for view in views]
        slices = [part for holder in holders if holder for part in holder.children["extension"].slices]
        return [part for part in slices if any(url in kind.profiles for kind in part.types)]
    return [child for view in views for child in [*_part(view, step), *_child(view, step)]]


def _holder(view: Node, name: str) -> Node | None:
    """Return the definition that has the children of another one, given by the same snapshot."""
    holder: Node | None = view
    while holder is not None and name not in holder.children:
        holder = holder.origin
    return holder


def _child(view: Node, name: str) -> list[Node]:
    holder = _holder(view, name)
    child = holder.children[name] if holder else None
    return [child, *(part for part in child.slices if part.least)] if child else []


def _part(view: Node, name: str) -> list[Node]:
    """Return what the fixed value or pattern of an element says of one of its children."""
    found = []
    for stated, field in ((view.fixed, "fixed"), (view.pattern, "pattern")):
        if stated is not None and isinstance(stated[0], dict) and name in stated[0]:
            parts = stated[0][name] if isinstance(stated[0][name], list) else [stated[0][name]]
            found += [
                replace(
                    view,
                    id=f"{view.id}.{name}",
                    children={},
                    slices=[],
                    types=(),
                    binding=None,
                    **{"fixed": None, "pattern": None, field: (part,)},
                )
                for part in parts
            ]
    return found


def _views(checker: "Checker", nodes: list[Node]) -> list[Node]:
    """Return definitions with the profiles that their types name: both state what a slice must have."""
    found = list(nodes)
    for node in nodes:
        profiles = [profile for kind in node.types for profile in kind.profiles]
        if len(profiles) == 1:
            compiled = checker.compiled(profiles[0])
            if compiled is not None:
                found.append(compiled.root)
    return found


def _stated(node: Node) -> bool:
    """Return whether a definition states a value or a pattern, or one of its parts does."""
    if node.fixed is not None or node.pattern is not None:
        return True
    return any(_stated(child) for child in node.children.values() if child.name not in ("extension", "id"))


def _required(node: Node) -> bool:
    return node.binding is not None and node.binding.get("strength") == "required"


def _meets(checker: "Checker", have: Any, views: list[Node]) -> bool | None:
    """Return whether a value has what the first definition that says something says of it.

    None where they say nothing, or it can't be told.
    """
    answers = next((found for view in views if (found := _answers(checker, have, view))), [])
    if False in answers:
        return False
    return None if None in answers or not answers else True


def _answers(checker: "Checker", have: Any, node: Node) -> list[bool | None]:
    if node.fixed is not None:
        return [primitives.equal(have, node.fixed[0])]
    if node.pattern is not None:
        return [primitives.contains(have, node.pattern[0])]
    answers: list[bool | None] = []
    for child in node.children.values():
        if child.name in ("extension", "id") or not _stated(child):
            continue
        told = [_meets(checker, inner, [child]) for inner in _list(have, child.name)]
        answers.append(True if True in told else None if None in told else False)
    if _required(node) and not answers:
        answers.append(_member(checker, have, node.binding.get("valueSet", "")))
    return answers


def _member(checker: "Checker", have: Any, value_set: str) -> bool | None:
    kind = ("CodeableConcept" if "coding" in have else "Coding") if isinstance(have, dict) else "code"
    told = []
    for system, code in rules.codes(have, kind):
        answer = checker.terminology.member(value_set, system, code)
        told.append(True if answer.member == YES or answer.whole else False if answer.member == NO else None)
    return True if True in told else None if None in told else False
