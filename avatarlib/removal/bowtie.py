"""bowtie2 (Langmead & Salzberg 2012), with two of its presets: a read is human where it aligns."""

from functools import partial
from pathlib import Path

import numpy as np

from avatarlib.genomes.fasta import Reference
from avatarlib.removal import programs
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Remover

PACKAGE = "bowtie2 (apt-get install bowtie2, or conda's bowtie2)"
PRESETS = {"bowtie2": ("--sensitive",), "bowtie2-local": ("--very-sensitive-local",)}
LONGEST = 2000  # bases; its time grows steeply with a read's length
UNALIGNED = 4  # flag of SAM


def fit(reference: Reference, *, name: str, work: Path, threads: int, time_limit: float) -> Remover:
    """Build an index in the folder `work`; a finished one that lies there is taken."""
    program = programs.find("bowtie2", PACKAGE)
    build(reference, work=work, threads=threads, time_limit=time_limit)
    preset = PRESETS[name]
    asked = [*preset, "--reorder", "--no-unal", "--no-head", "--seed", "1"]
    command = [program, *asked, "-p", str(threads), "-x", "index", "-U", "reads.fastq", "-S", "hits.sam"]
    meaning = "alignment score, from 0 at the least that is reported to 1 for a perfect match"
    scores = partial(_scores, command=command, work=work, time_limit=time_limit, local="local" in preset[0])
    said = " ".join(["bowtie2", *asked])
    return Remover(name, "bowtie2", programs.version([program, "--version"]), said, meaning, 0.0, LONGEST, scores)


def build(reference: Reference, *, work: Path, threads: int, time_limit: float) -> None:
    """Build bowtie2's index `work`/index, unless a finished one is there."""
    if (work / "index.done").exists():
        return
    builder = programs.find("bowtie2-build", PACKAGE)
    programs.write_reference(work / "reference.fa", reference)
    command = [builder, "--quiet", "--seed", "1", "--threads", str(threads), "reference.fa", "index"]
    programs.run(command, folder=work, time_limit=time_limit)
    (work / "reference.fa").unlink()
    (work / "index.done").touch()


def _scores(batch: Batch, *, command: list[str], work: Path, time_limit: float, local: bool) -> np.ndarray:
    programs.write_reads(work / "reads.fastq", batch)
    programs.run(command, folder=work, time_limit=time_limit)
    first, lengths = batch.first * batch.mates, np.diff(batch.offsets)
    scores = np.zeros(len(lengths))
    with (work / "hits.sam").open("rb") as file:
        for line in file:
            fields = line.split(b"\t")
            if int(fields[1]) & UNALIGNED:
                continue
            read = int(fields[0]) - first
            got = next(int(field[5:]) for field in fields[11:] if field.startswith(b"AS:i:"))
            length = int(lengths[read])
            # Manual of bowtie2: least scores are -0.6 - 0.6 L end to end, 20 + 8 ln L locally; perfect ones 0 and 2 L.
            scores[read] = got / (2 * length) if local else 1 + got / (1.6 + 0.6 * length)
    (work / "hits.sam").unlink()
    return np.clip(scores, 0.0, 1.0)
