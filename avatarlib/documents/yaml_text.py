"""YAML from strangers to plain values, with the line of every key: small, shallow, finite, without aliases or tags."""

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from avatarlib.errors import InputError

MOST_VALUES, DEEPEST, LONGEST_NUMBER = 100_000, 20, 40

Location = tuple[str, ...]  # of a value: its keys from the top; an element of a list has its number, from "0"


def parse(
    text: str, where: Callable[[int], str], top: Location = ()
) -> tuple[Any, dict[Location, int], list[tuple[Location, str]]]:
    """Turn a YAML text into plain values.

    Numbers and words are those of YAML 1.2: `1e-8` is a number, `no` is text. Aliases are refused, so that a small
    text can't unfold to a large one.

    Parameters
    ----------
    where
        Names the place, for an error, that a line has (from 1).
    top
        Location of the whole.

    Returns
    -------
    Dicts with text keys, tuples, text, bool, int, finite float or None; the line of each key and element by its
    location; what is wrong in single values, each with its location.

    Raises
    ------
    InputError
        The text is no YAML.

    Examples
    --------
    >>> parse("a: {b: 1e-8}", str)
    ({'a': {'b': 1e-08}}, {('a',): 1, ('a', 'b'): 1}, [])
    """
    lines: dict[Location, int] = {}
    problems: list[tuple[Location, str]] = []
    node = _compose(text, where)
    return None if node is None else _value(node, top, lines, problems), lines, problems


def shown(value: Any) -> str:
    """Name a stranger's value in an error, on one short line.

    Examples
    --------
    >>> shown(None), shown(True), shown("x"), shown({})
    ('null', 'true', "'x'", 'keys')
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | tuple):
        return "keys" if isinstance(value, dict) else "a list"
    return cut(repr(value if isinstance(value, str | int | float) else str(value)), 40)


def cut(text: str, longest: int) -> str:
    """Keep a stranger's text short and on one line.

    Examples
    --------
    >>> cut("a long name", 7)
    'a long…'
    """
    text = "".join(sign if sign.isprintable() else "?" for sign in text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, without aliases, of limited size and depth."""

    yaml_implicit_resolvers: dict = {}
    values = depth = 0

    def compose_node(self, parent, index):
        mark = self.peek_event().start_mark
        self.values += 1
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        if self.values > MOST_VALUES or self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem="too many values, or too deeply nested", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_pattern})\\Z"), _first)


def _compose(text: str, where: Callable[[int], str]) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        # Of a bracket or quote that is never closed, the line where it was opened.
        unclosed = error.context_mark is not None and "stream" in (error.problem or "")
        mark = error.context_mark if unclosed else error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        lines = text.splitlines()
        start = lines[line - 1] if line <= len(lines) else ""
        tab = "\t" in start[: len(start) - len(start.lstrip())]
        problem = " ".join(part for part in (error.context, error.problem) if part)
        reason = "a tab can't indent: use spaces" if tab else f"no valid YAML: {problem}"
    except yaml.reader.ReaderError as error:
        line, reason = text.count("\n", 0, error.position) + 1, "a control character: is it a text file?"
    raise InputError(f"{where(line)}: {cut(reason, 200)}")


def _value(node: yaml.Node, location: Location, lines: dict, problems: list) -> Any:
    """Turn a node into plain values, noting the lines of keys and what is wrong."""
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        lines |= {(*location, str(n)): part.start_mark.line + 1 for n, part in enumerate(node.value)}
        return tuple(_value(part, (*location, str(n)), lines, problems) for n, part in enumerate(node.value))
    if isinstance(node, yaml.MappingNode) and kind == "map":
        out = {}
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                lines[(*location, "?")] = key.start_mark.line + 1
                problems.append(((*location, "?"), "a key must be plain text"))
                continue
            inside, first = (*location, key.value), lines.get((*location, key.value))
            lines[inside] = key.start_mark.line + 1
            if first is None:
                out[key.value] = _value(part, inside, lines, problems)
            else:
                problems.append((inside, f"the key is there twice, first in line {first}: delete one"))
        return out
    try:
        return _scalar(kind, node.value)
    except ValueError as error:
        problems.append((location, str(error)))
        return None


def _scalar(kind: str, text: Any) -> Any:
    allowed = kind in ("null", "str", "bool", "int", "float") and isinstance(text, str)
    if not allowed or (kind == "bool" and text.lower() not in ("true", "false")):
        raise ValueError(f"the tag !{cut(kind, 40)} is not allowed here: write the plain value")
    if kind in ("null", "str"):
        return None if kind == "null" else text
    if kind == "bool":
        return text.lower() == "true"
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"a number has at most {LONGEST_NUMBER} characters, not {shown(text)}")
    plain = text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan")
    number = int(plain) if kind == "int" else float(plain)
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, not {text}")
    return number
