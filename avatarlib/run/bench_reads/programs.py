"""Our simulator and its peers as commands for the benchmark, and one run of a command measured."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlib.genomes.composition import BASES, markov
from avatarlib.genomes.fasta import join, write_fasta
from avatarlib.genomes.phantom import phantom_genome
from avatarlib.run import store

LENGTH, FRAGMENT, SPREAD = 150, 400, 50  # bases of a read; of a molecule, mean and standard deviation
ROOM = 8 * 10**9  # bytes that a RAM disk must have free
ELSEWHERE = "/usr/lib/seqan/bin"  # where Debian puts mason_simulator
ONE_THREAD = {f"{pool}_NUM_THREADS": "1" for pool in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
NO_TRUTH = [f"truth.{name}=false" for name in ("bam", "events", "error_free", "fragments", "haplotypes")]
ALL_TRUTH = [f"truth.{name}=true" for name in ("bam", "events", "error_free", "fragments", "haplotypes")]


@dataclass(frozen=True)
class Cost:
    """What a run took: `seconds` on the clock, `processor` of all its processes together, `peak` bytes of memory."""

    seconds: float
    processor: float
    peak: int


@dataclass(frozen=True)
class Program:
    """A simulator: its command for so many molecules from a reference into a folder; `path` None: not installed."""

    name: str
    path: str | None
    command: Callable[[int, Path, Path], list[str]]
    molecules: int
    what: str


@contextmanager
def folder() -> Iterator[tuple[Path, str]]:
    """Yield an empty folder and where it lies: on the RAM disk where there is one with room, else a temporary one."""
    memory = Path("/dev/shm")
    fits = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    with tempfile.TemporaryDirectory(prefix="avatar-bench-", dir=memory if fits else None) as place:
        yield Path(place), "a RAM disk" if fits else "a temporary folder on disk"


def phantom(place: Path, size: int) -> Path:
    """Write the phantom genome as plain FASTA, which every program reads, and beside it as ours, bgzip."""
    genome = phantom_genome(size=size).reference
    return _write(place / "phantom.fa", genome)


def one_contig(place: Path, size: int) -> Path:
    """Write a reference of one contig."""
    bases = BASES[markov(size, 0.41, np.random.default_rng(1))]
    return _write(place / "contig.fa", join(["chr1"], [bases]))


def _write(path: Path, reference) -> Path:
    with path.open("wb") as file:
        for number, name in enumerate(reference.names):
            sequence = reference.sequence(number).tobytes()
            lines = [sequence[k : k + 60] for k in range(0, len(sequence), 60)]
            file.write(f">{name}\n".encode() + b"\n".join(lines) + b"\n")
    write_fasta(path.with_name(f"{path.name}.gz"), reference.names, map(reference.sequence, range(len(reference))))
    return path


def measure(command: list[str], place: Path) -> Cost:
    """Run a command in a folder and return what it took.

    Raises
    ------
    subprocess.CalledProcessError
        It failed; its last words are in `output`.
    """
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=place, stdout=said, stderr=said, env=os.environ | ONE_THREAD)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            text = said.read().decode("utf-8", "replace")[-2000:]
            raise subprocess.CalledProcessError(process.returncode, command, text)
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def ours(settings: list[str]) -> Callable[[int, Path, Path], list[str]]:
    """Return the command of our simulator with these settings."""

    def command(molecules: int, reference: Path, out: Path) -> list[str]:
        platform = next((text[-1] for s in settings if (text := s.split("="))[0] == "reads.platform"), "illumina")
        count = "pairs" if platform == "illumina" else "reads"
        out.mkdir(exist_ok=True)
        (out / "config.yml").write_text(
            f"reference: {reference}\nreads: {{platform: {platform}, {count}: {molecules}}}\n"
        )
        made = out / "made"
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(made.with_name(".made.partial"), ignore_errors=True)
        own = [sys.executable, "-m", "avatarlib.cli", "reads", "simulate", "--config", str(out / "config.yml")]
        return [*own, "--out", str(made), *(word for s in settings for word in ("--set", s))]

    return command


def peers(bases: int, truth: bool) -> list[Program]:
    """Return the peers on a reference of so many bases; `truth`: with alignments, where the program can."""
    pair = ["-1", str(LENGTH), "-2", str(LENGTH), "-d", str(FRAGMENT), "-s", str(SPREAD), "-e", "0.001"]

    def wgsim(n: int, reference: Path, out: Path) -> list[str]:
        return ["wgsim", "-N", str(n), *pair, str(reference), str(out / "1.fq"), str(out / "2.fq")]

    def art(n: int, reference: Path, out: Path) -> list[str]:
        depth = ["-f", f"{n * 2 * LENGTH / bases:.6f}"] if n > 100 else ["-c", str(n)]
        shape = ["-ss", "HS25", "-p", "-l", str(LENGTH), "-m", str(FRAGMENT), "-s", str(SPREAD)]
        files = ["-sam"] if truth else ["-na"]
        return ["art_illumina", "-q", *shape, *depth, *files, "-i", str(reference), "-o", str(out / "art")]

    def mason(n: int, reference: Path, out: Path) -> list[str]:
        shape = ["--illumina-read-length", str(LENGTH), "--fragment-mean-size", str(FRAGMENT)]
        files = ["-o", str(out / "1.fq"), "-or", str(out / "2.fq"), *(["-oa", str(out / "m.bam")] if truth else [])]
        found = shutil.which("mason_simulator", path=_path()) or "mason_simulator"
        shape += ["--fragment-size-std-dev", str(SPREAD)]
        return [found, "-q", "-ir", str(reference), "-n", str(n), *files, *shape]

    def dwgsim(n: int, reference: Path, out: Path) -> list[str]:
        return ["dwgsim", "-N", str(n), *pair, "-E", "0.001", "-c", "0", "-o", "1", str(reference), str(out / "dw")]

    rows = [
        Program("wgsim", shutil.which("wgsim"), wgsim, 1_000_000, "constant quality"),
        Program("art_illumina", shutil.which("art_illumina"), art, 1_000_000, "SAM" if truth else "no variants"),
        Program(
            "mason_simulator", shutil.which("mason_simulator", path=_path()), mason, 200_000, "BAM" if truth else ""
        ),
        Program("dwgsim", shutil.which("dwgsim"), dwgsim, 100_000, "gzip"),
    ]
    return [row for row in rows if not (truth and row.name == "wgsim")]


def badread() -> Program:
    """Return Badread, whose reads are long; measured on few."""

    def command(n: int, reference: Path, out: Path) -> list[str]:
        script = f'badread simulate --reference "{reference}" --quantity {n * 8000} --length 8000,7000 > "{out}/b.fq"'
        return ["sh", "-c", script]

    return Program("badread", shutil.which("badread"), command, 50, "FASTQ only")


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), ELSEWHERE])


def version(program: Program) -> str:
    """Return what a program says about its version; empty where it says nothing."""
    if program.path is None:
        return ""
    for ask in ([], ["--version"], ["--help"]):
        done = subprocess.run([program.path, *ask], capture_output=True, text=True, timeout=60)
        found = re.search(r"(?i)version:?\s+(\d[\w.+-]*)|Badread v([\w.]+)", done.stdout + done.stderr)
        if found:
            return found[1] or found[2]
    return ""


def machine_load() -> float:
    """Return how many processes wanted a core in the last minute."""
    return round(os.getloadavg()[0], 1)


def python_version() -> dict[str, str]:
    """Return the versions that our speed depends on."""
    import numba
    import pysam

    versions = {"numba": numba.__version__, "numpy": np.__version__, "pysam": pysam.__version__}
    return versions | {"python": sys.version.split()[0], "root": store.PACKAGE.name}
