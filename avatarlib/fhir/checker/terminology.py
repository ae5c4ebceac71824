"""Whether a code is in a value set, as far as the code systems at hand tell: yes, no, or what is missing."""

import re
from dataclasses import dataclass

from avatarlib.errors import InputError
from avatarlib.fhir import r4
from avatarlib.fhir.checker.codes import impossible
from avatarlib.fhir.profiles import Library

YES, NO = "yes", "no"
MOST_KEPT = 100_000  # answers
_IS_A = ("is-a", "descendent-of")
_MIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*(\s*;.*)?")
_RULES = {  # R4's value sets whose members a rule tells
    "http://hl7.org/fhir/ValueSet/resource-types": lambda code: r4.is_resource(code),
    "http://hl7.org/fhir/ValueSet/mimetypes": lambda code: bool(_MIME.fullmatch(code)),
}


@dataclass(frozen=True)
class Answer:
    """Whether a code is a member: "yes", "no" or "" for unknown.

    `missing` says what would be needed. `external` is True where the value set is at hand and only the content of a
    code system that it draws from is not (SNOMED CT, LOINC, ICD-10-GM …); `whole` where it takes all of that system, so
    that nothing but the existence of the code is open.
    """

    member: str
    missing: str = ""
    external: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Concepts:
    """A code system's content: the parent of each code, properties, and whether it is complete."""

    parents: dict[str, str]
    properties: dict[str, dict[str, object]]
    complete: bool


class Terminology:
    """Value sets and code systems of a library, expanded as they are asked for."""

    def __init__(self, library: Library):
        self._library = library
        self._systems: dict[str, Concepts | None] = {}
        self._answers: dict[tuple[str, str | None, str], Answer] = {}

    def knows(self, value_set: str) -> bool:
        """Return whether the value set is at hand."""
        known = _plain(value_set) in r4.tables()["value_sets"] or _plain(value_set) in _RULES
        return known or self._library.find("ValueSet", value_set) is not None

    def member(self, value_set: str, system: str | None, code: str) -> Answer:
        """Return whether a code is in a value set; without a system the code alone decides."""
        key = value_set, system, code
        if len(self._answers) > MOST_KEPT:  # a large Bundle may hold any number of codes
            self._answers.clear()
        if key not in self._answers:
            try:
                self._answers[key] = self._member(value_set, system, code, ())
            except (AttributeError, TypeError, KeyError):
                found = self._library.find("ValueSet", value_set)
                place = found.where if found else value_set
                raise InputError(f"{place}: the value set, or a code system that it draws from, is malformed") from None
        return self._answers[key]

    def _member(self, value_set: str, system: str | None, code: str, open_sets: tuple[str, ...]) -> Answer:
        found = self._library.find("ValueSet", value_set)
        if value_set in open_sets:
            return Answer("", f"value set {value_set}, which includes itself")
        if found is None:
            return _in_core(value_set, system, code)
        compose = found.resource.get("compose")
        if not compose:
            return self._expanded(found.resource, value_set, system, code)
        inner = (*open_sets, value_set)
        answer = _any([self._included(part, system, code, inner) for part in compose.get("include", [])])
        if answer.member == NO:
            return answer
        removed = _any([self._included(part, system, code, inner) for part in compose.get("exclude", [])])
        if removed.member == YES:
            return Answer(NO)
        return removed if removed.member == "" else answer

    def _expanded(self, value_set: dict, url: str, system: str | None, code: str) -> Answer:
        waiting = list(value_set.get("expansion", {}).get("contains", []))
        if not waiting:
            return Answer("", f"content of value set {url}")
        while waiting:
            part = waiting.pop()
            if part.get("code") == code and system in (None, part.get("system")):
                return Answer(YES)
            waiting += part.get("contains", [])
        return Answer(NO)

    def _included(self, part: dict, system: str | None, code: str, open_sets: tuple[str, ...]) -> Answer:
        answers = []
        if "system" in part:
            answers.append(self._of_system(part, system, code))
        answers += [self._member(inner, system, code, open_sets) for inner in part.get("valueSet", [])]
        return _all(answers)

    def _of_system(self, part: dict, system: str | None, code: str) -> Answer:
        url = part["system"]
        if system is not None and system != url:
            return Answer(NO)
        if "concept" in part:
            return Answer(YES if any(concept.get("code") == code for concept in part["concept"]) else NO)
        concepts = self._concepts(url)
        filters = part.get("filter", [])
        if concepts is None and impossible(url, code):
            return Answer(NO)
        if concepts is None:
            return Answer("", f"content of code system {url}", external=True, whole=not filters)
        if code not in concepts.parents:
            return Answer(NO) if concepts.complete else Answer("", f"all of code system {url}", True, not filters)
        return _all([_passes(concepts, code, one, url) for one in filters] or [Answer(YES)])

    def _concepts(self, url: str) -> Concepts | None:
        if url not in self._systems:
            found = self._library.find("CodeSystem", url)
            content = found.resource.get("content") if found else None
            held = found is not None and content != "supplement" and found.resource.get("concept")
            self._systems[url] = _read(found.resource, content == "complete") if held else None
        return self._systems[url]


