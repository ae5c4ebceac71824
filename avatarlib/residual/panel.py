"""The panel: people who could be in a sample, and the sites at which they differ."""

from dataclasses import dataclass

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.simulate import Genomes
from avatarlib.genomes.variants import SNP


@dataclass(frozen=True)
class Panel:
    """Single-base variants of a panel, in the order of the reference.

    Attributes
    ----------
    people
        Names.
    populations
        One a person, "" where unknown.
    contigs
        Names of the reference's contigs.
    contig, position
        int64 [sites]: number of the contig, and 0-based place on it.
    reference, alternative
        uint8 ASCII [sites].
    dose
        int8 [sites, people]: alternative alleles out of two; who has one copy has 0 or 2, who has none -1.
    """

    people: tuple[str, ...]
    populations: tuple[str, ...]
    contigs: tuple[str, ...]
    contig: np.ndarray
    position: np.ndarray
    reference: np.ndarray
    alternative: np.ndarray
    dose: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    def frequency(self, chosen: np.ndarray | None = None, sites: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return how often each of 0, 1 and 2 alternative alleles is found, float64 [sites, 3].

        Each site gets one person more, spread as Hardy and Weinberg say for the panel's allele frequency, so that no
        genotype is impossible.

        Parameters
        ----------
        chosen
            bool [people]: who counts; None: everybody.
        sites
            Which sites are asked for.
        """
        dose = self.dose[sites] if chosen is None else self.dose[sites][:, chosen]
        counts = np.stack([(dose == g).sum(axis=1) for g in range(3)], axis=1).astype(float)
        known = counts.sum(axis=1)
        p = (counts[:, 1] + 2 * counts[:, 2] + 0.5) / (2 * known + 1)
        expected = np.stack([(1 - p) ** 2, 2 * p * (1 - p), p**2], axis=1)
        return (counts + expected) / (known + 1)[:, None]


def panel_of(genomes: Genomes) -> Panel:
    """Return the panel of simulated people, or of those in a VCF file that `avatarlib.genomes.vcf.read_vcf` gave.

    Raises
    ------
    InputError
        They differ at no single base.
    """
    several = len(genomes.donors)
    columns: dict[str, list] = {name: [] for name in ("contig", "position", "reference", "alternative", "dose")}
    for number, contig in enumerate(genomes.contigs):
        variants = contig.variants
        snp = np.flatnonzero(variants.kind == SNP)
        owner = np.array([donor for donor, _ in contig.copies], np.int64)
        owned = np.bincount(owner, minlength=several)
        dose = np.zeros((len(snp), several), np.int8)
        for copy, donor in enumerate(owner):
            dose[:, donor] += variants.genotypes[snp, copy]
        dose[:, owned == 1] *= 2
        dose[:, owned == 0] = -1
        columns["contig"].append(np.full(len(snp), number))
        columns["position"].append(variants.position[snp])
        columns["reference"].append(genomes.reference.sequence(number)[variants.position[snp]])
        columns["alternative"].append(variants.alleles[variants.allele_offsets[:-1][snp]])
        columns["dose"].append(dose)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    if not len(joined["position"]):
        raise InputError("the panel's people differ at no single base: give one with SNPs")
    people = tuple(person["donor"] for person in genomes.donors)
    populations = tuple(person["population"] for person in genomes.donors)
    return Panel(people, populations, genomes.reference.names, **joined)
