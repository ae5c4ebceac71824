"""Simulated people of whom one at a time is sequenced, so that what their reads tell about them can be measured.

The autosomes are cut into pieces with genealogies of their own: reads of a real genome lie far apart and unlinked,
in a small one they would be. Only single bases vary, so a place is the same on all copies and on the reference.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlib.genomes.fasta import Reference, join, write_fasta
from avatarlib.genomes.haplotypes import haplotype
from avatarlib.genomes.people import AUTOSOME, X, contig_kind
from avatarlib.genomes.settings import Variation
from avatarlib.genomes.simulate import Genomes, simulate
from avatarlib.reads.config import Config
from avatarlib.reads.simulate import simulate as simulate_reads
from avatarlib.removal.grid import ONT_MIX
from avatarlib.residual.evidence import Evidence, from_truth
from avatarlib.residual.panel import Panel, panel_of
from avatarlib.seeds import child_seed

COPY = "{}.{}"  # a contig's name on one of a donor's copies


@dataclass(frozen=True)
class World:
    """People and whom they are to each other.

    Attributes
    ----------
    genomes, panel
        Everybody.
    families
        (donor, brother) of each family, as numbers in the panel; their parents are in the panel too.
    strangers
        int64: everybody who belongs to no family.
    """

    genomes: Genomes
    panel: Panel
    families: tuple[tuple[int, int], ...]
    strangers: np.ndarray


def pieces(reference: Reference, length: int) -> Reference:
    """Cut the autosomes of a reference into pieces of a length, leave X as it is, and drop the rest.

    Examples
    --------
    >>> small = join(["chr1", "chrX", "chrM"], [b"ACGTACG", b"GG", b"TT"])
    >>> pieces(small, 3).names
    ('chr1_0', 'chr1_1', 'chrX')
    """
    names, sequences = [], []
    for contig, name in enumerate(reference.names):
        sequence, kind = reference.sequence(contig), contig_kind(name)
        if kind == AUTOSOME:
            several = len(sequence) // length
            names += [f"{name}_{k}" for k in range(several)]
            sequences += [sequence[k * length : (k + 1) * length] for k in range(several)]
        elif kind == X:
            names.append(name)
            sequences.append(sequence)
    return join(names, sequences)


def families_world(
    reference: Reference, folder: Path, *, strangers: int, families: int, snp_rate: float, seed: int
) -> World:
    """Simulate families of father, mother, donor and brother among strangers, all of one population.

    Parameters
    ----------
    folder
        Where the pedigree is written.
    """
    path = Path(folder) / "pedigree.csv"
    rows = []
    for k in range(families):
        parents = [f"father{k}", f"mother{k}"]
        rows += [(parents[0], "", "", "male"), (parents[1], "", "", "female")]
        rows += [(f"donor{k:03}", *parents, ("female", "male")[k % 2]), (f"brother{k}", *parents, "male")]
    rows += [(f"stranger{k}", "", "", "") for k in range(strangers)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("donor", "father", "mother", "sex"), *rows])
    genomes = simulate(reference, Variation(pedigree=path, snp_rate=snp_rate, indel_rate=0, **_seeds(seed)))
    pairs = tuple((4 * k + 2, 4 * k + 3) for k in range(families))
    return World(genomes, panel_of(genomes), pairs, np.arange(4 * families, len(rows)))


def populations_world(reference: Reference, *, people: dict[str, int], model: str, snp_rate: float, seed: int) -> World:
    """Simulate unrelated people of several populations of a published model."""
    settings = Variation(model=model, populations=people, snp_rate=snp_rate, indel_rate=0, **_seeds(seed))
    genomes = simulate(reference, settings)
    return World(genomes, panel_of(genomes), (), np.arange(len(genomes.donors)))


def _seeds(seed: int) -> dict[str, int]:
    return {f"{name}_seed": child_seed(seed, name) for name in ("ancestry", "mutation")}


def sequence_donor(world: World, donor: int, out: Path, *, reads: int, length: int, error: float, seed: int) -> Path:
    """Sequence one person with the nanopore profile; the folder `out` holds reads and their exact alignments."""
    names, sequences = [], []
    for number, contig in enumerate(world.genomes.contigs):
        for copy, (owner, side) in enumerate(contig.copies):
            if owner == donor:
                names.append(COPY.format(contig.name, side))
                sequence = world.genomes.reference.sequence(number)
                sequences.append(haplotype(sequence, contig.variants, copy).bases)
    own = out.with_name(f"{out.name}.fa.gz")
    write_fasta(own, names, sequences)
    errors = {kind: share * error for kind, share in ONT_MIX.items()} if error else {"scale": 0}
    config = Config(
        reference=own,
        variation={"donors": 1, "snp_rate": 0, "indel_rate": 0},
        reads={
            "platform": "ont", "reads": reads, "length_mean": length, "length_sd": 0,
            "seed": child_seed(seed, "molecules", donor),
        },
        errors={"seed": child_seed(seed, "errors", donor)} | errors,
        truth={"events": False, "haplotypes": False, "fragments": False},
        output={"checksums": False, "compress": False},
    )  # fmt: skip
    simulate_reads(config, out)
    return out


def known_evidence(world: World, folder: Path) -> Evidence:
    """Return what a donor's reads show where every read is placed without fail."""
    panel = world.panel
    names = {COPY.format(name, side): k for k, name in enumerate(panel.contigs) for side in (1, 2)}
    return from_truth(folder / "truth.bam", panel, names=names)
