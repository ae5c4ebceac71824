"""Exports: what consent permits and the request names, nothing else; tests try to make them leak, and to join them."""

import copy
import itertools
import json
import random
import re
from datetime import date, timedelta

import pytest

from avatarlib.cli import main
from avatarlib.consent import build, known, study
from avatarlib.consent.policies import mii_policies
from avatarlib.datause import minimise
from avatarlib.datause.client import Client, ServerError
from avatarlib.datause.cohort import picture_table
from avatarlib.datause.export import export
from avatarlib.datause.minimise import Rules, built
from avatarlib.datause.patients import patients
from avatarlib.datause.patients_fhir import ICD, LOINC, resources
from avatarlib.datause.pseudonyms import Pseudonyms
from avatarlib.datause.request import Request, read_request
from avatarlib.datause.server import serve
from avatarlib.datause.store import Store, refusal, write_store
from avatarlib.datause.strict import checked
from avatarlib.errors import InputError
from avatarlib.manifests import folder as manifests_folder

DAY = date(2026, 7, 15)
KEY = bytes(range(32))
MII = mii_policies()
BELOW = MII.system.removeprefix("urn:oid:") + "."
EXAMPLE = manifests_folder() / "fhir" / "requests" / "pressure-and-the-eye.json"
VARIABLES = [
    {"resourceType": "Patient", "elements": ["gender", "birthDate"]},
    {"resourceType": "Condition", "system": ICD, "codes": ["I10", "H40"],
     "elements": ["code", "clinicalStatus", "verificationStatus", "bodySite", "recordedDate", "onsetDateTime"]},
    {"resourceType": "Observation", "system": LOINC, "codes": ["85354-9", "4548-4"],
     "elements": list(minimise.ELEMENTS["Observation"])},
    {"resourceType": "Encounter", "elements": list(minimise.ELEMENTS["Encounter"])},
    {"resourceType": "Media", "system": "https://fhir.avatarlib.example/eye-study/CodeSystem/eye-modality",
     "codes": ["fundus", "iris"], "elements": list(minimise.ELEMENTS["Media"])},
]  # fmt: skip


def request(*, query=None, variables=VARIABLES, dates="shifted", **changes) -> Request:
    value = json.loads(EXAMPLE.read_text())
    value["cohort"]["query"] = query or {"include": [{"kind": "age", "min": 0, "max": 120}]}
    value["variableSelection"] = {"dates": dates, "variables": variables}
    return checked(Request, value | changes, "request")


def run(store, out, asked=None, **more):
    with Client(store) as source:
        return export(asked or request(), source, out, **{"key": KEY, "day": DAY} | more)


def read(out, kind):
    path = out / f"{kind}.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def consent(person, day, modules=("1", "44"), **more):
    return build.broad_consent(
        MII,
        id=f"{person}-{day}",
        person=person,
        day=date.fromisoformat(day),
        modules=[BELOW + m for m in modules],
        **more,
    )


def person(id, born="1960-05-17"):
    return {"resourceType": "Patient", "id": id, "gender": "female", "birthDate": born}


def diagnosis(id, whose, day, code="I10.90"):
    return {"resourceType": "Condition", "id": id, "subject": {"reference": f"Patient/{whose}"}, "recordedDate": day,
            "code": {"coding": [{"system": ICD, "version": "2024", "code": code}]}}  # fmt: skip


