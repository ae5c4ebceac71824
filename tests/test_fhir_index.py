"""The metadata index: every element once, texts and codes as the definition has them, classes as people gave them."""

import json
import os
import sqlite3
import time
from collections import Counter

import pytest
from test_fhir_packages import pack, package

from avatarlib.cli import main
from avatarlib.errors import InputError
from avatarlib.fhir import elements, identifying, index, packages, stream, texts

TRANSLATED = {"extension": [{"url": texts.TRANSLATION, "extension": [
    {"url": "lang", "valueCode": "de-DE"}, {"url": "content", "valueString": "Geburtsdatum"}]}]}  # fmt: skip


def profile(*rows, **more):
    head = {"resourceType": "StructureDefinition", "fhirVersion": "4.0.1", "url": "urn:own", "name": "Own"}
    return head | {"kind": "resource", "type": "Patient", "snapshot": {"element": list(rows)}} | more


def element(name, **more):
    return {"id": name, "path": name, "min": 0, "max": "1", "type": [{"code": "string"}]} | more


def indexed(tmp_path, *resources):
    path = package(tmp_path / "own.tgz", [(f"{k}.json", resource) for k, resource in enumerate(resources)])
    return index.build([packages.read_package(path)])


def one(connection, name):
    connection.row_factory = sqlite3.Row
    (row,) = connection.execute("SELECT * FROM elements WHERE element = ?", (name,)).fetchall()
    return dict(row)


def test_a_row_says_what_the_element_says(tmp_path):
    coding = {"coding": [{"system": "http://loinc.org", "code": "85354-9"}, {"system": "urn:oid:1.2.276.0.76.5.409"}]}
    value_set = {"resourceType": "ValueSet", "url": "urn:vs", "compose": {"include": [
        {"system": "http://snomed.info/sct", "concept": [{"code": "8966001"}, {"code": "18944008"}]},
        {"system": "http://fhir.de/CodeSystem/bfarm/ops"}]}}  # fmt: skip
    connection = indexed(
        tmp_path,
        value_set,
        profile(
            element("Patient", min=0, max="*", type=[]),
            element(
                "Patient.birthDate",
                short="The date of birth",
                _short=TRANSLATED,
                type=[{"code": "date"}],
                mustSupport=True,
            ),
            element("Patient.code", patternCodeableConcept=coding, min=1),
            element("Patient.identifier:own", path="Patient.identifier", sliceName="own", max="0"),
            element("Patient.site", binding={"strength": "required", "valueSet": "urn:vs|1.0.0"}),
        ),
    )
    row = one(connection, "Patient.birthDate")
    assert (row["package"], row["version"], row["profile"], row["url"]) == ("own.package", "1.0.0", "Own", "urn:own")
    assert (row["text_de"], row["text_en"], row["types"], row["must_support"]) == (
        "Geburtsdatum",
        "The date of birth",
        "date",
        1,
    )
    assert (row["identifying"], row["rule"]) == ("quasi", "birth") and row["reason"]
    assert row["nfdi4health"] == "Design.eligibilityCriteria.ageMin.number" and "sc:Date" in row["croissant"]
    assert row["healthdcat"] == "healthdcatap:minTypicalAge"
    row = one(connection, "Patient.code")
    assert row["codes"] == "LOINC 85354-9; OID 1.2.276.0.76.5.409" and row["minimum"] == 1
    assert json.loads(row["fixed"]) == {"patternCodeableConcept": coding}
    row = one(connection, "Patient.identifier:own")
    assert (row["slice"], row["maximum"], row["identifying"], row["rule"]) == ("own", "0", "none", "not-used")
    row = one(connection, "Patient.site")
    assert (row["strength"], row["value_set"]) == ("required", "urn:vs|1.0.0")
    assert row["codes"] == "SNOMED CT 8966001; SNOMED CT 18944008; OPS"


def test_what_has_no_snapshot_is_named_not_counted(tmp_path):
    bare = profile(name="Bare")
    del bare["snapshot"]
    connection = indexed(tmp_path, profile(element("Patient")), bare)
    assert index.counts(connection) == [index.Count("own.package", "1.0.0", 1, 1, 1)]
    assert connection.execute("SELECT note FROM profiles WHERE profile = 'Bare'").fetchone() == (index.NO_SNAPSHOT,)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"id": "Patient"}], r"0.json: snapshot.element\[0\] has no path"),
        ([element("Patient", min="one")], r"cardinality 'one'..'1'"),
        ([element("Patient", max="many")], "cardinality 0..'many'"),
        ([element("Patient", type="string")], "type is no list"),
        (["Patient"], "has no path"),
    ],
)
def test_wrong_definitions_are_named(tmp_path, rows, text):
    with pytest.raises(InputError, match=text):
        indexed(tmp_path, profile(*rows))
    with pytest.raises(InputError, match="needs a name and a url"):
        indexed(tmp_path, profile(name=None))


