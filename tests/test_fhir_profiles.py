"""Definitions by address, their bases and snapshots: versions, circles, absent bases, and snapshots as published."""

import pytest
from fhir_small import BASE, CORE, definition, element

from avatarlib.errors import InputError
from avatarlib.fhir import packages, profiles
from avatarlib.fhir.adapt import loosened
from avatarlib.fhir.checker import Checker, check_resource
from avatarlib.fhir.profiles import Library, add, gather
from avatarlib.fhir.snapshot import apply

OBSERVATION = CORE + "Observation"


def bare(name: str, base: str) -> dict:
    return definition(BASE + name, "Observation", base, [element("Observation.note", max="1")])


def test_bases_that_go_in_a_circle_or_are_absent():
    held = Library()
    for name, base in (("a", "b"), ("b", "c"), ("c", "b"), ("d", "absent"), ("e", "e")):
        add(held, bare(name, BASE + base), f"{name}.json")
    with pytest.raises(InputError) as caught:
        profiles.snapshot(held, BASE + "a")
    assert str(caught.value).endswith(f"in a circle: {BASE}b -> {BASE}c -> {BASE}b")
    with pytest.raises(InputError, match="in a circle"):
        profiles.snapshot(held, BASE + "e")
    with pytest.raises(
        InputError, match=f"^d.json: {BASE}d is built on {BASE}absent, which is in none of the packages"
    ):
        profiles.snapshot(held, BASE + "d")
    with pytest.raises(InputError, match="profile https://x.y is in none of the packages"):
        profiles.snapshot(held, "https://x.y")
    with pytest.raises(InputError, match="is built on"):
        check_resource(Checker(held), {"resourceType": "Observation"}, BASE + "d")
    add(held, {key: value for key, value in bare("f", "x").items() if key != "baseDefinition"}, "f.json")
    with pytest.raises(InputError, match="^f.json: baseDefinition is missing"):
        profiles.snapshot(held, BASE + "f")


def test_versions_and_broken_definitions():
    held = Library()
    for version in ("1.10.0", "1.9.0", "2.0.0-rc", "1.9.0-beta"):
        add(held, bare("a", OBSERVATION) | {"version": version}, version)
    assert held.profile(BASE + "a").version == "2.0.0-rc"
    assert held.profile(BASE + "a|1.9.0").where == "1.9.0" and held.profile(BASE + "a|1").version == "1.10.0"
    assert held.profile(BASE + "a|3") is None
    with pytest.raises(InputError, match="x.json: StructureDefinition.url is missing"):
        add(held, {"resourceType": "StructureDefinition"}, "x.json")
    broken = bare("g", OBSERVATION) | {"snapshot": {"element": [element("Observation"), element("Observation.a.b")]}}
    add(held, broken, "g.json")
    with pytest.raises(InputError, match="^g.json: the snapshot does not hold together"):
        check_resource(Checker(held), {"resourceType": "Observation"}, BASE + "g")
    add(held, bare("h", OBSERVATION) | {"kind": "logical"}, "h.json")
    with pytest.raises(InputError, match="^h.json: is no profile of a FHIR type"):
        check_resource(Checker(held), {"resourceType": "Observation"}, BASE + "h")


@pytest.mark.mirror
def test_published_snapshots_follow_from_their_differentials(mirror):
    """All profiles whose base is known: counts, fixed values and patterns as published, where both list an element."""
    held = gather(packages.named(["fhir_packages"]))
    profiles_, elements, different = 0, 0, set()
    for url, definitions in held.held["StructureDefinition"].items():
        for one in definitions:
            published = one.resource
            base = published.get("baseDefinition", "")
            if published.get("derivation") != "constraint" or published.get("kind") == "logical":
                continue
            if not held.profile(base) and not profiles.is_core(base):
                continue
            try:
                own = apply(held, profiles.snapshot(held, base), published["differential"]["element"], url)
            except InputError:
                different.add((url, "not derived"))
                continue
            profiles_ += 1
            mine = {part["id"]: part for part in own}
            for part in published["snapshot"]["element"]:
                other = mine.get(part["id"])
                if other is None or "value" in part["path"].split(".")[1:]:
                    continue
                elements += 1
                keys = {key for key in part | other if key in ("min", "max") or key.startswith(("fixed", "pattern"))}
                different |= {(part["id"], key) for key in keys if part.get(key) != other.get(key)}
    assert profiles_ >= 200 and elements >= 10_000
    assert len(different) / elements < 0.005


@pytest.mark.mirror
def test_no_published_profile_allows_more_than_its_base(mirror):
    held = gather(packages.named(["fhir_packages"]))
    compared = 0
    for definitions in held.held["StructureDefinition"].values():
        for one in definitions:
            base = held.profile(one.resource.get("baseDefinition", ""))
            if base is None or one.resource.get("derivation") != "constraint":
                continue
            pairs: list[tuple[dict, dict]] = []
            elements = profiles.snapshot(held, base.resource["url"])
            apply(held, elements, one.resource["differential"]["element"], one.where, pairs)
            compared += 1
            assert [problem for before, after in pairs for problem in loosened(held, before, after)] == []
    assert compared >= 30
