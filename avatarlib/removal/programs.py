"""External programs: found or named with their package, run without a shell, under a time limit, what they say kept.

They see files of our naming alone: reads are numbered, so no name of a stranger's file or read reaches a program.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from avatarlib.errors import AvatarError, InputError
from avatarlib.genomes.fasta import Reference
from avatarlib.removal.reads import Batch

LAST_WORDS = 1500  # characters of what a program said that an error repeats
WIDTH = 80


def find(program: str, package: str) -> str:
    """Return a program's path.

    Raises
    ------
    InputError
        It is not installed; names the package that brings it.
    """
    path = shutil.which(program)
    if path is None:
        raise InputError(f"{program} is not installed: it comes with {package}")
    return path


def run(command: Sequence[str], *, folder: Path, time_limit: float, output: str | None = None) -> str:
    """Run a program and return what it says on standard error.

    Parameters
    ----------
    command
        Program and arguments; no shell sees them.
    folder
        Where it runs; names of files in `command` are relative to it.
    time_limit
        Seconds, after which it and its children are killed.
    output
        Name of the file in `folder` that takes its standard output; None: it is kept with standard error.

    Raises
    ------
    AvatarError
        It failed, crashed or ran out of time; repeats its last words.
    """
    tool = Path(command[0]).name
    with tempfile.TemporaryFile() as said, open(folder / output if output else os.devnull, "wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out if output else said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = process.wait(time_limit)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise AvatarError(
                    f"{tool} was stopped after {time_limit:g} seconds: raise --time-limit. {_words(said)}"
                ) from None
            raise
        text = _words(said)
    if code:
        how = f"crashed (signal {-code})" if code < 0 else f"failed with exit code {code}"
        raise AvatarError(f"{tool} {how}. {text}")
    return text


def _end(process: subprocess.Popen) -> None:
    """Kill a program with the children that it may have."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _words(said) -> str:
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - LAST_WORDS))
    text = said.read().decode("utf-8", "replace").strip()
    return f"It said: {text}" if text else "It said nothing."


def version(command: Sequence[str], *, time_limit: float = 60) -> str:
    """Return the first word with a digit and a dot that a program says about its version; "" where there is none."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=time_limit, stdin=subprocess.DEVNULL, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = (done.stdout + done.stderr).split()
    return next((word for word in words if word[:1].isdigit() and "." in word), "")


def write_reference(path: Path, reference: Reference, *, label: str = "c{}") -> None:
    """Write a plain FASTA file whose contigs are numbered by `label`."""
    with path.open("wb") as file:
        for contig in range(len(reference)):
            text = reference.sequence(contig).tobytes()
            file.write(f">{label.format(contig)}\n".encode())
            for start in range(0, len(text), WIDTH):
                file.write(text[start : start + WIDTH] + b"\n")


def write_reads(path: Path, batch: Batch) -> None:
    """Write a batch as FASTQ; reads are called by their number in the sample, so batches don't change their names.

    An empty read becomes one N, which programs accept and nothing aligns. Reads without qualities get 40.
    """
    first = batch.first * batch.mates
    with path.open("wb") as file:
        for number, (bases, quality) in enumerate(zip(batch.reads(), batch.stated(), strict=True), start=first):
            bases = bases or b"N"
            quality = quality or b"I" * len(bases)
            file.write(b"@%d\n%b\n+\n%b\n" % (number, bases, quality))
