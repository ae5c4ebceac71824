"""The configuration of `avatar reads simulate`: every key with its default, range and meaning, in one place."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from avatarlib import documents
from avatarlib.errors import InputError
from avatarlib.genomes.settings import Variation, is_demes_file
from avatarlib.reads.config.commented import commented_yaml

ADVICE = "`avatar reads config` prints a configuration to start from"
MOST_MOLECULES = 10_000_000_000  # a read's name has ten digits

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_DONOR = re.compile(r"donor\d+")  # how donors are called that no pedigree names


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Reads(_Block):
    """How molecules are made and how many of them are read."""

    platform: Literal["illumina", "ont", "hifi"] = Field("illumina", description="what reads them")
    pairs: int | None = Field(
        None, ge=1, le=MOST_MOLECULES, examples=[100_000], description="illumina: read pairs, over all sources"
    )
    reads: int | None = Field(None, ge=1, le=MOST_MOLECULES, description="ont, hifi: reads, over all sources")
    coverage: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="instead of pairs or reads: mean depth of the reference, all donors together",
    )
    length: int = Field(150, ge=1, le=10_000, description="illumina: bases of a read")
    fragment_mean: float = Field(400.0, ge=1, le=100_000, description="illumina: bases of a molecule, mean")
    fragment_sd: float = Field(50.0, ge=0, le=100_000, description="illumina: its standard deviation")
    length_mean: float | None = Field(
        None, ge=1, le=10_000_000, description="ont, hifi: bases of a molecule, mean; null: the profile's"
    )
    length_sd: float | None = Field(
        None, ge=0, le=10_000_000, description="ont, hifi: its standard deviation; null: the profile's"
    )
    duplicates: float = Field(0.0, ge=0, le=0.9, description="share of molecules that are copies of another")
    chimeras: float = Field(0.0, ge=0, le=1, description="share of molecules joined from two")
    junk: float = Field(0.0, ge=0, le=1, description="share of molecules of random bases")
    adapters: bool = Field(True, description="illumina: a read longer than its molecule runs into the adapter")
    gc_bias: float = Field(
        0.0, ge=0, le=20, description="coverage falls as exp(-gc_bias ((GC - 0.45) / 0.15)^2) of the molecule; 0: even"
    )
    seed: int = Field(3, ge=0, description="stream of the molecules")

    @property
    def paired(self) -> bool:
        """True where a molecule is read from both ends."""
        return self.platform == "illumina"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        illumina = self.paired
        count, other = ("pairs", "reads") if illumina else ("reads", "pairs")
        if getattr(self, other) is not None:
            raise ValueError(f"{other} is not for platform {self.platform}: set it to null, and {count} or coverage")
        given = getattr(self, count)
        if given is not None and self.coverage is not None:
            raise ValueError(f"coverage and {count} exclude each other: set one of them to null")
        if given is None and self.coverage is None:
            raise ValueError(f"how many? set {count} or coverage")
        foreign = ("length_mean", "length_sd") if illumina else ("length", "fragment_mean", "fragment_sd")
        for name in foreign:
            default = type(self).model_fields[name].default
            if getattr(self, name) != default:
                instead = "fragment_mean and fragment_sd" if illumina else "length_mean and length_sd"
                default = "null" if default is None else default
                raise ValueError(f"{name} is not for platform {self.platform}: leave it at {default}, use {instead}")
        if self.chimeras + self.junk > 1:
            raise ValueError("junk and chimeras add up to more than 1: lower one of them")
        return self


class Errors(_Block):
    """What the machine does wrong, and what it says about it."""

    profile: str = Field("default", min_length=1, description="default (the platform's own), or a profile's file")
    scale: float = Field(1.0, ge=0, le=1000, description="factor on all rates; 0: no errors")
    substitution: float | None = Field(None, ge=0, le=0.5, description="per base; null: the profile's")
    insertion: float | None = Field(None, ge=0, le=0.5, description="per base; null: the profile's")
    deletion: float | None = Field(None, ge=0, le=0.5, description="per base; null: the profile's")
    homopolymer: float = Field(
        1.0, ge=0, le=100, description="ont, hifi: factor on the profile's slopes of indels in runs of a base; 0: none"
    )
    identity_sd: float | None = Field(
        None, ge=0, le=0.3, description="ont, hifi: spread of identity over reads; null: the profile's"
    )
    quality: Literal["calibrated", "profile"] = Field(
        "calibrated", description="stated qualities follow the changed rates, or stay as in the profile"
    )
    quality_offset: float = Field(
        0.0, ge=-60, le=60, description="decibels added to stated qualities: a machine that flatters itself"
    )
    seed: int = Field(4, ge=0, description="stream of the errors")


class Truth(_Block):
    """What is written about where reads come from."""

    bam: bool = Field(True, description="truth.bam: exact alignments")
    events: bool = Field(True, description="events.tsv.gz: every difference with its cause")
    error_free: bool = Field(False, description="every read's twin without errors")
    fragments: bool = Field(True, description="fragments.tsv.gz: source, donor and place of every molecule")
    haplotypes: bool = Field(True, description="haplotypes.fa.gz: the donors' sequences")


class Output(_Block):
    """How files are written."""

    compress: bool = Field(True, description="gzip the reads")
    checksums: bool = Field(True, description="SHA-256 of every file in run.json; takes a quarter of plain reads' time")


class Source(_Block):
    """A member of the mixture: a microbe, a virus, a decoy; its contigs have one copy and no variants."""

    name: str = Field(description="letters, digits and . _ - only; no donor's name", examples=["ecoli"])
    reference: Path = Field(description="FASTA, plain or gzip", examples=["ecoli.fa.gz"])
    share: float = Field(gt=0, le=1, description="of all molecules; the donors have the rest", examples=[0.1])
    human: bool = Field(False, description="whether it counts as human in the labels")


class Config(_Block):
    """All settings of a simulation.

    Raises
    ------
    pydantic.ValidationError
        A value is out of range, or two settings contradict each other.

    Examples
    --------
    >>> config = Config(reference="ref.fa.gz", reads={"pairs": 1000})
    >>> config.errors.scale, config.variation.donors
    (1.0, 2)
    """

    reference: Path = Field(description="FASTA, plain or gzip", examples=["ref.fa.gz"])
    workers: int = Field(1, ge=1, le=1024, description="processes; the output is the same for any number")
    variation: Variation = Field(Variation(), description="Biology: who the donors are and how much they differ.")
    reads: Reads = Field(description="Molecules: what is sequenced, and how much of it.")
    errors: Errors = Field(Errors(), description="Errors of the machine; nothing above depends on them.")
    truth: Truth = Field(Truth(), description="Files that tell where each read comes from.")
    output: Output = Field(Output(), description="Files of reads.")
    mixture: tuple[Source, ...] = Field((), description="Sources beside the donors: microbes, viruses, decoys.")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.reads.platform == "illumina":
            for name, idle in (("identity_sd", (None,)), ("homopolymer", (0, 1))):
                if getattr(self.errors, name) not in idle:
                    raise ValueError(f"errors.{name}: not for platform illumina: leave it at its default")
        seen: set[str] = set()
        for n, source in enumerate(self.mixture):
            if not _NAME.fullmatch(source.name):
                raise ValueError(f"mixture.{n}.name: may only hold letters, digits and . _ -")
            if _DONOR.fullmatch(source.name) or source.name in seen:
                of = "another source" if source.name in seen else "a donor"
                raise ValueError(f"mixture.{n}.name: {source.name} is the name of {of}: choose another")
            seen.add(source.name)
        total = sum(source.share for source in self.mixture)
        if total > 1 + 1e-9:
            raise ValueError(f"mixture: the shares add up to {total:.6g}: at most 1, the donors have the rest")
        return self


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Parameters
    ----------
    path
        A YAML file. Relative paths in it, and in the overrides, start from its folder.
    overrides
        Texts such as "errors.seed=4" or "mixture=[]"; the values are YAML.

    Returns
    -------
    Config with paths from the present folder or absolute.

    Raises
    ------
    InputError
        One line with file, line, key and reason: no YAML, unknown or repeated keys, wrong types, values out of range,
        settings that contradict each other, files that are not there.
    """
    found = documents.override(documents.read(Path(path), ADVICE), overrides)
    # A block whose every line is commented out is null in YAML; it means the defaults.
    found = replace(found, values={key: value for key, value in found.values.items() if value is not None})
    found, paths = documents.anchored(found, _path_type)
    config = documents.check(found, Config)
    absent = [(at, f"there is no file {value}") for at, value in paths if not value.is_file()]
    if absent:
        raise documents.failure(found, absent)
    return config


