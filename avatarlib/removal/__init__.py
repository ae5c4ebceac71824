"""Removal of human reads: removers behind one interface, and how well each of them does where the truth is known.

`fit(name, reference, work=…)` gives a `Remover`; `classify(batch)` of it says human yes or no, with a score.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from avatarlib.errors import InputError

if TYPE_CHECKING:
    from avatarlib.removal.remover import Remover

REMOVERS: Mapping[str, str] = {
    "minimap2-short": "minimap2 for short reads (preset sr), through mappy",
    "minimap2-long": "minimap2 for long reads (preset map-ont), through mappy",
    "kmer": "yardstick: minimizers, k = 31, w = 15, at least two",
    "kmer-sensitive": "yardstick: every k-mer of 19 bases, at least two",
    "bowtie2": "bowtie2 --sensitive",
    "bowtie2-local": "bowtie2 --very-sensitive-local",
    "kraken2": "kraken2 with an own index of the reference",
    "hostile-short": "hostile with bowtie2 and an own index",
    "hostile-long": "hostile with minimap2 and an own index",
}
TIME_LIMIT = 3600.0  # seconds of one call of a program


def fit(name: str, reference: Path, *, work: Path, threads: int = 1, time_limit: float = TIME_LIMIT) -> "Remover":
    """Fit a remover to a reference.

    Parameters
    ----------
    name
        A key of `REMOVERS`.
    reference
        FASTA, plain or gzip.
    work
        Folder that exists and is for this remover and reference alone; a finished index in it is taken as it is.
    threads
        1 or more; they change no answer.
    time_limit
        Seconds after which a call of an external program is stopped.

    Raises
    ------
    InputError
        No such remover, its program is missing (names the package), or the reference is wrong.
    AvatarError
        Its program failed or took too long; repeats what it said.
    """
    from avatarlib.genomes.fasta import read_fasta
    from avatarlib.removal import bowtie, hostile, kmers, kraken, minimap

    if name not in REMOVERS:
        raise InputError(f"no remover is called {name!r}: choose among {', '.join(REMOVERS)}")
    whole = read_fasta(reference)
    if name == "kmer":
        return kmers.fit(whole)
    if name == "kmer-sensitive":
        return kmers.fit(whole, name=name, k=19, w=1, share=0.0)
    if name.startswith("minimap2"):
        preset = minimap.SHORT if name.endswith("short") else minimap.LONG
        return minimap.fit(reference, name=name, preset=preset, threads=threads)
    tool = kraken if name == "kraken2" else hostile if name.startswith("hostile") else bowtie
    return tool.fit(whole, name=name, work=work, threads=threads, time_limit=time_limit)


def absent(name: str) -> str:
    """Return what a remover lacks on this machine, in words; "" where it can run.

    Examples
    --------
    >>> absent("kmer")
    ''
    """
    from importlib.util import find_spec

    from avatarlib.removal import bowtie, hostile, kraken, programs

    needs = {"bowtie2": (["bowtie2", "bowtie2-build"], bowtie.PACKAGE), "kraken2": (["kraken2"], kraken.PACKAGE)}
    needs["bowtie2-local"] = needs["bowtie2"]
    for own, aligner in hostile.ALIGNERS.items():
        needs[own] = (["hostile", "samtools", aligner], hostile.PACKAGE)
    if name.startswith("minimap2"):
        return "" if find_spec("mappy") else "mappy (pip install mappy)"
    wanted, package = needs.get(name, ([], ""))
    try:
        for program in wanted:
            programs.find(program, package)
    except InputError as error:
        return str(error)
    return ""
