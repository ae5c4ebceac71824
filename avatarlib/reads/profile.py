"""Profiles: how often a machine errs, where, and what it says about it, as small readable files."""

import math
import re
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from avatarlib import documents
from avatarlib.documents.yaml_text import cut
from avatarlib.errors import InputError
from avatarlib.run.store import write_text

PLATFORMS = ("illumina", "ont", "hifi")
BASES = "ACGT"
ADVICE = "`errors.profile` takes default, or the path of a profile such as those in avatarlib/reads/profiles"
SUM_TOLERANCE = 1e-6  # of a row's shares

Base = Literal["A", "C", "G", "T"]
Shares = dict[Base, dict[Base, float]]  # of the bases that replace a base, as the read shows them


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Calibration(_Block):
    """True quality = offset + slope x stated quality, in decibels."""

    offset: float = Field(0.0, ge=-60, le=60)
    slope: float = Field(1.0, ge=0.01, le=5)


class Rates(_Block):
    """Errors per base of the molecule, mean over all reads."""

    substitution: float = Field(ge=0, le=0.5)
    insertion: float = Field(ge=0, le=0.5)
    deletion: float = Field(ge=0, le=0.5)


class QualityRates(_Block):
    """Errors per base; substitution None: as the qualities say."""

    substitution: float | None = Field(None, ge=0, le=0.5)
    insertion: float = Field(ge=0, le=0.5)
    deletion: float = Field(ge=0, le=0.5)


class MateQuality(_Block):
    """Stated quality along a mate: a curve, a deviation of the read, a deviation of the cycle that lasts (AR(1))."""

    by_cycle: tuple[tuple[float, float], ...]  # fraction of the read, decibels
    read_sd: float = Field(ge=0, le=30)
    cycle_sd: float = Field(ge=0, le=30)
    correlation: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        x = [point[0] for point in self.by_cycle]
        if len(x) < 2 or x[0] != 0 or x[-1] != 1 or any(b <= a for a, b in zip(x, x[1:], strict=False)):
            raise ValueError("by_cycle must be pairs [fraction of the read, quality], fractions rising from 0 to 1")
        if not all(0 <= point[1] <= 93 for point in self.by_cycle):
            raise ValueError("by_cycle has a quality outside 0 to 93")
        return self


class Quality(_Block):
    """Stated Phred qualities of both mates."""

    mate_1: MateQuality
    mate_2: MateQuality
    lowest: int = Field(ge=0, le=93)
    highest: int = Field(ge=1, le=93)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return _rising(self)


class LocalQuality(_Block):
    """Stated quality of long reads: decibels by which the local error level varies along a read (AR(1))."""

    sd: float = Field(ge=0, le=30)
    correlation: float = Field(ge=0, lt=1)
    lowest: int = Field(ge=0, le=93)
    highest: int = Field(ge=1, le=93)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return _rising(self)


class Adapters(_Block):
    """What a mate reads behind the end of its molecule."""

    mate_1: str = Field(max_length=1000)
    mate_2: str = Field(max_length=1000)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name in ("mate_1", "mate_2"):
            if not re.fullmatch("[ACGT]*", getattr(self, name)):
                raise ValueError(f"{name} may only hold the letters A, C, G and T")
        return self


