"""A profile's snapshot as a tree: each element with its children and slices, ready to be walked with a resource."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

UNBOUNDED = 10**9  # the maximum "*"
_SYSTEM = "http://hl7.org/fhirpath/System."


@dataclass(frozen=True)
class Type:
    """A type that an element may have: its code, the profiles that it must meet, and the profiles of its targets."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slicing:
    """How an element's items are told apart: (type, path) of each discriminator, and the rules for other items."""

    discriminators: tuple[tuple[str, str], ...]
    rules: str
    ordered: bool


@dataclass(eq=False)
class Node:
    """An element of a snapshot.

    Attributes
    ----------
    name
        Last part of the path without "[x]"; `choice` says whether it had one.
    fixed, pattern
        A one-element tuple with the value, or None: the value itself may be false.
    many
        Whether JSON holds it as a list, which the base decides.
    codes
        All codes that R4 itself lets the element hold, or None where unknown.
    children
        By name; empty where the snapshot does not go into the type.
    reference
        Id of the element whose content this one repeats (contentReference), or "".
    origin
        The element that this one is a slice of, or whose content it repeats: it has the children where this has none.
    """

    id: str
    name: str
    choice: bool
    slice_name: str
    least: int
    most: int
    many: bool
    types: tuple[Type, ...]
    fixed: tuple[Any] | None
    pattern: tuple[Any] | None
    binding: dict | None
    codes: tuple[str, ...] | None
    longest: int | None
    limits: tuple[tuple[str, Any], ...]
    constraints: tuple[dict, ...]
    slicing: Slicing | None
    base_path: str
    reference: str
    children: dict[str, "Node"] = field(default_factory=dict)
    slices: list["Node"] = field(default_factory=list)
    origin: "Node | None" = None
    keys: dict[str, tuple["Node", str]] | None = None

    def named(self) -> dict[str, tuple["Node", str]]:
        """Return the children by the names that JSON gives them, each with the type that the name tells ("" for any).

        A choice such as value[x] is there once for each type that the profile lets it have.
        """
        if self.keys is None:
            self.keys = {}
            for child in self.children.values():
                if child.choice:
                    for kind in child.types:
                        self.keys[child.name + kind.code[:1].upper() + kind.code[1:]] = (child, kind.code)
                else:
                    self.keys[child.name] = (child, "")
        return self.keys


@dataclass(frozen=True)
class Profile:
    """A compiled profile: its address, the type that it constrains, and its elements by id."""

    url: str
    type: str
    root: Node
    nodes: dict[str, Node]


def build(url: str, kind: str, elements: Iterable[dict]) -> Profile:
    """Return the tree of a snapshot's elements.

    Raises
    ------
    ValueError
        An element's id names a parent or a sliced element that the snapshot does not hold; says which.
    """
    nodes: dict[str, Node] = {}
    root = None
    for element in elements:
        node = _node(element)
        nodes[node.id] = node
        parent_id, _, last = node.id.rpartition(".")
        if root is None:
            root = node
        elif ":" in last:
            owner = node.id.rpartition("/")[0] if "/" in last else node.id.rpartition(":")[0]
            if owner not in nodes:
                raise ValueError(f"slice {node.id} has no element {owner}")
            nodes[owner].slices.append(node)
            node.origin = nodes[owner]
        elif parent_id not in nodes:
            raise ValueError(f"element {node.id} has no parent")
        else:
            nodes[parent_id].children[node.name] = node
    if root is None:
        raise ValueError("the snapshot is empty")
    for node in nodes.values():
        if node.reference:
            if node.reference not in nodes:
                raise ValueError(f"element {node.id} repeats {node.reference}, which is not there")
            node.origin = nodes[node.reference]
    return Profile(url, kind, root, nodes)


_SHAPES = {"path": str, "min": int, "max": str, "base": dict, "type": list, "binding": dict, "slicing": dict}


def _node(element: dict) -> Node:
    for key, shape in _SHAPES.items():
        if not isinstance(element.get(key, shape()), shape):
            raise ValueError(f"{key} of {element.get('id')} has another type than it must have")
    if not all(isinstance(one, dict) for key in ("type", "constraint") for one in element.get(key, ())):
        raise ValueError(f"a type or constraint of {element.get('id')} is no object")
    path = element["path"]
    name = path.rpartition(".")[2]
    base = element.get("base", {})
    slicing = element.get("slicing")
    limits = [(key, value) for key, value in element.items() if key.startswith(("minValue", "maxValue"))]
    return Node(
        id=element.get("id", path),
        name=name.removesuffix("[x]"),
        choice=name.endswith("[x]"),
        slice_name=element.get("sliceName", ""),
        least=element.get("min", 0),
        most=_most(element.get("max", "*")),
        many=_most(base.get("max", element.get("max", "*"))) > 1,
        types=tuple(_type(found) for found in element.get("type", ())),
        fixed=_value(element, "fixed"),
        pattern=_value(element, "pattern"),
        binding=element.get("binding"),
        codes=element.get("codes"),
        longest=element.get("maxLength"),
        limits=tuple(limits),
        constraints=tuple(element.get("constraint", ())),
        slicing=_slicing(slicing) if slicing else None,
        base_path=base.get("path", path),
        reference=element.get("contentReference", "").rpartition("#")[2],
    )


def _slicing(slicing: dict) -> Slicing:
    found = tuple((part["type"], part["path"]) for part in slicing.get("discriminator", ()))
    return Slicing(found, slicing.get("rules", "open"), bool(slicing.get("ordered", False)))


def _most(text: str) -> int:
    return UNBOUNDED if text == "*" else int(text)


def _type(found: dict) -> Type:
    code = found.get("code", "")
    if code.startswith(_SYSTEM):
        stated = (extension.get("valueUrl") for extension in found.get("extension", ()))
        code = next(filter(None, stated), code[len(_SYSTEM) : len(_SYSTEM) + 1].lower() + code[len(_SYSTEM) + 1 :])
    return Type(code.rpartition("/")[2], tuple(found.get("profile", ())), tuple(found.get("targetProfile", ())))


def _value(element: dict, prefix: str) -> tuple[Any] | None:
    for key, value in element.items():
        if key.startswith(prefix) and key[len(prefix) : len(prefix) + 1].isupper():
            return (value,)
    return None
