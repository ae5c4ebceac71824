"""Consent: histories with known answers, the portal's options, process, the eye study, and published material."""

import json
import random
from datetime import date, timedelta

import pytest

from avatarlib.cli import main
from avatarlib.consent import audit, build, document, known, options, policies, process, study
from avatarlib.consent.dates import days
from avatarlib.consent.decide import Register
from avatarlib.errors import InputError
from avatarlib.fhir import packages, stream

MII = policies.mii_policies()
P = "2.16.840.1.113883.3.1937.777.24.5.3."
PROFILE = "https://fhir.avatarlib.example/eye-study/StructureDefinition/eye-consent"


def broad(day, modules=("1",), **more):
    more = {"id": "c", "person": "17"} | more
    return build.broad_consent(MII, day=date.fromisoformat(day), modules=[P + m for m in modules], **more)


def register(*resources):
    return Register(document.documents(resources, "test"), MII)


def answer(reg, code, day, person="17"):
    return reg.permits(person, P + code, date.fromisoformat(day)).answer


def edited(resource, **changes):
    """A copy with elements replaced; None removes one."""
    merged = json.loads(json.dumps(resource)) | changes
    return {key: value for key, value in merged.items() if value is not None}


def test_expiry_to_the_day():
    reg = register(broad("2020-09-01"))
    assert [answer(reg, "6", day) for day in ("2020-08-31", "2020-09-01", "2025-08-31", "2025-09-01")] == [
        "unknown", "permit", "permit", "deny",
    ]  # fmt: skip
    assert [answer(reg, "8", day) for day in ("2050-08-31", "2050-09-01")] == ["permit", "deny"]
    leap = register(broad("2024-02-29"))
    assert [answer(leap, "6", day) for day in ("2029-02-28", "2029-03-01")] == ["permit", "deny"]


def test_a_permission_never_outlasts_its_policy_whatever_the_document_says():
    resource = broad("2019-05-10")
    resource["provision"]["period"]["end"] = "2099-01-01"
    for rule in resource["provision"]["provision"]:
        rule["period"]["end"] = "2099-01-01"
    reg = register(resource)
    assert [answer(reg, "6", day) for day in ("2024-05-09", "2024-05-10")] == ["permit", "deny"]
    assert [answer(reg, "8", day) for day in ("2049-05-09", "2049-05-10")] == ["permit", "deny"]


def test_deny_by_default():
    reg = register(broad("2020-01-01"))
    assert answer(reg, "6", "2021-01-01", person="18") == "unknown"  # nobody's consent
    assert answer(reg, "22", "2021-01-01") == "unknown"  # not on the form
    assert answer(register(edited(broad("2020-01-01"), status="inactive")), "6", "2021-01-01") == "unknown"
    assert answer(register(edited(broad("2020-01-01"), status="rejected")), "6", "2021-01-01") == "deny"
    for conditions in ({"purpose": [{"code": "HRESCH"}]}, {"actor": [{}]}, {"data": [{}]}, {"modifierExtension": [{}]}):
        resource = broad("2020-01-01")
        resource["provision"] |= conditions
        assert answer(register(resource), "6", "2021-01-01") == "unknown"
    resource = broad("2020-01-01")
    resource["provision"]["type"] = "permit"  # opt-out: permits everything that it does not name
    assert answer(register(resource), "22", "2021-01-01") == "unknown"
    resource = broad("2020-01-01")
    for rule in resource["provision"]["provision"]:
        rule["code"][0]["coding"][0]["system"] = "urn:elsewhere"
    assert answer(register(resource), "2", "2021-01-01") == "unknown"


