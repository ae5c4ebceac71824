"""Slices by every discriminator and rule, profiles of types, limits: what is decided and what is left open."""

import pytest
from fhir_small import (
    BASE,
    CORE,
    LOINC,
    answer,
    by,
    checker,
    concept,
    definition,
    derived,
    element,
    judge,
    observation,
)

from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, Checker, check_resource

A, B, C = (concept(LOINC, code) for code in ("718-7", "2160-0", "2823-3"))


def categories(*slices: dict, **slicing) -> dict:
    return derived([element("Observation.category", slicing=by("pattern", "$this", **slicing)), *slices])


def sliced(name: str, what: dict, **facts) -> dict:
    return element(f"Observation.category:{name}", sliceName=name, patternCodeableConcept=what, **facts)


@pytest.mark.parametrize(
    ("rules", "items", "fine"),
    [
        ({"rules": "open"}, [A, C, B], True),
        ({"rules": "closed"}, [B, A], True),
        ({"rules": "closed"}, [A, C], False),
        ({"rules": "openAtEnd"}, [A, B, C], True),
        ({"rules": "openAtEnd"}, [A, C, B], False),
        ({"ordered": True}, [A, C, B], True),
        ({"ordered": True}, [B, A], False),
        ({"ordered": True, "rules": "closed"}, [], True),
    ],
)
def test_rules_of_a_slicing(rules, items, fine):
    profile = categories(sliced("a", A), sliced("b", B), **rules)
    resource = observation(category=items) if items else observation()
    assert answer(profile, resource) == ((CONFORMS, []) if fine else (VIOLATES, ["slice"]))


def test_counts_of_a_slice_and_of_its_slices():
    inner = element("Observation.category:a", slicing=by("value", "text"))
    one = element("Observation.category:a/one", sliceName="one", min=1, max="1")
    text = element("Observation.category:a/one.text", fixedString="one", min=1)
    profile = categories(sliced("a", A, max="2"), inner, one, text)
    first = A | {"text": "one"}
    assert answer(profile, observation(category=[first, A]))[0] == CONFORMS
    assert answer(profile, observation(category=[A]))[0] == VIOLATES  # a is there, a/one is not
    assert answer(profile, observation(category=[first, first])) == (VIOLATES, ["slice"])
    assert answer(profile, observation(category=[first, A, A])) == (VIOLATES, ["slice"])
    assert answer(profile, observation(category=[C]))[0] == VIOLATES


COMPONENT = {
    "value": ([element("Observation.component:s.code.text", fixedString="s", min=1)], "code.text"),
    "pattern": ([element("Observation.component:s.code", patternCodeableConcept={"text": "s"})], "code"),
    "exists": ([element("Observation.component:s.interpretation", min=1)], "interpretation"),
    "type": ([element("Observation.component:s.value[x]", min=1, type=[{"code": "Quantity"}])], "value"),
}


@pytest.mark.parametrize("kind", ["value", "pattern", "exists"])
def test_discriminators_in_a_part(kind):
    changes, path = COMPONENT[kind]
    head = element("Observation.component", slicing=by(kind, path))
    part = element("Observation.component:s", sliceName="s", min=1, max="1")
    profile = derived([head, part, *changes])
    inside = {"code": {"text": "s"}, "interpretation": [{"text": "x"}]}
    outside = {"code": {"text": "t"}}
    assert answer(profile, observation(component=[outside, inside])) == (CONFORMS, [])
    assert answer(profile, observation(component=[outside])) == (VIOLATES, ["slice"])
    assert answer(profile, observation(component=[inside, inside])) == (VIOLATES, ["slice"])