class Length(_Block):
    """Lengths of molecules in bases: gamma, not below `shortest`."""

    mean: float = Field(ge=1, le=10_000_000)
    sd: float = Field(ge=0, le=10_000_000)
    shortest: int = Field(ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.mean < self.shortest:
            raise ValueError(f"mean is below shortest, {self.shortest}: raise it")
        return self


class Identity(_Block):
    """Spread of reads' identities (beta), cut off at `highest`."""

    sd: float = Field(ge=0, le=0.3)
    highest: float = Field(gt=0, le=1)


class Passes(_Block):
    """Passes over a molecule (gamma, at least `fewest`); each lowers its read's error rates by `decibel`."""

    mean: float = Field(ge=1, le=1000)
    sd: float = Field(gt=0, le=1000)
    fewest: int = Field(ge=1, le=1000)
    decibel: float = Field(ge=0, le=20)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.mean < self.fewest:
            raise ValueError(f"mean is below fewest, {self.fewest}: raise it")
        return self


class IndelLength(_Block):
    """Mean lengths of erroneous indels in bases (geometric)."""

    insertion: float = Field(ge=1, le=100)
    deletion: float = Field(ge=1, le=100)


class Homopolymer(_Block):
    """Factor on indels in a run of one base: 1 + slope x (min(run, longest) - first + 1), from a run of `first` on."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    first: int = Field(alias="from", ge=1, le=1000)
    insertion: float = Field(ge=0, le=100)
    deletion: float = Field(ge=0, le=100)
    longest: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.longest < self.first:
            raise ValueError(f"longest is below from, {self.first}: raise it")
        return self


class _Profile(_Block):
    def _check_substitution(self) -> None:
        """Refuse rows that are no shares of the other three bases."""
        table = self.substitution
        for base in BASES:
            row = table.get(base, {})
            if set(row) != set(BASES) - {base}:
                others = ", ".join(sorted(set(BASES) - {base}))
                raise ValueError(f"substitution.{base} must have the keys {others}")
            if min(row.values()) < 0 or abs(sum(row.values()) - 1) > SUM_TOLERANCE:
                raise ValueError(f"substitution.{base} must be shares that add up to 1, not {sum(row.values()):.9g}")


class IlluminaProfile(_Profile):
    """A machine whose two mates state a quality at each cycle, from which substitutions follow."""

    platform: Literal["illumina"]
    about: str = Field(min_length=1, max_length=2000)
    rates: QualityRates
    quality: Quality
    calibration: Calibration
    substitution: Shares
    adapters: Adapters

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self._check_substitution()
        return self


class LongProfile(_Profile):
    """A machine that reads whole molecules: rates, identity by read, homopolymers, context, local error level."""

    platform: Literal["ont", "hifi"]
    about: str = Field(min_length=1, max_length=2000)
    length: Length
    rates: Rates
    identity: Identity | None = None
    passes: Passes | None = None
    indel_length: IndelLength
    homopolymer: Homopolymer
    context: dict[str, float] = {}  # factor on substitutions of the middle base of three, as the read shows them
    substitution: Shares
    quality: LocalQuality
    calibration: Calibration

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self._check_substitution()
        if (self.identity is None) == (self.passes is None):
            raise ValueError("identity or passes: give one of them")
        error = self.rates.substitution + self.rates.insertion + self.rates.deletion
        if error > 0.75:
            raise ValueError(f"rates add up to {error:.6g}: at most 0.75, where reads are random")
        if self.identity is not None and error > 0:
            if self.identity.highest <= 1 - error:
                raise ValueError(f"identity.highest must be above the mean identity, {1 - error:.6g}")
            if self.identity.sd >= math.sqrt(error * (1 - error)):
                most = math.sqrt(error * (1 - error))
                raise ValueError(f"identity.sd must be below {most:.4g} at a mean identity of {1 - error:.6g}")
        for word, factor in self.context.items():
            if not re.fullmatch("[ACGT]{3}", word):
                raise ValueError(f"context.{cut(word, 20)}: the key must be three of the letters A, C, G and T")
            if not 0 <= factor <= 100:
                raise ValueError(f"context.{word} must lie between 0 and 100, not {factor:.6g}")
        return self


def load_profile(name_or_path: str | Path, platform: str) -> IlluminaProfile | LongProfile:
    """Read a profile.

    Parameters
    ----------
    name_or_path
        "default" for the platform's own, or a YAML file.
    platform
        "illumina", "ont" or "hifi", which the profile must be of.

    Raises
    ------
    InputError
        One line with file, line, key and reason: no YAML, another platform, unknown, repeated or missing keys, rates
        outside 0 to 0.5, shares that don't add up to 1, a curve that doesn't rise from 0 to 1.

    Examples
    --------
    >>> profile = load_profile("default", "ont")
    >>> profile.platform, profile.homopolymer.first
    ('ont', 3)
    """
    if platform not in PLATFORMS:
        raise InputError(f"there is no platform {platform!r}; there are {', '.join(PLATFORMS)}")
    own = resources.files("avatarlib.reads") / "profiles" / f"{platform}.yml"
    found = documents.read(Path(str(own)) if str(name_or_path) == "default" else Path(name_or_path), ADVICE)
    stated = found.values.get("platform")
    if isinstance(stated, str) and stated in PLATFORMS and stated != platform:
        raise documents.failure(found, [(("platform",), f"the profile is of {stated}, but {platform} is asked for")])
    return documents.check(found, IlluminaProfile if platform == "illumina" else LongProfile)


def save_profile(profile: IlluminaProfile | LongProfile, path: Path) -> None:
    """Write a profile as readable YAML that `load_profile` reads as an equal one."""
    values = profile.model_dump(mode="json", by_alias=True, exclude_none=True)
    lines = yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=118)
    write_text(Path(path), lines)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, but a curve stays on its line."""


def _curve(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(list, _curve)


def _rising(quality: Any) -> Any:
    if quality.highest <= quality.lowest:
        raise ValueError(f"highest must be above lowest, {quality.lowest}")
    return quality
