"""Read the text files of a simulated folder line by line, and say in one line where one of them is broken."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from avatarlib.errors import InputError

BLOCK = 1 << 20
LONGEST_LINE = 1 << 29  # bytes; a compressed file may unfold to anything, and a line is held in memory
Watch = Callable[[float], None]


class Disagreement(Exception):
    """Two files of a folder contradict each other; the text says which file, where and what, in one line."""


def blocks(path: Path, watch: Watch | None = None) -> Iterator[bytes]:
    """Yield the content of a plain or gzip-compressed file in blocks of about 1 MiB.

    Parameters
    ----------
    path
        The file. Compressed content is recognised by its first two bytes.
    watch
        Called after each block with the share of the file that was read, 0 to 1.

    Raises
    ------
    InputError
        No such file, cut off, damaged, or named `.gz` without being gzip.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.txt").write_bytes(b"one\\ntwo\\n")
    ...     list(blocks(Path(folder) / "a.txt"))
    [b'one\\ntwo\\n']
    """
    try:
        with open(path, "rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            if path.suffix in (".gz", ".bam") and not compressed:
                raise InputError(f"{path.name}: not a gzip file: make the folder again")
            size = raw.seek(0, 2) or 1
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if compressed else raw
            while block := stream.read(BLOCK):
                yield block
                if watch:
                    watch(raw.tell() / size)
    except FileNotFoundError:
        raise InputError(f"{path.name}: no such file: make the folder again") from None
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(f"{path.name}: cut off or damaged ({error}): make the folder again") from None


def lines(path: Path, watch: Watch | None = None, *, ended: bool = True) -> Iterator[bytes]:
    """Yield the lines of a file (see `blocks`) without their line ends; `ended`: the last one must have one, too.

    Raises
    ------
    InputError
        As `blocks`; or the last line has no end, or a line is longer than 512 MiB.
    """
    pending: list[bytes] = []
    for block in blocks(path, watch):
        head, end, tail = block.partition(b"\n")
        pending.append(head)
        if not end:
            if len(pending) * BLOCK > LONGEST_LINE:
                raise InputError(f"{path.name}: a line is longer than {LONGEST_LINE >> 20} MiB: make the folder again")
            continue
        yield b"".join(pending)
        *complete, rest = tail.split(b"\n")
        yield from complete
        pending = [rest]
    if any(pending) and not ended:
        yield b"".join(pending)
    elif any(pending):
        raise InputError(f"{path.name}: the last line has no end, so the file is cut off: make the folder again")


def table(path: Path, header: str, watch: Watch | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """Yield line number (the header is line 1) and fields of each row of a tab-separated table.

    Parameters
    ----------
    path
        The file, plain or gzip.
    header
        The names of its columns with blanks between them, all and in their order.
    watch
        As in `blocks`.

    Raises
    ------
    InputError
        As `lines`; or the header differs, or a row has another number of columns.
    """
    names = header.encode().split()
    rows = lines(path, watch)
    if next(rows, b"").split(b"\t") != names:
        raise InputError(f"{path.name}, line 1: the header is not {header!r} with tabs between: make the folder again")
    for number, line in enumerate(rows, 2):
        fields = line.split(b"\t")
        if len(fields) != len(names):
            raise InputError(
                f"{path.name}, line {number}: {len(fields)} columns, not {len(names)}: make the folder again"
            )
        yield number, fields


def fastq(path: Path, watch: Watch | None = None) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield name (without the at sign), bases and qualities of each record of a FASTQ file.

    Raises
    ------
    InputError
        As `lines`; or a record is no FASTQ.
    """
    rows = lines(path, watch)
    for number, name in enumerate(rows):
        bases, plus, qualities = next(rows, None), next(rows, None), next(rows, None)
        if qualities is None:
            problem = "the last record has fewer than four lines"
        elif name[:1] != b"@":
            problem = "a record does not begin with @"
        elif plus != b"+":
            problem = "the third line of the record is not +"
        elif len(bases) != len(qualities):
            problem = f"{len(bases)} bases but {len(qualities)} qualities"
        else:
            yield name[1:], bases, qualities
            continue
        raise InputError(f"{path.name}, line {4 * number + 1}: {problem}: make the folder again")


def shown(text: bytes, longest: int = 60) -> str:
    """Return bytes of a file as text for a message: printable, and not longer than `longest` characters.

    Examples
    --------
    >>> shown(b"chr1\\x1b"), shown(b"ACGT" * 9, 6)
    ('chr1\\\\x1b', 'ACGTAC…')
    """
    cut = text[: longest + 1].decode("latin-1").encode("unicode_escape").decode()
    return cut if len(cut) <= longest else cut[:longest] + "…"