def _read(system: dict, complete: bool) -> Concepts:
    parents: dict[str, str] = {}
    properties: dict[str, dict[str, object]] = {}
    waiting = [(concept, "") for concept in system["concept"]]
    while waiting:
        concept, parent = waiting.pop()
        code = concept.get("code", "")
        parents[code] = parent
        properties[code] = {
            one.get("code"): next((one[key] for key in one if key.startswith("value")), None)
            for one in concept.get("property", [])
        }
        waiting += [(child, code) for child in concept.get("concept", [])]
    return Concepts(parents, properties, complete)


def _passes(concepts: Concepts, code: str, one: dict, url: str) -> Answer:
    name, operation, value = one.get("property"), one.get("op"), one.get("value")
    if operation in _IS_A and name in ("concept", "code"):
        above, known = code if operation == "is-a" else concepts.parents[code], set()
        while above and above not in known:
            if above == value:
                return Answer(YES)
            known.add(above)
            above = concepts.parents.get(above, "")
        return Answer(NO) if concepts.complete else Answer("", f"all of code system {url}", external=True)
    if operation == "=" and name in concepts.properties[code]:
        have = concepts.properties[code][name]
        text = str(have).lower() if isinstance(have, bool) else str(have)
        return Answer(YES if text == value else NO)
    return Answer("", f"a way to evaluate the filter {name} {operation} on code system {url}")


def _in_core(value_set: str, system: str | None, code: str) -> Answer:
    if _plain(value_set) in _RULES:
        return Answer(YES if _RULES[_plain(value_set)](code) else NO)
    known = r4.tables()["value_sets"].get(_plain(value_set))
    if known is None:
        return Answer("", f"value set {value_set}")
    return Answer(YES if code in known["codes"] and system in (None, known["system"]) else NO)


def _plain(canonical: str) -> str:
    return canonical.partition("|")[0]


def _any(answers: list[Answer]) -> Answer:
    """Return yes where one says so, unknown where one does not know, else no."""
    unknown = [answer for answer in answers if answer.member == ""]
    if any(answer.member == YES for answer in answers):
        return Answer(YES)
    return max(unknown, key=_openness) if unknown else Answer(NO)


def _all(answers: list[Answer]) -> Answer:
    """Return no where one says so, unknown where one does not know, else yes."""
    unknown = [answer for answer in answers if answer.member == ""]
    if any(answer.member == NO for answer in answers):
        return Answer(NO)
    return min(unknown, key=_openness) if unknown else Answer(YES)


def _openness(answer: Answer) -> tuple[bool, bool]:
    """Order unknown answers: a missing value set weighs more than content, and that more than a code's existence."""
    return answer.external, answer.whole
