"""Settings of the biology: who the donors are, how they are related, and how much they differ."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

KNOWN_SITES = "known_sites"

Rate = (
    "expected differences per site between two copies of different donors, on autosomes (X has 3/4 of it, Y and M 1/4)"
)


def is_demes_file(model: str) -> bool:
    """True where the name of a model is the path of a demes file.

    Examples
    --------
    >>> is_demes_file("two.yml"), is_demes_file("OutOfAfrica_3G09")
    (True, False)
    """
    return model.endswith((".yml", ".yaml"))


class Variation(BaseModel):
    """How human sequences differ; every field has a default, an unknown field is an error.

    Raises
    ------
    pydantic.ValidationError
        A value is out of range, or two settings contradict each other.

    Examples
    --------
    >>> Variation(populations={"YRI": 2, "CEU": 1}, model="OutOfAfrica_3G09").number_of_donors
    3
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    donors: int = Field(2, ge=1, le=100_000, description="number of people; not needed beside populations or pedigree")
    model: str = Field(
        "constant",
        min_length=1,
        description="constant (one population of constant size), a demography of the stdpopsim catalogue "
        "(OutOfAfrica_3G09, or Species:Id), a demes file (.yml or .yaml), or known_sites",
    )
    populations: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="donors of each population of the model, such as {YRI: 2, CEU: 1}; empty: all of one"
    )
    pedigree: Path | None = Field(None, description="CSV of relatives: donor,father,mother[,sex]; blank = founder")
    sites: Path | None = Field(None, description="VCF with allele frequencies, for the model known_sites")

    snp_rate: float = Field(0.001, ge=0, le=0.2, description=f"single-base variants: {Rate}")
    indel_rate: float = Field(0.0001, ge=0, le=0.05, description="short insertions and deletions, as snp_rate")
    sv_rate: float = Field(0.0, ge=0, le=0.001, description="structural variants, as snp_rate")
    ts_tv: float = Field(2.1, ge=0.01, le=100, description="transitions per transversion")
    indel_mean_length: float = Field(3.0, ge=1, le=1000, description="bases; mean of the geometric law before its cut")
    indel_longest: int = Field(49, ge=1, le=1000, description="bases, where the law of lengths is cut off")
    insertion_share: float = Field(0.5, ge=0, le=1, description="share of insertions, against the reference")
    sv_shortest: int = Field(50, ge=10, le=1_000_000, description="bases; lengths are log-uniform")
    sv_longest: int = Field(5000, ge=10, le=1_000_000, description="bases")

    recombination_rate: float = Field(
        1e-8,
        ge=0,
        le=1e-3,
        description="per base and generation; time grows with the square of rate x population size x contig length",
    )
    population_size: float = Field(10_000, ge=1, le=1e8, description="diploid people, for the model constant")

    ancestry_seed: int = Field(1, ge=0, description="stream of the genealogies; nothing else depends on it alone")
    mutation_seed: int = Field(2, ge=0, description="stream of the variants; the genealogies don't depend on it")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.sv_longest < self.sv_shortest:
            raise ValueError(f"sv_longest ({self.sv_longest}) is below sv_shortest ({self.sv_shortest}): swap them")
        if self.indel_mean_length > self.indel_longest:
            raise ValueError(f"indel_mean_length is above indel_longest ({self.indel_longest}): raise indel_longest")
        if (self.model == KNOWN_SITES) != (self.sites is not None):
            raise ValueError("model known_sites and a file of sites go together: give both or neither")
        if self.model == KNOWN_SITES and self.pedigree is not None:
            raise ValueError("a pedigree needs genealogies, which known_sites has not: choose another model")
        several = sum(self.populations.values())
        if several and "donors" in self.model_fields_set and several != self.donors:
            raise ValueError(f"donors is {self.donors}, but populations add up to {several}: leave donors out")
        return self

    @property
    def number_of_donors(self) -> int:
        """Return how many people `donors` or `populations` ask for; a pedigree brings its own."""
        return sum(self.populations.values()) or self.donors
