"""Whether an element of a definition can point at a person: direct, quasi, sensitive or none, by which rule and why."""

import re
from dataclasses import dataclass
from functools import cache

from avatarlib.fhir.tables import read_table

CLASSES = ("direct", "quasi", "sensitive", "none")
SLICE = re.compile(r":[^.]+|\[x\]")


@dataclass(frozen=True)
class Judgement:
    """The identifying class of an element, the name of the rule that gave it, and the rule's reason."""

    group: str
    rule: str
    reason: str


@dataclass(frozen=True)
class _Rule:
    judgement: Judgement
    key: str
    pattern: re.Pattern
    types: frozenset[str]


EMPTY = Judgement("none", "not-used", "the profile allows no value here")
DEFINITION = Judgement("none", "definition", "describes a definition or a study, no person")
OTHER = Judgement("none", "no-rule", "no rule says that it points at anybody")


@cache
def _rules() -> tuple[frozenset[str], tuple[_Rule, ...], tuple[_Rule, ...]]:
    table = read_table("identifying.yml")

    def compiled(row: dict) -> _Rule:
        (key,) = {"path", "id", "name"} & row.keys()
        judgement = Judgement(row["class"], row["rule"], row["reason"])
        return _Rule(judgement, key, re.compile(row[key]), frozenset(row.get("types", ())))

    return frozenset(table["definitions"]), tuple(map(compiled, table["rules"])), tuple(map(compiled, table["models"]))


def judge(element_id: str, types: tuple[str, ...], *, logical: bool = False, maximum: str = "*") -> Judgement:
    """Return how far an element can point at a person.

    Parameters
    ----------
    element_id
        Its id in the snapshot, such as "Patient.name:official.family".
    types
        Codes of its data types.
    logical
        True for an element of a logical model, whose names are the model's own.
    maximum
        Its upper cardinality: nothing can be said by an element that may not occur.

    Examples
    --------
    >>> judge("Patient.birthDate", ("date",)).group, judge("Condition.code", ("CodeableConcept",)).group
    ('quasi', 'sensitive')
    >>> judge("Patient.name", ("HumanName",), maximum="0").rule
    'not-used'
    """
    return EMPTY if maximum == "0" else _judged(element_id, frozenset(types), logical)


@cache
def _judged(element_id: str, types: frozenset[str], logical: bool) -> Judgement:
    definitions, rules, models = _rules()
    path = SLICE.sub("", element_id)
    if path.split(".")[0] in definitions:
        return DEFINITION
    subject = {"path": path, "id": element_id, "name": path.rpartition(".")[2].lower()}
    for rule in models if logical else rules:
        if (not rule.types or rule.types & types) and rule.pattern.fullmatch(subject[rule.key]):
            return rule.judgement
    return OTHER