def test_withdrawal_in_part_in_whole_and_consent_after_it():
    in_part = broad("2022-03-01", ("18",), id="w", kind="partial withdrawal")
    reg = register(broad("2020-01-01", ("1", "18")), in_part)
    assert [answer(reg, "22", day) for day in ("2022-02-28", "2022-03-01")] == ["permit", "deny"]
    assert answer(reg, "8", "2022-03-01") == "permit"
    whole = broad("2022-03-01", (), id="w", kind="withdrawal")
    assert {answer(register(broad("2020-01-01"), whole), code, "2022-03-01") for code in ("2", "6", "8")} == {"deny"}
    again = broad("2023-01-01", id="c2")
    assert [answer(register(broad("2020-01-01"), whole, again), "8", d) for d in ("2022-12-31", "2023-01-01")] == [
        "deny", "permit",
    ]  # fmt: skip
    bare = edited(whole)
    del bare["provision"]["provision"]  # says nothing but "deny"
    assert answer(register(broad("2020-01-01"), bare), "8", "2022-03-01") == "deny"


def test_two_documents_of_one_day():
    def both(given, withdrawn):
        out = broad("2024-03-01", (), id="w", kind="withdrawal")
        return register(edited(broad("2024-03-01"), dateTime=given), edited(out, dateTime=withdrawn))

    morning, noon, day = "2024-03-01T09:00:00+01:00", "2024-03-01T12:00:00+01:00", "2024-03-01"
    for given, withdrawn, told in (
        (noon, morning, "permit"), (morning, noon, "deny"), (day, morning, "deny"), (noon, day, "deny"),
        (morning, morning, "deny"), (noon, "2024-03-01T10:30:00Z", "permit"), ("2024-03", "2024-03-01", "deny"),
    ):  # fmt: skip
        assert answer(both(given, withdrawn), "8", "2024-04-01") == told


def test_withdrawal_from_another_study_leaves_this_one():
    def about(resource, domain):
        parts = [{"url": "domain", "valueReference": {"reference": domain}}]
        return resource | {"extension": [{"url": document.DOMAIN, "extension": parts}]}

    bare = edited(broad("2022-03-01", (), id="w", kind="withdrawal"), policy=[{"uri": "urn:other"}])
    del bare["provision"]["provision"]
    here = about(broad("2020-01-01"), "ResearchStudy/a")
    assert answer(register(here, about(bare, "ResearchStudy/b")), "8", "2023-01-01") == "permit"
    assert answer(register(here, about(bare, "ResearchStudy/a")), "8", "2023-01-01") == "deny"
    assert answer(register(here, bare), "8", "2023-01-01") == "deny"  # says not what it is about: everything


def test_nested_provisions_and_modules():
    resource = broad("2020-01-01")
    coding = {"system": MII.system, "code": P + "1"}
    named = {"type": "permit", "code": [{"coding": [coding]}]}
    resource["provision"]["provision"] = [
        named | {"provision": [{"type": "deny", "code": [{"coding": [coding | {"code": P + "8"}]}],
                                "period": {"start": "2021-01-01", "end": "2021-12-31"}}]}
    ]  # fmt: skip
    reg = register(resource)
    assert [answer(reg, "8", day) for day in ("2020-12-31", "2021-06-01", "2022-01-01")] == ["permit", "deny", "permit"]
    assert answer(reg, "7", "2021-06-01") == "permit"
    assert [answer(reg, "1", day) for day in ("2020-12-31", "2021-06-01")] == ["permit", "deny"]
    resource["provision"]["provision"] = [named, {"type": "deny", "code": [{"coding": [coding]}]}]
    assert answer(register(resource), "7", "2021-06-01") == "deny"


@pytest.mark.parametrize(
    "text, first, last, complete",
    [
        ("2024", "2024-01-01", "2024-12-31", "2024-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29", "2024-02-29"),
        ("2024-12", "2024-12-01", "2024-12-31", "2024-12-31"),
        ("2024-12-31T23:30:00Z", "2025-01-01", "2025-01-01", "2024-12-31"),
        ("2024-07-01T00:00:00+02:00", "2024-07-01", "2024-07-01", "2024-06-30"),
        ("2024-07-01T23:59:59+02:00", "2024-07-01", "2024-07-01", "2024-07-01"),
        ("2024-03-31T01:30:00+01:00", "2024-03-31", "2024-03-31", "2024-03-30"),
        ("2016-12-31T23:59:60Z", "2017-01-01", "2017-01-01", "2016-12-31"),
    ],
)
def test_days_of_fhir_dates(text, first, last, complete):
    found = days(text, "x")
    assert [found.first, found.last, found.complete] == [date.fromisoformat(d) for d in (first, last, complete)]


