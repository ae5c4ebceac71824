"""Pseudonyms bound to a purpose: without the key nobody gets from one project's to another's, or back."""

import hmac
import os
import stat
from hashlib import sha256
from pathlib import Path

from avatarlib.errors import InputError

SHORTEST, LONGEST = 32, 4096  # bytes of a key
HOW = "make one: (umask 077; head -c 32 /dev/urandom > FILE)"


def read_key(path: Path, apart_from: Path) -> bytes:
    """Return the secret key of a file.

    Parameters
    ----------
    apart_from
        The export's folder: the key may not lie in it.

    Raises
    ------
    InputError
        The file can't be read, holds fewer than 32 bytes, may be read by others, or lies inside the export.
    """
    if path.resolve().is_relative_to(apart_from.resolve()):
        raise InputError(f"{path}: the key would lie within the export. Keep it elsewhere")
    try:
        with open(path, "rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: the key can't be read ({error.strerror}); {HOW}") from None
    if not SHORTEST <= len(key) <= LONGEST or len(set(key)) < 8:
        raise InputError(f"{path} is no key: it needs {SHORTEST} to {LONGEST} random bytes; {HOW}")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(f"{path}: others may read the key. Take that away: chmod 600 {path}")
    return key


class Pseudonyms:
    """The pseudonyms of one purpose: equal input, equal pseudonym; another purpose or key, another one.

    HMAC-SHA-256 with a key derived from the secret one for this purpose; 128 bits are shown.
    """

    def __init__(self, key: bytes, purpose: str):
        self._key = hmac.digest(key, b"purpose\0" + purpose.encode(), sha256)

    def of(self, kind: str, id: str) -> str:
        """Return the pseudonym of a thing: 32 hexadecimal digits.

        Examples
        --------
        >>> one, other = Pseudonyms(b"k" * 32, "a"), Pseudonyms(b"k" * 32, "b")
        >>> one.of("Patient", "17") == one.of("Patient", "17"), one.of("Patient", "17") == other.of("Patient", "17")
        (True, False)
        """
        return self._digest("pseudonym", kind, id).hex()[:32]

    def shift(self, person: str, most: int) -> int:
        """Return the days by which a person's dates move: -most to most, never 0, the same for all of them."""
        number = int.from_bytes(self._digest("shift", person)[:8], "big") % (2 * most)
        return number - most if number < most else number - most + 1

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts), sha256)
