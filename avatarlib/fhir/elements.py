"""One row an element: what a profile says about it, in the same columns whichever package the profile comes from."""

import json
import re
from dataclasses import dataclass, field
from functools import cache

from avatarlib.errors import InputError
from avatarlib.fhir import identifying, texts
from avatarlib.fhir.identifying import SLICE, Judgement
from avatarlib.fhir.tables import read_table

_OID = re.compile(r"\burn:oid:[0-2](?:\.\d+)+")
FIXED = re.compile(r"(fixed|pattern)[A-Z]\w*")
_FIELDS = ("nfdi4health", "healthdcat")
CODES_SHOWN = 20  # of a value set; the rest is in the value set


@dataclass(frozen=True)
class Row:
    """An element of a profile's snapshot; the columns of the index.

    `minimum` and `maximum` are the cardinality ("*" for any number), `types` the data types with a space between,
    `fixed` the fixed or pattern value as JSON, `codes` what it or its value set names ("LOINC 85354-9"), and `group`,
    `rule`, `reason` the judgement of `avatarlib.fhir.identifying`. Where there is nothing, a text is "".
    """

    package: str
    version: str
    profile: str
    url: str
    kind: str
    number: int
    element: str
    slice: str
    minimum: int
    maximum: str
    types: str
    must_support: bool
    strength: str
    value_set: str
    fixed: str
    text_de: str
    text_en: str
    short: str
    codes: str
    identifying: str
    rule: str
    reason: str
    nfdi4health: str
    croissant: str
    healthdcat: str
    definition: str = field(default="", repr=False)
    about: str = field(default="", repr=False)


COLUMNS = tuple(Row.__dataclass_fields__)[:-2]  # the last two are searched, not kept


def rows(entry) -> list[Row]:
    """Return the rows of a StructureDefinition of a package, one for each element of its snapshot.

    Parameters
    ----------
    entry
        An `avatarlib.fhir.packages.Entry`. Without a snapshot there are no rows.

    Raises
    ------
    InputError
        The definition is not built as FHIR says.
    """
    definition = entry.resource
    name, url = (definition.get(key) for key in ("name", "url"))
    if not isinstance(name, str) or not isinstance(url, str):
        raise InputError(f"{entry.where}: a StructureDefinition needs a name and a url")
    snapshot = definition.get("snapshot", {})
    elements = snapshot.get("element", []) if isinstance(snapshot, dict) else None
    if not isinstance(elements, list):
        raise InputError(f"{entry.where}: snapshot.element is no list")
    language = definition.get("language", "")
    head = (entry.package.name, entry.package.version, name, url, str(definition.get("kind", "")))
    about = f"{name} {definition.get('title', '')} {definition.get('description', '')}"  # what the first element is
    return [_row(element, number, head, about, str(language), entry.where) for number, element in enumerate(elements)]


def _row(element, number: int, head: tuple, about: str, language: str, where: str) -> Row:
    at = f"{where}: snapshot.element[{number}]"
    if not isinstance(element, dict) or not isinstance(element.get("path"), str):
        raise InputError(f"{at} has no path")
    name = str(element.get("id") or element["path"])
    minimum, maximum = element.get("min", 0), str(element.get("max", "*"))
    if not isinstance(minimum, int) or not (maximum == "*" or maximum.isdecimal()):
        raise InputError(f"{at} ({name}): cardinality {minimum!r}..{maximum!r}")
    types = _types(element, at)
    logical = head[-1] == "logical"
    judgement = identifying.judge(name, types, logical=logical, maximum=maximum)
    german, english = texts.short_texts(element, language)
    binding = element.get("binding") if isinstance(element.get("binding"), dict) else {}
    fixed = {key: value for key, value in element.items() if FIXED.fullmatch(key)}
    nfdi4health, croissant, healthdcat = ("", "", "") if maximum == "0" else mapped(name, types, judgement)
    return Row(
        *head,
        number=number,
        element=name,
        slice=str(element.get("sliceName", "")),
        minimum=minimum,
        maximum=maximum,
        types=" ".join(types),
        must_support=element.get("mustSupport") is True,
        strength=str(binding.get("strength", "")),
        value_set=str(binding.get("valueSet", "")),
        fixed=json.dumps(fixed, ensure_ascii=False, sort_keys=True) if fixed else "",
        text_de=german,
        text_en=english,
        short=str(element.get("short", "")),
        codes="; ".join(dict.fromkeys(_codes(list(fixed.values())))),
        identifying=judgement.group,
        rule=judgement.rule,
        reason=judgement.reason,
        nfdi4health=nfdi4health,
        croissant=croissant,
        healthdcat=healthdcat,
        definition=" ".join([str(element.get("definition", "")), *map(str, element.get("alias") or ())]),
        about=about if number == 0 else "",
    )


