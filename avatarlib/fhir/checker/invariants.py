"""Invariants of profiles: FHIRPath through fhirpathpy, the common structural ones directly; no answer is never a no."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from avatarlib.fhir import r4

_FUNCTION = re.compile(r"\.?\s*\b([a-zA-Z]+)\s*\(")
_UNKNOWN = ("conformsTo", "memberOf", "resolve", "slice", "checkModifiers", "elementDefinition", "subsumes")
_TAGS = re.compile(r"<\s*(script|iframe|object|embed|form|link|base|head|body|html)\b|\bon[a-z]+\s*=|javascript:", re.I)


def holds(constraint: dict, value: Any, kind: str, resource: dict, root: dict) -> tuple[bool | None, str]:
    """Return whether an element meets an invariant, and where that is unknown (None), why.

    Parameters
    ----------
    constraint
        As an ElementDefinition holds it: key, severity, expression.
    value, kind
        The element and its FHIR type.
    resource, root
        The resource that it is in, and the one that this is contained in or it itself.
    """
    own = _OWN.get(constraint.get("key", ""))
    if own is not None and constraint.get("source", r4.CORE).startswith(r4.CORE):
        return own(value, resource, root), ""
    expression = constraint.get("expression", "")
    compiled, reason = _compiled(expression)
    if compiled is None:
        return None, reason
    from fhirpathpy.engine.nodes import ResourceNode

    try:
        node = ResourceNode.create_node(value, kind)
        variables = {"resource": resource, "rootResource": root, "context": node}
        answer = compiled(node, variables)
    except Exception as error:  # whatever stops the interpreter, the answer is not known
        return None, f"fhirpathpy can't evaluate it ({type(error).__name__})"
    if len(answer) == 1 and isinstance(answer[0], bool):
        return answer[0], ""
    return None, "its expression gives no yes or no"


@cache
def _compiled(expression: str) -> tuple[Callable | None, str]:
    import fhirpathpy
    from fhirpathpy.models import models

    if not expression:
        return None, "it has no FHIRPath expression"
    unknown = sorted(set(_FUNCTION.findall(expression)) & set(_UNKNOWN))
    if unknown:
        return None, f"its function {unknown[0]}() needs more than the resource"
    try:
        return fhirpathpy.compile(expression, models["r4"], {"userInvocationTable": _FUNCTIONS}), ""
    except Exception as error:
        return None, f"fhirpathpy can't read it ({type(error).__name__})"


def _has_value(inputs: list) -> list[bool]:
    return [len(inputs) == 1 and inputs[0] is not None and not isinstance(inputs[0], dict | list)]


def _html(inputs: list) -> list[bool]:
    return [all(isinstance(text, str) and not _TAGS.search(text) for text in inputs)]


_FUNCTIONS = {"hasValue": {"fn": _has_value}, "htmlChecks": {"fn": _html}}


def _one_of_both(value: Any, resource: dict, root: dict) -> bool:
    valued = any(key.lstrip("_").startswith("value") for key in value)
    return bool(value.get("extension")) != valued


def _local(value: Any, resource: dict, root: dict) -> bool:
    reference = value.get("reference")
    if not isinstance(reference, str) or not reference.startswith("#") or reference == "#":
        return True
    return reference[1:] in {inner.get("id") for inner in root.get("contained", []) if isinstance(inner, dict)}


def _contained(resource: dict) -> list[dict]:
    return [inner for inner in resource.get("contained", []) if isinstance(inner, dict)]


def _used(value: Any, resource: dict, root: dict) -> bool:
    """dom-3: whatever is contained is referred to from outside, or refers to the resource that holds it."""
    named, holders = set(), set()
    for place, text in _texts(value):
        if text.startswith("#"):
            named.add(text[1:])
            if text == "#" and place is not None:
                holders.add(place)
    return all(inner.get("id") in named or number in holders for number, inner in enumerate(_contained(value)))


def _texts(value: Any, place: int | None = None, top: bool = True):
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


_OWN: dict[str, Callable[[Any, dict, dict], bool]] = {
    "ele-1": lambda value, resource, root: True,  # the walk itself refuses what is empty
    "ext-1": _one_of_both,
    "ref-1": _local,
    "dom-2": lambda value, resource, root: not any(inner.get("contained") for inner in _contained(value)),
    "dom-3": _used,
    "dom-4": lambda value, resource, root: (
        not any(inner.get("meta", {}).get(key) for inner in _contained(value) for key in ("versionId", "lastUpdated"))
    ),
    "dom-5": lambda value, resource, root: (
        not any(inner.get("meta", {}).get("security") for inner in _contained(value))
    ),
}