@pytest.mark.parametrize(
    "text",
    ["", "2023-02-29", "24-01-01", "2024-1-1", "2024-01-01T10:00Z", "2024-01-01T10:00:00", "2024-01-01T25:00:00Z",
     "٢٠٢٤", "0000", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01T00:00:00+15:00", 2024, None,
     ["2024"]],
)  # fmt: skip
def test_what_is_no_date_is_refused(text):
    with pytest.raises(InputError, match="^x: .* is no FHIR date"):
        days(text, "x")


# -- the portal's sixteen options -------------------------------------------------------------------------------------

CONTACT = {"37", "26", "27", "28", "29", "31", "30"}
EXPECTED = {  # written out from the mapping, not computed
    "yes-yes-yes-yes": {"8", "46", "10"} | CONTACT,
    "yes-yes-yes-no": {"8", "46", "10"},
    "yes-yes-no-yes": {"8", "46"} | CONTACT,
    "yes-yes-no-no": {"8", "46"},
    "yes-no-yes-yes": {"49", "10"} | CONTACT,
    "yes-no-yes-no": {"49", "10"},
    "yes-no-no-yes": {"49"} | CONTACT,
    "yes-no-no-no": {"49"},
    "no-yes-yes-yes": {"9", "47", "8", "46", "10"} | CONTACT,
    "no-yes-yes-no": {"9", "47", "8", "46", "10"},
    "no-yes-no-yes": {"9", "47", "8", "46"} | CONTACT,
    "no-yes-no-no": {"9", "47", "8", "46"},
    "no-no-yes-yes": {"9", "47", "49", "10"} | CONTACT,
    "no-no-yes-no": {"9", "47", "49", "10"},
    "no-no-no-yes": {"9", "47", "49"} | CONTACT,
    "no-no-no-no": {"9", "47", "49"},
}


@pytest.mark.parametrize("code", EXPECTED)
def test_each_of_the_sixteen_options_needs_its_policies_and_no_other(code):
    chosen = options.from_code(code)
    needed = options.required(chosen, MII)
    assert {one.removeprefix(P) for one in needed} == EXPECTED[code]
    day = date(2021, 6, 1)
    leaves = {leaf for one in needed for leaf in MII.leaves(one)}

    def granted(codes):
        resource = build.consent(
            MII, id="c", person="17", day=date(2021, 1, 1), uri="urn:x", profile="x", categories=(), granted=codes
        )
        return options.permits(register(resource), "17", chosen, day).permitted

    assert granted(sorted(leaves))
    assert not any(granted(sorted(leaves - {leaf})) for leaf in leaves)  # each of them is needed
    others = [code for code in MII.by_code if code not in MII.parts and code not in leaves]
    assert not granted(others)


def test_options_that_a_study_has_no_policy_for():
    eye = known.eye_study().policies
    assert options.required(options.from_code("no-yes-no-no"), eye) == ("POOL-DATA", "DATA-USE", "RETRO-USE")
    with pytest.raises(InputError, match="nothing for 'insurance'"):
        options.required(options.from_code("yes-yes-yes-no"), eye)
    with pytest.raises(InputError, match="four times yes or no"):
        options.from_code("yes-no")


# -- process, study ---------------------------------------------------------------------------------------------------


def test_the_process_holds_together():
    assert {act.source for act in process.ACTS} <= set(process.STATES)
    reached = {process.START}
    while new := {act.target for act in process.ACTS if act.source in reached} - reached:
        reached |= new
    assert reached == set(process.STATES)
    assert len({(act.source, act.name) for act in process.ACTS}) == len(process.ACTS)
    permitting = {"consented", "partly withdrawn"}
    for state in permitting:  # whoever has consented can always leave
        assert process.advance(state, "withdraw") == "withdrawn"
    with pytest.raises(InputError, match="'consent' is not possible in state 'not asked'"):
        process.advance(process.START, "consent")


