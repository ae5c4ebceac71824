"""What profiles claim and resources fill, where profiles overlap, and the exercise: against counts by hand."""

import re

import pytest
from test_fhir_index import element, indexed, profile

from avatarlib.errors import InputError
from avatarlib.fhir import exercise, index, overlap, packages
from avatarlib.fhir.filled import filled
from avatarlib.fhir.stream import Found
from avatarlib.fhir.tables import read_table


def resource(**content):
    return Found("f", "", {"resourceType": "Patient", "meta": {"profile": ["urn:own|2.0.0"]}} | content)


@pytest.fixture
def two(tmp_path):
    """A package of two profiles of one resource."""
    first = profile(
        element("Patient"),
        element("Patient.name", max="*"),
        element("Patient.name:birth", path="Patient.name", mustSupport=True),
        element("Patient.name:birth.family", path="Patient.name.family", min=1, mustSupport=True),
        element("Patient.value[x]", min=1, mustSupport=True),
        element("Patient.photo", max="0", mustSupport=True),
    )
    second = profile(
        element("Patient"),
        element("Patient.NAME:Birth", min=1, max="*", type=[{"code": "HumanName"}]),
        element("Patient.value[x]", min=1, binding={"strength": "required", "valueSet": "urn:v"}, mustSupport=True),
        name="Second",
        url="urn:second",
    )
    return indexed(tmp_path, first, second)


def test_filled_by_hand(two):
    resources = [
        resource(name=[{"family": "a"}, {"given": ["b"]}], valueQuantity={"value": 0}),
        resource(name=[{"given": ["b"]}], valueString="", photo=[{}]),
        resource(name=[], value={"no": "choice of types"}, valuetext="x"),
        Found("f", "", {"resourceType": "Patient", "meta": {"profile": ["urn:other"]}, "name": [{"family": "a"}]}),
        Found("f", "", {"resourceType": "Patient", "meta": "none"}),
        Found("f", "", {"resourceType": "Patient", "meta": {"profile": [3]}}),
    ]
    rows = filled(resources, two).set_index("path")
    assert rows.filled.to_dict() == {"Patient.name": 2, "Patient.name.family": 1, "Patient.value": 2}
    assert set(rows.resources) == {3} and set(rows.profile) == {"Own"}
    assert rows.must_support.to_dict() == {"Patient.name": True, "Patient.name.family": True, "Patient.value": True}
    assert rows.required.to_dict() == {"Patient.name": False, "Patient.name.family": False, "Patient.value": True}


def test_nothing_named_nothing_filled(two):
    assert len(filled([], two)) == 0 and "filled" in filled([], two)


def test_differences_by_hand(two):
    found = overlap.differences(two, "Own", "Second")
    assert [tuple(row) for row in found.to_numpy()] == [
        ("Patient.name:birth", "min", 0, 1),
        ("Patient.name:birth", "max", "1", "*"),
        ("Patient.name:birth", "must-support", 1, 0),
        ("Patient.name:birth", "types", "string", "HumanName"),
        ("Patient.value[x]", "binding", "", "required"),
    ]
    assert overlap.common(two, "Own", "Second") == 3
    assert overlap.differences(two, "Own", "Own").empty
    with pytest.raises(InputError, match="no profile 'Third'"):
        overlap.differences(two, "Own", "Third")


def test_shared():
    own = index.build(packages.named(["embedded"]))
    square = overlap.shared(own)
    sets = overlap.claimed(own)
    assert (square.to_numpy() == square.to_numpy().T).all()
    for one in sets:
        assert square.loc[one, one] == len(sets[one]) > 0
    both = sets["avatarlib.eye-study"] & sets["avatarlib.eye-pass"]
    assert "Observation.bodySite" in both and square.iloc[0, 1] == len(both)


@pytest.mark.parametrize("name", ["embedded", "fhir_packages"])
def test_the_exercise(name, request):
    if name != "embedded":
        request.getfixturevalue("mirror")
    own = index.build(packages.named([name]))
    solution = exercise.task(name)["solution"]
    assert exercise.remarks(own, solution, name) == []
    assert len(exercise.remarks(own, [], name)) == len(exercise.task(name)["needed"])
    (missing,) = exercise.remarks(own, solution[1:], name)
    assert missing == "nothing gives age"
    (wrong,) = exercise.remarks(own, [*solution, "Nobody/Nothing"], name)
    assert "not in the index" in wrong
    query = "SELECT profile || '/' || element FROM elements WHERE kind = 'resource' AND {} LIMIT 1"
    (direct,) = own.execute(query.format("element = 'Patient.id'")).fetchone()
    assert "identifies directly" in exercise.remarks(own, [*solution, direct], name)[0]
    (idle,) = own.execute(query.format("element = 'Patient.active'")).fetchone()
    assert "answers no need" in exercise.remarks(own, [*solution, idle], name)[0]


def test_no_such_exercise():
    with pytest.raises(InputError, match="there is no exercise"):
        exercise.task("nothing")


def test_properties_of_healthdcat_are_those_of_its_shapes(mirror):
    shapes = next((mirror / "catalogue").glob("HealthDCAT-AP*.ttl")).read_text(encoding="utf-8")
    known = set(re.findall(r"\b(?:healthdcatap|dpv):\w+", shapes))
    table = read_table("mapping.yml")
    used = {row["field"] for row in table["healthdcat"]} | {table["personal"]}
    assert {field for field in used if field.startswith(("healthdcatap:", "dpv:"))} <= known
