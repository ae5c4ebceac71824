"""The files of a .tgz archive or a folder from strangers: names that stay inside, sizes and counts that are bounded."""

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from avatarlib.errors import InputError

ENDINGS = (".tgz", ".tar.gz")
ABOUT_PACKAGES = ("package.json", ".index.json", ".derived-index.json", "fhirpkg.lock.json")  # JSON, no resource


@dataclass(frozen=True)
class Limits:
    """What an archive or a folder may hold: bytes of one file, bytes of all (unpacked), and files."""

    file_bytes: int = 64 << 20
    total_bytes: int = 512 << 20
    files: int = 20_000


LIMITS = Limits()


def is_archive(path: Path) -> bool:
    """Return True where the name says that it is an archive.

    Examples
    --------
    >>> is_archive(Path("de.example-1.0.0.tgz")), is_archive(Path("bundle.json"))
    (True, False)
    """
    return path.name.endswith(ENDINGS)


def files(path: Path, wanted: Callable[[str], bool], limits: Limits = LIMITS) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files of an archive or a folder, one in memory at a time.

    Nothing is unpacked to the disk. Every member counts towards the limits, wanted or not.

    Parameters
    ----------
    path
        A gzipped tar archive (.tgz, .tar.gz) or a folder.
    wanted
        Says by its name (POSIX, relative) whether a file's content is wanted.
    limits
        Bounds; a file just as large is still read.

    Raises
    ------
    InputError
        It is neither, is damaged, is over a limit, names a file twice, or holds a link, a device or a name that leads
        out of it.
    """
    if path.is_dir():
        yield from _of_folder(path, wanted, limits)
    elif path.is_file() and is_archive(path):
        yield from _of_archive(path, wanted, limits)
    elif path.exists():
        raise InputError(f"{path} is neither a folder nor an archive in .tgz")
    else:
        raise InputError(f"{path} does not exist")


class _Bounded(io.RawIOBase):
    """A stream that gives no more than the limit of all files: what is skipped is unpacked too, and headers count."""

    def __init__(self, stream, path: Path, limits: Limits):
        self._stream, self._path, self._limits, self._given = stream, path, limits, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._given += len(data)
        if self._given > self._limits.total_bytes:
            raise InputError(f"{self._path} unpacks to more than {self._limits.total_bytes:,} bytes: not read further")
        return data


def _of_archive(path: Path, wanted: Callable[[str], bool], limits: Limits) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    try:
        with gzip.open(path) as plain, tarfile.open(fileobj=_Bounded(plain, path, limits), mode="r|") as archive:
            for member in archive:
                name = _inside(member.name, path)
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise InputError(f"{path}: {name} is a link or a device, which is not read")
                _count(seen, name, member.size, path, limits)
                if wanted(name):
                    yield name, archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{path} is damaged or not a gzipped tar archive ({reason})") from None


def _of_folder(path: Path, wanted: Callable[[str], bool], limits: Limits) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    total = 0
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in [*folders, *sorted(names)]:
            if (Path(folder) / name).is_symlink():
                raise InputError(f"{Path(folder) / name} is a link, which is not read")
        for file in (Path(folder) / name for name in sorted(names)):
            size = file.stat().st_size
            name = file.relative_to(path).as_posix()
            _count(seen, name, size, path, limits)
            total += size
            if total > limits.total_bytes:
                raise InputError(f"{path} holds more than {limits.total_bytes:,} bytes: not read further")
            if wanted(name):
                yield name, file.read_bytes()


def _count(seen: set[str], name: str, size: int, path: Path, limits: Limits) -> None:
    if name in seen:
        raise InputError(f"{path} holds {name} twice: which one counts can't be known")
    seen.add(name)
    if len(seen) > limits.files:
        raise InputError(f"{path} holds more than {limits.files:,} files: not read further")
    if size > limits.file_bytes:
        raise InputError(f"{path}: {name} is larger than {limits.file_bytes:,} bytes")


def _inside(name: str, path: Path) -> str:
    """Return a member's name without a leading "./"; one that leads out of the archive is an error."""
    parts = PurePosixPath(name).parts
    if not name or name.startswith("/") or ".." in parts or "\\" in name or ":" in name.split("/")[0] or "\0" in name:
        raise InputError(f"{path}: the member {name!r} leads out of the archive. Nothing of it is used")
    return "/".join(parts)