def _types(element: dict, at: str) -> tuple[str, ...]:
    types = element.get("type", [])
    if not isinstance(types, list) or not all(isinstance(kind, dict) for kind in types):
        raise InputError(f"{at} ({element['path']}): type is no list of objects")
    return tuple(dict.fromkeys(str(kind.get("code", "")).rpartition("/")[2] for kind in types))


@cache
def system_names() -> dict[str, str]:
    """Return address -> name of the code systems that the index names."""
    return read_table("systems.yml")


@cache
def system_name(address: str) -> str:
    """Return a code system's name as the index writes it, or its address.

    Examples
    --------
    >>> system_name("http://fhir.de/CodeSystem/bfarm/ops"), system_name("urn:oid:1.2.276.0.76.5.409")
    ('OPS', 'OID 1.2.276.0.76.5.409')
    """
    address = address.partition("|")[0]
    known = system_names()
    if address.startswith("urn:oid:"):
        return f"OID {address.removeprefix('urn:oid:')}"
    return next((known[prefix] for prefix in known if address.startswith(prefix)), address)


def _codes(value) -> list[str]:
    """Return the codes and OIDs in a fixed or pattern value, as "SYSTEM CODE" or the system alone."""
    if isinstance(value, list):
        return [code for part in value for code in _codes(part)]
    if isinstance(value, str):
        if value.partition("|")[0] in system_names():
            return [system_name(value)]
        return [system_name(oid) for oid in _OID.findall(value)]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("system"), str):
        code = value.get("code")
        name = system_name(value["system"])
        return [f"{name} {code}" if isinstance(code, str) else name]
    return [code for part in value.values() for code in _codes(part)]


def value_set_codes(value_set: dict) -> list[str]:
    """Return what a ValueSet names: for each system its codes, at most `CODES_SHOWN`, else the system alone."""
    out: list[str] = []
    compose = value_set.get("compose") if isinstance(value_set.get("compose"), dict) else {}
    for include in compose.get("include") or ():
        if isinstance(include, dict) and isinstance(include.get("system"), str):
            name = system_name(include["system"])
            concepts = [one.get("code") for one in include.get("concept") or () if isinstance(one, dict)]
            out += [f"{name} {code}" for code in concepts[:CODES_SHOWN] if code] or [name]
    return out


def displays(concepts) -> list[str]:
    """Return the texts (display and designations) of at most `CODES_SHOWN` concepts and concepts below them."""
    out: list[str] = []
    waiting = list(concepts)[:CODES_SHOWN] if isinstance(concepts, list) else []
    for concept in waiting:
        if not isinstance(concept, dict):
            continue
        designations = concept.get("designation")
        named = [one.get("value") for one in designations or () if isinstance(one, dict)]
        out += [text for text in (concept.get("display"), *named) if isinstance(text, str)]
        below = concept.get("concept")
        if isinstance(below, list) and len(waiting) < CODES_SHOWN:
            waiting += below[: CODES_SHOWN - len(waiting)]
    return out


def included(value_set: dict) -> list[tuple[str, str]]:
    """Return what a ValueSet includes as (system, text): one pair a text, or one with "" for all that a system has."""
    compose = value_set.get("compose") if isinstance(value_set.get("compose"), dict) else {}
    out = []
    for include in compose.get("include") or ():
        if isinstance(include, dict) and isinstance(include.get("system"), str):
            shown = displays(include.get("concept"))
            whole = "concept" not in include and "filter" not in include
            out += [(include["system"], text) for text in shown] or ([(include["system"], "")] if whole else [])
    return out


@cache
def _mapping() -> dict:
    table = read_table("mapping.yml")
    lists = {
        key: [(re.compile(row["path"]), row["field"]) for row in table[key]] for key in ("nfdi4health", "healthdcat")
    }
    return table | lists


@cache
def mapped(element_id: str, types: tuple[str, ...], judgement: Judgement) -> tuple[str, str, str]:
    """Return the fields of NFDI4Health, Croissant and HealthDCAT that an element's content shows in, "" for none.

    Examples
    --------
    >>> from avatarlib.fhir.identifying import judge
    >>> mapped("Patient.birthDate", ("date",), judge("Patient.birthDate", ("date",)))[0]
    'Design.eligibilityCriteria.ageMin.number'
    """
    table = _mapping()
    path = SLICE.sub("", element_id)
    personal = judgement.group != "none"
    first = {
        key: next((to for pattern, to in table[key] if pattern.fullmatch(path)), "")
        for key in ("nfdi4health", "healthdcat")
    }
    kind = next((table["croissant"][kind] for kind in types if kind in table["croissant"]), "")
    croissant = [f"cr:Field {kind}"] if kind else []
    croissant += [table["croissant_personal"]] if personal and kind else []
    return (
        first["nfdi4health"],
        "; ".join(croissant),
        first["healthdcat"] or (table["personal"] if personal and kind else ""),
    )
