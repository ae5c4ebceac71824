"""What the checker says of resources whose answer is known: one that conforms, and many that each break one rule."""

import json
import subprocess
import sys

import pytest
from fhir_small import (
    BASE,
    CODES,
    CORE,
    DISTANCE,
    LOINC,
    PROFILE,
    UCUM,
    changed,
    checker,
    concept,
    good,
    judge,
    library,
)

from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, Checker, check_resource


def put(*path_and_value):
    """A change that sets a value at a path."""
    *path, last, value = path_and_value

    def change(resource):
        holder = resource
        for step in path:
            holder = holder[step]
        holder[last] = value

    return change


def drop(*path):
    """A change that takes a key or an item away."""

    def change(resource):
        holder = resource
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return change


def test_a_resource_that_meets_all_rules_conforms():
    verdict = judge(good())
    assert (verdict.answer, verdict.violations, verdict.missing) == (CONFORMS, (), ())
    assert (verdict.kind, verdict.profile) == ("Observation", PROFILE)


SYSTOLIC = "Observation.component[0].valueQuantity"
BAD = [
    # cardinality
    ("required element", drop("identifier"), "min", "Observation"),
    ("required by R4", drop("status"), "min", "Observation"),
    ("required in a part", drop("component", 1, "code"), "min", "Observation.component[1]"),
    ("too many", lambda r: r["identifier"].extend([{"value": "2"}, {"value": "3"}]), "max", "Observation"),
    ("forbidden", put("note", [{"text": "x"}]), "max", "Observation"),
    ("forbidden choice", put("valueString", "x"), "max", "Observation"),
    ("two of a choice", put("effectivePeriod", {"start": "2025"}), "max", "Observation"),
    ("only an extension, empty", put("_status", {}), "type", "Observation.status"),
    # structure and types
    ("unknown element", put("colour", "red"), "unknown", "Observation"),
    ("unknown in a type", put("code", "coding", 0, "colour", "red"), "unknown", "Observation.code.coding[0]"),
    ("hostile name", put("a'\n" + "b" * 99, 1), "unknown", "Observation"),
    ("list for one", put("code", [concept(LOINC, "85354-9")]), "type", "Observation.code"),
    ("one for a list", put("category", concept(LOINC, "1-8")), "type", "Observation.category"),
    ("empty list", put("note", []), "type", "Observation.note"),
    ("empty object", put("subject", {}), "type", "Observation.subject"),
    ("null", put("subject", None), "type", "Observation.subject"),
    ("text for an object", put("subject", "Patient/1"), "type", "Observation.subject"),
    ("number for a text", put("identifier", 0, "value", 1), "type", "Observation.identifier[0].value"),
    ("text for a number", put("component", 0, "valueQuantity", "value", "120"), "type", f"{SYSTOLIC}.value"),
    ("empty text", put("identifier", 0, "value", ""), "type", "Observation.identifier[0].value"),
    ("no day", put("effectiveDateTime", "2025-02-29"), "type", "Observation.effectiveDateTime"),
    ("time without zone", put("effectiveDateTime", "2025-02-28T10:00:00"), "type", "Observation.effectiveDateTime"),
    ("type of no choice", put("effectiveQuantity", {"value": 1}), "type", "Observation.effectiveQuantity"),
    ("companion of an object", put("_subject", {"id": "x"}), "unknown", "Observation.subject"),
    ("bad id", put("id", "a b"), "type", "Observation.id"),
    ("no such resource inside", put("contained", [{"resourceType": "Patent"}]), "type", "Observation.contained[0]"),
    ("bad resource inside", put("contained", [{"resourceType": "Patient", "gender": "x"}]), "binding", "gender"),
    # fixed and pattern
    ("fixed", put("method", {"text": "cuffs"}), "fixed", "Observation.method"),
    ("more than fixed", put("method", {"text": "cuff", "id": "a"}), "fixed", "Observation.method"),
    ("pattern, other code", put("code", "coding", 0, "code", "8867-4"), "pattern", "Observation.code"),
    ("pattern, no system", drop("code", "coding", 0, "system"), "pattern", "Observation.code"),
    ("fixed in a slice", put("component", 0, "valueQuantity", "code", "kPa"), "fixed", f"{SYSTOLIC}.code"),
    ("required in a slice", drop("component", 0, "valueQuantity", "system"), "min", SYSTOLIC),
    # slices
    ("slice gone", drop("category", 0), "slice", "Observation"),
    ("slice twice", lambda r: r["category"].append(r["category"][0]), "slice", "Observation"),
    ("slice no longer told", put("component", 0, "code", concept(LOINC, "8478-0")), "slice", "Observation"),
    ("value of a slice gone", drop("component", 0, "valueQuantity"), "min", "Observation.component[0]"),
    # codes
    ("code of no value set", put("bodySite", concept(CODES, "up")), "binding", "Observation.bodySite"),
    ("other system", put("bodySite", concept(LOINC, "left")), "binding", "Observation.bodySite"),
    ("only text", put("bodySite", {"text": "left"}), "binding", "Observation.bodySite"),
    ("R4's own code", put("status", "done"), "binding", "Observation.status"),
    ("R4's own, in a type", put("identifier", 0, "use", "own"), "binding", "Observation.identifier[0].use"),
    # references
    ("other target", put("subject", {"reference": "Group/1"}), "reference", "Observation.subject"),
    ("other target by address", put("subject", {"reference": "https://a.b/Device/1"}), "reference", "subject"),
    ("other target by type", put("subject", {"type": "Device", "display": "x"}), "reference", "Observation.subject"),
    ("other target within", put("encounter", {"reference": "#"}), "reference", "Observation.encounter"),
    ("target not contained", put("specimen", {"reference": "#s"}), "invariant", "Observation.specimen"),
    # extensions
    (
        "extension's type",
        put("extension", 0, {"url": DISTANCE, "valueString": "x"}),
        "type",
        "extension[0].valueString",
    ),
    ("extension empty", put("extension", 0, {"url": DISTANCE}), "min", "Observation.extension[0]"),
    ("extension twice", lambda r: r["extension"].append(r["extension"][0]), "slice", "Observation"),
    (
        "extension on a value",
        put("_status", {"extension": [{"url": DISTANCE, "valueCode": "x"}]}),
        "type",
        "Observation.status.extension[0].valueCode",
    ),
    (
        "R4's own extension",
        put("_status", {"extension": [{"url": CORE + "data-absent-reason", "valueCode": "x"}]}),
        "binding",
        "Observation.status.extension[0].valueCode",
    ),
    ("extension without address", put("extension", 0, {"valueString": "x"}), "min", "Observation.extension[0]"),
    # invariants
    ("period backwards", put("effectivePeriod", {"start": "2025-02", "end": "2024"}), "invariant", "effectivePeriod"),
    ("unit without system", drop("component", 0, "valueQuantity", "system"), "invariant", SYSTOLIC),
    ("contained and unused", put("contained", [{"resourceType": "Patient", "id": "p"}]), "invariant", "Observation"),
    ("own invariant", drop("effectiveDateTime"), "invariant", "Observation"),
]


