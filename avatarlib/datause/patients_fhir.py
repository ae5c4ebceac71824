"""Synthetic patients as FHIR: core data in the profiles of the MII, what only the eye study has in its own."""

from collections.abc import Iterator
from datetime import date

from avatarlib.consent.build import broad_consent
from avatarlib.consent.policies import mii_policies
from avatarlib.datause.patients import SIDES, Patient, parameters

MII = "https://www.medizininformatik-initiative.de/fhir/core/"
EYE = "https://fhir.avatarlib.example/eye-study/StructureDefinition/"
PROFILES = {
    "Patient": MII + "modul-person/StructureDefinition/Patient",
    "Encounter": MII + "modul-fall/StructureDefinition/KontaktGesundheitseinrichtung",
    "Condition": MII + "modul-diagnose/StructureDefinition/Diagnose",
    "Laboratory": MII + "modul-labor/StructureDefinition/ObservationLab",
    "Blood pressure": EYE + "eye-blood-pressure",
    "Intraocular pressure": EYE + "intraocular-pressure",
    "Media": EYE + "eye-image",
}
ICD, LOINC, SNOMED, UCUM = (
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
)
HL7 = "http://terminology.hl7.org/CodeSystem/"
MODALITIES = "https://fhir.avatarlib.example/eye-study/CodeSystem/eye-modality"
EYES = {"left": "8966001", "right": "18944008"}
BLOOD_PRESSURE, SYSTOLIC, DIASTOLIC, INTRAOCULAR = "85354-9", "8480-6", "8462-4", "41633001"
TEST_DATA = [{"system": HL7 + "v3-ActReason", "code": "HTEST"}]
PICTURE = {"iris": (320, 240), "fundus": (999, 960)}  # width, height


def resources(patient: Patient, site: str) -> Iterator[dict]:
    """Yield the resources of a patient as a hospital's server holds them: with identifiers and exact dates."""
    subject = {"reference": f"Patient/{patient.id}"}
    yield _resource(
        "Patient", patient.id, PROFILES["Patient"],
        identifier=[_identifier(site, "patient", "MR", patient.id, use="usual")],
        gender=patient.sex, birthDate=patient.born.isoformat(),
    )  # fmt: skip
    for n, day in enumerate(patient.visits):
        yield _resource(
            "Encounter", f"{patient.id}-e{n}", PROFILES["Encounter"], status="finished",
            **{"class": {"system": HL7 + "v3-ActCode", "code": "AMB"}},
            identifier=[_identifier(site, "visit", "VN", f"{patient.id}-e{n}")],
            type=[_concept("http://fhir.de/CodeSystem/Kontaktebene", "einrichtungskontakt")], subject=subject,
            period={"start": f"{day}T09:00:00+01:00", "end": f"{day}T11:30:00+01:00"},
        )  # fmt: skip
    for n, (condition, side) in enumerate((c, side) for c in patient.conditions for side in c.sides or ("",)):
        coding = {"system": ICD, "version": str(condition.since.year), "code": condition.code}
        yield _resource(
            "Condition", f"{patient.id}-d{n}", PROFILES["Condition"],
            clinicalStatus=_concept(HL7 + "condition-clinical", "active"),
            verificationStatus=_concept(HL7 + "condition-ver-status", "confirmed"),
            code={"coding": [coding]}, **({"bodySite": [_concept(SNOMED, EYES[side])]} if side else {}),
            subject=subject, recordedDate=condition.since.isoformat(),
        )  # fmt: skip
    for n, (name, day, value) in enumerate(patient.measurements):
        yield from _measurement(patient, site, n, name, day, value)
    for n, day in enumerate(patient.images):
        for modality, side in ((m, s) for m in PICTURE for s in SIDES):
            id = f"{patient.id}-m{n}-{modality}-{side}"
            width, height = PICTURE[modality]
            yield _resource(
                "Media", id, PROFILES["Media"], status="completed", modality=_concept(MODALITIES, modality),
                subject=subject, createdDateTime=day.isoformat(), bodySite=_concept(SNOMED, EYES[side]), height=height,
                width=width, content={"contentType": "image/png", "url": f"{_local(site, 'image')}/{id}.png"},
            )  # fmt: skip
    policies = mii_policies()
    below = policies.system.removeprefix("urn:oid:")
    for n, signed in enumerate(patient.signatures):
        yield _marked(broad_consent(
            policies, id=f"{patient.id}-c{n}", person=patient.id, day=signed.day, version=signed.version,
            kind=signed.kind, modules=[f"{below}.{module}" for module in signed.modules],
        ))  # fmt: skip


def _measurement(patient: Patient, site: str, n: int, name: str, day: date, value) -> Iterator[dict]:
    subject = {"reference": f"Patient/{patient.id}"}
    if name == "blood pressure":
        parts = [
            {"code": _concept(LOINC, code), "valueQuantity": _quantity(part, "mm[Hg]")}
            for code, part in zip((SYSTOLIC, DIASTOLIC), value, strict=True)
        ]
        yield _resource(
            "Observation", f"{patient.id}-o{n}", PROFILES["Blood pressure"], status="final",
            category=[_concept(HL7 + "observation-category", "vital-signs")], code=_concept(LOINC, BLOOD_PRESSURE),
            subject=subject, effectiveDateTime=f"{day}T09:10:00+01:00", component=parts,
        )  # fmt: skip
    elif name == "intraocular pressure":
        for side, part in zip(SIDES, value, strict=True):
            yield _resource(
                "Observation", f"{patient.id}-o{n}-{side}", PROFILES["Intraocular pressure"], status="final",
                category=[_concept(HL7 + "observation-category", "exam")], code=_concept(SNOMED, INTRAOCULAR),
                subject=subject, effectiveDateTime=f"{day}T09:20:00+01:00", bodySite=_concept(SNOMED, EYES[side]),
                valueQuantity=_quantity(part, "mm[Hg]"),
            )  # fmt: skip
    else:
        told = parameters()["measurements"][name]
        laboratory = {"system": HL7 + "observation-category", "code": "laboratory"}
        category = {"coding": [{"system": LOINC, "code": "26436-6"}, laboratory]}
        assigner = {"identifier": {"system": _local(site, "department"), "value": "laboratory"}}
        yield _resource(
            "Observation", f"{patient.id}-o{n}", PROFILES["Laboratory"],
            identifier=[_identifier(site, "laboratory", "OBI", f"{patient.id}-o{n}", assigner=assigner)],
            status="final", category=[category], code=_concept(LOINC, told["loinc"]), subject=subject,
            effectiveDateTime=f"{day}T09:30:00+01:00", valueQuantity=_quantity(value, told["unit"]),
        )  # fmt: skip


def _resource(kind: str, id: str, profile: str, **elements) -> dict:
    return _marked({"resourceType": kind, "id": id, "meta": {"profile": [profile]}, **elements})


def _marked(resource: dict) -> dict:
    resource["meta"]["security"] = TEST_DATA
    return resource


def _concept(system: str, code: str) -> dict:
    return {"coding": [{"system": system, "code": code}]}


def _identifier(site: str, what: str, code: str, value: str, **more) -> dict:
    return {"type": _concept(HL7 + "v2-0203", code), "system": _local(site, what), "value": value} | more


def _quantity(value: float, unit: str) -> dict:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _local(site: str, what: str) -> str:
    return f"https://{site.replace('_', '-')}.example/fhir/sid/{what}"