def test_slices_of_a_choice_by_type():
    head = element("Observation.value[x]", slicing=by("type", "$this"))
    part = element("Observation.value[x]:valueQuantity", sliceName="valueQuantity", min=1)
    code = element("Observation.value[x]:valueQuantity.code", min=1, patternCode="mm[Hg]")
    profile = derived([head, part, code])
    quantity = {"value": 1, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    assert answer(profile, observation(valueQuantity=quantity)) == (CONFORMS, [])
    assert answer(profile, observation(valueQuantity=quantity | {"code": "kPa"})) == (VIOLATES, ["pattern"])
    assert answer(profile, observation(valueString="x")) == (VIOLATES, ["slice"])
    assert answer(derived([element("Observation.valueQuantity", min=1)]), observation(valueString="x"))[0] == VIOLATES


def targets(kind: str, path: str, profile: str, *more: dict) -> dict:
    head = element("Observation.performer", slicing=by(kind, path))
    type_ = [{"code": "Reference", "targetProfile": [profile]}]
    return derived([head, element("Observation.performer:s", sliceName="s", min=1, type=type_)], *more)


def test_slices_by_what_a_reference_points_to():
    by_type = targets("type", "$this.resolve()", CORE + "Practitioner")
    assert answer(by_type, observation(performer=[{"reference": "Practitioner/1"}])) == (CONFORMS, [])
    assert answer(by_type, observation(performer=[{"reference": "Patient/1"}])) == (VIOLATES, ["slice"])
    unknown = observation(performer=[{"reference": "urn:uuid:1"}])
    assert answer(by_type, unknown)[0] == NOT_CHECKABLE
    assert answer(by_type, unknown, around={"urn:uuid:1": "Practitioner"}.get)[0] == CONFORMS
    assert answer(by_type, unknown, around={"urn:uuid:1": "Patient"}.get)[0] == VIOLATES
    named = BASE + "StructureDefinition/named"
    held = definition(named, "Practitioner", CORE + "Practitioner", [element("Practitioner.name", min=1)])
    by_profile = targets("profile", "resolve()", named, held)
    inside = {"resourceType": "Practitioner", "id": "p", "name": [{"text": "x"}]}
    resource = observation(contained=[inside], performer=[{"reference": "#p"}])
    assert answer(by_profile, resource, held) == (CONFORMS, [])
    del inside["name"]
    assert answer(by_profile, resource, held) == (VIOLATES, ["slice"])
    assert answer(by_profile, observation(performer=[{"reference": "Practitioner/1"}]), held)[0] == NOT_CHECKABLE


def test_slices_that_nothing_tells_apart_are_left_open():
    profile = categories(sliced("a", {"coding": [{"system": LOINC}]}), sliced("b", A))
    found, why = answer(profile, observation(category=[A]))
    assert found == NOT_CHECKABLE and "a and b can't be told apart" in why[0]
    # A required binding of a part is no value by which a slice is told.
    use = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/name-use"}
    vague = derived(
        [
            element("Patient.name", slicing=by("pattern", "$this")),
            element("Patient.name:one", sliceName="one", min=1),
            element("Patient.name:one.use", binding=use),
        ],
        kind="Patient",
    )
    assert answer(vague, {"resourceType": "Patient", "name": [{"text": "x"}]})[0] == NOT_CHECKABLE
    odd = derived(
        [
            element("Observation.category", slicing=by("pattern", "coding.where(system = 'x')")),
            element("Observation.category:a", sliceName="a", min=1),
        ]
    )
    assert answer(odd, observation(category=[A]))[0] == NOT_CHECKABLE


def test_type_profiles_of_which_one_must_be_met():
    kinds = [BASE + f"StructureDefinition/{name}" for name in ("official", "other-name")]
    held = [
        definition(
            kinds[0], "HumanName", CORE + "HumanName", [element("HumanName.use", patternCode="official", min=1)]
        ),
        definition(kinds[1], "HumanName", CORE + "HumanName", [element("HumanName.text", min=1)]),
    ]
    type_ = [{"code": "HumanName", "profile": kinds}]
    profile = derived([element("Patient.name", type=type_)], kind="Patient")
    for name, wanted in (({"use": "official"}, CONFORMS), ({"text": "x"}, CONFORMS), ({"use": "old"}, VIOLATES)):
        assert answer(profile, {"resourceType": "Patient", "name": [name]}, *held)[0] == wanted
    assert answer(profile, {"resourceType": "Patient", "name": [{"use": "old"}]}, held[0])[0] == NOT_CHECKABLE


def test_limits_and_lengths():
    profile = derived(
        [
            element("Observation.value[x]", type=[{"code": "integer"}], minValueInteger=0, maxValueInteger=300),
            element("Observation.effective[x]", type=[{"code": "dateTime"}], minValueDateTime="2000-01-01"),
            element("Observation.identifier.value", maxLength=3),
        ]
    )
    assert answer(profile, observation(valueInteger=300, effectiveDateTime="2000-01-01"))[0] == CONFORMS
    for facts in (
        {"valueInteger": 301},
        {"valueInteger": -1},
        {"effectiveDateTime": "1999-12-31"},
        {"identifier": [{"value": "1234"}]},
    ):
        assert answer(profile, observation(**facts)) == (VIOLATES, ["length"]), facts


def test_deep_and_self_naming_definitions_end():
    url = BASE + "StructureDefinition/nested"
    nested = definition(
        url,
        "Extension",
        CORE + "Extension",
        [
            element("Extension.url", fixedUri=url),
            element("Extension.extension", slicing=by("value", "url")),
            element("Extension.extension:inner", sliceName="inner", type=[{"code": "Extension", "profile": [url]}]),
        ],
    )
    extension = {"url": url, "valueCode": "x"}
    for _ in range(40):
        extension = {"url": url, "extension": [extension]}
    resource = observation(extension=[extension])
    (verdict,) = check_resource(checker(nested), resource)
    assert verdict.answer == CONFORMS
    item = {"linkId": "1", "type": "group"}
    for _ in range(40):
        item = {"linkId": "1", "type": "group", "item": [item]}
    form = {"resourceType": "Questionnaire", "status": "active", "item": [item]}
    assert judge(form).answer == CONFORMS
    item["item"][0]["item"][0]["type"] = "nonsense"
    assert judge(form).violations[0].path == "Questionnaire.item[0].item[0].item[0].type"
    assert isinstance(checker(nested), Checker)