def test_documents_of_a_random_walk_are_in_the_state_of_the_walk():
    rng = random.Random(5)
    visited = set()
    for _ in range(300):
        state, day, signed = process.START, date(2015, 1, 1), []
        for step in range(rng.randint(1, 6)):
            day += timedelta(days=rng.randint(1, 400))
            here = [act for act in process.ACTS if act.source == state and act.name != "expire"]
            if not here:
                break
            act = rng.choice(here)
            state = process.advance(state, act.name)
            if act.form:
                modules = ("18",) if act.form == "partial withdrawal" else ("1", "18") if act.form == "consent" else ()
                version = "1.6d"
                signed.append(broad(day.isoformat(), modules, id=str(step), kind=act.form, version=version))
        reg = register(*signed)
        seen = process.state(reg.documents("17"), reg, day)
        visited.add(state)
        if state != "informed":  # leaves no document
            assert seen == state
        if state in ("consented", "partly withdrawn"):
            assert process.state(reg.documents("17"), reg, day + timedelta(days=31 * 366)) in ("expired", "withdrawn")
    assert visited == set(process.STATES) - {"expired", process.START}


def test_consent_of_the_eye_study():
    domain = known.eye_study()
    first, second, refusal, withdrawal = domain.forms
    assert [form.kind for form in domain.forms] == ["consent", "consent", "refusal", "partial withdrawal"]
    yes = {module.code: True for module in first.modules} | {"SYNTHETIC": False}
    options_ = {"id": "e", "person": "17", "profile": PROFILE}
    signed = study.sign(domain, first, day=date(2024, 1, 31), answers=yes, **options_)
    no_images = {module.code: module.code == "IMAGE" for module in withdrawal.modules}
    out = study.sign(domain, withdrawal, day=date(2025, 1, 1), answers=no_images, **options_ | {"id": "w"})
    reg = Register(document.documents([signed, out], "test"), domain.policies)

    def ask(code, day):
        return reg.permits("17", code, date.fromisoformat(day)).answer

    assert [ask("IMAGE-LEARN", d) for d in ("2024-01-30", "2024-01-31", "2025-01-01")] == ["unknown", "permit", "deny"]
    assert [ask("DATA-COLLECT", d) for d in ("2029-01-30", "2029-01-31")] == ["permit", "deny"]
    assert ask("SYNTHETIC-PUBLISH", "2024-02-01") == "deny"
    assert ask("POOL-DATA", "2024-02-01") == "unknown"  # not a question of this version
    refused = study.sign(domain, refusal, day=date(2026, 1, 1), answers={}, **options_)
    assert Register(document.documents([signed, refused], "t"), domain.policies).permits(
        "17", "DATA-USE", date(2026, 1, 1)
    ).answer == "deny"  # fmt: skip
    with pytest.raises(InputError, match="without DATA there is no consent"):
        study.sign(domain, first, day=date(2024, 1, 31), answers=yes | {"DATA": False}, **options_)
    with pytest.raises(InputError, match="answer its questions"):
        study.sign(domain, second, day=date(2024, 1, 31), answers=yes, **options_)
    assert not audit.of_consents([(signed, "signed"), (out, "out")], domain.policies)


def test_the_eye_studys_codesystem_fits_together():
    package = next(p for p in packages.named(["embedded"]) if p.name == study.EYE_STUDY)
    systems = {e.resource["id"]: e for e in packages.entries(package) if e.resource["resourceType"] == "CodeSystem"}
    entry = systems["eye-consent-policy"]
    assert audit.of_codesystem(entry.resource, entry.where) == []


# -- published material -----------------------------------------------------------------------------------------------


