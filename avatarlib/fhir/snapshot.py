"""A profile's differential applied to the snapshot of its base: the snapshot of the profile."""

from typing import TYPE_CHECKING

from avatarlib.errors import InputError
from avatarlib.fhir import r4

if TYPE_CHECKING:
    from avatarlib.fhir.profiles import Library

_ADDED = ("constraint", "mapping", "condition", "alias", "code", "example")  # a change adds to these
_NOT_INHERITED = ("slicing", "sliceName", "extension")
_SLICED_BY = {
    "extension": {"discriminator": [{"type": "value", "path": "url"}], "rules": "open"},
    "[x]": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "open"},
}


def apply(
    library: "Library", elements: list[dict], changes: list[dict], where: str, pairs: list | None = None
) -> list[dict]:
    """Return the elements after changes; what a change goes into is unfolded first.

    Parameters
    ----------
    library
        Profiles of data types that the elements may name.
    elements
        Snapshot of the base; stays as it is.
    changes
        Elements of a differential, each with its id, those of parents and of sliced elements first.
    where
        What the changes belong to, for messages.
    pairs
        A list that receives (before, after) of each change.

    Raises
    ------
    InputError
        A change has no id or names an element that the base has not; it is named.
    """
    work = _Work(library, where, {element["id"]: element for element in elements})
    for change in changes:
        if not isinstance(change, dict) or not isinstance(change.get("path"), str):
            raise InputError(f"{where}: an element of the differential has no path")
        ident = _ident(change)
        if ident.partition(".")[0] != elements[0]["id"]:
            raise InputError(f"{where}: {ident} is no element of {elements[0]['id']}")
        place = work.ensure(ident, change)
        before = work.elements[place]
        work.elements[place] = _merged(before, change)
        if pairs is not None:
            pairs.append((before, work.elements[place]))
    return list(work.elements.values())


def _ident(change: dict) -> str:
    if isinstance(change.get("id"), str):
        return change["id"]
    name = change.get("sliceName")
    return f"{change['path']}:{name}" if name else change["path"]


def _merged(before: dict, change: dict) -> dict:
    after = dict(before)
    for key, value in change.items():
        if key in ("id", "path"):
            continue
        if key == "constraint":
            keys = {one.get("key") for one in value}
            value = [one for one in before.get(key, []) if one.get("key") not in keys] + value
        elif key in _ADDED:
            value = before.get(key, []) + value
        after[key] = value
    return after


class _Work:
    """Elements by id in their order, while they grow."""

    def __init__(self, library: "Library", where: str, elements: dict[str, dict]):
        self._library, self._where, self.elements = library, where, elements
        self._base = dict(elements)  # what a contentReference repeats

    def ensure(self, ident: str, change: dict) -> str:
        """Return the id under which an element is there, after unfolding or slicing what has to be."""
        if ident in self.elements:
            return ident
        parent, _, last = ident.rpartition(".")
        if not parent:
            raise InputError(f"{self._where}: {ident} is not in the base")
        if ":" in last:
            owner = ident.rpartition("/")[0] if "/" in last else ident.rpartition(":")[0]
            owner = self.ensure(owner, {})
            return self._slice(owner, last.rpartition("/" if "/" in last else ":")[2], ident, change)
        parent = self.ensure(parent, {})
        self._unfold(parent)
        if f"{parent}.{last}" in self.elements:
            return f"{parent}.{last}"
        return self._chosen(parent, last, change)

    def _chosen(self, parent: str, last: str, change: dict) -> str:
        """Read valueQuantity as the slice of value[x] that it abbreviates."""
        for ident in [ident for ident in self.elements if ident.rpartition(".")[0] == parent]:
            name = ident.rpartition(".")[2]
            stem = name.removesuffix("[x]")
            if stem != name and last.startswith(stem) and last != stem:
                return self.ensure(f"{ident}:{last}", change)
        raise InputError(f"{self._where}: {parent}.{last} is no element of the base")

    def _slice(self, owner: str, name: str, ident: str, change: dict) -> str:
        if ident in self.elements:
            return ident
        base = self.elements[owner]
        stem = base["path"].rpartition(".")[2]
        if "slicing" not in base:
            how = _SLICED_BY.get(stem, _SLICED_BY["[x]"] if stem.endswith("[x]") else None)
            how = _SLICED_BY["extension"] if stem == "modifierExtension" else how
            if how is None:
                raise InputError(f"{self._where}: {ident} is a slice, but nothing says how slices of {owner} are told")
            self.elements[owner] = base = base | {"slicing": how}
        fresh = {key: value for key, value in base.items() if key not in _NOT_INHERITED}
        fresh |= {"id": ident, "sliceName": name, "min": 0}
        if stem.endswith("[x]"):
            suffix = name.removeprefix(stem.removesuffix("[x]"))
            fresh["type"] = [t for t in base.get("type", []) if t["code"].lower() == suffix.lower()] or base.get(
                "type", []
            )
        self._insert([fresh], owner)
        return ident

    def _unfold(self, parent: str) -> None:
        """Give an element its children, from the element that it is a slice of, or from its type."""
        if any(ident.startswith(f"{parent}.") for ident in self.elements):
            return
        element = self.elements[parent]
        last = parent.rpartition(".")[2]
        owner = parent.rpartition("/")[0] if "/" in last else parent.rpartition(":")[0] if ":" in last else ""
        repeated = element.get("contentReference", "").rpartition("#")[2]
        source, known = (repeated, self._base) if repeated else (owner, self.elements)
        children = [one for ident, one in known.items() if source and ident.startswith(f"{source}.")]
        if children:
            old_path = known[source]["path"]
            self._insert([_moved(one, source, parent, old_path, element["path"]) for one in children], parent)
            return
        types = element.get("type", [])
        if len(types) != 1:
            raise InputError(f"{self._where}: what {parent} holds depends on its type: state one")
        whole = self._of_type(types[0])
        root = whole[0]
        self._insert([_moved(one, root["id"], parent, root["path"], element["path"]) for one in whole[1:]], parent)

    def _of_type(self, kind: dict) -> list[dict]:
        from avatarlib.fhir.profiles import snapshot

        profiles = kind.get("profile", [])
        if len(profiles) == 1 and self._library.profile(profiles[0]):
            return snapshot(self._library, profiles[0])
        code = kind["code"].rpartition("/")[2].rpartition(".")[2]
        try:
            return list(r4.elements(code))
        except KeyError:
            raise InputError(f"{self._where}: the definition of {code} is in none of the packages") from None

    def _insert(self, fresh: list[dict], after: str) -> None:
        """Put elements behind one and all that belongs to it."""
        rows = list(self.elements.items())
        last = max(
            n
            for n, (ident, _) in enumerate(rows)
            if ident == after or ident.startswith((f"{after}.", f"{after}:", f"{after}/"))
        )
        rows[last + 1 : last + 1] = [(one["id"], one) for one in fresh]
        self.elements = dict(rows)


def _moved(element: dict, old: str, new: str, old_path: str, new_path: str) -> dict:
    ident = new + element["id"].removeprefix(old)
    return element | {"id": ident, "path": new_path + element["path"].removeprefix(old_path)}
