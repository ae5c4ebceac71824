"""The structure of FHIR R4's own types, read from the models of fhir.resources; packages seldom bring it along.

The models are R4B's, whose data types equal R4's. They know names, types, cardinalities, targets of references and most
required codes; `r4.yml` holds the rest that the checker needs.
"""

from functools import cache
from importlib import resources
from typing import Annotated, Any, get_args, get_origin

CORE = "http://hl7.org/fhir/StructureDefinition/"
PRIMITIVES = frozenset(
    "base64Binary boolean canonical code date dateTime decimal id instant integer markdown oid positiveInt string time "
    "unsignedInt uri url uuid xhtml".split()
)
_PARTS = ("BackboneElement", "Element")
_RENAMED = {"EncodedBytes": "base64Binary", "UuidVersion": "uuid"}
_LATER = ("CodeableReference", "RatioRange")  # R4B has them, R4 has not


@cache
def tables() -> dict[str, dict[str, Any]]:
    """Return what `r4.yml` holds: bindings, value sets and extensions of R4 itself."""
    import yaml

    return yaml.safe_load(resources.files(__package__).joinpath("r4.yml").read_text(encoding="utf-8"))


@cache
def _model(name: str) -> type | None:
    from fhir.resources.R4B import get_fhir_model_class

    try:
        return get_fhir_model_class(name)
    except ValueError:
        return None


def is_type(name: str) -> bool:
    """Return whether R4 knows a data type or resource of this name.

    Examples
    --------
    >>> is_type("Coding"), is_type("code"), is_type("Koding")
    (True, True, False)
    """
    return name in PRIMITIVES or (name.isidentifier() and _model(name) is not None)


@cache
def is_resource(name: str) -> bool:
    """Return whether R4 knows a resource of this name."""
    model = _model(name) if name.isidentifier() and name not in PRIMITIVES else None
    return model is not None and any(base.__name__ == "Resource" for base in model.__mro__)


@cache
def elements(name: str) -> tuple[dict[str, Any], ...]:
    """Return the elements of a data type or resource, shaped as a StructureDefinition's snapshot holds them.

    A primitive type has an id, extensions and a value. An element's `codes`, which no StructureDefinition has, lists
    all codes that R4 lets it hold.

    Raises
    ------
    KeyError
        R4 knows no such type.

    Examples
    --------
    >>> [(e["path"], e["min"], e["max"]) for e in elements("Coding")][3:5]
    [('Coding.system', 0, '1'), ('Coding.version', 0, '1')]
    """
    if name in PRIMITIVES:
        return _element(name, 0, "*"), *_below(_model("Element"), name, {}), _element(f"{name}.value", 0, "1", name)
    model = _model(name)
    if model is None:
        raise KeyError(name)
    return _element(name, 0, "*"), *_below(model, name, {})


def _below(model: type, path: str, open_parts: dict[str, str]) -> list[dict[str, Any]]:
    fields = {field.alias or key: field for key, field in model.model_fields.items() if not key.endswith("__ext")}
    found: list[dict[str, Any]] = []
    choices: dict[str, dict[str, Any]] = {}
    for key in model.elements_sequence():
        field = fields[key]
        facts = field.json_schema_extra or {}
        code, many, required = _described(field.annotation)
        group = facts.get("one_of_many")
        if code in _LATER:
            continue
        if group in choices:
            choices[group]["type"].append(_type(code, facts))
            continue
        name = f"{group}[x]" if group else key
        least = int(bool(required or facts.get("element_required") or facts.get("one_of_many_required")))
        most = "*" if many else "1"
        place = f"{path}.{name}"
        element = _element(place, least, most) | {"type": [_type(code, facts)]}
        found.append(element)
        if group:
            choices[group] = element
        codes = facts.get("enum_values")
        if codes and not {"+", "etc.", "formats"} & set(codes):  # such a list is a beginning, or no list
            element["codes"] = tuple(codes)
        if place in tables()["bindings"]:
            element["binding"] = {"strength": "required", "valueSet": tables()["bindings"][place]}
        part = _model(code) if code not in PRIMITIVES and _is_part(code) else None
        if part is not None and code in open_parts:
            del element["type"]
            element["contentReference"] = f"#{open_parts[code]}"
        elif part is not None:
            element["type"] = [{"code": next(b.__name__ for b in part.__mro__ if b.__name__ in _PARTS)}]
            found += _below(part, place, open_parts | {code: place})
    return found


def _element(path: str, least: int, most: str, kind: str = "") -> dict[str, Any]:
    counts = {"min": least, "max": most}
    return {"id": path, "path": path, **counts, "base": {"path": path, **counts}} | (
        {"type": [{"code": kind}]} if kind else {}
    )


def _is_part(code: str) -> bool:
    """Return whether a model is of a part of a type, such as ObservationComponent, and no type of its own."""
    model = _model(code)
    if model is None or code in _PARTS:
        return False
    return model.__module__.rpartition(".")[2] != code.lower()


def _type(code: str, facts: dict) -> dict[str, Any]:
    targets = facts.get("enum_reference_types")
    return {"code": code} | ({"targetProfile": [CORE + target for target in targets]} if targets else {})


def _described(annotation: Any) -> tuple[str, bool, bool]:
    """Return FHIR's type, whether it is a list, and whether it must be there."""
    required, many = True, False
    while True:
        if get_origin(annotation) is Annotated:
            name = type(get_args(annotation)[1]).__name__
            return _RENAMED.get(name, name[0].lower() + name[1:]), many, required
        options = [option for option in get_args(annotation) if option is not type(None)]
        if type(None) in get_args(annotation):
            required = required and many
        if get_origin(annotation) is list:
            many = True
        if not options:
            break
        annotation = options[0]
    if annotation is bool:
        return "boolean", many, required
    return annotation.__name__.removesuffix("Type"), many, required
