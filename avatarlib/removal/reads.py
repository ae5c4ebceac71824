"""Reads of strangers: FASTQ and FASTA files, one or a pair, read strictly and in batches of bounded memory."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from avatarlib.errors import InputError
from avatarlib.genomes import bgzf
from avatarlib.genomes.opened import opened

LONGEST = 200_000_000  # bases of a read
BATCH_BASES = 1 << 24
BATCH_READS = 50_000
IUPAC = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"
PRINTABLE = bytes(range(33, 127))
MATE = re.compile(rb"/[12]$")
Record = tuple[bytes, bytes, bytes]  # name, bases, qualities (empty in FASTA)


@dataclass(frozen=True)
class Batch:
    """Molecules with their reads, one or two each, end to end.

    Attributes
    ----------
    first
        Number of the first molecule in the sample, from 0.
    mates
        Reads of a molecule, 1 or 2.
    names
        One a molecule, without what follows a space and without /1 or /2.
    bases
        uint8 ASCII of all reads: read i of the batch is `bases[offsets[i] : offsets[i + 1]]`, mates side by side.
    offsets
        int64 [molecules * mates + 1].
    qualities
        As long as `bases`, or empty where there are none.
    """

    first: int
    mates: int
    names: list[bytes]
    bases: np.ndarray
    offsets: np.ndarray
    qualities: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def reads(self) -> list[bytes]:
        """Return the bases of each read."""
        text, ends = self.bases.tobytes(), self.offsets.tolist()
        return [text[a:b] for a, b in itertools.pairwise(ends)]

    def stated(self) -> list[bytes]:
        """Return the qualities of each read; empty ones in FASTA."""
        if not len(self.qualities):
            return [b""] * (len(self.offsets) - 1)
        text, ends = self.qualities.tobytes(), self.offsets.tolist()
        return [text[a:b] for a, b in itertools.pairwise(ends)]


def batch_of(
    names: list[bytes], reads: list[bytes], qualities: list[bytes], *, mates: int = 1, first: int = 0
) -> Batch:
    """Make a batch of reads that are known to be right; `reads` has `mates` entries a name.

    Examples
    --------
    >>> batch = batch_of([b"a", b"b"], [b"ACGT", b""], [])
    >>> len(batch), batch.reads()
    (2, [b'ACGT', b''])
    """
    offsets = np.cumsum([0, *map(len, reads)], dtype=np.int64)
    quality = np.frombuffer(b"".join(qualities), np.uint8)
    return Batch(first, mates, names, np.frombuffer(b"".join(reads), np.uint8), offsets, quality)


def kind_of(path: Path) -> str:
    """Tell "fastq" from "fasta" by the file's first byte.

    Raises
    ------
    InputError
        The file is empty, can't be read, or is neither.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'no regular file' if path.exists() else 'no such file'}: give FASTQ or FASTA")
    with opened(path, "check its rights and its disk") as file:
        first = file.read(1)
    if not first:
        raise InputError(f"{path}: the file is empty: a sample needs at least one read")
    if first not in b"@>":
        raise InputError(f"{path}: begins with neither @ (FASTQ) nor > (FASTA): give a file of reads, plain or gzip")
    return "fastq" if first == b"@" else "fasta"


def batches(
    paths: tuple[Path, ...], *, most_reads: int = BATCH_READS, most_bases: int = BATCH_BASES
) -> Iterator[Batch]:
    """Yield a sample's molecules in their order.

    Parameters
    ----------
    paths
        One file, or two whose reads belong together in this order; FASTQ of four lines a read, or FASTA; plain or gzip.
    most_reads, most_bases
        What a batch holds at most; a longer read makes a batch of its own.

    Raises
    ------
    InputError
        The first thing that is wrong, with file and line: files of different kind, length or order; FASTA in FASTQ or
        the other way round; a gzip file that is cut off; bases, qualities or names that can't be.
    """
    kinds = [kind_of(path) for path in paths]
    if len(set(kinds)) > 1:
        raise InputError(
            f"{paths[0]} is {kinds[0].upper()}, {paths[1]} is {kinds[1].upper()}: give two files of a kind"
        )
    streams = [_records(path, kind) for path, kind in zip(paths, kinds, strict=True)]
    first, size = 0, 0
    names, reads, qualities = [], [], []
    for number, records in enumerate(itertools.zip_longest(*streams)):
        if None in records:
            short, long = (paths[k] for k in ((1, 0) if records[0] else (0, 1)))
            raise InputError(f"{short} has {number:,} reads, {long} has more: pairs need two files of the same length")
        name = MATE.sub(b"", records[0][0]) if len(records) == 2 else records[0][0]
        if len(records) == 2 and MATE.sub(b"", records[1][0]) != name:
            raise InputError(
                f"{paths[1]}: read {number + 1:,} is called {ascii(records[1][0].decode('latin-1'))}, in {paths[0]} "
                f"{ascii(records[0][0].decode('latin-1'))}: bring both files into the same order"
            )
        new = sum(len(record[1]) for record in records)
        if names and (len(names) >= most_reads or size + new > most_bases):
            yield batch_of(names, reads, qualities, mates=len(paths), first=first)
            first, size = number, 0
            names, reads, qualities = [], [], []
        names.append(name)
        for _, bases, quality in records:
            reads.append(bases)
            qualities.append(quality)
        size += new
    yield batch_of(names, reads, qualities, mates=len(paths), first=first)


