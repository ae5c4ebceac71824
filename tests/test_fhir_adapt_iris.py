"""The iris study's profiles: one on the embedded eye study, one on the core data set; both only tighten their base."""

import copy
import json

import pytest
from fhir_small import concept, element

from avatarlib.errors import InputError
from avatarlib.fhir import packages, profiles
from avatarlib.fhir.adapt import derive
from avatarlib.fhir.checker import CONFORMS, VIOLATES, Checker, check_resource
from avatarlib.fhir.profiles import Library, add, gather
from avatarlib.run.store import project_root


def adapted(name: str) -> dict:
    return json.loads((project_root() / "data_manifests" / "fhir" / "adapted" / f"{name}.json").read_text("utf-8"))


def test_iris_picture_tightens_the_eye_study():
    held = gather(packages.named(["embedded"]))
    profile = derive(held, adapted("iris-image"), "iris-image.json")
    add(held, profile, "iris-image.json")
    base = profiles.snapshot(held, profile["baseDefinition"])
    assert len(profile["snapshot"]["element"]) > len(base)
    picture = {
        "resourceType": "Media",
        "identifier": [{"system": "https://fhir.avatarlib.example/sid/capture", "value": "c-1"}],
        "status": "completed",
        "modality": concept("https://fhir.avatarlib.example/eye-study/CodeSystem/eye-modality", "iris"),
        "subject": {"reference": "Patient/p-1"},
        "createdDateTime": "2025-03-01",
        "bodySite": _side(held),
        "deviceName": "near-infrared camera",
        "height": 240,
        "width": 320,
        "content": {"contentType": "image/png", "url": "https://example.org/c-1.png"},
    }
    checker = Checker(held)
    for url in (profile["url"], profile["baseDefinition"]):
        (verdict,) = check_resource(checker, picture, url)
        assert verdict.answer == CONFORMS, verdict
    for change in ({"width": 319}, {"note": [{"text": "x"}]}, {"deviceName": None}):
        worse = {key: value for key, value in (picture | change).items() if value is not None}
        (verdict,) = check_resource(checker, worse, profile["url"])
        assert verdict.answer == VIOLATES, change
        assert check_resource(checker, worse, profile["baseDefinition"])[0].answer == CONFORMS


def _side(held: Library) -> dict:
    value_set = held.find("ValueSet", "https://fhir.avatarlib.example/eye-study/ValueSet/eye-side").resource
    part = value_set["compose"]["include"][0]
    code = (
        part["concept"][0]["code"]
        if "concept" in part
        else held.find("CodeSystem", part["system"]).resource["concept"][0]["code"]
    )
    return concept(part["system"], code)


@pytest.mark.mirror
def test_iris_participant_tightens_the_core_data_set(mirror):
    held = gather(packages.named(["fhir_packages"]))
    profile = derive(held, adapted("iris-patient"), "iris-patient.json")
    add(held, profile, "iris-patient.json")
    pseudonym = {
        "system": "https://fhir.avatarlib.example/sid/pseudonym",
        "value": "p-1",
        "type": concept("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "PSEUDED"),
    }
    person = {"resourceType": "Patient", "identifier": [pseudonym], "gender": "female", "birthDate": "1980-04"}
    checker = Checker(held)
    assert [check_resource(checker, person, url)[0].answer for url in (profile["url"], profile["baseDefinition"])] == [
        CONFORMS
    ] * 2
    for change in (
        {"name": [{"text": "x"}]},
        {"birthDate": "1980-04-01"},
        {"gender": None},
        {"address": [{"city": "x"}]},
    ):
        worse = {key: value for key, value in (person | change).items() if value is not None}
        assert check_resource(checker, worse, profile["url"])[0].answer == VIOLATES, change
    loose = copy.deepcopy(adapted("iris-patient"))
    loose["differential"]["element"].append(element("Patient.identifier", min=0))
    with pytest.raises(InputError, match="Patient.identifier: min goes from 1 to 0"):
        derive(held, loose, "loose.json")
