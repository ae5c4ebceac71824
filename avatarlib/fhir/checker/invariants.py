"""Invariants of profiles: FHIRPath through fhirpathpy, the common structural ones directly; no answer is never a no."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from avatarlib.fhir import r4
from avatarlib.fhir.checker import structure
from avatarlib.fhir.checker.run import Run

_FUNCTION = re.compile(r"\b([a-zA-Z]+)\s*\(")
_OUTSIDE = {"conformsTo", "memberOf", "resolve", "slice", "checkModifiers", "elementDefinition", "subsumes"}
_MACRO = re.compile(r"\b(where|all|exists|select|repeat|aggregate|iif)\s*\((?!\s*\))")
_OF_SETS = re.compile(r"\b(intersect|exclude|subsetOf|supersetOf|combine|union)\s*\(\s*[^%\s]")
# "A text with this extension has a value too", of one element or of all elements of a list.
_VALUED = re.compile(
    r"(?P<name>\w+)\.all\(\$this\.extension\('(?P<url>[^']+)'\)\.empty\(\) or \$this\.hasValue\(\)\)"
    r"|(?P<other>\w+)\.extension\('(?P<link>[^']+)'\)\.empty\(\) or (?P=other)\.hasValue\(\)"
)
_TAGS = re.compile(r"<\s*(script|iframe|object|embed|form|link|base|head|body|html)\b|\bon[a-z]+\s*=|javascript:", re.I)


def holds(constraint: dict, value: Any, kind: str, run: Run) -> tuple[bool | None, str]:
    """Return whether an element meets an invariant, and where that is unknown (None), why.

    Parameters
    ----------
    constraint
        As an ElementDefinition holds it: key, severity, expression.
    value, kind
        The element and its FHIR type; for a part of a type its path, such as Observation.component.
    run
        Knows the resource that it is in, and the one that this is contained in or it itself.
    """
    own = structure.INVARIANTS.get(constraint.get("key", ""))
    if own is not None and constraint.get("source", r4.CORE).startswith(r4.CORE):
        try:
            return own(value, run.root), ""
        except (AttributeError, TypeError, ValueError):
            return None, "a part of it has another type than it must have"
    expression = constraint.get("expression", "")
    shape = _VALUED.fullmatch(expression.strip())
    if shape:
        return _valued(value, shape["name"] or shape["other"], shape["url"] or shape["link"]), ""
    names: set[str] = set()
    resource, root = run.resource, run.root
    if run.has_companions:
        value, resource, root = (_renamed(part, names) for part in (value, resource, root))
    compiled, reason = _compiled(expression, frozenset(names))
    if compiled is None:
        return None, reason
    from fhirpathpy.engine.nodes import ResourceNode

    try:
        node = ResourceNode.create_node(value, kind)
        answer = compiled(node, {"resource": resource, "rootResource": root, "context": node})
    except Exception as error:  # whatever stops the interpreter, the answer is not known
        return None, f"fhirpathpy can't evaluate it ({type(error).__name__})"
    if len(answer) == 1 and isinstance(answer[0], bool):
        return answer[0], ""
    return None, "its expression gives no yes or no"


def _renamed(value: Any, names: set[str]) -> Any:
    """Return a value whose companions are called name__ext in place of _name; note their names.

    fhirpathpy takes a value and its companion for two values, so that gender = 'other' fails where gender has an
    extension.
    """
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    if not isinstance(value, dict):
        return value
    companions = {key[1:] for key in value if key.startswith("_")}
    names |= companions
    return {f"{key[1:]}__ext" if key.startswith("_") else key: _renamed(part, names) for key, part in value.items()}


@cache
def _compiled(expression: str, companions: frozenset[str]) -> tuple[Callable | None, str]:
    import fhirpathpy
    from fhirpathpy.models import models

    if not expression:
        return None, "it has no FHIRPath expression"
    functions = set(_FUNCTION.findall(expression))
    if functions & _OUTSIDE:
        return None, f"its function {min(functions & _OUTSIDE)}() needs more than the resource"
    # fhirpathpy sets $this when it goes into a macro and leaves it there, so that what follows would see another one.
    outer = _outside_macros(expression)
    if _MACRO.search(expression) and ("$this" in outer or _OF_SETS.search(expression)):
        return None, "fhirpathpy would lose sight of $this"
    if companions and "$this.extension" in expression:
        return None, "fhirpathpy can't tell values from their extensions"
    for name in companions:
        expression = re.sub(rf"\b{name}\.extension\b", f"{name}__ext.extension", expression)
    if "$this" in outer:
        expression = f"select({expression})"  # fhirpathpy knows $this inside a macro only
    try:
        return fhirpathpy.compile(expression, models["r4"], _OPTIONS), ""
    except Exception as error:
        return None, f"fhirpathpy can't read it ({type(error).__name__})"


def _valued(value: dict, name: str, url: str) -> bool:
    """Return whether each text of an element that has a certain extension has a value as well."""
    values, companions = (x if isinstance(x, list) else [x] for x in (value.get(name), value.get(f"_{name}")))
    for n, companion in enumerate(companions):
        inner = companion.get("extension") if isinstance(companion, dict) else []
        inner = inner if isinstance(inner, list) else []
        extended = any(isinstance(one, dict) and one.get("url") == url for one in inner)
        if extended and (n >= len(values) or values[n] is None):
            return False
    return True


def _outside_macros(expression: str) -> str:
    """Return an expression without the arguments of macros.

    Examples
    --------
    >>> _outside_macros("line.all($this.exists()) or $this = 1")
    'line.all() or $this = 1'
    """
    kept, depth, inside = [], 0, 0
    opening = {match.end() - 1 for match in _MACRO.finditer(expression)}
    for n, sign in enumerate(expression):
        if sign == ")":
            inside = 0 if inside == depth else inside
            depth -= 1
        if not inside:
            kept.append(sign)
        if sign == "(":
            depth += 1
            if not inside and n in opening:
                inside = depth
    return "".join(kept)


def _has_value(inputs: list) -> list[bool]:
    return [len(inputs) == 1 and inputs[0] is not None and not isinstance(inputs[0], dict | list)]


def _html(inputs: list) -> list[bool]:
    return [all(isinstance(text, str) and not _TAGS.search(text) for text in inputs)]


_OPTIONS = {
    "userInvocationTable": {"hasValue": {"fn": _has_value}, "htmlChecks": {"fn": _html}},
    "traceFn": lambda label, items: None,  # else trace() prints
}
