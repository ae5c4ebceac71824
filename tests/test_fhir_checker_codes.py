"""Value sets, check digits and invariants: what is decided, and what is left open."""

import pytest
from fhir_small import BASE, CODES, LOINC, answer, changed, derived, element, good, observation

from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, codes
from avatarlib.fhir.checker.invariants import holds
from avatarlib.fhir.checker.run import Run
from avatarlib.fhir.checker.terminology import Terminology
from avatarlib.fhir.profiles import Library, add


def value_set(*include: dict, **facts) -> dict:
    return {"resourceType": "ValueSet", "url": BASE + "ValueSet/x", "compose": {"include": list(include)} | facts}


TREE = {
    "resourceType": "CodeSystem",
    "url": BASE + "tree",
    "content": "complete",
    "concept": [
        {
            "code": "a",
            "concept": [{"code": "b", "concept": [{"code": "c", "property": [{"code": "p", "valueBoolean": True}]}]}],
        },
        {"code": "d"},
    ],
}
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
    expanded = {
        "resourceType": "ValueSet",
        "url": BASE + "e",
        "expansion": {"contains": [{"system": "s", "code": "a"}]},
    }
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
    assert (
        ask("value.exists() xor dataAbsentReason.exists()", resource["component"][1], "Observation.component") is True
    )
    for expression in (
        "code.memberOf('x')",
        "subject.resolve().exists()",
        "1 +",
        "",
        "{}",
        "nothing.matches('[')",
        "category.where(text = 'own').exists() and $this.status = 'final'",
    ):
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
