"""Files of strangers, plain or gzip: what is wrong with them becomes one line."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from avatarlib.errors import InputError


@contextmanager
def opened(path: Path, advice: str) -> Iterator[BinaryIO]:
    """Open a file for reading; gzip and bgzip, known by their first bytes, are unpacked.

    Parameters
    ----------
    advice
        What to do where the file can't be read, for the message.

    Raises
    ------
    InputError
        The file can't be read, is cut off or damaged, when it is opened or while it is read.

    Examples
    --------
    >>> with opened(Path("no such file"), "check the path"):
    ...     pass
    Traceback (most recent call last):
        ...
    avatarlib.errors.InputError: no such file: can't be read (No such file or directory): check the path
    """
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with (gzip.open if packed else open)(path, "rb") as file:
            yield file
    except EOFError:
        raise InputError(f"{path}: the gzip file is cut off: get it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged ({error}): get it again") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error}): {advice}") from None