def _records(path: Path, kind: str) -> Iterator[Record]:
    _whole(path)
    with opened(path, "check its rights and its disk") as file:
        yield from (_fastq if kind == "fastq" else _fasta)(path, file)


def _whole(path: Path) -> None:
    """Refuse a bgzip file without its end: cut between two blocks it is still a complete gzip file."""
    with open(path, "rb") as file:
        head = file.read(16)
        file.seek(max(0, path.stat().st_size - len(bgzf.END)))
        end = file.read()
    if head[:4] == b"\x1f\x8b\x08\x04" and head[12:] == b"BC\x02\0" and end != bgzf.END:
        raise InputError(f"{path}: the gzip file is cut off: get it again")


def _line(path: Path, file: BinaryIO, number: int) -> bytes:
    text = file.readline(LONGEST + 2)
    if len(text) > LONGEST:
        raise InputError(f"{path}, line {number}: longer than {LONGEST:,} characters: no read is")
    return text.rstrip(b"\r\n")


def _name(path: Path, line: bytes, number: int) -> bytes:
    words = line[1:].split(None, 1)
    if not words or line[1:2].isspace():
        raise InputError(f"{path}, line {number}: no name: write one right after the {line[:1].decode()}")
    return words[0]


def _bases(path: Path, text: bytes, number: int) -> bytes:
    wrong = text.translate(None, IUPAC)
    if wrong:
        raise InputError(
            f"{path}, line {number}: {ascii(chr(wrong[0]))} is no base and no IUPAC code: is it FASTQ of four lines a "
            "read, or FASTA?"
        )
    return text.upper().replace(b"U", b"T")


def _fastq(path: Path, file: BinaryIO) -> Iterator[Record]:
    number = 1
    while head := file.readline(1 << 16):
        if not head.strip():
            if file.read(1 << 16).strip():
                raise InputError(f"{path}, line {number}: blank line between reads: remove it")
            return
        if head[:1] != b"@":
            mixed = "a FASTA entry in a FASTQ file" if head[:1] == b">" else "no @ where a read begins"
            raise InputError(f"{path}, line {number}: {mixed}: give FASTQ of four lines a read")
        name = _name(path, head, number)
        bases = _bases(path, _line(path, file, number + 1), number + 1)
        plus = file.readline(1 << 16)
        quality = _line(path, file, number + 3)
        if plus[:1] != b"+":
            what = "the file ends within a read" if not plus else "no + behind the bases"
            raise InputError(f"{path}, line {number + 2}: {what}: give FASTQ of four lines a read")
        if len(quality) != len(bases):
            raise InputError(
                f"{path}, line {number + 3}: {len(quality)} qualities for {len(bases)} bases: the file is cut off or "
                "damaged, get it again"
            )
        if quality.translate(None, PRINTABLE):
            raise InputError(f"{path}, line {number + 3}: a quality that no FASTQ file can hold: get the file again")
        yield name, bases, quality
        number += 4


def _fasta(path: Path, file: BinaryIO) -> Iterator[Record]:
    name, parts, size, number = b"", [], 0, 1
    while text := file.readline(LONGEST + 2):
        line = text.rstrip(b"\r\n")
        if line[:1] == b">":
            if name:
                yield name, b"".join(parts), b""
            name, parts, size = _name(path, line, number), [], 0
        elif line[:1] in (b"@", b"+"):
            raise InputError(f"{path}, line {number}: a FASTQ entry in a FASTA file: give one or the other")
        elif line:
            parts.append(_bases(path, line, number))
            size += len(line)
            if size > LONGEST:
                raise InputError(f"{path}, line {number}: a read of more than {LONGEST:,} bases: no read is so long")
        number += 1
    yield name, b"".join(parts), b""
