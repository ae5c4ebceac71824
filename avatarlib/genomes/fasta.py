"""Reference sequences: FASTA files of strangers read strictly, indexed bgzip FASTA written."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam

from avatarlib.errors import InputError
from avatarlib.genomes import bgzf
from avatarlib.genomes.opened import opened

LARGEST = 8 * 10**9  # decompressed bytes
BLOCK = 1 << 23
WIDTH = 60

# What SAM allows as the name of a reference sequence (SAMv1, 1.2.1).
NAME = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")
CODES = b"ACGTUNRYSWKMBDHV"
_TABLE = bytearray(256)  # Upper case, DNA, line ends kept; whatever is no IUPAC code becomes 0.
for _code in (*CODES, ord("\n")):
    _TABLE[_code] = _TABLE[ord(chr(_code).lower())] = ord("T") if _code == ord("U") else _code
TABLE = bytes(_TABLE)


@dataclass(frozen=True)
class Reference:
    """Contigs end to end.

    Attributes
    ----------
    names
        One name a contig, all different.
    bases
        uint8 ASCII, upper case, IUPAC codes; read-only where it comes from `read_fasta` or `join`.
    offsets
        int64 [contigs + 1]: contig i is `bases[offsets[i] : offsets[i + 1]]`.

    Examples
    --------
    >>> reference = join(["chr1", "chrM"], [b"ACGT", b"GG"])
    >>> len(reference), reference.length(0), reference.sequence(1).tobytes()
    (2, 4, b'GG')
    """

    names: tuple[str, ...]
    bases: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def sequence(self, contig: int) -> np.ndarray:
        """Return the bases of a contig, given its number: a view, uint8 [length]."""
        return self.bases[self.offsets[contig] : self.offsets[contig + 1]]

    def length(self, contig: int) -> int:
        """Return the number of bases of a contig, given its number."""
        return int(self.offsets[contig + 1] - self.offsets[contig])


def join(names: Iterable[str], sequences: Iterable[np.ndarray | bytes]) -> Reference:
    """Make a `Reference` of contigs that are known to be right: ASCII, upper case."""
    sequences = [s if isinstance(s, np.ndarray) else np.frombuffer(s, np.uint8) for s in sequences]
    bases = np.concatenate([np.empty(0, np.uint8), *sequences])
    bases.flags.writeable = False
    return Reference(tuple(names), bases, np.cumsum([0, *map(len, sequences)], dtype=np.int64))


def read_fasta(path: Path, *, largest: int = LARGEST) -> Reference:
    """Read a FASTA file, plain, gzip or bgzip.

    Lower case becomes upper case and U becomes T; a name is what stands between `>` and the first space.
    Blank lines are passed over.

    Parameters
    ----------
    largest
        The most bytes that the file may hold, decompressed.

    Returns
    -------
    Reference with at least one contig; none is empty.

    Raises
    ------
    InputError
        The file can't be read, is cut off, damaged, binary, too large or no FASTA. Names the line where there is one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.fa"
    ...     _ = path.write_text(">one first\\nacg\\nun\\n>two\\nRY\\n")
    ...     small = read_fasta(path)
    >>> small.names, small.bases.tobytes(), small.offsets.tolist()
    (('one', 'two'), b'ACGTNRY', [0, 5, 7])
    """
    path = Path(path)
    lines: dict[str, int] = {}  # of the names
    bases, offsets, line = bytearray(), [], 1

    for block in _blocks(path, largest):
        data = np.frombuffer(block, np.uint8)
        newlines = np.flatnonzero(data == ord("\n"))
        starts = np.flatnonzero(data == ord(">"))
        starts = starts[(starts == 0) | (data[starts - 1] == ord("\n"))]
        before = np.searchsorted(newlines, starts)
        ends = np.append(newlines, len(block))[before]
        position = 0
        for start, end, number in zip(starts.tolist(), ends.tolist(), (before + line).tolist(), strict=True):
            if position < start:
                bases += _sequence(block, position, start, bool(lines), path, line)
            if offsets and offsets[-1] == len(bases):
                raise _empty(path, lines)
            name = _name(block[start + 1 : end], path, number)
            if name in lines:
                raise InputError(
                    f"{path}, line {number}: the name {name} stands in line {lines[name]} too: rename or remove one"
                )
            lines[name] = number
            offsets.append(len(bases))
            position = end + 1
        if position < len(block):
            bases += _sequence(block, position, len(block), bool(lines), path, line)
        line += len(newlines)
    if not lines:
        raise InputError(f"{path}: no sequence: a FASTA file starts with >name and bases in the next line")
    if offsets[-1] == len(bases):
        raise _empty(path, lines)
    array = np.frombuffer(bases, np.uint8)
    array.flags.writeable = False
    return Reference(tuple(lines), array, np.array([*offsets, len(bases)], np.int64))


def write_fasta(path: Path, names: Iterable[str], sequences: Iterable[np.ndarray]) -> None:
    """Write a bgzip FASTA file with 60 bases a line, its `.fai` and its `.gzi`; all three or none.

    Parameters
    ----------
    path
        For instance `haplotypes.fa.gz`; replaced if it exists.
    names, sequences
        As many names as sequences; a sequence is uint8 ASCII [at least 1]. Taken one by one, so they may be generators.

    Raises
    ------
    InputError
        A name that SAM forbids or that comes twice, or an empty sequence.
    """
    path, seen, text = Path(path), set(), bytearray()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder) / path.name
        with part.open("wb") as file:
            for name, sequence in zip(names, sequences, strict=True):
                if not NAME.fullmatch(name) or name in seen or not len(sequence):
                    raise InputError(f"{path}: contig {name!a} is empty, comes twice or has a name that SAM forbids")
                seen.add(name)
                text += f">{name}\n".encode() + _wrapped(sequence)
                if len(text) > BLOCK:
                    file.write(bgzf.compress(text))
                    text.clear()
            file.write(bgzf.compress(text) + bgzf.END)
        if not seen:
            raise InputError(f"{path}: no contig to write")
        pysam.faidx(str(part))
        # The sequences come last: where they are, their indices are.
        for ending in (".fai", ".gzi", ""):
            os.replace(f"{part}{ending}", f"{path}{ending}")


def _wrapped(sequence: np.ndarray) -> bytes:
    rows, rest = divmod(len(sequence), WIDTH)
    lines = np.full((rows, WIDTH + 1), ord("\n"), np.uint8)
    lines[:, :WIDTH] = sequence[: rows * WIDTH].reshape(rows, WIDTH)
    return lines.tobytes() + (sequence[-rest:].tobytes() + b"\n" if rest else b"")


def _blocks(path: Path, largest: int) -> Iterator[bytes]:
    """Yield the decompressed text in blocks of whole lines with \\n as their end."""
    if not path.is_file():
        what = "is a folder or no regular file" if path.exists() else "no such file"
        raise InputError(f"{path}: {what}: give a FASTA file, plain or gzip")
    total = 0
    with opened(path, "check its rights and its disk") as file:
        with open(path, "rb") as raw:
            head = raw.read(16)
            raw.seek(max(0, path.stat().st_size - len(bgzf.END)))
            end = raw.read()
        if head[:4] == b"\x1f\x8b\x08\x04" and head[12:] == b"BC\x02\0" and end != bgzf.END:
            raise EOFError  # Cut between two of its blocks, a bgzip file is a complete gzip file.
        while block := file.read(min(BLOCK, largest - total + 1)):
            total += len(block)
            if total <= largest and not block.endswith(b"\n"):
                rest = file.readline(largest - total + 1)
                block, total = block + rest, total + len(rest)
            if total > largest:
                raise InputError(f"{path}: more than {largest:,} bytes of text: split it or raise the limit")
            yield block.replace(b"\r\n", b"\n")


def _empty(path: Path, lines: dict[str, int]) -> InputError:
    name, line = next(reversed(lines.items()))
    return InputError(f"{path}, line {line}: contig {name} has no sequence: add it or remove the line")


def _sequence(block: bytes, start: int, end: int, named: bool, path: Path, line: int) -> bytes:
    """Return the bases of a part of a block whose first line has the number `line`."""
    text = block[start:end]
    bases = text.translate(TABLE, b"\n")
    if not bases or (named and 0 not in bases):
        return bases
    at = text.translate(TABLE).index(0) if named else len(text) - len(text.lstrip(b"\n"))
    number = line + block.count(b"\n", 0, start + at)
    where = f"{path}, line {number}"
    if named:
        raise InputError(f"{where}: {ascii(chr(text[at]))} is no base and no IUPAC code: correct it")
    if re.search(rb"[\0-\x08\x0e-\x1f]", text[:1000]):
        raise InputError(f"{where}: binary, neither FASTA nor gzip: give a FASTA file, plain or gzip")
    shown = ascii(text[at : at + 20].split(b"\n")[0].decode("latin-1"))
    raise InputError(f"{where}: text before the first >: {shown}: a FASTA file starts with >name")


def _name(header: bytes, path: Path, line: int) -> str:
    name = header.split(b" ", 1)[0].decode("latin-1")
    if NAME.fullmatch(name):
        return name
    if not name:
        raise InputError(f"{path}, line {line}: no name: write one right after the >")
    wrong = name[0] if not NAME.fullmatch(name[0]) else next(c for c in name[1:] if not NAME.fullmatch("A" + c))
    raise InputError(
        f"{path}, line {line}: the name {ascii(name[:50])} holds {ascii(wrong)}, which SAM forbids there: rename it"
    )
