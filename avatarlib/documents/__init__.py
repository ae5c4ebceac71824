"""Settings files: what they say and where, values replaced from the command line, errors with file, line and key."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from avatarlib.documents.yaml_text import Location, cut, parse, shown
from avatarlib.errors import InputError

LARGEST = 1_000_000  # bytes
MOST_SHOWN = 3  # errors in one line

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """What a file says, and where.

    Attributes
    ----------
    values
        Plain values, as `yaml_text.parse` gives them.
    places
        Of each key and list element by its location: the line, or the text that replaced it.
    """

    path: Path
    values: dict[str, Any]
    places: dict[Location, int | str]


def read(path: Path, advice: str) -> Document:
    """Read a YAML file whose top level holds keys.

    Parameters
    ----------
    advice
        What to do about an absent or empty file.

    Raises
    ------
    InputError
        The file can't be read, is empty, larger than 1 MB, no UTF-8 text, no YAML, or holds a key twice.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no valid path"
        raise InputError(f"{path}: can't be read ({reason}): {advice}") from None
    if len(data) > LARGEST:
        raise InputError(f"{path}: is larger than 1 MB, which no settings are: is it the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path}: is no text file (UTF-8): is it the right one?")
    values, lines, problems = parse(text, lambda line: f"{path}, line {line}")
    if values is None and not problems:
        raise InputError(f"{path}: is empty: {advice}")
    document = Document(path, values, lines)
    if problems:
        raise failure(document, problems)
    if not isinstance(values, dict):
        line = lines.get(("0",), 1)
        raise InputError(f"{path}, line {line}: must hold keys (key: value), not {shown(values)}: {advice}")
    return document


def override(document: Document, texts: Iterable[str]) -> Document:
    """Return the document with values replaced by texts like `errors.seed=4`; the value is YAML, the last one counts.

    A number in the dotted key counts list elements from 0.

    Raises
    ------
    InputError
        A text without `=`, a value that is no YAML, a key inside something that holds no keys.
    """
    for text in texts:
        place = f"--set {cut(text, 80)}"
        key, sign, value = text.partition("=")
        location: Location = tuple(key.strip().split("."))
        if not sign or "" in location:
            raise InputError(f"{place}: write KEY=VALUE, such as errors.seed=4")
        new, _, problems = parse(value, lambda _, place=place: place, location)
        kept = {where: at for where, at in document.places.items() if where[: len(location)] != location}
        added = {location[:n]: place for n in range(1, len(location)) if location[:n] not in kept} | {location: place}
        try:
            document = Document(document.path, _put(document.values, location, new), kept | added)
        except KeyError as error:
            raise InputError(f"{place}: {error.args[0]}") from None
        if problems:
            raise failure(document, problems)
    return document


def anchored(
    document: Document, path_type: Callable[[Location, str], type | None]
) -> tuple[Document, list[tuple[Location, Path]]]:
    """Return the document with the paths in it starting from its folder, and these with their locations.

    Parameters
    ----------
    path_type
        Of a location and the text there: Path or str where it is the path of a file to be held so, else None.
    """
    found = []

    def walk(value: Any, location: Location) -> Any:
        if isinstance(value, dict):
            return {key: walk(part, (*location, key)) for key, part in value.items()}
        if isinstance(value, tuple):
            return tuple(walk(part, (*location, str(n))) for n, part in enumerate(value))
        if isinstance(value, str) and (kind := path_type(location, value)):
            path = document.path.parent / value
            found.append((location, path))
            return kind(path)
        return value

    return replace(document, values=walk(document.values, ())), found


def check(document: Document, model: type[Model]) -> Model:
    """Return the document as a pydantic model, types taken strictly.

    Raises
    ------
    InputError
        One line with the first three of all that is wrong.
    """
    try:
        return model.model_validate(document.values, strict=True)
    except ValidationError as error:
        problems = [_problem(found, model) for found in error.errors(include_url=False)]
    raise failure(document, problems)


def failure(document: Document, problems: list[tuple[Location, str]]) -> InputError:
    """Return the error that tells of problems, each a location and what is wrong there.

    The line is that of the first key that the text names, else of the location, else of what would hold it.
    """
    found = [(_place(document, location, text), location, text) for location, text in problems]
    found.sort(key=lambda row: row[0] if isinstance(row[0], int) else 0)
    parts, named = [], False
    for place, location, text in found[:MOST_SHOWN]:
        dotted = cut(".".join(location), 80)
        what = f"{dotted}: {text}" if dotted else text
        if isinstance(place, int):
            place = f"line {place}" if named else f"{document.path}, line {place}"
            named = True
        parts.append(f"{place}: {what}")
    if len(found) > MOST_SHOWN:
        parts.append(f"and {len(found) - MOST_SHOWN} more")
    return InputError("; ".join(parts))


def _put(holder: Any, location: Location, value: Any, done: Location = ()) -> Any:
    """Return a copy of `holder` with `value` at a location; KeyError where nothing can be put."""
    if not location:
        return value
    head, rest, name = location[0], location[1:], ".".join(done)
    if isinstance(holder, tuple):
        if head not in map(str, range(len(holder))):
            raise KeyError(f"{name} is a list of {len(holder)}, counted from 0: set one of them, or all")
        n = int(head)
        return (*holder[:n], _put(holder[n], rest, value, (*done, head)), *holder[n + 1 :])
    if not isinstance(holder, dict | None):
        raise KeyError(f"{name} holds no keys")
    return (holder or {}) | {head: _put((holder or {}).get(head), rest, value, (*done, head))}


def _place(document: Document, location: Location, text: str) -> int | str:
    for word in re.findall(r"[\w.]+", text):
        if (*location, *word.split(".")) in document.places:
            return document.places[(*location, *word.split("."))]
    for n in range(len(location), 0, -1):
        if location[:n] in document.places:
            return document.places[location[:n]]
    return 1


_TEXTS = {
    "missing": "is missing: add it",
    "bool_type": "must be true or false, not {input}",
    "int_type": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "string_type": "must be text, not {input}: numbers and true or false need quotes",
    "model_type": "must hold keys (key: value), not {input}",
    "dict_type": "must hold keys (key: value), not {input}",
    "tuple_type": "must be a list, not {input}",
    "is_instance_of": "must be the path of a file, not {input}",
    "literal_error": "must be {expected}, not {input}",
    "greater_than_equal": "must be at least {ge}, not {input}",
    "greater_than": "must be above {gt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "less_than": "must be below {lt}, not {input}",
    "string_too_short": "must not be empty",
    "value_error": "{error}",
}


def _problem(found: dict, model: type[BaseModel]) -> tuple[Location, str]:
    """Say in our words what pydantic found."""
    location = tuple(str(part) for part in found["loc"] if part != "[key]")
    if found["type"] == "extra_forbidden":
        known = _keys(model, location[:-1])
        near = difflib.get_close_matches(location[-1], known, 1)
        return location, f"unknown key: {f'did you mean {near[0]}?' if near else 'there are ' + ', '.join(known)}"
    text = _TEXTS.get(found["type"])
    bounds = {name: f"{x:.15g}" if isinstance(x, float) else x for name, x in found.get("ctx", {}).items()}
    values = bounds | {"input": shown(found["input"])}
    return location, text.format(**values) if text else found["msg"]


def _keys(model: type[BaseModel] | None, location: Location) -> list[str]:
    """Return the keys that the model knows at a location."""
    for part in location:
        if model is not None and not part.isdecimal():
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation) if part in fields else None
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def _model_in(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for part in get_args(kind) if (found := _model_in(part))), None)
