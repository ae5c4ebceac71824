"""One source of the catalogue: what its file may say, and what must fit together."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from avatarlib.catalogue.blocks import Block, refuse_unproved
from avatarlib.catalogue.criteria import Criteria
from avatarlib.catalogue.text import Address, Cited, Day, Short, Text, Words
from avatarlib.catalogue.vocabulary import vocabulary
from avatarlib.documents.yaml_text import cut, shown

Discipline = Literal[
    "ophthalmology",
    "sequences",
    "audiology",
    "cardiology",
    "neurology",
    "radiology",
    "critical-care",
    "study-metadata",
]
Modality = Literal[
    "iris",
    "fundus",
    "papilla",
    "oct",
    "slit-lamp",
    "anterior-segment",
    "human-reference",
    "human-panel",
    "metagenome",
    "reads",
    "audiometry",
    "audio",
    "ecg",
    "eeg",
    "ct",
    "mr",
    "x-ray",
    "ultrasound",
    "tabular",
    "registry",
]
Unit = Literal["images", "records", "volumes", "reads", "genomes", "samples", "studies", "hours", "bases"]
Level = Literal["V0", "V1", "V2", "V3"]
LEVELS = {
    "V0": "claimed",
    "V1": "metadata record seen and cited",
    "V2": "sample opened, schema matched",
    "V3": "full count equals the claim",
}
_IDENTIFIER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Addresses(Block):
    """Where the source is described."""

    page: Address
    doi: str | None
    record: Address | None = None
    accession: Short | None = None

    @field_validator("doi")
    @classmethod
    def _doi(cls, doi: str | None) -> str | None:
        if doi is not None and not re.fullmatch(r"10\.\d{4,9}/[!-;=?-~]{1,150}", doi):
            raise ValueError("must be a DOI such as 10.5281/zenodo.123, without https://doi.org/, or null")
        return doi


class Count(Block):
    """A number and the words that state it."""

    value: int | float | None = Field(gt=0)
    evidence: Cited

    @model_validator(mode="after")
    def _agree(self) -> Self:
        refuse_unproved("value", self.value, self.evidence)
        return self


class Size(Count):
    """How much there is."""

    unit: Unit


class People(Count):
    """How many persons it shows."""

    value: int | None = Field(ge=0)


class Label(Block):
    """Whether a label is there for each item."""

    answer: Literal["yes", "no", "unclear"]
    evidence: Cited

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.evidence and self.answer != "unclear":
            raise ValueError(f"answer {self.answer} needs evidence: cite it, or write unclear and not checked")
        return self


class Labels(Block):
    """Labels that AVATAR's conditions need."""

    sex: Label
    side: Label


class MetadataAccess(Block):
    """What the provider publishes about the data, where, in which form."""

    answer: Text
    form: Literal["file", "page", "api", "none"] | None
    address: Address | None
    evidence: Cited

    @model_validator(mode="after")
    def _agree(self) -> Self:
        refuse_unproved("form", self.form, self.evidence)
        return self


class Suitability(Block):
    """Whether AVATAR can use it, and why."""

    answer: Literal["suitable", "limited", "unsuitable"]
    reason: Text


class Evidence(Block):
    """Words on a page or in a file that somebody opened."""

    address: Address
    title: Short
    read: Day
    copy_: Literal["live", "stored", "file"] = Field(alias="copy")
    words: Words
    at: Short


class Verification(Block):
    """A level that was reached, when and how."""

    level: Level
    date: Day
    what: Text
    evidence: Cited = ()


class Source(Block):
    """A source of medical data, graded by four criteria; every grade cites its evidence or says that there is none."""

    identifier: str
    title: Short
    provider: Short
    addresses: Addresses
    field: Discipline
    modality: Modality
    synthetic: bool
    mirror: str | None = None
    about: Text
    size: Size
    people: People
    labels: Labels
    metadata_access: MetadataAccess
    criteria: Criteria
    scenarios: tuple[str, ...]
    use_cases: tuple[str, ...]
    suitability: Suitability
    limits: tuple[Text, ...]
    traps: tuple[Text, ...]
    evidence: dict[str, Evidence]
    verification: tuple[Verification, ...]

    @property
    def level(self) -> Level:
        """The highest level of its verification."""
        return max(entry.level for entry in self.verification)

    @field_validator("identifier")
    @classmethod
    def _identifier(cls, identifier: str) -> str:
        if not _IDENTIFIER.fullmatch(identifier) or len(identifier) > 60:
            raise ValueError("must be small letters, digits and single hyphens, at most 60, as the file's name")
        return identifier

    @field_validator("scenarios", "use_cases")
    @classmethod
    def _known(cls, names: tuple[str, ...], info) -> tuple[str, ...]:
        return refuse_unknown(info.field_name, names)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        told = " ".join([*self.limits, *self.traps, self.suitability.reason, *self.criteria.reasons()])
        self._verified()
        refuse_unknown_evidence(citations(self), self.evidence, told)
        return self

    def _verified(self) -> None:
        levels = [entry.level for entry in self.verification]
        if not levels or len(set(levels)) < len(levels):
            raise ValueError("verification must state at least one level, and none twice")
        if self.level >= "V2" and self.mirror is None:
            raise ValueError(f"verification says {self.level}: V2 and V3 are for sources with mirror: <name> alone")
        if self.level < "V2" and self.mirror is not None:
            raise ValueError(f"mirror is {self.mirror}: verification must state V2 or V3 too, or delete it")
        for entry in self.verification:
            if entry.level == "V1" and not entry.evidence:
                raise ValueError("verification: V1 must cite the record or page that was read, such as evidence: [e1]")


def refuse_unknown(what: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return scenarios or use cases, after refusing those that the vocabulary does not hold, and repeated ones."""
    known = getattr(vocabulary(), what)
    if what == "use_cases" and not names:
        raise ValueError(f"must name at least one of {', '.join(known)}")
    for name in names:
        if name not in known:
            raise ValueError(f"{shown(name)} is not one of {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ValueError("names one twice")
    return names


def refuse_unknown_evidence(cited: list[tuple[str, tuple[str, ...]]], evidence: dict, told: str) -> None:
    """Refuse evidence that is cited and not there, or there and neither cited nor named in the text `told`."""
    for where, keys in cited:
        for key in keys:
            if key not in evidence:
                raise ValueError(f"{where} cites {cut(key, 20)}, which evidence does not hold")
    known = {key for _, keys in cited for key in keys}
    for key in evidence:
        if not re.fullmatch(r"e\d+", key):
            raise ValueError(f"evidence: the key {shown(key)} must be e and a number, such as e1")
        if key not in known and not re.search(rf"\b{key}\b", told):
            raise ValueError(
                f"evidence.{cut(key, 20)} is cited by nothing: cite it in a field, trap or limit, or delete it"
            )


def citations(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    """Return every field of a source that cites evidence or says "not checked": its dotted name, and what it cites.

    An empty tuple says "not checked".
    """
    criteria = source.criteria
    return [
        ("size", source.size.evidence),
        ("people", source.people.evidence),
        ("labels.sex", source.labels.sex.evidence),
        ("labels.side", source.labels.side.evidence),
        ("metadata_access", source.metadata_access.evidence),
        ("criteria.relevance", criteria.relevance.evidence),
        ("criteria.availability", criteria.availability.evidence),
        ("criteria.anonymity", criteria.anonymity.evidence),
        ("criteria.terms", criteria.terms.evidence),
        *((f"verification.{entry.level}", entry.evidence) for entry in source.verification if entry.evidence),
    ]