def check_names(config: Config, donors: Iterable[str]) -> None:
    """Refuse a mixture of which a source is called as one of the donors; a pedigree may name them anything.

    Raises
    ------
    InputError
        Naming the first such source.
    """
    taken = set(donors)
    for n, source in enumerate(config.mixture):
        if source.name in taken:
            raise InputError(f"mixture.{n}.name: {source.name} is a donor's name: choose another")


def canonical(config: Config) -> dict[str, Any]:
    """Return what of a configuration decides the output, for JSON: without `workers` and the folders of paths.

    What the files hold is not in it: add their checksums.

    Examples
    --------
    >>> canonical(Config(reference="data/ref.fa.gz", reads={"coverage": 1}))["reference"]
    'ref.fa.gz'
    """

    def plain(value: Any, at: documents.Location) -> Any:
        if isinstance(value, dict):
            return {key: plain(part, (*at, key)) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [plain(part, (*at, str(n))) for n, part in enumerate(value)]
        if isinstance(value, float) and value.is_integer():
            return int(value)  # 400 and 400.0 are one setting
        return Path(value).name if value is not None and _path_type(at, str(value)) else value

    return plain(config.model_dump(exclude={"workers"}), ())


def commented() -> str:
    """Return a configuration in YAML that holds every key with its default, meaning and range.

    `load` reads it once the reference that it names exists.
    """
    head = (
        "Settings of `avatar reads simulate`, every key with its default.\n"
        "Relative paths start from this file's folder. Each key can be set on the command line too: --set errors.seed=4"
    )
    return commented_yaml(Config, head)


def _path_type(at: documents.Location, text: str) -> type | None:
    """Return how a key holds the path of a file, None where its value is no path."""
    if at == ("errors", "profile"):
        return None if text in ("", "default") else str
    if at == ("variation", "model"):
        return str if is_demes_file(text) else None
    return Path if at[-1] == "reference" or at in (("variation", "pedigree"), ("variation", "sites")) else None
