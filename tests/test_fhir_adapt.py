"""Profiles derived from a base: the snapshot that follows, what may not be loosened, and bases that are broken."""

import pytest
from fhir_small import BASE, CORE, LOINC, SIDES, by, concept, definition, element, library

from avatarlib.errors import InputError
from avatarlib.fhir import r4
from avatarlib.fhir.adapt import derive
from avatarlib.fhir.profiles import add

URL = BASE + "StructureDefinition/derived"
OBSERVATION = CORE + "Observation"


def from_base(base: list[dict], changes: list[dict], kind: str = "Observation"):
    """Derive from a base that was itself derived from R4's type; both are profiles of one kind."""
    held = library()
    first = derive(held, definition(BASE + "StructureDefinition/base", kind, CORE + kind, base))
    add(held, first, "base.json")
    return derive(held, definition(URL, kind, first["url"], changes), "own.json")


def by_id(profile: dict) -> dict[str, dict]:
    return {one["id"]: one for one in profile["snapshot"]["element"]}


def test_snapshot_holds_the_base_and_the_changes():
    profile = from_base([element("Observation.subject", min=1)], [element("Observation.note", max="0")])
    found = by_id(profile)
    assert list(found) == [one["id"] for one in r4.elements("Observation")]
    assert (found["Observation.subject"]["min"], found["Observation.note"]["max"]) == (1, "0")
    assert found["Observation.status"]["min"] == 1 and found["Observation.note"]["base"]["max"] == "*"
    assert profile["differential"]["element"] == [element("Observation.note", max="0")]
    assert not any("codes" in one for one in found.values())


def test_changes_unfold_types_slices_and_choices_in_their_order():
    changes = [
        element("Observation.code.coding", slicing=by("pattern", "system")),
        element("Observation.code.coding:loinc", sliceName="loinc", min=1, patternCoding={"system": LOINC}),
        element("Observation.code.coding:loinc.version", min=1),
        element("Observation.component", slicing=by("pattern", "code")),
        element("Observation.component:a", sliceName="a", min=1),
        element("Observation.component:a.valueQuantity.code", min=1),
    ]
    found = by_id(from_base([element("Observation.component.code", mustSupport=True)], changes))
    order = list(found)
    assert order.index("Observation.code.coding") < order.index("Observation.code.coding:loinc")
    assert order.index("Observation.code.coding:loinc.version") < order.index("Observation.code.text")
    assert order.index("Observation.component.referenceRange.text") < order.index("Observation.component:a")
    assert found["Observation.component:a.code"]["mustSupport"] and found["Observation.component:a.code"]["min"] == 1
    chosen = "Observation.component:a.value[x]:valueQuantity"
    assert found[chosen]["type"] == [{"code": "Quantity"}] and found[f"{chosen}.code"]["min"] == 1
    assert found["Observation.component:a.value[x]"]["slicing"]["discriminator"] == [{"type": "type", "path": "$this"}]
    assert found["Observation.code.coding:loinc.version"]["path"] == "Observation.code.coding.version"


def test_repeated_content_is_that_of_the_base_not_of_the_changes():
    changes = [element("Questionnaire.item.text", max="0"), element("Questionnaire.item.item.text", min=1)]
    found = by_id(from_base([element("Questionnaire.name", min=1)], changes, "Questionnaire"))
    assert found["Questionnaire.item.text"]["max"] == "0"
    assert (found["Questionnaire.item.item.text"]["min"], found["Questionnaire.item.item.text"]["max"]) == (1, "1")


REQUIRED = {"strength": "required", "valueSet": SIDES}
INVARIANT = {"key": "i-1", "severity": "error", "human": "x", "expression": "true"}
SLICED = [
    element("Observation.category", slicing=by("pattern", "$this", rules="closed"), max="1"),
    element("Observation.category:a", sliceName="a", patternCodeableConcept=concept(LOINC, "1-8"), mustSupport=True),
]
LOOSER = [
    ("min", [element("Observation.subject", min=1)], [element("Observation.subject", min=0)], "min goes from 1 to 0"),
    ("max", [element("Observation.note", max="1")], [element("Observation.note", max="*")], "max goes from 1 to *"),
    (
        "min above max",
        [element("Observation.note", max="1")],
        [element("Observation.note", min=2)],
        "min 2 is above max 1",
    ),
    (
        "type",
        [element("Observation.value[x]", type=[{"code": "Quantity"}])],
        [element("Observation.value[x]", type=[{"code": "string"}])],
        "type string is none of Quantity",
    ),
    (
        "target",
        [element("Observation.subject", type=[{"code": "Reference", "targetProfile": [CORE + "Patient"]}])],
        [element("Observation.subject", type=[{"code": "Reference", "targetProfile": [CORE + "Group"]}])],
        "is built on none of",
    ),
    (
        "targets",
        [element("Observation.subject", type=[{"code": "Reference", "targetProfile": [CORE + "Patient"]}])],
        [element("Observation.subject", type=[{"code": "Reference"}])],
        "targetProfile is gone",
    ),
    (
        "fixed",
        [element("Observation.method", fixedCodeableConcept={"text": "a"})],
        [element("Observation.method", fixedCodeableConcept={"text": "b"})],
        "another value",
    ),
    (
        "pattern",
        [element("Observation.code", patternCodeableConcept=concept(LOINC, "1-8"))],
        [element("Observation.code", patternCodeableConcept={"text": "a"})],
        "lacks a part",
    ),
    (
        "strength",
        [element("Observation.bodySite", binding=REQUIRED)],
        [element("Observation.bodySite", binding=REQUIRED | {"strength": "preferred"})],
        "binding goes from required to preferred",
    ),
    (
        "codes",
        [element("Observation.bodySite", binding=REQUIRED)],
        [element("Observation.bodySite", binding=REQUIRED | {"valueSet": BASE + "ValueSet/more"})],
        "allows",
    ),
    ("must support", SLICED, [element("Observation.category:a", sliceName="a", mustSupport=False)], "mustSupport"),
    (
        "closed",
        SLICED,
        [element("Observation.category", slicing=by("pattern", "$this"))],
        "slicing goes from closed to open",
    ),
    (
        "crowded",
        SLICED[:1],
        [
            element("Observation.category:a", sliceName="a", min=1),
            element("Observation.category:b", sliceName="b", min=1),
        ],
        "its slices ask for 2 items, and it may have 1",
    ),
    (
        "slice above",
        SLICED[:1],
        [element("Observation.category:a", sliceName="a", max="2")],
        "max 2 is above the 1 of all",
    ),
    (
        "length",
        [element("Observation.identifier.value", maxLength=3)],
        [element("Observation.identifier.value", maxLength=4)],
        "maxLength",
    ),
    ("modifier", [element("Observation.note", max="1")], [element("Observation.note", isModifier=True)], "isModifier"),
]


