"""A small profile of a blood pressure with all kinds of rules, a resource that meets it, and what both refer to."""

import copy

from avatarlib.fhir.adapt import derive
from avatarlib.fhir.checker import Checker, Verdict, check_resource
from avatarlib.fhir.profiles import Library, add

BASE = "https://fhir.avatarlib.example/test/"
PROFILE = BASE + "StructureDefinition/pressure"
OTHER = BASE + "StructureDefinition/other"
DISTANCE = BASE + "StructureDefinition/distance"
CODES = BASE + "CodeSystem/side"
SIDES = BASE + "ValueSet/side"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CORE = "http://hl7.org/fhir/StructureDefinition/"


def definition(url: str, kind: str, base: str, changes: list[dict]) -> dict:
    """A StructureDefinition without its snapshot."""
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "name": url.rpartition("/")[2].capitalize(),
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "type": kind,
        "baseDefinition": base,
        "derivation": "constraint",
        "differential": {"element": changes},
    }


def element(path: str, **facts) -> dict:
    """A change of an element, whose id is its path unless one is given."""
    return {"id": path, "path": "".join(part.partition(":")[0] for part in _parts(path))} | facts


def _parts(path: str) -> list[str]:
    first, *rest = path.split(".")
    return [first, *(f".{part}" for part in rest)]


def by(kind: str, path: str, rules: str = "open", **facts) -> dict:
    """How slices are told apart."""
    return {"discriminator": [{"type": kind, "path": path}], "rules": rules} | facts


def concept(system: str, *codes: str) -> dict:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code} for code in codes]}


def profile() -> dict:
    """The differential of the profile."""
    own = {"key": "own-1", "severity": "error", "human": "a time is known", "expression": "effective.exists()"}
    return definition(
        PROFILE,
        "Observation",
        CORE + "Observation",
        [
            element("Observation", constraint=[own]),
            element("Observation.extension", slicing=by("value", "url")),
            element(
                "Observation.extension:distance",
                sliceName="distance",
                max="1",
                type=[{"code": "Extension", "profile": [DISTANCE]}],
            ),
            element("Observation.identifier", min=1, max="2"),
            element("Observation.category", min=1, slicing=by("pattern", "$this")),
            element(
                "Observation.category:vital",
                sliceName="vital",
                min=1,
                max="1",
                patternCodeableConcept=concept(CATEGORY, "vital-signs"),
            ),
            element("Observation.code", patternCodeableConcept=concept(LOINC, "85354-9")),
            element("Observation.subject", min=1, type=[{"code": "Reference", "targetProfile": [CORE + "Patient"]}]),
            element("Observation.value[x]", max="0"),
            element("Observation.bodySite", binding={"strength": "required", "valueSet": SIDES}),
            element("Observation.note", max="0"),
            element("Observation.method", fixedCodeableConcept={"text": "cuff"}),
            element("Observation.component", min=1, slicing=by("pattern", "code")),
            element("Observation.component:systolic", sliceName="systolic", min=1, max="1"),
            element("Observation.component:systolic.code", patternCodeableConcept=concept(LOINC, "8480-6")),
            element("Observation.component:systolic.value[x]", min=1, type=[{"code": "Quantity"}]),
            element("Observation.component:systolic.value[x].system", min=1, fixedUri=UCUM),
            element("Observation.component:systolic.value[x].code", min=1, fixedCode="mm[Hg]"),
        ],
    )


def good() -> dict:
    """A resource that meets the profile."""
    return {
        "resourceType": "Observation",
        "id": "one",
        "meta": {"profile": [PROFILE]},
        "extension": [{"url": DISTANCE, "valueDecimal": 1.5}],
        "identifier": [{"system": "https://example.org/sid", "value": "1"}],
        "status": "final",
        "category": [concept(CATEGORY, "vital-signs"), {"text": "own"}],
        "code": concept(LOINC, "85354-9"),
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2025-02-28T10:00:00+01:00",
        "bodySite": concept(CODES, "left"),
        "method": {"text": "cuff"},
        "component": [
            {
                "code": concept(LOINC, "8480-6"),
                "valueQuantity": {"value": 120, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"},
            },
            {"code": concept(LOINC, "8462-4"), "valueString": "about 80"},
        ],
    }


def library(*more: dict) -> Library:
    """A library with the profile, its extension, its value set and code system, and further definitions."""
    held = Library()
    extension = definition(
        DISTANCE,
        "Extension",
        CORE + "Extension",
        [
            element("Extension.url", fixedUri=DISTANCE),
            element("Extension.value[x]", min=1, type=[{"code": "decimal"}]),
            element("Extension.extension", max="0"),
        ],
    )
    system = {
        "resourceType": "CodeSystem",
        "url": CODES,
        "content": "complete",
        "concept": [{"code": "left"}, {"code": "right", "concept": [{"code": "far-right"}]}],
    }
    sides = {"resourceType": "ValueSet", "url": SIDES, "compose": {"include": [{"system": CODES}]}}
    for one in (extension, system, sides, profile(), *more):
        add(held, one, "test")
    return held


def checker(*more: dict) -> Checker:
    """A checker over that library."""
    return Checker(library(*more))


def judge(resource: dict, *more: dict, **options) -> Verdict:
    """The verdict on a resource by the one profile that it names, or by the one given."""
    (verdict,) = check_resource(checker(*more), resource, **options)
    return verdict


def changed(change) -> dict:
    """The good resource after a change."""
    resource = copy.deepcopy(good())
    change(resource)
    return resource


def derived(changes: list[dict], *more: dict, kind: str = "Observation") -> dict:
    """A profile on R4's own type, with its snapshot; `more` are definitions that it refers to."""
    return derive(library(*more), definition(OTHER, kind, CORE + kind, changes))


def observation(**facts) -> dict:
    """An Observation with hardly anything but these facts."""
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}} | facts


def answer(profile: dict, resource: dict, *more: dict, **options) -> tuple[str, list[str]]:
    """The answer, and the rules that were broken or the messages of what is missing."""
    (verdict,) = check_resource(checker(profile, *more), resource, OTHER, **options)
    found = [one.rule for one in verdict.violations] or [one.message for one in verdict.missing]
    return verdict.answer, found
