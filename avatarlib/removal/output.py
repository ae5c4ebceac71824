"""What removal writes: kept and removed reads, and one line of calls a molecule."""

from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from avatarlib.genomes import bgzf
from avatarlib.removal.reads import Batch
from avatarlib.removal.remover import Calls

BLOCK = 64 * 65280  # bytes that are packed at once: whole blocks of bgzip, so that no cut of the text shows


class Packed:
    """A bgzip file that is written piece by piece; the same text gives the same bytes however it is cut."""

    def __init__(self, file: BinaryIO):
        self._file, self._text = file, bytearray()

    def write(self, text: bytes) -> None:
        """Add text."""
        self._text += text
        if len(self._text) >= BLOCK:
            whole = len(self._text) // BLOCK * BLOCK
            self._file.write(bgzf.compress(bytes(self._text[:whole])))
            del self._text[:whole]

    def close(self) -> None:
        """Write the rest and the end marker."""
        self._file.write(bgzf.compress(bytes(self._text)) + bgzf.END)
        self._file.close()


class Output:
    """The files of one removal in a folder: `kept*`, `removed*` and `calls.tsv.gz`.

    Kept reads are called r and the number among the kept, because names hold instrument, run and flow cell; what
    follows a name is dropped. Removed reads and calls keep the names that the sample had: they stay where it is.
    """

    def __init__(self, folder: Path, *, kind: str, mates: int, keep_names: bool):
        self._keep_names, self._kept, self._stack = keep_names, 0, ExitStack()
        ends = [f"_{mate + 1}.{kind}.gz" for mate in range(mates)] if mates > 1 else [f".{kind}.gz"]
        self.kept, self.removed = ([f"{what}{end}" for end in ends] for what in ("kept", "removed"))
        self._files = {name: self._open(folder / name) for name in (*self.kept, *self.removed, "calls.tsv.gz")}
        self._files["calls.tsv.gz"].write(b"read\thuman\tscore\n")
        self._record = _fastq if kind == "fastq" else _fasta

    def _open(self, path: Path) -> Packed:
        packed = Packed(path.open("wb"))
        self._stack.callback(packed.close)
        return packed

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def write(self, batch: Batch, calls: Calls) -> None:
        """Write a batch."""
        reads, stated, human = batch.reads(), batch.stated(), calls.human.tolist()
        lines = [b"%b\t%d\t%.6g\n" % row for row in zip(batch.names, human, calls.score.tolist(), strict=True)]
        self._files["calls.tsv.gz"].write(b"".join(lines))
        fresh = self._kept + np.cumsum(~calls.human)
        for mate in range(batch.mates):
            pieces = {True: [], False: []}
            for i, (name, gone) in enumerate(zip(batch.names, human, strict=True)):
                at = i * batch.mates + mate
                name = name if gone or self._keep_names else b"r%d" % fresh[i]
                pieces[gone].append(self._record(name, reads[at], stated[at]))
            self._files[self.kept[mate]].write(b"".join(pieces[False]))
            self._files[self.removed[mate]].write(b"".join(pieces[True]))
        self._kept += int((~calls.human).sum())


def _fastq(name: bytes, bases: bytes, quality: bytes) -> bytes:
    return b"@%b\n%b\n+\n%b\n" % (name, bases, quality)


def _fasta(name: bytes, bases: bytes, quality: bytes) -> bytes:
    return b">%b\n%b\n" % (name, bases)