def unsure(code):
    return {"verificationStatus": {"coding": [{"system": minimise.HL7 + "condition-ver-status", "code": code}]}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """120 synthetic patients."""
    place = tmp_path_factory.mktemp("site") / "store"
    made = patients("site_a", 120, seed=7, day=DAY)
    write_store(place, (resource for one in made for resource in resources(one, "site_a")))
    return place


# -- consent ----------------------------------------------------------------------------------------------------------


def test_of_whom_and_which_of_their_data(tmp_path):
    whole = ("1", "44")
    rows = [
        person("all"), consent("all", "2024-01-01"), diagnosis("kept-1", "all", "2025-01-01"),
        diagnosis("kept-2", "all", "2019-01-01"),  # before the consent, which says so
        diagnosis("undated", "all", "2025") | {"recordedDate": None},
        diagnosis("other", "all", "2025-01-01", "E11.90"),
        person("withdrew"), consent("withdrew", "2024-01-01"), consent("withdrew", "2026-07-15", (), kind="withdrawal"),
        diagnosis("gone", "withdrew", "2025-01-01"),
        person("withdraws-tomorrow"), consent("withdraws-tomorrow", "2024-01-01"),
        consent("withdraws-tomorrow", "2026-07-16", (), kind="withdrawal"),
        diagnosis("kept-3", "withdraws-tomorrow", "2025-02-02"),
        person("nothing"), diagnosis("none", "nothing", "2025-01-01"),
        person("refused"), consent("refused", "2024-01-01", (), kind="refusal"), diagnosis("no", "refused", "2025"),
        person("not-before"), consent("not-before", "2024-01-01", ("1",)), diagnosis("not", "not-before", "2025-01-01"),
        person("long-ago"), consent("long-ago", "2020-06-01"), diagnosis("kept-4", "long-ago", "2025-05-31"),
        diagnosis("late", "long-ago", "2025-06-01"),  # collecting ended after five years, using did not
        person("paused"), consent("paused", "2021-01-01"), consent("paused", "2022-01-01", (), kind="withdrawal"),
        consent("paused", "2024-01-01", whole), diagnosis("between", "paused", "2023-01-01"),
        diagnosis("kept-5", "paused", "2021-06-01"), diagnosis("kept-6", "paused", "2024-06-01"),
        diagnosis("error", "all", "2025-01-01") | unsure("entered-in-error"),
        diagnosis("refuted", "all", "2025-01-01") | unsure("refuted"),
        diagnosis("stray", "somebody-else", "2025-01-01"),
        diagnosis("remote", "all", "2025-01-01") | {
            "subject": {"reference": "https://other.example/fhir/Patient/all"}},
    ]  # fmt: skip
    rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    write_store(tmp_path / "s", rows)
    summary = run(tmp_path / "s", tmp_path / "o")
    names = Pseudonyms(KEY, "pressure-and-the-eye")
    people = {"all", "withdraws-tomorrow", "long-ago", "paused"}
    assert {p["id"] for p in read(tmp_path / "o", "Patient")} == {names.of("Patient", p) for p in people}
    kept = {("all", 1), ("all", 2), ("withdraws-tomorrow", 3), ("long-ago", 4), ("paused", 5), ("paused", 6)}
    assert {c["id"] for c in read(tmp_path / "o", "Condition")} == {
        names.of("Condition", f"{whose}\0kept-{n}") for whose, n in kept
    }
    assert (summary.cohort, summary.consented, summary.not_covered) == (8, 4, 3)  # undated, late, between
    assert summary.given == {"Patient": 4, "Condition": 6}


def test_exports_hold_what_the_signatures_say_recomputed_without_any_fhir(site, tmp_path):
    variables = [VARIABLES[0], VARIABLES[3]]
    run(site, tmp_path / "o", request(variables=variables))
    of, expected = Pseudonyms(KEY, "pressure-and-the-eye"), {}
    for one in patients("site_a", 120, seed=7, day=DAY):
        consents = [s for s in one.signatures if s.kind == "consent" and {"1", "44"} <= set(s.modules)]
        ends = any(
            s.kind == "withdrawal" or (s.kind, s.modules) == ("partial withdrawal", ("44",)) for s in one.signatures
        )
        if consents and not ends:
            (signed,) = consents
            last = signed.day.replace(year=signed.day.year + 5) - timedelta(days=1)  # no 29 February among them
            if "minor" in signed.version:
                of_age = one.born.replace(year=one.born.year + 18)
                if of_age <= DAY:
                    continue
            expected[of.of("Patient", one.id)] = sum(day <= last for day in one.visits)
    told = {p["id"]: 0 for p in read(tmp_path / "o", "Patient")}
    for visit in read(tmp_path / "o", "Encounter"):
        told[visit["subject"]["reference"].removeprefix("Patient/")] += 1
    assert told == expected and len(told) > 50 and sum(told.values()) > 150


def test_more_recipients_and_uses_need_more_consent(tmp_path):
    write_store(tmp_path / "s", [person("17"), consent("17", "2024-01-01"), diagnosis("d", "17", "2025-01-01")])
    assert run(tmp_path / "s", tmp_path / "o").consented == 1
    value = json.loads(EXAMPLE.read_text())
    for n, changes in enumerate((
        {"recipients": [*value["recipients"], {"institution": "x", "country": "US", "role": "partner"}]},
        {"resourceAndRecontact": {"isRecontactingIntended": True}},
        {"requestedData": value["requestedData"] | {"insuranceData": True}},
    )):  # fmt: skip
        summary = run(tmp_path / "s", tmp_path / f"o{n}", request(**changes))
        assert summary.consented == 0 and not (tmp_path / f"o{n}").exists()


def test_pictures_need_their_own_policy_where_a_study_has_one(tmp_path):
    eye = known.eye_study()
    form = eye.form("https://fhir.avatarlib.example/eye-study/Questionnaire/eye-consent|1.0.0")
    rows = []
    for whose, pictures in (("with", True), ("without", False)):
        answers = {module.code: module.code != "IMAGE" or pictures for module in form.modules}
        rows += [
            person(whose),
            study.sign(eye, form, id=whose, person=whose, day=date(2025, 1, 1), answers=answers, profile="x"),
        ]
        rows.append({
            "resourceType": "Media", "id": whose, "status": "completed", "subject": {"reference": f"Patient/{whose}"},
            "modality": {"coding": [{"system": VARIABLES[-1]["system"], "code": "fundus"}]},
            "createdDateTime": "2025-06-01", "content": {"contentType": "image/png"},
        })  # fmt: skip
    write_store(tmp_path / "s", rows)
    summary = run(tmp_path / "s", tmp_path / "o", policies=eye.policies)
    assert summary.given == {"Patient": 2, "Media": 1} and summary.not_covered == 1
    names = Pseudonyms(KEY, "pressure-and-the-eye")
    assert read(tmp_path / "o", "Media")[0]["subject"]["reference"] == f"Patient/{names.of('Patient', 'with')}"


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"ethicVote": {"isExisting": False}}, "there is no ethics vote"),
        ({"ethicVote": {"isExisting": True, "ethicsCommittee": "c", "ethicsVoteNumber": "1",
                        "voteFromDate": "2026-07-16"}},
         "the ethics vote is of 2026-07-16, after 2026-07-15"),
        ({"generalProjectInformation": {"projectTitle": "t", "desiredStartTime": "2024-12-20", "projectDuration": 19,
                                        "projectFunding": "f"}}, "the project ended before 2026-07-01"),
    ],
)  # fmt: skip
def test_no_vote_or_no_project_no_data(site, tmp_path, changes, line):
    with pytest.raises(InputError, match=line):
        run(site, tmp_path / "o", request(**changes))
    assert not (tmp_path / "o").exists()


