"""Slices by every discriminator and rule, value sets, and invariants: what the checker decides and what it leaves open."""

import pytest
from fhir_small import BASE, CODES, CORE, LOINC, by, changed, checker, concept, definition, derived, element, good, judge

from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, Checker, check_resource, codes
from avatarlib.fhir.checker.invariants import holds
from avatarlib.fhir.checker.run import Run
from avatarlib.fhir.checker.terminology import Terminology
from avatarlib.fhir.profiles import Library, add

OTHER = BASE + "StructureDefinition/other"


def observation(**facts) -> dict:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | facts


def answer(profile: dict, resource: dict, *more: dict, **options) -> tuple[str, list[str]]:
    """The answer, and the rules that were broken or the messages of what is missing."""
    (verdict,) = check_resource(checker(profile, *more), resource, OTHER, **options)
    found = [one.rule for one in verdict.violations] or [one.message for one in verdict.missing]
    return verdict.answer, found


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
        definition(kinds[0], "HumanName", CORE + "HumanName", [element("HumanName.use", patternCode="official", min=1)]),
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
    for facts in ({"valueInteger": 301}, {"valueInteger": -1}, {"effectiveDateTime": "1999-12-31"},
                  {"identifier": [{"value": "1234"}]}):  # fmt: skip
        assert answer(profile, observation(**facts)) == (VIOLATES, ["length"]), facts


def value_set(*include: dict, **facts) -> dict:
    return {"resourceType": "ValueSet", "url": BASE + "ValueSet/x", "compose": {"include": list(include)} | facts}


TREE = {
    "resourceType": "CodeSystem", "url": BASE + "tree", "content": "complete",
    "concept": [
        {"code": "a", "concept": [{"code": "b", "concept": [{"code": "c", "property": [{"code": "p", "valueBoolean": True}]}]}]},
        {"code": "d"},
    ],
}  # fmt: skip
WHOLE = {"system": BASE + "tree"}


def within(operation: str, value: str, name: str = "concept") -> dict:
    return WHOLE | {"filter": [{"property": name, "op": operation, "value": value}]}


@pytest.mark.parametrize(
    ("compose", "members"),
    [
        (value_set(WHOLE), "abcd"),
        (value_set(WHOLE | {"concept": [{"code": "b"}, {"code": "z"}]}), "bz"),
        (value_set(within("is-a", "b")), "bc"),
        (value_set(within("descendent-of", "b")), "c"),
        (value_set(within("=", "true", "p")), "c"),
        (value_set(WHOLE, exclude=[within("is-a", "b")]), "ad"),
        (value_set(within("is-a", "b"), WHOLE | {"concept": [{"code": "d"}]}), "bcd"),
        (value_set({"valueSet": [BASE + "ValueSet/y"]}), "cd"),
        (value_set(WHOLE | {"valueSet": [BASE + "ValueSet/y"]}), "cd"),
    ],
)
def test_members_of_value_sets(compose, members):
    held = Library()
    inner = value_set(WHOLE | {"concept": [{"code": "c"}, {"code": "d"}]}) | {"url": BASE + "ValueSet/y"}
    for one in (TREE, compose, inner):
        add(held, one, "test")
    terminology = Terminology(held)
    found = [code for code in "abcdz" if terminology.member(BASE + "ValueSet/x|1.0", BASE + "tree", code).member == ""]
    assert found == list("abcdz")  # another version is another value set
    for code in "abcdz":
        wanted = "yes" if code in members else "no" if code != "z" or "z" not in members else "yes"
        got = terminology.member(BASE + "ValueSet/x", BASE + "tree", code)
        # Filters by a property say nothing of concepts without it.
        assert got.member == wanted or (got.member == "" and "filter" in got.missing), code
    assert terminology.member(BASE + "ValueSet/x", BASE + "other", members[0]).member == "no"
    assert terminology.member(BASE + "ValueSet/x", None, members[0]).member == "yes"