@pytest.mark.parametrize(("base", "change", "why"), [case[1:] for case in LOOSER], ids=[case[0] for case in LOOSER])
def test_what_the_base_forbids_stays_forbidden(base, change, why):
    with pytest.raises(InputError) as caught:
        held = library(
            {
                "resourceType": "ValueSet",
                "url": BASE + "ValueSet/more",
                "compose": {"include": [{"system": "s", "concept": [{"code": "x"}]}]},
            }
        )
        first = derive(held, definition(BASE + "StructureDefinition/base", "Observation", OBSERVATION, base))
        add(held, first, "base.json")
        derive(held, definition(URL, "Observation", first["url"], change), "own.json")
    line = str(caught.value)
    assert line.startswith("own.json: allows more than its base: Observation.") and why in line and "\n" not in line


def test_tightening_in_every_way_is_fine():
    held = library(
        {
            "resourceType": "ValueSet",
            "url": BASE + "ValueSet/less",
            "compose": {"include": [{"system": BASE + "CodeSystem/side", "concept": [{"code": "left"}]}]},
        }
    )
    patient = definition(
        BASE + "StructureDefinition/p", "Patient", CORE + "Patient", [element("Patient.name", max="0")]
    )
    add(held, patient, "p.json")
    base = [element("Observation.bodySite", binding=REQUIRED), *SLICED, element("Observation", constraint=[INVARIANT])]
    first = derive(held, definition(BASE + "StructureDefinition/base", "Observation", OBSERVATION, base))
    add(held, first, "base.json")
    changes = [
        element("Observation", constraint=[INVARIANT | {"key": "i-2"}]),
        element("Observation.subject", min=1, type=[{"code": "Reference", "targetProfile": [patient["url"]]}]),
        element("Observation.bodySite", binding=REQUIRED | {"valueSet": BASE + "ValueSet/less"}),
        element("Observation.category:a", sliceName="a", min=1),
        element("Observation.value[x]", type=[{"code": "Quantity"}]),
    ]
    found = by_id(derive(held, definition(URL, "Observation", first["url"], changes)))
    assert [one["key"] for one in found["Observation"]["constraint"]] == ["i-1", "i-2"]
    assert found["Observation.category:a"]["patternCodeableConcept"] == concept(LOINC, "1-8")


WRONG = [
    ("no element", [element("Observation.colour", min=1)], "Observation.colour is no element of the base"),
    ("other type", [element("Patient.name", min=1)], "Patient.name is no element of Observation"),
    ("no type to go into", [element("Observation.value[x].code", min=1)], "depends on its type: state one"),
    (
        "untold slices",
        [element("Observation.category:a", sliceName="a")],
        "nothing says how slices of Observation.category",
    ),
    ("no path", [{"id": "Observation.code"}], "an element of the differential has no path"),
    ("min is a text", [element("Observation.code", min="1")], "the differential is malformed"),
    ("types are no list", [element("Observation.code", type="Coding")], "the differential is malformed"),
    ("no object", [1], "an element of the differential has no path"),
]


@pytest.mark.parametrize(("changes", "why"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_changes_that_fit_nothing_are_named(changes, why):
    with pytest.raises(InputError, match="^own.json: ") as caught:
        derive(library(), definition(URL, "Observation", OBSERVATION, changes), "own.json")
    assert why in str(caught.value)


@pytest.mark.parametrize("key", ["url", "name", "status", "type", "baseDefinition", "differential"])
def test_a_profile_states_its_fields(key):
    profile = definition(URL, "Observation", OBSERVATION, [element("Observation.note", max="0")])
    del profile[key]
    with pytest.raises(InputError, match=f"own.json: {key}.* is missing"):
        derive(library(), profile, "own.json")
