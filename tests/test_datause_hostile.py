"""Whatever JSON stands where FHIR was expected: an InputError with one line, or nothing, and never a crash."""

import copy
import json
import random
from datetime import date

import pytest

from avatarlib.consent import audit, build, document, options
from avatarlib.consent.decide import Register
from avatarlib.consent.policies import mii_policies, read_policies
from avatarlib.datause.client import Client
from avatarlib.datause.criteria import Query, matching
from avatarlib.datause.export import export
from avatarlib.datause.patients import patients
from avatarlib.datause.patients_fhir import resources
from avatarlib.datause.request import Request, read_request
from avatarlib.datause.store import write_store
from avatarlib.datause.strict import checked
from avatarlib.errors import InputError
from avatarlib.manifests import folder as manifests_folder

DAY = date(2026, 7, 15)
MII = mii_policies()
EXAMPLE = manifests_folder() / "fhir" / "requests" / "pressure-and-the-eye.json"
STRANGE = [
    None, True, 0, -1, 10**400, 1.5, "", "x", "\u202e\n\x1b[31m", "2024-99-99", "Patient/", [], [[]], {}, [None], [{}],
    {"x": 1}, [{"coding": None}], [{"coding": [None]}], {"coding": [{"system": [], "code": {}}]}, {"reference": 7},
    ["a"] * 50,
]  # fmt: skip


def places(value, path=()):
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def spoiled(rng, value, times=1):
    """A copy with some values replaced by strange ones, or strange keys added."""
    changed = copy.deepcopy(value)
    for _ in range(times):
        path = rng.choice([path for path in places(changed) if path])
        holder = changed
        for key in path[:-1]:
            holder = holder[key]
        if rng.random() < 0.15 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = copy.deepcopy(rng.choice(STRANGE))
    return changed


def refused(error) -> bool:
    text = str(error)
    return "\n" not in text and text.isprintable() and len(text) < 2000


def test_consents():
    rng = random.Random(1)
    plain = build.broad_consent(MII, id="c", person="17", day=date(2024, 1, 1), modules=list(MII.parts))
    plain["extension"] = [
        {"url": document.DOMAIN, "extension": [{"url": "domain", "valueReference": {"reference": "x"}}]}
    ]
    understood = 0
    for _ in range(1500):
        resource = spoiled(rng, plain, rng.choice([1, 1, 2, 4]))
        try:
            found = document.documents([resource], "t")
        except InputError as error:
            assert refused(error)
            continue
        if found:  # else it is no Consent any more
            understood += 1
            patient = spoiled(rng, {"id": "17", "birthDate": "2000", "identifier": []})
            register = Register(document.linked(found, [patient]), MII)
            assert options.permits(register, "17", options.ALL[0], DAY).answer in ("permit", "deny", "unknown")
            audit.of_consents([(resource, "t")], MII)
    assert understood > 180


def test_policies():
    rng = random.Random(2)
    properties = [{"code": "validity", "valueString": "P5Y"}, {"code": "role", "valueCode": "use"}]
    module = {"code": "m", "display": "M", "concept": [{"code": "a", "property": properties}]}
    plain = {"resourceType": "CodeSystem", "url": "urn:x", "count": 3, "title": "t", "concept": [module]}
    for _ in range(1500):
        system = spoiled(rng, plain, rng.choice([1, 2]))
        try:
            read_policies(system, "t")
            audit.of_codesystem(system, "t")
        except InputError as error:
            assert refused(error)


def test_requests():
    rng, plain = random.Random(3), json.loads(EXAMPLE.read_text())
    held = 0
    for _ in range(800):
        try:
            checked(Request, spoiled(rng, plain, rng.choice([1, 2, 3])), "t").options()
            held += 1
        except InputError as error:
            assert refused(error)
    assert 20 < held < 250


def test_a_store_full_of_nonsense_is_exported_without_a_crash(tmp_path):
    rng, rows = random.Random(4), []
    for one in patients("site_b", 60, seed=9, day=DAY):
        for resource in resources(one, "site_b"):
            kind = resource["resourceType"]
            bad = kind != "Consent" and rng.random() < 0.6
            rows.append(spoiled(rng, resource, rng.choice([1, 2, 5])) | {"resourceType": kind} if bad else resource)
    write_store(tmp_path / "s", rows)
    request = read_request(EXAMPLE)
    with Client(tmp_path / "s") as source:
        summary = export(request, source, tmp_path / "o", key=bytes(range(32)), day=DAY)
    assert summary.consented >= 1
    for path in (tmp_path / "o").glob("*.ndjson"):
        assert all(json.loads(line)["resourceType"] == path.stem for line in path.read_text().splitlines())


def test_cohorts_over_nonsense():
    rng, query = random.Random(5), read_request(EXAMPLE).cohort.query
    measured = {"kind": "measurement", "system": "http://loinc.org", "code": "4548-4", "min": 1, "unit": "%"}
    asked = checked(Query, {"include": [{"kind": "sex", "is": "female"}, measured]}, "t")
    plain = [r for one in patients("site_a", 10, seed=1, day=DAY) for r in resources(one, "site_a")]
    for _ in range(30):
        rows = [
            spoiled(rng, r, 2) | {"resourceType": r["resourceType"]} for r in plain if r["resourceType"] != "Consent"
        ]
        for one in (query, asked):
            found = matching(one, lambda kind, rows=rows: [r for r in rows if r["resourceType"] == kind], DAY)
            assert all(isinstance(person, str) for person in found)


@pytest.mark.parametrize("value", STRANGE)
def test_ids_that_are_none(value):
    row = {"resourceType": "Patient", "id": value, "birthDate": "1980-01-01", "gender": "female"}
    women = checked(Query, {"include": [{"kind": "sex", "is": "female"}]}, "t")
    assert matching(women, {"Patient": [row]}.get, DAY) <= {value if isinstance(value, str) else ""}