def test_the_cohort_is_what_the_request_says(site, tmp_path):
    query = json.loads(EXAMPLE.read_text())["cohort"]["query"]
    run(site, tmp_path / "o", request(query=query))
    years = [int(p["birthDate"]) for p in read(tmp_path / "o", "Patient")]
    assert years and all(DAY.year - 81 <= year <= DAY.year - 20 for year in years)
    with_pictures = {m["subject"]["reference"] for m in read(tmp_path / "o", "Media")}
    assert with_pictures == {f"Patient/{p['id']}" for p in read(tmp_path / "o", "Patient")}


# -- attempts to make it leak -----------------------------------------------------------------------------------------

CANARY = "Kanarienvogel7391"
RULES = Rules("shifted", DAY, Pseudonyms(KEY, "test"))


def originals():
    """One resource of each kind that can be exported, as a hospital fills them."""
    found = {}
    for one in patients("site_a", 60, seed=3, day=DAY):
        for resource in resources(one, "site_a"):
            codes = json.dumps(resource.get("code", ""))
            if selected(resource):
                found.setdefault((resource["resourceType"], "85354" in codes, "4548" in codes), resource)
    assert len(found) == 6
    return list(found.values())


def selected(resource):
    for variable in VARIABLES:
        if variable["resourceType"] == resource["resourceType"]:
            codes, system = tuple(variable.get("codes", ())), variable.get("system")
            return built(resource, "a-1", variable["elements"], rules=RULES, system=system, codes=codes, digits=None)
    return None


