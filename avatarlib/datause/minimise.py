"""What of a resource may leave: a new resource is built from the elements that a request names, each in a closed form.

Nothing is taken out of a resource; what is not built here does not exist in an export. No text, narrative, identifier,
extension, contained resource, note, display or reference to anybody but the pseudonymous person; codes come from lists,
numbers lose what is beyond plausible size, dates are coarsened or moved.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from avatarlib.consent.dates import Days, days
from avatarlib.datause.criteria import codes_of, wanted
from avatarlib.datause.pseudonyms import Pseudonyms
from avatarlib.errors import InputError

OLDEST = 90  # years: whoever is older is given this age
SHIFT = 182  # days
LARGEST_VALUE, LARGEST_PIXELS = 1e6, 1 << 16
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
EYE = "https://fhir.avatarlib.example/eye-study/"
PSEUDONYM = EYE + "sid/pseudonym"
_UNIT = re.compile(r"[A-Za-z0-9%/\[\].*\-]{1,15}", re.ASCII)
_VERSION = re.compile(r"20\d\d", re.ASCII)
CODES = {  # closed lists for all codes but those that a request names
    HL7 + "condition-clinical": {"active", "recurrence", "relapse", "inactive", "remission", "resolved"},
    HL7 + "condition-ver-status": {"unconfirmed", "provisional", "differential", "confirmed"},
    HL7 + "observation-category": {"laboratory", "vital-signs", "exam", "imaging"},
    HL7 + "v3-ObservationInterpretation": {"H", "HH", "L", "LL", "N", "A", "AA"},
    HL7 + "v3-ActCode": {"AMB", "IMP", "SS", "HH", "VR", "PRENC"},
    "http://fhir.de/CodeSystem/Kontaktebene": {"einrichtungskontakt", "abteilungskontakt", "versorgungsstellenkontakt"},
    "http://snomed.info/sct": {"8966001", "18944008"},  # left eye, right eye
    "http://loinc.org": {"26436-6", "8480-6", "8462-4"},  # laboratory; systolic, diastolic
    EYE + "CodeSystem/eye-modality": {"iris", "fundus", "papilla"},
}
STATUS = {
    "Observation": {"registered", "preliminary", "final", "amended", "corrected"},
    "Encounter": {"planned", "in-progress", "onleave", "finished", "cancelled"},
    "Media": {"preparation", "in-progress", "completed"},
}


@dataclass(frozen=True)
class Rules:
    """How one export treats what it takes over: dates ("year", "month", "shifted"), the day of export, pseudonyms."""

    dates: str
    today: date
    pseudonyms: Pseudonyms


@dataclass(frozen=True)
class _Taking:
    """One resource on its way out: whose it is, the codes and the number of digits that the request names for it."""

    rules: Rules
    person: str
    system: str | None
    codes: tuple[str, ...]
    digits: int | None


def _status(kind: str) -> Callable:
    return lambda value, taking: value if isinstance(value, str) and value in STATUS[kind] else None


def _gender(value, taking: _Taking) -> str | None:
    return value if value in ("female", "male", "other", "unknown") else None


def _birth_year(value, taking: _Taking) -> str | None:
    return f"{max(days(value, 'birthDate').first.year, taking.rules.today.year - OLDEST):04}"


def _date(value, taking: _Taking) -> str | None:
    when = days(value, "date")
    if taking.rules.dates == "shifted":
        if when.first != when.last:
            return None
        return (when.first + timedelta(days=taking.rules.pseudonyms.shift(taking.person, SHIFT))).isoformat()
    same_month = (when.first.year, when.first.month) == (when.last.year, when.last.month)
    if taking.rules.dates == "month" and same_month:
        return f"{when.first.year:04}-{when.first.month:02}"
    return f"{when.first.year:04}" if when.first.year == when.last.year else None


def _period(value, taking: _Taking) -> dict | None:
    found = {key: _date(value[key], taking) for key in ("start", "end") if isinstance(value, dict) and key in value}
    return {key: when for key, when in found.items() if when} or None


def _listed(value, taking: _Taking) -> dict | None:
    """A concept of the closed lists."""
    codings = [
        {"system": system, "code": code}
        for system, known in CODES.items()
        for code in sorted(codes_of(value, system) & known)
    ]
    return {"coding": codings} if codings else None


def _listed_each(value, taking: _Taking) -> list[dict] | None:
    found = [concept for part in value if (concept := _listed(part, taking))] if isinstance(value, list) else []
    return found or None


def _listed_coding(value, taking: _Taking) -> dict | None:
    concept = _listed({"coding": [value]}, taking)
    return concept["coding"][0] if concept else None


def _code(value, taking: _Taking) -> dict | None:
    """The code for which the request asks."""
    found = sorted(code for code in codes_of(value, taking.system) if wanted(code, taking.codes))
    codings = [{"system": taking.system, "code": code} | _version(value, taking.system, code) for code in found]
    return {"coding": codings} if codings else None


def _version(value: dict, system: str, code: str) -> dict:
    for coding in value["coding"]:
        version = coding.get("version") if isinstance(coding, dict) else None
        if (
            isinstance(version, str)
            and _VERSION.fullmatch(version)
            and codes_of({"coding": [coding]}, system) == {code}
        ):
            return {"version": version}
    return {}


def _quantity(value, taking: _Taking) -> dict | None:
    number, unit = (value.get(key) if isinstance(value, dict) else None for key in ("value", "code"))
    plain = isinstance(number, int | float) and not isinstance(number, bool)
    if not plain or not abs(number) < LARGEST_VALUE or value.get("system") != UCUM:
        return None
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        return None
    comparator = value.get("comparator")
    if comparator is not None and comparator not in ("<", "<=", ">=", ">"):
        return None
    told = round(number, taking.digits) if taking.digits is not None else number
    return {"value": told} | ({"comparator": comparator} if comparator else {}) | {
        "unit": unit, "system": UCUM, "code": unit,
    }  # fmt: skip


def _components(value, taking: _Taking) -> list[dict] | None:
    found = []
    for part in value if isinstance(value, list) else ():
        code = _listed(part.get("code"), taking) if isinstance(part, dict) else None
        quantity = _quantity(part.get("valueQuantity"), taking) if code else None
        if quantity:
            found.append({"code": code, "valueQuantity": quantity})
    return found or None


def _pixels(value, taking: _Taking) -> int | None:
    return value if type(value) is int and 0 < value < LARGEST_PIXELS else None


def _picture_type(value, taking: _Taking) -> dict | None:
    told = value.get("contentType") if isinstance(value, dict) else None
    return {"contentType": told} if told in ("image/png", "image/jpeg") else None


# Resource type -> element -> how it is built. The first elements are those that FHIR wants in every such resource.
ELEMENTS: dict[str, dict[str, Callable]] = {
    "Patient": {"gender": _gender, "birthDate": _birth_year},
    "Condition": {
        "code": _code, "clinicalStatus": _listed, "verificationStatus": _listed, "bodySite": _listed_each,
        "recordedDate": _date, "onsetDateTime": _date,
    },
    "Observation": {
        "status": _status("Observation"), "code": _code, "category": _listed_each, "effectiveDateTime": _date,
        "valueQuantity": _quantity, "interpretation": _listed_each, "bodySite": _listed, "component": _components,
    },
    "Encounter": {"status": _status("Encounter"), "class": _listed_coding, "type": _listed_each, "period": _period},
    "Media": {
        "status": _status("Media"), "content": _picture_type, "modality": _code, "bodySite": _listed,
        "createdDateTime": _date, "height": _pixels, "width": _pixels,
    },
}  # fmt: skip
NEEDED = {
    "Patient": (), "Condition": ("code",), "Observation": ("status", "code"), "Encounter": ("status", "class"),
    "Media": ("status", "content", "modality"),
}  # fmt: skip
CODED = {"Condition": "code", "Observation": "code", "Media": "modality"}
DATED = {
    "Condition": ("recordedDate", "onsetDateTime"), "Observation": ("effectiveDateTime",), "Encounter": ("period",),
    "Media": ("createdDateTime",),
}  # fmt: skip


def problem(kind: str, elements: Sequence[str], system: str | None, codes: Sequence[str]) -> str | None:
    """Return why these elements of a resource type can't be asked for, or None."""
    for element in elements:
        if element not in ELEMENTS[kind]:
            return f"elements: of {kind} these can be had: {', '.join(ELEMENTS[kind])}; not {element[:40]!r}"
    missing = [element for element in NEEDED[kind] if element not in elements]
    if missing:
        return f"elements: without {' and '.join(missing)} it is no {kind}: name it"
    if kind in CODED and not (system and codes):
        return f"name system and codes of the {kind}: 'all' is no purpose"
    return f"{kind} is chosen by no codes: remove them" if kind not in CODED and (system or codes) else None


