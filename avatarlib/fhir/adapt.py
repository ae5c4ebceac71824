"""Adapt a profile to a study: a differential on a base becomes a profile of its own, which may only tighten it."""

from avatarlib.errors import InputError
from avatarlib.fhir import profiles, r4
from avatarlib.fhir.checker import primitives
from avatarlib.fhir.checker.terminology import NO, Terminology
from avatarlib.fhir.profiles import Library
from avatarlib.fhir.snapshot import apply

MOST_SHOWN = 3  # problems in one line
_STRENGTHS = ("example", "preferred", "extensible", "required")
_NEEDED = ("url", "name", "status", "type", "baseDefinition")


def derive(library: Library, profile: dict, where: str = "profile") -> dict:
    """Return a StructureDefinition with the snapshot that follows from its differential.

    Parameters
    ----------
    library
        Holds the base and what both refer to.
    profile
        A StructureDefinition with a differential; a snapshot in it is replaced.
    where
        What to call it in messages, such as its file.

    Raises
    ------
    InputError
        A field is missing, the base is in none of the packages or is of another type, an element is none of the base,
        or a change allows what the base forbids; up to three are named.
    """
    for key in _NEEDED:
        if not isinstance(profile.get(key), str) or not profile[key]:
            raise InputError(f"{where}: {key} is missing: a profile states it")
    changes = profile.get("differential", {}).get("element")
    if not isinstance(changes, list) or not changes:
        raise InputError(f"{where}: differential.element is missing: it holds what the profile changes")
    base = profiles.snapshot(library, profile["baseDefinition"])
    if base[0]["path"] != profile["type"]:
        raise InputError(f"{where}: type is {profile['type']}, but the base is a profile of {base[0]['path']}")
    pairs: list[tuple[dict, dict]] = []
    try:
        elements = apply(library, base, changes, where, pairs)
        found = [problem for before, after in pairs for problem in loosened(library, before, after)]
        found += _crowded(elements)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: the differential is malformed ({type(error).__name__}: {error})") from None
    if found:
        more = f"; and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        raise InputError(f"{where}: allows more than its base: {'; '.join(found[:MOST_SHOWN])}{more}")
    clean = [{key: value for key, value in element.items() if key != "codes"} for element in elements]
    derived = {"derivation": "constraint", "abstract": False, "kind": "resource", "fhirVersion": "4.0.1"} | profile
    return derived | {"snapshot": {"element": clean}}


def loosened(library: Library, before: dict, after: dict) -> list[str]:
    """Return what an element allows after a change that it did not allow before.

    Examples
    --------
    >>> element = {"id": "Patient.name", "path": "Patient.name", "min": 1, "max": "*"}
    >>> loosened(Library(), element, element | {"min": 0})
    ['Patient.name: min goes from 1 to 0']
    """
    found = [*_counts(before, after), *_values(before, after), *_flags(before, after)]
    found += [*_types(library, before, after), *_binding(library, before, after)]
    return [f"{after['id']}: {problem}" for problem in found]


def _counts(before: dict, after: dict):
    if after.get("min", 0) < before.get("min", 0):
        yield f"min goes from {before['min']} to {after['min']}"
    if _most(after) > _most(before):
        yield f"max goes from {before.get('max')} to {after.get('max')}"
    if after.get("min", 0) > _most(after):
        yield f"min {after['min']} is above max {after['max']}"
    if "maxLength" in before and after.get("maxLength", 1 << 31) > before["maxLength"]:
        yield f"maxLength goes from {before['maxLength']} to {after.get('maxLength')}"


def _most(element: dict) -> float:
    most = element.get("max", "*")
    return float("inf") if most == "*" else int(most)


def _values(before: dict, after: dict):
    old = {key: value for key, value in before.items() if key.startswith(("fixed", "pattern"))}
    for key, value in old.items():
        new = next((after[k] for k in after if k.startswith(("fixed", "pattern"))), None)
        if new is None:
            yield f"{key} is gone"
        elif key.startswith("fixed") and not primitives.equal(new, value):
            yield f"{key} is another value"
        elif key.startswith("pattern") and not primitives.contains(new, value):
            yield f"{key} lacks a part of what the base asks for"


