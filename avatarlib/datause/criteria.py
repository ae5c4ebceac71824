"""Who belongs to a cohort: a few kinds of criteria, each read from single resources, so that a store is read once."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from avatarlib.consent.dates import days
from avatarlib.consent.document import person_key
from avatarlib.datause.strict import Strict
from avatarlib.errors import InputError

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,29}$")]
System = Annotated[str, Field(pattern=r"^(https?://|urn:)[!-~]{1,200}$")]


class _Range(Strict):
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounded(self):
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    def _holds(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class Age(_Range):
    """Whole years on the day of the question."""

    kind: Literal["age"]

    def matches(self, resource: dict, day: date) -> bool:
        """Return whether a Patient has such an age; a partial date of birth gives the age that is sure."""
        try:
            born = days(resource.get("birthDate"), "")
        except InputError:
            return False
        return all(
            self._holds(day.year - b.year - ((day.month, day.day) < (b.month, b.day))) for b in (born.first, born.last)
        )


class Sex(Strict):
    """Administrative gender."""

    kind: Literal["sex"]
    code: Literal["female", "male", "other", "unknown"] = Field(alias="is")

    def matches(self, resource: dict, day: date) -> bool:
        """Return whether a Patient has it."""
        return resource.get("gender") == self.code


class Diagnosis(Strict):
    """Any of several diagnoses, each with what its code stands above: H40 holds H40.1."""

    kind: Literal["diagnosis"]
    system: System
    codes: tuple[Code, ...] = Field(min_length=1, max_length=100)

    def matches(self, resource: dict, day: date) -> bool:
        """Return whether a Condition is one of them."""
        return any(wanted(code, self.codes) for code in codes_of(resource.get("code"), self.system))


class Measurement(_Range):
    """A measured value in a range, in one unit (UCUM)."""

    kind: Literal["measurement"]
    system: System
    code: Code
    unit: str = Field(pattern=r"^[!-~]{1,30}$")

    def matches(self, resource: dict, day: date) -> bool:
        """Return whether an Observation is such a value."""
        quantity = resource.get("valueQuantity")
        if self.code not in codes_of(resource.get("code"), self.system) or not isinstance(quantity, dict):
            return False
        value = quantity.get("value")
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return plain and quantity.get("code") == self.unit and "comparator" not in quantity and self._holds(value)


class Image(Strict):
    """A picture of a modality."""

    kind: Literal["image"]
    system: System
    codes: tuple[Code, ...] = Field(min_length=1, max_length=20)

    def matches(self, resource: dict, day: date) -> bool:
        """Return whether a Media resource is one."""
        return bool(set(self.codes) & codes_of(resource.get("modality"), self.system))


Criterion = Annotated[Age | Sex | Diagnosis | Measurement | Image, Field(discriminator="kind")]
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
READS = {Age: "Patient", Sex: "Patient", Diagnosis: "Condition", Measurement: "Observation", Image: "Media"}


class Query(Strict):
    """A cohort: all of `include`, none of `exclude`."""

    include: tuple[Criterion, ...] = Field(min_length=1, max_length=50)
    exclude: tuple[Criterion, ...] = Field((), max_length=50)

    def types(self) -> tuple[str, ...]:
        """Return the resource types that have to be read, Patient first."""
        needed = {READS[type(criterion)] for criterion in (*self.include, *self.exclude)}
        return ("Patient", *sorted(needed - {"Patient"}))


def matching(query: Query, read, day: date) -> frozenset[str]:
    """Return the people of a cohort.

    Parameters
    ----------
    read
        Called with a resource type; gives its resources.
    """
    everybody: set[str] = set()
    found: dict[int, set[str]] = {}
    criteria = list(enumerate((*query.include, *query.exclude)))
    for kind in query.types():
        asked = [(number, criterion) for number, criterion in criteria if READS[type(criterion)] == kind]
        for resource in read(kind):
            person = person_of(resource)
            if person is None or not holds(resource):
                continue
            if kind == "Patient":
                everybody.add(person)
            for number, criterion in asked:
                if criterion.matches(resource, day):
                    found.setdefault(number, set()).add(person)
    for number in range(len(query.include)):
        everybody &= found.get(number, set())
    for number in range(len(query.include), len(criteria)):
        everybody -= found.get(number, set())
    return frozenset(everybody)


def person_of(resource: dict) -> str | None:
    """Return whose a resource is (the id of a Patient on the same server), None where that is not said plainly."""
    if resource.get("resourceType") == "Patient":
        person = resource.get("id")
    else:
        subject = resource.get("subject")
        reference = subject.get("reference") if isinstance(subject, dict) else None
        person = person_key(reference) if isinstance(reference, str) and reference.startswith("Patient/") else None
    return person if isinstance(person, str) and person and "/" not in person else None


def holds(resource: dict) -> bool:
    """Return whether a resource says what it seems to say: False for an entry made in error and a refuted diagnosis."""
    verified = codes_of(resource.get("verificationStatus"), VERIFICATION)
    return resource.get("status") != "entered-in-error" and not verified & {"entered-in-error", "refuted"}


def codes_of(concept, system: str) -> set[str]:
    """Return the codes of a CodeableConcept in one system."""
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return {
        coding["code"]
        for coding in (codings if isinstance(codings, list) else ())
        if isinstance(coding, dict) and coding.get("system") == system and isinstance(coding.get("code"), str)
    }


def wanted(code: str, codes: Iterable[str]) -> bool:
    """Return whether a code is one of `codes`, or stands below one in a classification.

    Examples
    --------
    >>> wanted("H40.1", ["H40"]), wanted("H36.01", ["H36.0"]), wanted("H401", ["H40"])
    (True, True, False)
    """
    return any(code == asked or re.fullmatch(rf"{re.escape(asked)}{_below(asked)}", code, re.ASCII) for asked in codes)


def _below(code: str) -> str:
    return r"\d" if "." in code else r"\.\d{1,2}"
