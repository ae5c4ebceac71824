"""From an export to a cohort: one row a picture, in the columns of an image folder's metadata.csv."""

from pathlib import Path

import pandas as pd

from avatarlib.datause.criteria import codes_of, wanted
from avatarlib.datause.patients_fhir import EYES, ICD, MODALITIES, SNOMED
from avatarlib.errors import InputError
from avatarlib.fhir import stream

HYPERTENSION = ("I10", "I11", "I12", "I13", "I15")  # ICD-10-GM
SIDES = {code: side for side, code in EYES.items()}
COLUMNS = ("file_name", "person", "side", "sex", "modality", "age", "high_blood_pressure")


def picture_table(folder: Path) -> pd.DataFrame:
    """Return the pictures of an export, each with whose it is and what is true of the person.

    `age` is the year of the picture minus the year of birth, so it may be one too high, and with moved dates one off
    either way. `high_blood_pressure` is True where a diagnosis of it is in the export.

    Raises
    ------
    InputError
        The folder is no export of people and pictures.
    """
    people = {resource["id"]: resource for resource in _read(folder, "Patient")}
    high = {
        _person(resource)
        for resource in _read(folder, "Condition", needed=False)
        if any(wanted(code, HYPERTENSION) for code in codes_of(resource["code"], ICD))
    }
    rows = []
    for picture in _read(folder, "Media"):
        person = people[_person(picture)]
        sides, kinds = codes_of(picture.get("bodySite"), SNOMED), codes_of(picture.get("modality"), MODALITIES)
        if len(sides) == len(kinds) == 1 and "createdDateTime" in picture and "birthDate" in person:
            age = int(picture["createdDateTime"][:4]) - int(person["birthDate"][:4])
            side, kind, sex = SIDES[sides.pop()], kinds.pop(), person.get("gender", "")
            rows.append((f"{picture['id']}.png", person["id"], side, sex, kind, age, person["id"] in high))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["person", "modality", "side", "file_name"], ignore_index=True)


def _read(folder: Path, kind: str, needed: bool = True) -> list[dict]:
    path = folder / f"{kind}.ndjson"
    if not path.is_file() and needed:
        raise InputError(f"{folder} holds no {kind}.ndjson. Ask for {kind} in the request")
    return [found.resource for found in stream.read_resources(path)] if path.is_file() else []


def _person(resource: dict) -> str:
    return resource["subject"]["reference"].removeprefix("Patient/")