def dates_of(resource: dict) -> list[Days]:
    """Return the days that tell when a resource came about; empty where nothing readable does."""
    found = []
    for key in DATED.get(resource["resourceType"], ()):
        value = resource.get(key)
        for text in (value.get("start"), value.get("end")) if isinstance(value, dict) else (value,):
            if text is not None:
                try:
                    found.append(days(text, key))
                except InputError:
                    return []
    return found


def built(
    resource: dict, person: str, elements: Sequence[str], *, rules: Rules, system: str | None, codes: tuple[str, ...],
    digits: int | None,
) -> dict | None:  # fmt: skip
    """Return the new resource, None where something that it needs can't be told.

    Parameters
    ----------
    person
        The person's id in the source.
    elements, system, codes, digits
        What the request names.
    """
    kind, taking = resource["resourceType"], _Taking(rules, person, system, codes, digits)
    found = {}
    for element in elements:
        if element in resource:
            try:
                value = ELEMENTS[kind][element](resource[element], taking)
            except InputError:  # no date
                value = None
            if value is not None:
                found[element] = value
    if any(element not in found for element in NEEDED[kind]):
        return None
    pseudonym = rules.pseudonyms.of("Patient", person)
    if kind == "Patient":
        identity = {"id": pseudonym, "identifier": [{"system": PSEUDONYM, "value": pseudonym}]}
    else:
        id = rules.pseudonyms.of(kind, f"{person}\0{resource.get('id')}")
        identity = {"id": id, "subject": {"reference": f"Patient/{pseudonym}"}}
    return {"resourceType": kind} | identity | found
