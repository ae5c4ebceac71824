"""What the comparison of removers is made of: the human reference, and what must not be taken for human."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.phantom import phantom_decoy, phantom_genome, phantom_microbes
from avatarlib.removal.grid import write_references
from avatarlib.removal.kmers import mask_shared

DECOY = "decoy"  # near-human on purpose: that it is taken is shown, but not counted as an error
MASK_K = 21  # bases of a k-mer that is masked where a microbe or virus has it too


@dataclass(frozen=True)
class Material:
    """References and their files.

    Attributes
    ----------
    reference, strata
        The human reference and what each part of it is.
    human, masked
        Files of the reference, as it is and masked.
    others
        Name -> file of what is not human.
    masked_bases
        How many bases the mask takes.
    """

    reference: Reference
    strata: np.ndarray
    human: Path
    masked: Path
    others: dict[str, Path]
    masked_bases: int


def phantom_material(folder: Path, *, bases: int, seed: int) -> Material:
    """Write the phantom genome, a masked copy, its microbes, viruses and decoy as FASTA into a folder."""
    genome, microbes = phantom_genome(size=bases, seed=seed), phantom_microbes(seed=seed)
    masked, several = mask_shared(genome.reference, list(microbes.values()), k=MASK_K)
    others = microbes | {DECOY: phantom_decoy(genome, seed=seed)}
    files = write_references(folder, {"human": genome.reference, "masked": masked} | others)
    human, without = files.pop("human"), files.pop("masked")
    return Material(genome.reference, genome.strata, human, without, files, several)
