"""Consent documents: FHIR Consent resources as strict, small records; whatever can't be understood permits nothing."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from avatarlib.consent.dates import Days, days, quoted, years_later
from avatarlib.consent.policies import mii_document
from avatarlib.errors import InputError
from avatarlib.fhir import stream

DOMAIN = "http://fhir.de/ConsentManagement/StructureDefinition/DomainReference"
TEMPLATE_TYPES = {"WITHDRAWAL": "partial withdrawal", "OBJECTION": "partial withdrawal", "REFUSAL": "refusal"}
STATUS = ("draft", "proposed", "active", "rejected", "inactive", "entered-in-error")
CONDITIONS = ("actor", "action", "securityLabel", "purpose", "class", "dataPeriod", "data", "modifierExtension")
DEEPEST = 20
MAJORITY = 18  # years


@dataclass(frozen=True)
class Provision:
    """A rule of a document and its exceptions.

    Attributes
    ----------
    permit
        True: permits; False: denies, as does one whose type is not stated.
    start, end
        From when to when; None: not limited by this rule.
    codes
        (system, code) of what it names.
    coded
        Whether it names anything at all, in whatever system.
    conditional
        True where it holds only for certain people, acts, purposes or data, or under a modifier.
    exceptions
        Rules within it.
    """

    permit: bool
    start: Days | None
    end: Days | None
    codes: frozenset[tuple[str, str]]
    coded: bool
    conditional: bool
    exceptions: tuple["Provision", ...] = ()


@dataclass(frozen=True)
class Document:
    """A consent, refusal or withdrawal of one person.

    Attributes
    ----------
    person
        As `person_key` writes it.
    given
        When it was signed.
    kind
        "consent", "refusal", "withdrawal" (of everything) or "partial withdrawal".
    version
        Of the form, where it is a known one.
    domain
        What it is about: the reference of its domain, "" where it names none.
    minor
        True where it is a form for minors, which ends when the person comes of age.
    until
        The last day on which it permits anything, where `linked` knows one.
    """

    id: str
    person: str
    status: str
    given: Days
    kind: str
    version: str
    domain: str
    rule: Provision
    minor: bool = False
    until: date | None = None


def person_key(text: str) -> str:
    """Return one spelling for the references of a person on the same server; a version of the record is left out.

    Examples
    --------
    >>> person_key("Patient/17"), person_key("17"), person_key("Patient/17/_history/2")
    ('17', '17', '17')
    """
    return text.partition("/_history/")[0].removeprefix("Patient/")


def elsewhere(document: Document) -> str | None:
    """Return the id of the person where the reference is an address on some server ("https://…/Patient/17": "17")."""
    before, sign, id = document.person.rpartition("/Patient/")
    return id if sign and "://" in before else None


def read_documents(path: Path, person: str | None = None) -> list[Document]:
    """Return the consent documents of a file or folder (`avatarlib.fhir.stream.read_resources`).

    Parameters
    ----------
    person
        Keep only documents that may be this person's; all are read and understood, however many there are.

    Raises
    ------
    InputError
        The file is not such JSON, a consent is not understood, or there is none.
    """
    kept, any_there = [], False
    for found in stream.read_resources(Path(path)):
        if _is_consent(found.resource):
            document, any_there = read_document(found.resource, found.where), True
            if person is None or person_key(person) in (document.person, elsewhere(document)):
                kept.append(document)
    if not any_there:
        raise InputError(f"{path} holds no Consent resource")
    return kept


def documents(resources: Iterable[dict], where: str) -> list[Document]:
    """Return the consent documents among resources."""
    return [read_document(r, f"{where}: Consent/{quoted(r.get('id'))}") for r in resources if _is_consent(r)]


def linked(documents: Iterable[Document], patients: Iterable[dict]) -> list[Document]:
    """Return documents with what is known of the people who signed them.

    Persons who are named by an identifier are named by the id of the Patient who carries it. A form for minors permits
    until the day before the 18th birthday, and nothing where the date of birth is not known.
    """
    ids: dict[str, str] = {}
    of_age: dict[str, date] = {}
    for patient in patients:
        id, listed = patient.get("id"), patient.get("identifier")
        if isinstance(id, str):
            for found in listed if isinstance(listed, list) else ():
                if isinstance(found, dict):
                    ids[f"{found.get('system')}|{found.get('value')}"] = id
            with contextlib.suppress(InputError):  # no date of birth
                of_age[id] = years_later(days(patient.get("birthDate"), "birthDate").first, MAJORITY)
    found = []
    for document in documents:
        person = ids.get(document.person, document.person)
        until = of_age.get(person, date.min) if document.minor else None
        found.append(replace(document, person=person, until=until))
    return found


def read_document(resource: dict, where: str) -> Document:
    """Return a FHIR R4 Consent as a document.

    Raises
    ------
    InputError
        Person, status, date or rules are missing or can't be read; names the element.
    """
    status = resource.get("status")
    if status not in STATUS:
        raise InputError(f"{where}: status is {quoted(status)}, not one of {', '.join(STATUS)}")
    provision = resource.get("provision")
    if not isinstance(provision, dict):
        raise InputError(f"{where}: provision is missing or no object")
    uris = [_text(policy, "uri", f"{where}: policy") for policy in _objects(resource, "policy", where)]
    known = [form for uri in uris if uri and (form := mii_document(uri))]
    kinds = {form["kind"] for form in known} | {
        TEMPLATE_TYPES[code] for _, code in _codings(resource, "category", where) if code in TEMPLATE_TYPES
    }
    order = ("withdrawal", "refusal", "partial withdrawal")
    kind = "refusal" if status == "rejected" else next((k for k in order if k in kinds), "consent")
    return Document(
        id=str(resource.get("id", "")),
        person=_person(resource.get("patient"), where),
        status=status,
        given=days(resource.get("dateTime"), f"{where}: dateTime"),
        kind=kind,
        version=known[0]["version"] if known else "",
        domain=_domain(resource, where),
        rule=_provision(provision, f"{where}: provision", bool(resource.get("modifierExtension")), 1),
        minor=any(form.get("minor", False) for form in known),
    )


def _is_consent(resource: dict) -> bool:
    return resource.get("resourceType") == "Consent"


def _person(patient, where: str) -> str:
    reference = patient.get("reference") if isinstance(patient, dict) else None
    if isinstance(reference, str) and person_key(reference):
        return person_key(reference)
    identifier = patient.get("identifier") if isinstance(patient, dict) else None
    if isinstance(identifier, dict) and all(isinstance(identifier.get(key), str) for key in ("system", "value")):
        return f"{identifier['system']}|{identifier['value']}"
    raise InputError(f"{where}: patient names nobody: give a reference, or an identifier with system and value")


def _domain(resource: dict, where: str) -> str:
    for extension in _objects(resource, "extension", where):
        if extension.get("url") == DOMAIN:
            for part in _objects(extension, "extension", f"{where}: extension"):
                value = part.get("valueReference")
                if part.get("url") == "domain" and isinstance(value, dict) and isinstance(value.get("reference"), str):
                    return value["reference"]
    return ""


def _provision(given: dict, where: str, conditional: bool, depth: int) -> Provision:
    if depth > DEEPEST:
        raise InputError(f"{where} is nested more than {DEEPEST} deep")
    kind = given.get("type")
    if kind not in ("permit", "deny") and (kind is not None or depth > 1):
        raise InputError(f"{where}.type is {quoted(kind)}, not permit or deny")
    period = given.get("period", {})
    if not isinstance(period, dict):
        raise InputError(f"{where}.period is no object")
    start, end = (days(period[key], f"{where}.period.{key}") if key in period else None for key in ("start", "end"))
    if start and end and end.last < start.first:
        raise InputError(f"{where}.period ends before it starts")
    conditional = conditional or any(given.get(key) for key in CONDITIONS)
    parts = _objects(given, "provision", where)
    return Provision(
        permit=kind == "permit",
        start=start,
        end=end,
        codes=frozenset(_codings(given, "code", where)),
        coded=bool(given.get("code")),
        conditional=conditional,
        exceptions=tuple(
            _provision(part, f"{where}.provision[{number}]", conditional, depth + 1)
            for number, part in enumerate(parts)
        ),
    )


def _codings(holder: dict, key: str, where: str) -> Iterable[tuple[str, str]]:
    for concept in _objects(holder, key, where):
        for coding in _objects(concept, "coding", f"{where}.{key}"):
            yield _text(coding, "system", f"{where}.{key}.coding"), _text(coding, "code", f"{where}.{key}.coding")


def _objects(holder: dict, key: str, where: str) -> list[dict]:
    listed = holder.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(part, dict) for part in listed):
        raise InputError(f"{where}.{key} is no list of objects")
    return listed


def _text(holder: dict, key: str, where: str) -> str:
    value = holder.get(key, "")
    if not isinstance(value, str):
        raise InputError(f"{where}.{key} is {quoted(value)}, not text")
    return value