def places(value, path=()):
    """Yield the path of each value within JSON."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def put(resource, path, value):
    changed = copy.deepcopy(resource)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value(holder[path[-1]]) if callable(value) else value
    return changed


EXTRAS = {
    "text": {"status": "generated", "div": f"<div>{CANARY}</div>"}, "note": [{"text": CANARY}], "id": CANARY,
    "contained": [{"resourceType": "Patient", "name": [{"family": CANARY}]}], "language": CANARY, "display": CANARY,
    "extension": [{"url": f"https://x/{CANARY}", "valueString": CANARY}], "userSelected": CANARY, "url": CANARY,
    "modifierExtension": [{"url": CANARY, "valueReference": {"reference": CANARY, "display": CANARY}}],
    "identifier": [{"system": "urn:x", "value": CANARY}], "name": [{"family": CANARY, "given": [CANARY]}],
    "address": [{"line": [CANARY], "city": CANARY}], "telecom": [{"value": CANARY}], "photo": [{"data": CANARY}],
    "performer": [{"reference": f"Practitioner/{CANARY}"}], "recorder": {"display": CANARY}, "unit": CANARY,
    "meta": {"source": CANARY, "tag": [{"code": CANARY}], "security": [{"display": CANARY}], "profile": [CANARY]},
    "_birthDate": {"extension": [{"url": "x", "valueString": CANARY}]}, "encounter": {"reference": CANARY},
    "valueString": CANARY, "dataAbsentReason": {"text": CANARY}, "valueAttachment": {"data": CANARY}, "title": CANARY,
    "reference": CANARY, "link": [{"other": {"reference": CANARY}}], "data": CANARY, "comparator": CANARY,
    "version": CANARY, "value": CANARY, "start": CANARY, "implicitRules": CANARY,
}  # fmt: skip


def test_whatever_is_added_anywhere_stays_behind():
    tried = 0
    for resource in originals():
        plain = selected(resource)
        for path in places(resource):
            target = resource
            for key in path:
                target = target[key]
            if isinstance(target, dict):
                for key, value in EXTRAS.items():
                    changed = copy.deepcopy(resource)
                    holder = changed
                    for step in path:
                        holder = holder[step]
                    holder[key] = value
                    assert CANARY not in json.dumps(selected(changed)), (path, key)
                    if path == () and key not in ("id", "identifier"):
                        assert selected(changed) == plain
                    tried += 1
    assert tried > 1500


def test_whatever_text_or_number_is_replaced_stays_behind():
    tried = 0
    for resource in originals():
        for path in places(resource):
            if path and path != ("resourceType",):
                for value in (
        CANARY, [CANARY], {"text": CANARY, "coding": [{"code": CANARY, "system": "http://snomed.info/sct"}]},

                    lambda old: f"{old} {CANARY}", lambda old: f"{CANARY}{old}", lambda old: f"{old}\u200b{CANARY}",
                ):  # fmt: skip
                    assert CANARY not in json.dumps(selected(put(resource, path, value)) or {}), path
                    tried += 1
                for value in (159753486, -159753486, 10**400, 1e308, float("inf"), float("nan"), True, None):
                    assert "159753486" not in json.dumps(selected(put(resource, path, value)) or {}), path
    assert tried > 500


def test_codes_that_look_right_but_were_not_asked_for_stay_behind():
    condition = next(r for r in originals() if r["resourceType"] == "Condition")
    snomed = "http://snomed.info/sct"
    for system, code in ((snomed, "159753486"), (ICD, "Z99.9"), (ICD, "I1099"), (ICD, "I10.901"), ("urn:x", "I10.99")):
        changed = copy.deepcopy(condition)
        changed["code"]["coding"].append({"system": system, "code": code, "version": "2024"})
        assert code not in json.dumps(selected(changed))
    changed = put(condition, ("code", "coding"), [{"system": ICD, "code": "E11.90"}])
    assert selected(changed) is None


ALLOWED = re.compile(
    r"resourceType|id|identifier|subject|reference|system|value|code|coding|version|unit|comparator|start|end|valueQuantity|contentType"
)


def test_an_export_holds_nothing_else(site, tmp_path):
    run(site, tmp_path / "o")
    store = Store(site)
    secrets = {resource["id"] for kind in minimise.ELEMENTS for resource in store.resources(kind)}
    secrets |= {r["birthDate"] for r in store.resources("Patient")} | {"site_a", "site-a", ".example/fhir/sid", "HTEST"}
    secrets |= {day for r in store.resources("Encounter") for day in (r["period"]["start"][:13],)}
    text = "".join(path.read_text() for path in sorted((tmp_path / "o").iterdir()))
    assert len(text) > 50_000 and not [secret for secret in secrets if secret in text]
    assert KEY.hex() not in text and text.isascii()
    for kind, elements in minimise.ELEMENTS.items():
        for resource in read(tmp_path / "o", kind):
            keys = {key for path in places(resource) for key in path if isinstance(key, str)}
            assert all(ALLOWED.fullmatch(key) or key in elements for key in keys)
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert {row["type"]: row["count"] for row in manifest["output"]} == {
        kind: len(read(tmp_path / "o", kind)) for kind in minimise.ELEMENTS if read(tmp_path / "o", kind)
    }
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == sorted(
        ["manifest.json", *(r["url"] for r in manifest["output"])]
    )


@pytest.mark.parametrize(
    "dates, form", [("year", r"\d{4}"), ("month", r"\d{4}-\d{2}"), ("shifted", r"\d{4}-\d{2}-\d{2}")]
)
def test_dates_are_coarse_or_moved_and_births_are_years(site, tmp_path, dates, form):
    run(site, tmp_path / "o", request(dates=dates))
    encounters = read(tmp_path / "o", "Encounter")
    assert encounters and all(re.fullmatch(form, e["period"][key]) for e in encounters for key in ("start", "end"))
    assert all(re.fullmatch(r"\d{4}", p["birthDate"]) for p in read(tmp_path / "o", "Patient"))


def test_shifted_dates_keep_the_time_between_them_and_hide_the_days():
    names = Pseudonyms(KEY, "test")
    shifts = [names.shift(str(n), minimise.SHIFT) for n in range(4000)]
    assert min(shifts) == -minimise.SHIFT and max(shifts) == minimise.SHIFT and 0 not in shifts
    assert abs(sum(shifts) / len(shifts)) < 6  # no drift
    visit = {"resourceType": "Encounter", "status": "finished"}
    visit["class"] = {"system": minimise.HL7 + "v3-ActCode", "code": "AMB"}
    days = [date(2024, 1, 1) + timedelta(days=40 * n) for n in range(4)]
    visits = [visit | {"id": str(day), "period": {"start": f"{day}T08:00:00+01:00"}} for day in days]
    told = [date.fromisoformat(selected(one)["period"]["start"]) for one in visits]
    assert [(b - a).days for a, b in itertools.pairwise(told)] == [40, 40, 40] and told[0] != date(2024, 1, 1)


def test_the_oldest_are_given_one_age():
    assert selected(person("x", "1901-01-01"))["birthDate"] == str(DAY.year - minimise.OLDEST)


# -- attempts to join two exports -------------------------------------------------------------------------------------


def test_two_exports_of_the_same_people_can_not_be_joined(site, tmp_path):
    first, second = request(projectId="project-one"), request(projectId="project-two")
    run(site, tmp_path / "1", first)
    run(site, tmp_path / "2", second)
    run(site, tmp_path / "again", first)
    run(site, tmp_path / "other-key", first, key=bytes(range(1, 33)))

    def names(out):
        return {m for path in out.glob("*.ndjson") for m in re.findall(r"[0-9a-f]{32}", path.read_text())}

    assert names(tmp_path / "1") == names(tmp_path / "again")  # the same purpose stays joinable
    assert not names(tmp_path / "1") & names(tmp_path / "2")
    assert not names(tmp_path / "1") & names(tmp_path / "other-key")

    # By order: the place of a person in one export tells nothing about the place in the other.
    ones, twos = ([p["id"] for p in read(tmp_path / out, "Patient")] for out in ("1", "2"))
    of_one, of_two = Pseudonyms(KEY, "project-one"), Pseudonyms(KEY, "project-two")
    known = [p["id"] for p in Store(site).resources("Patient") if of_one.of("Patient", p["id"]) in set(ones)]
    assert len(known) > 40
    places_ = [(ones.index(of_one.of("Patient", id)), twos.index(of_two.of("Patient", id))) for id in known]
    n = len(places_)
    correlation = 1 - 6 * sum((a - b) ** 2 for a, b in places_) / (n * (n * n - 1))
    assert abs(correlation) < 4 / n**0.5
    assert sum(a == b for a, b in places_) < 8

    # By dates: those of a person differ in nearly all cases, and each resource has another id.
    moved = [of_one.shift(id, minimise.SHIFT) != of_two.shift(id, minimise.SHIFT) for id in known]
    assert sum(moved) / len(moved) > 0.97


def test_an_export_does_not_depend_on_the_order_of_the_source(site, tmp_path):
    rows = [resource for kind in ("Consent", *minimise.ELEMENTS) for resource in Store(site).resources(kind)]
    random.Random(1).shuffle(rows)
    write_store(tmp_path / "shuffled", rows)
    run(site, tmp_path / "1")
    run(tmp_path / "shuffled", tmp_path / "2")
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


# -- source, command --------------------------------------------------------------------------------------------------


def test_server_and_store_give_the_same_bytes(site, tmp_path):
    run(site, tmp_path / "1")
    with serve(Store(site).respond) as url:
        run(url, tmp_path / "2")
    assert {p.name: p.read_bytes() for p in (tmp_path / "1").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "2").iterdir()
    }


def test_a_server_that_fails_midway_leaves_nothing(site, tmp_path):
    store = Store(site)

    def failing(method, url, headers, body):
        return refusal(500, "x") if "Media" in url and "_start" in url else store.respond(method, url, headers, body)

    with serve(failing) as url, Client(url, page=50, wait=lambda s: None) as source:
        with pytest.raises(ServerError):
            export(request(), source, tmp_path / "deep" / "o", key=KEY, day=DAY)
    assert not (tmp_path / "deep").exists()


def command(capsys, *arguments):
    code = main(["fhir", *map(str, arguments)])
    captured = capsys.readouterr()
    told = captured.out + captured.err
    assert told.count("\n") == 1
    return code, told


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def test_export_command(capsys, tmp_path, site, key):
    call = ["export", EXAMPLE, "--source", site, "--key", key, "--day", "2026-07-15", "--out"]
    code, told = command(capsys, *call, tmp_path / "o")
    assert code == 0 and re.match(r"\d+ of \d+ people of the cohort consented; \d+ Condition, ", told)
    assert command(capsys, *call, tmp_path / "o")[0] == 2  # never over an older one
    key.chmod(0o644)
    assert "others may read the key" in command(capsys, *call, tmp_path / "o2")[1]
    key.chmod(0o600)
    key.write_bytes(b"short")
    assert "is no key" in command(capsys, *call, tmp_path / "o2")[1]
    key.write_bytes(b"a" * 32)
    assert "is no key" in command(capsys, *call, tmp_path / "o2")[1]
    key.unlink()
    assert "can't be read" in command(capsys, *call, tmp_path / "o2")[1]
    inside = tmp_path / "o3" / "key"
    inside.parent.mkdir()
    inside.write_bytes(KEY)
    call[call.index("--key") + 1] = inside
    assert "the key would lie within the export" in command(capsys, *call, tmp_path / "o3")[1]
    assert not (tmp_path / "o2").exists()


def test_export_of_nobody_exits_with_1(capsys, tmp_path, key):
    write_store(tmp_path / "s", [person("17")])
    code, told = command(capsys, "export", EXAMPLE, "--source", tmp_path / "s", "--key", key, "--day", "2026-07-15",
                         "--out", tmp_path / "o")  # fmt: skip
    assert code == 1 and "nothing was written" in told and not (tmp_path / "o").exists()


def test_pictures_become_rows_of_an_image_folders_table(site, tmp_path):
    run(site, tmp_path / "o", read_request(EXAMPLE))
    table = picture_table(tmp_path / "o")
    assert tuple(table.columns[:5]) == ("file_name", "person", "side", "sex", "modality")
    assert len(table) == len(read(tmp_path / "o", "Media")) and table.file_name.is_unique
    assert set(table.side) == {"left", "right"} and set(table.modality) == {"iris", "fundus"}
    of = Pseudonyms(KEY, "pressure-and-the-eye")
    for one in patients("site_a", 120, seed=7, day=DAY):
        rows = table[table.person == of.of("Patient", one.id)]
        if len(rows):
            assert set(rows.high_blood_pressure) == {any(c.name == "hypertension" for c in one.conditions)}
            assert set(rows.sex) == {one.sex} and len(rows) == 4 * len(one.images)
    with pytest.raises(InputError, match="holds no Patient.ndjson"):
        picture_table(tmp_path)


def test_the_example_request_is_one():
    assert read_request(EXAMPLE).options().code == "yes-yes-no-no"
