"""kraken2 (Wood et al. 2019) with an index of the human reference alone: a read is human where one of its k-mers is."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from avatarlib.genomes.fasta import Reference
from avatarlib.removal import programs
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Remover

PACKAGE = "kraken2 (apt-get install kraken2, or conda's kraken2)"
HUMAN = b"9606"
LABEL = "c{}|kraken:taxid|9606"
# Root and human, in NCBI's dump format: all that a database with one species needs.
NODES = "1\t|\t1\t|\tno rank\t|\t-\t|\n9606\t|\t1\t|\tspecies\t|\tHS\t|\n"
NAMES = "1\t|\troot\t|\t\t|\tscientific name\t|\n9606\t|\tHomo sapiens\t|\t\t|\tscientific name\t|\n"


def fit(reference: Reference, *, name: str, work: Path, threads: int, time_limit: float) -> Remover:
    """Build a database in the folder `work`; a finished one that lies there is taken."""
    program = programs.find("kraken2", PACKAGE)
    if not (work / "index.done").exists():
        _build(reference, work, threads, time_limit)
    command = [program, "--db", "db", "--threads", str(threads), "--output", "hits.tsv", "reads.fastq"]
    meaning = "share of the read's k-mers that are assigned to human"
    scores = partial(_scores, command=command, work=work, time_limit=time_limit)
    version = programs.version([program, "--version"])
    return Remover(name, "kraken2", version, "kraken2 (own index, no masking)", meaning, 0.0, 1 << 62, scores)


def _build(reference: Reference, work: Path, threads: int, time_limit: float) -> None:
    builder = programs.find("kraken2-build", PACKAGE)
    shutil.rmtree(work / "db", ignore_errors=True)
    (work / "db" / "taxonomy").mkdir(parents=True)
    (work / "db" / "taxonomy" / "nodes.dmp").write_text(NODES)
    (work / "db" / "taxonomy" / "names.dmp").write_text(NAMES)
    programs.write_reference(work / "reference.fa", reference, label=LABEL)
    ask = [builder, "--db", "db", "--threads", str(threads)]
    add = [*ask, "--no-masking", "--add-to-library", "reference.fa"]
    programs.run(add, folder=work, time_limit=time_limit)
    programs.run([*ask, "--build"], folder=work, time_limit=time_limit)
    programs.run([*ask, "--clean"], folder=work, time_limit=time_limit)
    (work / "reference.fa").unlink()
    (work / "index.done").touch()


def _scores(batch: Batch, *, command: list[str], work: Path, time_limit: float) -> np.ndarray:
    programs.write_reads(work / "reads.fastq", batch)
    programs.run(command, folder=work, time_limit=time_limit)
    first = batch.first * batch.mates
    scores = np.zeros(len(batch.offsets) - 1)
    with (work / "hits.tsv").open("rb") as file:
        for line in file:
            fields = line.rstrip(b"\n").split(b"\t")
            if fields[0] != b"C":
                continue
            pairs = [entry.split(b":") for entry in fields[4].split()]
            known = [(taxon, int(several)) for taxon, several in pairs if taxon != b"A"]
            human = sum(several for taxon, several in known if taxon == HUMAN)
            scores[int(fields[1]) - first] = human / max(1, sum(several for _, several in known))
    (work / "hits.tsv").unlink()
    return scores
