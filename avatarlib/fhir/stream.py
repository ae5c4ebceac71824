"""JSON from strangers: one document with its errors named, and the resources of files of any size, one at a time."""

import codecs
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatarlib.errors import InputError
from avatarlib.fhir import archive

CHUNK = 1 << 20
RESOURCE_BYTES = 32 << 20  # one resource in memory, in characters of its JSON text
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _constant(name: str):
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_constant)


@dataclass(frozen=True)
class Found:
    """A resource and where it was: the file, the place in it ("entry[3].resource", "line 7", "" for all of it).

    `full_url` is what the entry of a Bundle is called by in references, "" where it is called by nothing.
    """

    file: str
    place: str
    resource: dict
    full_url: str = ""

    @property
    def where(self) -> str:
        """File and place as one text for messages."""
        return f"{self.file}: {self.place}" if self.place else self.file


def parse(data: bytes, where: str) -> dict:
    """Return the JSON object in `data`.

    Raises
    ------
    InputError
        It is not UTF-8, not JSON, nested too deeply, not an object, or holds half a character (a lone surrogate).

    Examples
    --------
    >>> parse(b'{"resourceType": "Patient"}', "p.json")
    {'resourceType': 'Patient'}
    """
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {_reason(error)}") from None
    return _object(value, text, where)


def read_resources(path: Path) -> Iterator[Found]:
    """Yield the resources of a file or of all files of an archive or a folder.

    A Bundle gives its entries' resources, one at a time and never the whole: memory stays bounded for a file of any
    size. Taken are .json (a resource or a Bundle) and .ndjson (one resource a line); other files are passed over.

    Parameters
    ----------
    path
        A .json or .ndjson file, a .tgz archive or a folder.

    Raises
    ------
    InputError
        A file is not such JSON (named with the place in it), one resource is over 32 Mi characters, or `archive.files`
        refuses the archive or folder.
    """
    path = Path(path)
    if path.is_dir() or archive.is_archive(path):
        for name, data in archive.files(path, _holds_resources):
            read = _lines if name.endswith(".ndjson") else _document
            yield from read(io.BytesIO(data), f"{path}: {name}")
    elif not path.is_file():
        raise InputError(f"{path} does not exist")
    elif path.suffix == ".ndjson":
        with open(path, "rb") as file:
            yield from _lines(file, str(path))
    elif path.suffix == ".json":
        with open(path, "rb") as file:
            yield from _document(file, str(path))
    else:
        raise InputError(f"{path}: wanted .json, .ndjson, .tgz or a folder of these")


def _holds_resources(name: str) -> bool:
    return name.endswith((".json", ".ndjson")) and name.rpartition("/")[2] not in archive.ABOUT_PACKAGES


def _entries(bundle: dict, where: str) -> Iterator[Found]:
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise InputError(f"{where}: Bundle.entry is not a list")
    for number, entry in enumerate(entries):
        yield from _entry(entry, number, where)


def _entry(entry, number: int, where: str) -> Iterator[Found]:
    if not isinstance(entry, dict):
        raise InputError(f"{where}: entry[{number}] is not an object")
    if "resource" in entry:
        place = f"entry[{number}].resource"
        full_url = entry.get("fullUrl")
        resource = _typed(entry["resource"], f"{where}: {place}")
        yield Found(where, place, resource, full_url if isinstance(full_url, str) else "")


def _lines(file: BinaryIO, name: str) -> Iterator[Found]:
    number = 0
    while line := file.readline(RESOURCE_BYTES + 1):
        number += 1
        where = f"{name}: line {number}"
        if len(line) > RESOURCE_BYTES:
            raise InputError(f"{where} is longer than {RESOURCE_BYTES:,} bytes")
        if line.strip():
            yield Found(name, f"line {number}", _typed(parse(line, where), where))


class _Text:
    """A window over a JSON text: decodes values one after another and forgets what lies before them."""

    def __init__(self, file: BinaryIO, where: str):
        self.where, self._file = where, file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text, self._at, self._before, self._ended = "", 0, 0, False

    def _more(self) -> bool:
        """Read on, twice as much as is waiting, so that a long value costs time in proportion to its length."""
        if self._ended:
            return False
        rest = self._text[self._at :]
        if len(rest) > RESOURCE_BYTES:
            raise self.wrong(f"a value is longer than {RESOURCE_BYTES:,} characters")
        data = self._file.read(max(CHUNK, len(rest)))
        try:
            fresh = self._decode(data, not data)
        except UnicodeDecodeError as error:
            raise self.wrong(_reason(error)) from None
        self._before, self._text, self._at, self._ended = self._before + self._at, rest + fresh, 0, not data
        return True

    def peek(self) -> str:
        """Return the next character that is no white space, or "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, wanted: str) -> None:
        """Go past one character, which has to be `wanted`."""
        if self.peek() != wanted:
            raise self.wrong(f"wanted {wanted!r}, found {repr(self.peek()) if self.peek() else 'the end'}")
        self._at += 1

    def value(self):
        """Decode the next value whole."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():  # a number may go on
                    break
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or not self._more():
                    raise self.wrong(_reason(error, placed=False)) from None
        if _SURROGATE.search(self._text, self._at, end):
            _whole_characters(value, self.where)
        self._at = end
        return value

    def wrong(self, what: str) -> InputError:
        return InputError(f"{self.where} is not JSON: {what} (near character {self._before + self._at:,})")


def _document(file: BinaryIO, where: str) -> Iterator[Found]:
    """Yield the resource of a JSON file, or the resources of a Bundle's entries as they go by."""
    text, plain, streamed = _Text(file, where), {}, False
    text.take("{")
    while text.peek() != "}":
        if plain or streamed:
            text.take(",")
        if text.peek() != '"':
            raise text.wrong("wanted a name in quotation marks")
        name = text.value()
        text.take(":")
        bundle = plain.get("resourceType") == "Bundle"
        if name == "entry" and bundle and text.peek() == "[":
            streamed = True
            yield from _streamed(text, where)
        else:
            plain[name] = text.value()
    text.take("}")
    if text.peek():
        raise text.wrong("something follows after its end")
    if _typed(plain, where)["resourceType"] != "Bundle":
        yield Found(where, "", plain)
    elif not streamed:  # "entry" stood before "resourceType"
        yield from _entries(plain, where)


def _streamed(text: _Text, where: str) -> Iterator[Found]:
    text.take("[")
    number = 0
    while text.peek() != "]":
        if number:
            text.take(",")
        yield from _entry(text.value(), number, where)
        number += 1
    text.take("]")


def _object(value, text: str, where: str) -> dict:
    if not isinstance(value, dict):
        raise InputError(f"{where}: wanted a JSON object, found {type(value).__name__}")
    if _SURROGATE.search(text):
        _whole_characters(value, where)
    return value


def _whole_characters(value, where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(f"{where} holds half a character (a lone surrogate such as \\ud800)") from None


def _typed(resource, where: str) -> dict:
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise InputError(f"{where} is no FHIR resource: it has no resourceType")
    return resource


def _reason(error: Exception, placed: bool = True) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} in line {error.lineno}, column {error.colno}" if placed else error.msg
    return str(error).splitlines()[0]