@pytest.mark.mirror
def test_inconsistencies_of_the_published_material_are_found(mirror):
    consent = next(p for p in packages.named(["fhir_packages"]) if p.name.endswith("kerndatensatz.consent"))
    entries = list(packages.entries(consent))
    system = next(e for e in entries if e.resource.get("url") == MII.system)
    found = audit.of_codesystem(system.resource, "CodeSystem")
    assert [f.what for f in found if f.kind == "count"] == ["declares 101 concepts and holds 124"]
    assert sum(f.kind == "no validity" for f in found) == 47
    published = policies.read_policies(system.resource, "CodeSystem")
    for module, parts in MII.parts.items():  # what mii.yml states agrees with the package
        assert set(published.parts[module]) == set(parts)
    assert all(published.by_code[code].years == MII.by_code[code].years for code in MII.by_code)
    consents = [
        (f.resource, f.place or f.file.rpartition("/")[2])
        for f in stream.read_resources(packages.test_resources("fhir_packages"))
        if f.resource["resourceType"] == "Consent"
    ]
    kinds = [f.kind for f in audit.of_consents(consents, published)]
    longer = {
        f.where.split(":")[0] for f in audit.of_consents(consents, published) if f.kind == "longer than its policy"
    }
    assert len(consents) >= 5 and len(longer) >= 5
    assert kinds.count("other category system") == len(consents)
    table = audit.table(audit.of_consents(consents, published))
    assert table.times.sum() == len(kinds)


@pytest.mark.mirror
def test_published_examples_are_read_and_answered(mirror):
    consent = next(p for p in packages.named(["fhir_packages"]) if p.name.endswith("kerndatensatz.consent"))
    examples = [e for e in packages.entries(consent) if e.example and e.resource["resourceType"] == "Consent"]
    assert len(examples) == 2
    for entry in examples:
        reg = register(entry.resource)
        person = entry.resource["patient"]["reference"]
        assert [answer(reg, "6", day, person) for day in ("2020-08-31", "2020-09-01", "2025-08-31", "2025-09-01")] == [
            "unknown", "permit", "permit", "deny",
        ]  # fmt: skip


# -- the command, and bad input ---------------------------------------------------------------------------------------


def run(capsys, tmp_path, resource, *more, policy=P + "6", day="2021-01-01"):
    file = tmp_path / "c.json"
    file.write_text(resource if isinstance(resource, str) else json.dumps(resource))
    code = main(["fhir", "consent", str(file), "--person", "17", "--policy", policy, "--day", day, *more])
    out = capsys.readouterr()
    assert (out.out + out.err).count("\n") == 1 and (out.out + out.err).strip().isprintable()
    return code, (out.out + out.err).strip().replace(f"{file}", "c.json")


def test_command(capsys, tmp_path):
    assert run(capsys, tmp_path, broad("2020-01-01")) == (
        0,
        f"permit: consent 'c' of 2020-01-01 permits {P}6 on 2021-01-01",
    )
    assert run(capsys, tmp_path, broad("2020-01-01"), day="2026-01-01")[0] == 1
    assert run(capsys, tmp_path, broad("2020-01-01"), day="2019-01-01")[0] == 1
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": broad("2020-01-01")}]}
    assert run(capsys, tmp_path, bundle)[0] == 0


@pytest.mark.parametrize(
    "change, line",
    [
        ("{", "c.json is not JSON"),
        ("[]", "c.json is not JSON: wanted '{'"),
        ('{"resourceType": "Patient"}', "c.json holds no Consent resource"),
        ({"status": "on"}, "c.json: status is 'on', not one of draft,"),
        ({"status": ["active"]}, "c.json: status is ['active'], not one of"),
        ({"patient": None}, "c.json: patient names nobody"),
        ({"patient": {"reference": {"x": 1}}}, "c.json: patient names nobody"),
        ({"dateTime": None}, "c.json: dateTime: None is no FHIR date"),
        ({"dateTime": "2020-13-01"}, "c.json: dateTime: '2020-13-01' is no FHIR date"),
        ({"provision": []}, "c.json: provision is missing or no object"),
        ({"provision": {"provision": [{}]}}, "c.json: provision.provision[0].type is None, not permit or deny"),
        ({"provision": {"provision": {"type": "deny"}}}, "c.json: provision.provision is no list of objects"),
        ({"provision": {"period": {"start": "2021", "end": "2020"}}}, "c.json: provision.period ends before it starts"),
        ({"provision": {"code": [{"coding": [{"code": 6}]}]}}, "c.json: provision.code.coding.code is 6, not text"),
        ({"policy": [{"uri": 7}]}, "c.json: policy.uri is 7, not text"),
        ({"category": "x"}, "c.json.category is no list of objects"),
        ({"status": "\u202eevil\n" * 50}, "c.json: status is '\\u202eevil\\n"),
    ],
)
def test_bad_documents(capsys, tmp_path, change, line):
    resource = change if isinstance(change, str) else edited(broad("2020-01-01"), **change)
    code, text = run(capsys, tmp_path, resource)
    assert code == 2 and text.replace("c.json: .", "c.json.").startswith(f"avatar: {line}")


