"""hostile (Constantinides et al. 2023) with an index of our own: bowtie2 for short reads, minimap2 for long ones."""

import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.genomes.opened import opened
from avatarlib.removal import bowtie, programs
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Remover

PACKAGE = "hostile (pip install hostile), and it needs samtools, bowtie2 and minimap2"
ALIGNERS = {"hostile-short": "bowtie2", "hostile-long": "minimap2"}
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


def fit(reference: Reference, *, name: str, work: Path, threads: int, time_limit: float) -> Remover:
    """Make the index in the folder `work`, whose path hostile hands to a shell of its own.

    Raises
    ------
    InputError
        hostile or a program of its is not installed, or the path of `work` holds what a shell could take amiss.
    """
    program, aligner = programs.find("hostile", PACKAGE), ALIGNERS[name]
    for needed in ("samtools", aligner):
        programs.find(needed, PACKAGE)
    work = work.resolve()
    if not PLAIN.fullmatch(str(work)):
        raise InputError(f"{name} works in {work}, which it gives to a shell: set TMPDIR, or --index, to a plain path")
    if aligner == "bowtie2":
        bowtie.build(reference, work=work, threads=threads, time_limit=time_limit)
    elif not (work / "index.done").exists():
        programs.write_reference(work / "index.fa", reference)
        (work / "index.done").touch()
    index = work / ("index" if aligner == "bowtie2" else "index.fa")
    asked = ["clean", "--aligner", aligner, "--airplane"]
    place = ["--index", str(index), "--fastq1", str(work / "reads.fastq"), "--output", str(work / "clean"), "--force"]
    command = [program, *asked, *place, "--threads", str(threads)]
    scores = partial(_scores, command=command, work=work, time_limit=time_limit)
    longest = bowtie.LONGEST if aligner == "bowtie2" else 1 << 62
    said = " ".join(["hostile", *asked, "(own index)"])
    return Remover(name, "hostile", programs.version([program, "--version"]), said, "", 0.0, longest, scores)


def _scores(batch: Batch, *, command: list[str], work: Path, time_limit: float) -> np.ndarray:
    """1 for the reads that hostile takes away: those that are missing from what it writes."""
    programs.write_reads(work / "reads.fastq", batch)
    programs.run(command, folder=work, time_limit=time_limit)
    scores = np.ones(len(batch.offsets) - 1)
    with opened(work / "clean" / "reads.clean.fastq.gz", "see what hostile says") as file:
        for number, line in enumerate(file):
            if number % 4 == 0:
                scores[int(line[1:].split()[0]) - batch.first * batch.mates] = 0.0
    shutil.rmtree(work / "clean")
    return scores