def test_a_failure_leaves_the_older_index(tmp_path):
    place = tmp_path / "index.sqlite"
    good = package(tmp_path / "good.tgz", [("a.json", profile(element("Patient")))])
    bad = package(tmp_path / "bad.tgz", [("a.json", profile(element("Patient"))), ("b.json", {"no": "resource"})])
    assert main(["fhir", "index", str(good), "--out", str(place)]) == 0
    before = place.read_bytes()
    assert main(["fhir", "index", str(bad), "--out", str(place)]) == 2
    assert place.read_bytes() == before and len(list(tmp_path.iterdir())) == 3
    assert main(["fhir", "index", str(good), "--out", str(tmp_path / "nowhere" / "x")]) == 2


def test_a_hostile_archive_gives_one_line_and_no_file(tmp_path, capsys):
    path = pack(tmp_path / "evil.tgz", [("package/../../evil.json", b"{}")])
    assert main(["fhir", "index", str(path), "--out", str(tmp_path / "i.sqlite")]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "evil.tgz" in shown and "leads out" in shown
    assert [found.name for found in tmp_path.iterdir()] == ["evil.tgz"]


def test_an_unseen_package_needs_no_code(tmp_path, capsys):
    own = profile(element("Patient"), element("Patient.shoeSize", short="Schuhgröße der Person"))
    path = package(tmp_path / "unseen.tgz", [("a.json", own)])
    assert main(["fhir", "index", str(path), "--out", str(tmp_path / "i.sqlite")]) == 0
    assert "own.package#1.0.0: 2 elements of 1 definitions" in capsys.readouterr().out
    assert main(["fhir", "search", "schuhgroesse", "--index", str(tmp_path / "i.sqlite")]) == 0
    assert "Patient.shoeSize" in capsys.readouterr().out
    assert main(["fhir", "search", "xyzzy", "--index", str(tmp_path / "i.sqlite")]) == 1


@pytest.mark.parametrize("kind", ["text", "folder", "link", "fifo", "database"])
def test_nothing_foreign_is_replaced(tmp_path, capsys, kind):
    target = tmp_path / "precious"
    if kind == "text":
        target.write_text("hallo")
    elif kind == "folder":
        target.mkdir()
    elif kind == "link":
        target.symlink_to(tmp_path / "elsewhere.sqlite")
    elif kind == "fifo":
        os.mkfifo(target)
    else:
        sqlite3.connect(target).execute("CREATE TABLE own (x)").connection.close()
    before = target.lstat()
    assert main(["fhir", "index", "--out", str(target)]) == 2
    assert "is no index of this program: name a new file" in capsys.readouterr().err
    after = target.lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (before.st_ino, before.st_mode, before.st_size)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_an_older_index_is_replaced(tmp_path, capsys):
    for _ in range(2):
        assert main(["fhir", "index", "--out", str(tmp_path / "own.sqlite")]) == 0


def test_something_else_is_no_index(tmp_path, capsys):
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one" * 100)
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE elements (x)")
    for name in ("text", "other", "nothing"):
        assert main(["fhir", "search", "Alter", "--index", str(tmp_path / name)]) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_hostile_texts_stay_texts(tmp_path, capsys):
    evil = "\x1b[2J'; DROP TABLE elements; -- <script>"
    connection_file = tmp_path / "i.sqlite"
    path = package(
        tmp_path / "p.tgz", [("a.json", profile(element("Patient"), element("Patient.x", short=evil), name="N\x1b[0m"))]
    )
    assert main(["fhir", "index", str(path), "--out", str(connection_file)]) == 0
    assert main(["fhir", "search", "DROP", "TABLE", "\"' OR *", "--index", str(connection_file)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert index.open_index(connection_file).execute("SELECT count(*) FROM elements").fetchone() == (2,)


def test_language():
    assert texts.short_texts({"short": "Status"}) == ("", "")
    assert texts.short_texts({"short": "Status"}, "de-DE") == ("Status", "")
    assert texts.short_texts({"short": "Grund der Aufnahme"}) == ("Grund der Aufnahme", "")
    assert texts.short_texts({"short": "Birth date", "_short": TRANSLATED}) == ("Geburtsdatum", "Birth date")
    assert texts.short_texts({"short": 3, "_short": {"extension": [{"url": texts.TRANSLATION, "extension": 1}]}}) == (
        "",
        "",
    )


@pytest.mark.parametrize(
    "pair", [("Körper", "Koerper"), ("Größe", "Groesse"), ("Übermaß", "UEBERMASS"), ("Café", "cafe")]
)
def test_folding(pair):
    assert texts.fold(pair[0]) == texts.fold(pair[1])


# Given by hand, by somebody who read the elements and not the rules' expressions.
BY_HAND = {
    "direct": """Patient.name.family Patient.name:Geburtsname.given Patient.telecom Patient.address.line
        Patient.photo Patient.id Patient.identifier:versichertenId.value Practitioner.name
        Encounter.identifier:Aufnahmenummer Specimen.identifier Condition.note Procedure.note
        Observation.subject Condition.encounter Consent.patient Patient.contact.name
        DiagnosticReport.conclusion RelatedPerson.name Condition.code.text Media.content.url
        Coverage.beneficiary""",
    "quasi": """Patient.birthDate Patient.gender Patient.deceased[x] Patient.address.postalCode Patient.address.city
        Patient.maritalStatus Encounter.period Condition.recordedDate Observation.effective[x]
        Specimen.collection.collected[x] Procedure.performed[x] Encounter.serviceProvider
        Observation.performer Coverage.payor Encounter.location:Zimmer Condition.onset[x]
        Observation.component:genomic-hgvs.value[x] Observation.component:ref-allele
        FamilyMemberHistory.relationship""",
    "sensitive": """Condition.code Condition.clinicalStatus Condition.code.coding:icd10-gm.code
        Procedure.code Observation.value[x]
        Observation.component.value[x] MedicationStatement.medication[x] Medication.ingredient
        Condition.bodySite AllergyIntolerance.code Observation.interpretation MedicationRequest.reasonCode
        Specimen.type Consent.provision.provision.code Encounter.reasonCode RiskAssessment.prediction""",
    "none": """Patient.meta Patient.extension Patient.identifier.system Patient.active Observation.status
        Condition.code.coding.system Encounter.status Encounter.class ValueSet.name SearchParameter.code
        ResearchStudy.title CodeSystem.concept Patient.identifier.type Observation.category
        MedicationRequest.intent Patient.implicitRules Observation.code.coding.id""",
}
TYPES = dict.fromkeys(("subject", "encounter", "patient", "beneficiary"), "Reference") | {"period": "Period"}
TYPES |= dict.fromkeys(("recordedDate", "effective[x]", "collected[x]", "performed[x]", "onset[x]"), "dateTime")


@pytest.mark.parametrize("group", identifying.CLASSES)
def test_classes_are_those_given_by_hand(group):
    for name in BY_HAND[group].split():
        kind = TYPES.get(name.rpartition(".")[2], "string")
        assert identifying.judge(name, (kind,)).group == group, name


def test_every_rule_has_a_reason_and_a_known_class():
    _, rules, models = identifying._rules()
    assert all(rule.judgement.group in identifying.CLASSES and rule.judgement.reason for rule in (*rules, *models))
    names = [rule.judgement.rule for rule in (*rules, *models)]
    assert len(names) == len(set(names))


def test_own_packages_are_in_both_languages_where_they_say_so():
    rows = [row for package in packages.named(["embedded"]) for entry in packages.entries(package)
            if entry.resource["resourceType"] == "StructureDefinition" for row in elements.rows(entry)]  # fmt: skip
    study = [row for row in rows if row.package == "avatarlib.eye-study"]
    assert study and all(row.text_de and row.text_en for row in study)
    mio = [row for row in rows if row.package == "avatarlib.eye-pass"]
    assert mio and all(row.text_de and not row.text_en for row in mio)


def test_own_test_resources_name_profiles_that_are_there():
    urls = {
        entry.resource.get("url") for package in packages.named(["embedded"]) for entry in packages.entries(package)
    }
    found = list(stream.read_resources(packages.test_resources("embedded")))
    assert len(found) > 100
    assert all(url in urls for one in found for url in one.resource["meta"]["profile"])


def direct_count(package):
    """Elements by definition, counted by reading the JSON alone."""
    found = Counter()
    for entry in packages.entries(package):
        if entry.resource["resourceType"] == "StructureDefinition" and not entry.example:
            found[entry.resource["url"]] += len(entry.resource.get("snapshot", {}).get("element", []))
    return found


@pytest.mark.parametrize("name", ["embedded", "fhir_packages"])
def test_counts_equal_a_direct_count(name, request):
    if name != "embedded":
        request.getfixturevalue("mirror")
    found = packages.named([name])
    connection = index.build(found)
    for package_ in found:
        query = "SELECT url, sum(elements) FROM profiles WHERE package = ? AND version = ? GROUP BY url"
        assert dict(connection.execute(query, (package_.name, package_.version))) == dict(direct_count(package_))
    total = connection.execute("SELECT count(*) FROM elements").fetchone()[0]
    assert total == sum(count.elements for count in index.counts(connection)) > 400
    assert connection.execute(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM elements GROUP BY package, profile, url, number)"
    ).fetchone() == (1,)


def test_the_mirror_is_indexed_in_time(mirror, tmp_path):
    found = packages.named(["fhir_packages"])
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        index.build(found, tmp_path / "i.sqlite").close()
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) <= 5, seconds


def test_language_is_told_as_translations_declare_it(mirror):
    told = Counter()
    for package_ in packages.named(["fhir_packages"]):
        for entry in packages.entries(package_):
            for row in entry.resource.get("snapshot", {}).get("element", []):
                for text, code in texts._translations(row.get("_short")):
                    told[texts.language_of(text) or "untold", code[:2]] += 1
    right, wrong = told["de", "de"] + told["en", "en"], told["de", "en"] + told["en", "de"]
    assert wrong / (right + wrong) <= 0.03 and right >= 250
