"""The factorial: variation x error x length, human reads and others, and what each remover makes of every cell.

The donors of a cell are people whom no remover knows: their genomes differ from the reference by the cell's variation.
Variation 0 is the exception: there the reference is the donor, as in most benchmarks.
"""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib import removal
from avatarlib.genomes.fasta import Reference, write_fasta
from avatarlib.genomes.phantom import STRATA
from avatarlib.reads.config import Config
from avatarlib.reads.simulate import simulate
from avatarlib.removal.evaluate import strata_of
from avatarlib.removal.reads import batches
from avatarlib.removal.remover import Remover
from avatarlib.removal.sample import open_sample
from avatarlib.seeds import child_seed

SHORT = 200  # bases up to which tools for short reads run
ILLUMINA_ERROR = 0.01  # error up to which short reads come from the Illumina profile; above, and long ones, from ONT's
SHORT_READ_TOOLS = ("minimap2-short", "bowtie2", "bowtie2-local", "hostile-short")
DONORS = 4
INDELS = 0.1  # share of a cell's variation that is insertions and deletions
ILLUMINA_MIX = {"substitution": 0.98, "insertion": 0.01, "deletion": 0.01}  # of a cell's error rate
ONT_MIX = {"substitution": 0.40, "insertion": 0.25, "deletion": 0.35}


@dataclass(frozen=True)
class Cell:
    """One cell: expected differences per base from the reference, errors per base, bases of a read."""

    variation: float
    error: float
    length: int

    @property
    def platform(self) -> str:
        """Whose errors they are."""
        return "illumina" if self.length <= SHORT and self.error <= ILLUMINA_ERROR else "ont"


def cells(variations: Sequence[float], errors: Sequence[float], lengths: Sequence[int]) -> list[Cell]:
    """Return the factorial of three lists.

    Examples
    --------
    >>> len(cells([0, 0.01], [0.05], [150, 500]))
    4
    """
    return [Cell(v, e, n) for n, e, v in itertools.product(lengths, errors, variations)]


def unfit(name: str, length: int) -> str:
    """Return why a remover is not asked about reads of a length; "" where it is.

    Examples
    --------
    >>> unfit("bowtie2", 500), unfit("kmer", 500)
    ('made for short reads', '')
    """
    return "made for short reads" if length > SHORT and name in SHORT_READ_TOOLS else ""


@contextmanager
def fitted(names: Sequence[str], reference: Path, *, threads: int = 1):
    """Yield name -> fitted remover, for as long as their indices are there."""
    with ExitStack() as stack:
        works = {name: Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="avatar-grid-"))) for name in names}
        yield {name: removal.fit(name, reference, work=work, threads=threads) for name, work in works.items()}


def human_sample(cell: Cell, reference: Path, out: Path, *, reads: int, seed: int) -> Path:
    """Simulate a cell's human reads into the folder `out`; each stream has a seed of its own, the same in all cells."""
    people = {"donors": DONORS, "snp_rate": (1 - INDELS) * cell.variation, "indel_rate": INDELS * cell.variation}
    people |= {"ancestry_seed": child_seed(seed, "ancestry"), "mutation_seed": child_seed(seed, "mutation")}
    _simulate(cell, reference, out, reads, seed, variation=people)
    return out


def other_sample(cell: Cell, reference: Path, others: Mapping[str, Path], out: Path, *, reads: int, seed: int) -> Path:
    """Simulate reads of what is not human, the same share of each source, into the folder `out`."""
    share = 1 / len(others)
    mixture = [{"name": name, "reference": path, "share": share} for name, path in others.items()]
    _simulate(cell, reference, out, reads, seed, mixture=mixture)
    return out


def _simulate(cell: Cell, reference: Path, out: Path, reads: int, seed: int, **others) -> None:
    if cell.platform == "illumina":
        shape = {"pairs": reads // 2, "length": cell.length, "adapters": False}
        shape["fragment_mean"] = max(400, 2 * cell.length)
    else:
        shape = {"reads": reads, "length_mean": cell.length, "length_sd": 0}
    mix = ILLUMINA_MIX if cell.platform == "illumina" else ONT_MIX
    errors = {kind: share * cell.error for kind, share in mix.items()} if cell.error else {"scale": 0}
    config = Config(
        reference=reference,
        reads={"platform": cell.platform, "seed": child_seed(seed, "molecules")} | shape,
        errors={"seed": child_seed(seed, "errors")} | errors,
        truth={"bam": False, "events": False, "haplotypes": False},
        output={"checksums": False, "compress": False},
        **others,
    )
    simulate(config, out)


def scores(folder: Path, remover: Remover) -> np.ndarray:
    """Return the score of every read, not molecule, of a simulated sample, in order, float64 [reads]."""
    return np.concatenate([remover.scores(batch) for batch in batches(open_sample([folder]).files)])


def origin(folder: Path) -> pd.DataFrame:
    """Return source, contig, start and length of the molecule of every read, in the order of `scores`."""
    columns = ["source", "contig", "start", "length"]
    table = pd.read_csv(folder / "fragments.tsv.gz", sep="\t", usecols=columns, dtype={"contig": str, "source": str})
    mates = len(open_sample([folder]).files)
    return table.loc[table.index.repeat(mates)].reset_index(drop=True)


def judge_human(
    cell: Cell, folder: Path, removers: Mapping[str, Remover], reference: Reference, strata: np.ndarray | None
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return how many of a cell's human reads each remover finds, in all and by stratum, and the scores.

    Parameters
    ----------
    strata
        As `PhantomGenome.strata`; None: the reference has none.
    """
    where = origin(folder)
    parts = {"all": np.ones(len(where), bool)}
    if strata is not None:
        names, offsets = reference.names, reference.offsets
        number = strata_of(where.contig, where.start.to_numpy(), where.length.to_numpy(), names, offsets, strata)
        parts |= {name: number == k for k, name in enumerate(STRATA)}
    rows, kept = [], {}
    for name, remover in removers.items():
        if unfit(name, cell.length):
            continue
        kept[name] = scores(folder, remover)
        found = kept[name] > remover.threshold
        about = {"variation": cell.variation, "error": cell.error, "length": cell.length, "platform": cell.platform}
        for stratum, chosen in parts.items():
            row = {"remover": name, "stratum": stratum, "hits": int(found[chosen].sum()), "n": int(chosen.sum())}
            rows.append(about | row)
    return pd.DataFrame(rows), kept


def judge_others(
    cell: Cell, folder: Path, removers: Mapping[str, Remover]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return how many reads of each source that is not human each remover takes, and the scores."""
    source = origin(folder).source.to_numpy()
    rows, kept = [], {}
    for name, remover in removers.items():
        if unfit(name, cell.length):
            continue
        kept[name] = scores(folder, remover)
        taken = kept[name] > remover.threshold
        for one in sorted(set(source)):
            chosen = source == one
            row = {"error": cell.error, "length": cell.length, "platform": cell.platform, "remover": name}
            rows.append(row | {"source": one, "hits": int(taken[chosen].sum()), "n": int(chosen.sum())})
    return pd.DataFrame(rows), kept


def write_references(folder: Path, references: Mapping[str, Reference]) -> dict[str, Path]:
    """Write references as FASTA into a folder; return name -> file."""
    paths = {name: folder / f"{name}.fa.gz" for name in references}
    for name, reference in references.items():
        write_fasta(paths[name], reference.names, (reference.sequence(contig) for contig in range(len(reference))))
    return paths