def test_bad_calls(capsys, tmp_path):
    assert run(capsys, tmp_path, broad("2020-01-01"), day="1.1.2020")[1].startswith(
        "avatar: --day: '1.1.2020' is no day"
    )
    assert run(capsys, tmp_path, broad("2020-01-01"), policy="6")[1].startswith(
        "avatar: --policy: '6' is no code of urn:oid"
    )
    nested = {"type": "deny"}
    for _ in range(30):
        nested = {"type": "deny", "provision": [nested]}
    assert "nested more than 20 deep" in run(capsys, tmp_path, edited(broad("2020-01-01"), provision=nested))[1]
    system = tmp_path / "s.json"
    for concepts, line in (
        ([{"code": "a"}, {"code": "a"}], "comes twice"),
        ([{"display": "a"}], "has no code"),
        ([{"code": "a", "property": [{"code": "validity", "valueString": "5 years"}]}], "not whole years such as P5Y"),
        ([{"code": "a", "property": [{"code": "role", "valueCode": "x"}]}], "not one of collect"),
        ([], "holds no concept"),
        ("x", "is no list"),
    ):
        system.write_text(json.dumps({"resourceType": "CodeSystem", "url": "u", "concept": concepts}))
        code, text = run(capsys, tmp_path, broad("2020-01-01"), "--policies", str(system), policy="a")
        assert code == 2 and line in text


def test_a_form_for_minors_ends_when_they_come_of_age():
    signed = broad("2023-05-01", version="1.7.2, parents of a minor")

    def ask(born, day):
        patient = {"resourceType": "Patient", "id": "17"} | ({"birthDate": born} if born else {})
        return answer(Register(document.linked(document.documents([signed], "t"), [patient]), MII), "8", day)

    assert [ask("2007-03-10", day) for day in ("2025-03-09", "2025-03-10")] == ["permit", "deny"]
    assert [ask("2007", day) for day in ("2024-12-31", "2025-01-01")] == ["permit", "deny"]
    assert ask(None, "2023-05-02") == ask("x", "2023-05-02") == "deny"  # of age, for all that is known
    adult = Register(document.linked(document.documents([broad("2023-05-01")], "t"), []), MII)
    assert answer(adult, "8", "2040-01-01") == "permit"


def test_a_withdrawal_counts_however_it_names_the_person_and_a_consent_only_where_it_is_plain():
    def naming(resource, patient):
        return resource | {"patient": patient}

    whole = broad("2022-03-01", (), id="w", kind="withdrawal")
    for patient in (
        {"reference": "Patient/17/_history/3"}, {"reference": "https://here.example/fhir/Patient/17"},
        {"reference": "https://elsewhere.example/r4/Patient/17"},
    ):  # fmt: skip
        assert answer(register(broad("2020-01-01"), naming(whole, patient)), "8", "2023-01-01") == "deny"
    far = naming(broad("2020-01-01"), {"reference": "https://elsewhere.example/r4/Patient/17"})
    assert answer(register(far), "8", "2023-01-01") == "unknown"
    assert answer(register(far), "8", "2023-01-01", person="https://elsewhere.example/r4/Patient/17") == "permit"
    by_number = naming(whole, {"identifier": {"system": "urn:mr", "value": "4711"}})
    found = document.documents([broad("2020-01-01"), by_number], "test")
    patient = {"resourceType": "Patient", "id": "17", "identifier": [{"system": "urn:mr", "value": "4711"}, None, 7]}
    strangers = [{"resourceType": "Patient", "id": "18", "identifier": "x"}, {"resourceType": "Patient"}]
    reg = Register(document.linked(found, [patient, *strangers]), MII)
    assert answer(reg, "8", "2023-01-01") == "deny" and answer(reg, "8", "2021-01-01") == "permit"
