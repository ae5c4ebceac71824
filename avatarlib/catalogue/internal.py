"""Sources that are not open and lie inside an institution: what was recorded, whether it can be used, who decides."""

from typing import Literal, Self

from pydantic import field_validator, model_validator

from avatarlib.catalogue.blocks import Block
from avatarlib.catalogue.model import Discipline, Modality, refuse_unknown, refuse_unknown_evidence
from avatarlib.catalogue.text import Cited, Short, Text, Words


class Judgement(Block):
    """Whether it can be used in one respect, and what shows it."""

    answer: Literal["suitable", "limited", "unsuitable", "not stated"]
    reason: Text
    evidence: Cited

    @model_validator(mode="after")
    def _proved(self) -> Self:
        if not self.evidence and self.answer != "not stated":
            raise ValueError(f"answer {self.answer} needs evidence: cite it, or write not stated")
        return self


class Decision(Block):
    """Who decides about access."""

    answer: Text
    evidence: Cited

    @model_validator(mode="after")
    def _proved(self) -> Self:
        if not self.evidence and self.answer != "not stated":
            raise ValueError("answer needs evidence: cite it, or write not stated")
        return self


class Passage(Block):
    """Words of a document that is no web page."""

    document: Short
    words: Words
    at: Short


class InternalSource(Block):
    """A source that is not open; `instead` names open or synthetic entries of the catalogue that stand in for it."""

    identifier: str
    title: Short
    holder: Short
    field: Discipline
    modality: Modality
    recorded: Text
    technical: Judgement
    organisational: Judgement
    decides: Decision
    use_cases: tuple[str, ...]
    instead: tuple[str, ...]
    limits: tuple[Text, ...]
    evidence: dict[str, Passage]

    @field_validator("use_cases")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return refuse_unknown("use_cases", names)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        cited = [
            ("technical", self.technical.evidence),
            ("organisational", self.organisational.evidence),
            ("decides", self.decides.evidence),
        ]
        refuse_unknown_evidence(cited, self.evidence, self.recorded)
        return self