@pytest.mark.parametrize(("change", "rule", "path"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_each_broken_rule_is_found_where_it_is(change, rule, path):
    verdict = judge(changed(change))
    assert verdict.answer == VIOLATES
    assert any(found.rule == rule and found.path.endswith(path) for found in verdict.violations), verdict.violations


FINE = [
    ("further items", lambda r: r["category"].append({"text": "x"})),
    (
        "extension instead of a value",
        lambda r: r.update(_status={"extension": [{"url": "https://a.b", "valueCode": "x"}]}),
    ),
    ("value only by extension", lambda r: (r.pop("status"), r.update(_status={"id": "x"}))),
    ("unknown extension", lambda r: r["extension"].append({"url": "https://example.org/x", "valueString": "x"})),
    (
        "list with an extension alone",
        lambda r: r["code"].update(text="x", _text={"extension": [{"url": "https://a", "valueCode": "x"}]}),
    ),
    ("child code", put("bodySite", concept(CODES, "far-right"))),
    (
        "one of two codings",
        put("bodySite", {"coding": [*concept(LOINC, "1-8")["coding"], *concept(CODES, "left")["coding"]]}),
    ),
    ("target that nobody knows", put("subject", {"reference": "urn:uuid:5c0f0a0e-0000-4000-8000-000000000000"})),
    ("target only by identifier", put("subject", {"identifier": {"value": "x"}})),
    (
        "contained and used",
        lambda r: r.update(contained=[{"resourceType": "Patient", "id": "p"}], subject={"reference": "#p"}),
    ),
    ("year only", put("effectiveDateTime", "2025")),
    ("leap second", put("effectiveDateTime", "2016-12-31T23:59:60Z")),
    ("no optional part", drop("component", 1)),
]


@pytest.mark.parametrize("change", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_what_is_allowed_is_not_refused(change):
    verdict = judge(changed(change))
    assert verdict.answer == CONFORMS, (verdict.violations, verdict.missing)


def test_messages_tell_codes_and_addresses_but_nothing_of_a_person():
    secret = "Mustermensch"
    person = {
        "resourceType": "Patient",
        "name": [{"family": secret, "given": secret}],
        "birthDate": secret,
        "identifier": [{"value": 7, "system": "https://example.org"}],
        "gender": secret,
        "telecom": [{"value": secret, "system": "pigeon"}],
    }
    verdict = judge(person)
    assert verdict.answer == VIOLATES and len(verdict.violations) == 5
    assert all(secret not in str(found) for found in verdict.violations)


def test_what_is_missing_makes_it_not_checkable_and_a_violation_weighs_more():
    absent = BASE + "StructureDefinition/absent"
    verdict = judge(good(), profile=absent)
    assert verdict.answer == NOT_CHECKABLE and absent in verdict.missing[0].message
    assert judge(changed(put("status", "done")), profile=absent).answer == VIOLATES
    resource = changed(put("meta", {"profile": [PROFILE, absent]}))
    assert [v.answer for v in check_resource(checker(), resource)] == [CONFORMS, NOT_CHECKABLE]


def test_a_resource_that_names_no_profile_is_checked_by_its_own_type():
    verdict = judge({"resourceType": "Patient", "gender": "female"})
    assert (verdict.answer, verdict.profile) == (CONFORMS, CORE + "Patient")
    assert judge({"resourceType": "Patient", "gender": "f"}).answer == VIOLATES
    assert judge({"resourceType": "Patent"}).answer == VIOLATES
    assert judge({"resourceType": "Patient"}, profile=PROFILE).answer == VIOLATES  # a profile of another type
    assert judge({"resourceType": "Observation"}, profile=DISTANCE).answer == VIOLATES  # a profile of a data type


def test_codes_of_systems_that_nobody_ships_are_taken_unless_they_cannot_exist():
    url = BASE + "ValueSet/snomed"
    descendants = {"property": "concept", "op": "is-a", "value": "404684003"}
    more = {
        "resourceType": "ValueSet",
        "url": url,
        "compose": {"include": [{"system": "http://snomed.info/sct", "filter": [descendants]}]},
    }
    held = library(more)
    changes = held.profile(PROFILE).resource["differential"]["element"]
    next(one for one in changes if one["id"] == "Observation.bodySite")["binding"]["valueSet"] = url
    ready = Checker(held)
    (verdict,) = check_resource(ready, changed(put("bodySite", concept("http://snomed.info/sct", "73211009"))))
    assert verdict.answer == CONFORMS and "http://snomed.info/sct" in verdict.unverified[0].message
    (verdict,) = check_resource(
        ready, changed(put("bodySite", concept("http://snomed.info/sct", "73211009"))), strict=True
    )
    assert verdict.answer == NOT_CHECKABLE and not verdict.unverified
    for code in ("73211008", "7321100", "left", "138875004x"):  # check digit, too short, no number
        (verdict,) = check_resource(ready, changed(put("bodySite", concept("http://snomed.info/sct", code))))
        assert verdict.answer == VIOLATES, code
    (verdict,) = check_resource(ready, changed(put("bodySite", concept(UCUM, "73211009"))))
    assert verdict.answer == VIOLATES


def test_package_starts_fast():
    code = "import time; t = time.perf_counter(); import avatarlib.fhir.checker; print(time.perf_counter() - t)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 1.0
    heavy = "[m for m in ('torch', 'fhir.resources', 'fhirpathpy') if m in sys.modules]"
    code = f"import sys, avatarlib.fhir.checker; print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