def test_value_sets_that_are_not_all_at_hand():
    held = Library()
    loop = value_set({"valueSet": [BASE + "ValueSet/x"]})
    for one in (loop, TREE | {"content": "fragment"}):
        add(held, one, "test")
    terminology = Terminology(held)
    assert "includes itself" in terminology.member(BASE + "ValueSet/x", None, "a").missing
    assert terminology.member(BASE + "ValueSet/absent", None, "a").missing.endswith("absent")
    add(held, value_set(WHOLE) | {"url": BASE + "ValueSet/part"}, "test")
    open_ = terminology.member(BASE + "ValueSet/part", BASE + "tree", "e")
    assert (open_.member, open_.external, open_.whole) == ("", True, True)
    expanded = {"resourceType": "ValueSet", "url": BASE + "e", "expansion": {"contains": [{"system": "s", "code": "a"}]}}
    add(held, expanded, "test")
    assert [terminology.member(BASE + "e", "s", code).member for code in "ab"] == ["yes", "no"]


def test_check_digits_against_known_codes():
    snomed = "http://snomed.info/sct"
    for code in ("138875005", "404684003", "73211009", "71388002", "1186936003", "900000000000207008"):
        assert not codes.impossible(snomed, code), code
        other = code[:-1] + str((int(code[-1]) + 1) % 10)
        assert codes.impossible(snomed, other), other
    assert not codes.impossible(LOINC, "8480-6") and codes.impossible(LOINC, "8480-5")
    assert codes.impossible("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "12")
    assert not codes.impossible("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "U07.1!")
    assert not codes.impossible(CODES, "anything")
    # Verhoeff finds every change of one digit and every swap of neighbours.
    for n in range(9):
        assert sum(codes.verhoeff("73211009"[:n] + digit + "73211009"[n + 1 :]) == 0 for digit in "0123456789") <= 1


def test_invariants_that_fhirpathpy_can_and_cannot_answer():
    resource = good()

    def ask(expression: str, value=resource, kind="Observation", root=resource):
        return holds({"key": "x-1", "severity": "error", "expression": expression}, value, kind, Run(root, root))[0]

    assert ask("status = 'final' and component.count() = 2") is True
    assert ask("component.where(value is string).exists()") is True
    assert ask("component.all(value is Quantity)") is False
    assert ask("$this.status = 'final'") is True  # $this outside a macro
    assert ask("%resource.code.coding.code = '85354-9'", resource["component"][0], "Observation.component") is True
    assert ask("value.exists() xor dataAbsentReason.exists()", resource["component"][1], "Observation.component") is True
    for expression in ("code.memberOf('x')", "subject.resolve().exists()", "1 +", "", "{}", "nothing.matches('[')",
                       "category.where(text = 'own').exists() and $this.status = 'final'"):  # fmt: skip
        assert ask(expression) is None, expression
    # A value and its extension are one thing, also for fhirpathpy.
    with_extension = changed(lambda r: r.update(_status={"extension": [{"url": "u", "valueCode": "c"}]}))
    for expression, wanted in (
        ("status = 'final'", True),
        ("status.hasValue()", True),
        ("status.extension('u').exists()", True),
        ("status.extension('v').exists()", False),
        ("status.extension('u').empty() or status.hasValue()", True),
        ("category.all($this.extension('u').empty())", None),
    ):
        assert ask(expression, with_extension, root=with_extension) is wanted, expression
    without = changed(lambda r: (r.pop("status"), r.update(_status={"extension": [{"url": "u", "valueCode": "c"}]})))
    assert ask("status.extension('u').empty() or status.hasValue()", without, root=without) is False


def test_warnings_forbid_nothing_and_unanswered_invariants_are_named():
    rule = {"key": "w-1", "severity": "warning", "human": "x", "expression": "status = 'amended'"}
    assert answer(derived([element("Observation", constraint=[rule])]), observation())[0] == CONFORMS
    rule = rule | {"severity": "error", "expression": "code.memberOf('x')"}
    found, why = answer(derived([element("Observation", constraint=[rule])]), observation())
    assert found == NOT_CHECKABLE and why[0].startswith("invariant w-1: its function memberOf() needs more")


def test_html_of_strangers():
    for div, wanted in (("<div>x</div>", CONFORMS), ("<div><script>x</script></div>", VIOLATES), ("x", VIOLATES)):
        text = {"status": "generated", "div": div}
        rule = {"key": "txt-1", "severity": "error", "human": "no scripts", "expression": "htmlChecks()"}
        profile = derived([element("Observation.text.div", constraint=[rule])])
        assert answer(profile, observation(text=text))[0] == wanted, div


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
