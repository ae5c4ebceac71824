"""What a sample is: one or two files of reads, or a folder of them, with the truth where a simulation wrote it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.genomes.opened import opened
from avatarlib.removal.reads import Batch, kind_of
from avatarlib.run.store import read_json

ENDINGS = re.compile(r"\.(fastq|fq|fasta|fa|fna)(\.gz)?$", re.IGNORECASE)
SIMULATION = "avatar-reads/"  # how the schema in run.json begins
READS = re.compile(r"reads(_[12])?\.fastq(\.gz)?")


@dataclass(frozen=True)
class Sample:
    """Files of reads, `kind` "fastq" or "fasta"; `simulation` is the folder with the truth, or None."""

    files: tuple[Path, ...]
    kind: str
    simulation: Path | None

    @property
    def truth(self) -> Path | None:
        """The table of molecules, where there is one."""
        path = self.simulation / "fragments.tsv.gz" if self.simulation else None
        return path if path and path.is_file() else None


def open_sample(paths: Sequence[Path]) -> Sample:
    """Find the files of a sample.

    Parameters
    ----------
    paths
        A file, two files that belong together, or a folder: what `avatar reads simulate` wrote, or one that holds one
        file of reads, or two whose names differ by 1 and 2 alone.

    Raises
    ------
    InputError
        There is nothing like that; says what there is.
    """
    paths = [Path(path) for path in paths]
    if len(paths) == 1 and paths[0].is_dir():
        return _folder(paths[0])
    if not 1 <= len(paths) <= 2:
        raise InputError(f"a sample is one file, two, or a folder, not {len(paths)} files: give one sample at a time")
    if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
        raise InputError(f"{paths[0]}: the same file twice: give the two files of the pair")
    return Sample(tuple(paths), kind_of(paths[0]), None)


def _folder(folder: Path) -> Sample:
    record = read_json(folder / "run.json") or {}
    simulated = str(record.get("schema", "")).startswith(SIMULATION)
    wanted = READS.fullmatch if simulated else ENDINGS.search
    files = sorted(path for path in folder.iterdir() if path.is_file() and wanted(path.name))
    if not files:
        raise InputError(f"{folder}: no file of reads (.fastq, .fq, .fasta, .fa, also with .gz): name the file itself")
    if len(files) == 2 and not _pair(*(path.name for path in files)) or len(files) > 2:
        names = ", ".join(path.name for path in files[:4])
        raise InputError(f"{folder}: {len(files)} files of reads ({names} …): name one, or the two of a pair")
    return Sample(tuple(files), kind_of(files[0]), folder if simulated else None)


def _pair(one: str, two: str) -> bool:
    """True where two names differ in one place, by 1 and 2.

    Examples
    --------
    >>> _pair("a_R1.fq.gz", "a_R2.fq.gz"), _pair("a1_1.fq", "a2_2.fq")
    (True, False)
    """
    different = [(a, b) for a, b in zip(one, two, strict=False) if a != b]
    return len(one) == len(two) and different == [("1", "2")]


def read_truth(path: Path) -> Iterator[tuple[bytes, bool, str]]:
    """Yield name, whether it is human, and source of each molecule of a simulation, in order.

    A chimera is human where one of its parts is; its source is its first part's.
    """
    name, human, source = None, False, ""
    with opened(path, "check its rights") as file:
        file.readline()
        for line in file:
            fields = line.split(b"\t", 4)
            if fields[0] != name:
                if name is not None:
                    yield name, human, source
                name, human, source = fields[0], False, fields[2].decode()
            human |= fields[3] == b"1"
    if name is not None:
        yield name, human, source


def labels(batch: Batch, truth: Iterator[tuple[bytes, bool, str]]) -> tuple[list[bool], list[str]]:
    """Take the truth of a batch's molecules from `read_truth`, which goes on from where it was.

    Raises
    ------
    InputError
        Truth and sample don't belong together.
    """
    human, source = [], []
    for name in batch.names:
        row = next(truth, None)
        if row is None or row[0] != name:
            raise InputError(
                "fragments.tsv.gz and the reads of the sample don't belong together: simulate them again, or name the "
                "files of reads to go without truth"
            )
        human.append(row[1])
        source.append(row[2])
    return human, source