def _flags(before: dict, after: dict):
    if before.get("mustSupport") and after.get("mustSupport") is False:
        yield "mustSupport is taken away"
    if bool(before.get("isModifier")) != bool(after.get("isModifier")):
        yield "isModifier can't be changed"
    rules = {"closed": 2, "openAtEnd": 1, "open": 0}
    old, new = before.get("slicing", {}).get("rules", "open"), after.get("slicing", {}).get("rules", "open")
    if rules.get(new, 0) < rules.get(old, 0):
        yield f"slicing goes from {old} to {new}"
    gone = {one.get("key") for one in before.get("constraint", [])} - {
        one.get("key") for one in after.get("constraint", [])
    }
    for key in sorted(gone):
        yield f"invariant {key} is gone"


def _types(library: Library, before: dict, after: dict):
    old = {kind["code"]: kind for kind in before.get("type", [])}
    for kind in after.get("type", []):
        if old and kind["code"] not in old:
            yield f"type {kind['code']} is none of {', '.join(old)}"
            continue
        for field in ("profile", "targetProfile"):
            allowed = old.get(kind["code"], {}).get(field, [])
            for canonical in kind.get(field, []) if allowed else []:
                if not _within(library, canonical, allowed):
                    yield f"{field} {canonical} is built on none of {', '.join(allowed)}"
            if allowed and not kind.get(field):
                yield f"{field} is gone"


def _within(library: Library, canonical: str, allowed: list[str]) -> bool:
    plain = [one.partition("|")[0] for one in allowed]
    if canonical.partition("|")[0] in plain or r4.CORE + "Resource" in plain:
        return True
    chain = list(profiles.bases(library, canonical))
    above = [one.resource.get("baseDefinition", "").partition("|")[0] for one in chain]
    return any(one in plain for one in above)


def _binding(library: Library, before: dict, after: dict):
    old, new = before.get("binding"), after.get("binding")
    if not old or old == new:
        return
    if not new:
        yield "the binding is gone"
        return
    weak, strong = _STRENGTHS.index(old["strength"]), new.get("strength")
    if strong not in _STRENGTHS or _STRENGTHS.index(strong) < weak:
        yield f"binding goes from {old['strength']} to {strong}"
    elif old["strength"] == "required" and new.get("valueSet") != old.get("valueSet"):
        terminology = Terminology(library)
        for system, code in _listed(library, new.get("valueSet", "")):
            if terminology.member(old.get("valueSet", ""), system, code).member == NO:
                yield f"binding allows {system}#{code}, which value set {old.get('valueSet')} does not hold"
                return


def _listed(library: Library, value_set: str):
    """Yield the codes that a value set lists itself."""
    found = library.find("ValueSet", value_set)
    for part in found.resource.get("compose", {}).get("include", []) if found else []:
        for concept in part.get("concept", []):
            yield part.get("system"), concept.get("code", "")


def _crowded(elements: list[dict]) -> list[str]:
    """Return where slices together ask for more items than the sliced element may have."""
    by_id = {element["id"]: element for element in elements}
    least: dict[str, int] = {}
    found = []
    for element in elements:
        last = element["id"].rpartition(".")[2]
        if ":" in last and "/" not in last:
            owner = element["id"].rpartition(":")[0]
            least[owner] = least.get(owner, 0) + element.get("min", 0)
            if owner in by_id and element.get("max") != "*" and _most(element) > _most(by_id[owner]):
                found.append(f"{element['id']}: max {element['max']} is above the {by_id[owner]['max']} of all")
    return found + [
        f"{owner}: its slices ask for {count} items, and it may have {by_id[owner]['max']}"
        for owner, count in least.items()
        if owner in by_id and count > _most(by_id[owner])
    ]
