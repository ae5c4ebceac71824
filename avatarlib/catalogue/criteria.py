"""The four criteria that grade a source from 0 to 3, and what each grade requires."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from avatarlib.catalogue.blocks import Block, refuse_unproved
from avatarlib.catalogue.text import Cited, Short, Text, code_problem
from avatarlib.catalogue.vocabulary import vocabulary
from avatarlib.documents.yaml_text import shown

CRITERIA = ("relevance", "availability", "anonymity", "terms")
GRADES = {
    "relevance": (
        "no medical indication",
        "indirect",
        "the organ or modality of a use case",
        "the indication itself, with diagnosis labels",
    ),
    "availability": (
        "gone or unreachable",
        "agreement or application",
        "registration or click-through",
        "open download",
    ),
    "anonymity": (
        "identifying",
        "de-identified, method not named, or biometric by nature",
        "de-identified by a named method, low residual risk",
        "synthetic or aggregate",
    ),
    "terms": (
        "none stated, or forbidden",
        "research agreement",
        "non-commercial, share-alike or no derivatives",
        "open: redistribution, derived works and commercial use",
    ),
}
MODES = {"open": 3, "registration": 2, "agreement": 1, "application": 1, "gone": 0, "unclear": None}

Grade = Annotated[int, Field(ge=0, le=3)]
Answer = Literal["yes", "no", "not stated"]


class Graded(Block):
    """A grade, why, and what shows it; null means not graded."""

    grade: Grade | None
    reason: Text
    evidence: Cited

    @model_validator(mode="after")
    def _proved(self) -> Self:
        refuse_unproved("grade", self.grade, self.evidence)
        return self


class Indication(Block):
    """A medical indication; `code` is null where nobody was sure of it."""

    system: Literal["ICD-10-GM", "SNOMED CT"]
    code: str | None
    term: Short

    @model_validator(mode="after")
    def _code(self) -> Self:
        if self.code is not None and (problem := code_problem(self.system, self.code)):
            raise ValueError(problem)
        return self


class Relevance(Graded):
    """Relevance to a medical indication."""

    indications: tuple[Indication, ...]

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.grade == 3 and not self.indications:
            raise ValueError("grade 3 needs at least one of indications")
        return self


class Availability(Graded):
    """Actual availability."""

    mode: Literal["open", "registration", "agreement", "application", "gone", "unclear"]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.grade != MODES[self.mode]:
            grade = "null" if MODES[self.mode] is None else MODES[self.mode]
            raise ValueError(f"mode {self.mode} has grade {grade}, not {'null' if self.grade is None else self.grade}")
        return self


class Anonymity(Graded):
    """Anonymity: how people were made unrecognisable, and what still shows."""

    method: Text | None
    consent: Text | None
    recognisable: tuple[Short, ...]
    residual_risk: Literal["low", "moderate", "high"] | None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.grade is None) != (self.residual_risk is None):
            raise ValueError("residual_risk is null where grade is null, and only there")
        if self.grade == 2 and (self.method is None or self.residual_risk != "low"):
            raise ValueError("grade 2 needs a named method and residual_risk: low")
        if self.grade == 0 and self.residual_risk != "high":
            raise ValueError("grade 0 (identifying) needs residual_risk: high")
        if self.grade is None and (self.method or self.consent):
            raise ValueError("method and consent need evidence: cite it, or write null")
        return self


class Terms(Graded):
    """Terms of use."""

    licence: str | None
    licence_words: Text | None
    duo: tuple[str, ...]
    derivatives: Answer
    redistribution: Answer
    model_release: Answer

    @field_validator("licence")
    @classmethod
    def _licence(cls, licence: str | None) -> str | None:
        own = licence is None or re.fullmatch(r"LicenseRef-[A-Za-z0-9.-]{2,60}", licence)
        if not own and licence not in vocabulary().licences:
            raise ValueError(
                f"{shown(licence)} is neither an SPDX identifier of data_manifests/catalogue.yml nor LicenseRef-<name>"
            )
        return licence

    @field_validator("duo")
    @classmethod
    def _duo(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for code in codes:
            if code not in vocabulary().duo:
                raise ValueError(f"{shown(code)} is no DUO code of data_manifests/catalogue.yml")
        return codes

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.grade is None:
            stated = {self.licence, self.licence_words} - {None} or set(self.duo)
            if stated or {self.derivatives, self.redistribution, self.model_release} != {"not stated"}:
                raise ValueError("grade is null, yet terms are stated: grade them and cite evidence, or state none")
        known = vocabulary().licences.get(self.licence)
        if known:
            for what in ("redistribution", "derivatives"):
                if getattr(self, what) != known[what]:
                    raise ValueError(f"{what} is {known[what]} by {self.licence}, not {getattr(self, what)}")
            if self.grade is not None and self.grade > known["grade"]:
                raise ValueError(f"grade {self.grade} is too high for {self.licence}: at most {known['grade']}")
            if known["commercial"] == "yes" and {"DUO:0000046", "DUO:0000018"} & set(self.duo):
                raise ValueError(f"duo says non-commercial, {self.licence} does not")
        if self.licence is None and self.grade is not None and self.grade > 1:
            raise ValueError(f"grade {self.grade} needs a licence: an SPDX identifier or LicenseRef-<name>")
        if self.redistribution == "no" and self.grade == 3:
            raise ValueError("grade 3 contradicts redistribution: no")
        return self


class Criteria(Block):
    """The four criteria."""

    relevance: Relevance
    availability: Availability
    anonymity: Anonymity
    terms: Terms

    def reasons(self) -> list[str]:
        """Return the four reasons."""
        return [getattr(self, name).reason for name in CRITERIA]
