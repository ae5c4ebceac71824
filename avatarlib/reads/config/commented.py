"""A model of settings as commented YAML: one source for what is checked and what is explained."""

import textwrap
from typing import Any, Literal, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

COLUMN, WIDTH = 30, 120  # where comments start and lines end


def commented_yaml(model: type[BaseModel], head: str) -> str:
    """Return YAML with every key of a model of blocks.

    A key has its default, or the first of its `examples`; a comment has its choices or range and its description. A
    list of blocks is empty and has an example that is commented out.

    Parameters
    ----------
    head
        Comment at the top.

    Examples
    --------
    >>> from pydantic import Field
    >>> class Cake(BaseModel):
    ...     eggs: int = Field(3, ge=0, description="of hens")
    >>> print(commented_yaml(Cake, "A cake."))
    # A cake.
    eggs: 3                       # 0 or more; of hens
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in head.splitlines()]
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            lines += ["", f"# {field.description}", f"{name}:"]
            lines += _rows(inner, "  ")
        elif get_origin(inner) is tuple:
            rows = _rows(get_args(inner)[0], "    ")
            rows[0] = rows[0].replace("    ", "  - ", 1)
            lines += ["", f"# {field.description} For instance:", f"# {name}:", *(f"# {row}" for row in rows)]
            lines += [f"{name}: []"]
        else:
            lines += _row(name, field, "")
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel], indent: str) -> list[str]:
    return [row for name, field in model.model_fields.items() for row in _row(name, field, indent)]


def _row(name: str, field: FieldInfo, indent: str) -> list[str]:
    """Return a key's line, and more lines where the comment is long."""
    start = f"{indent}{name}: {_yaml(field.examples[0] if field.examples else field.default)}".ljust(COLUMN - 1)
    note = "; ".join(part for part in (_range(field), field.description) if part)
    first, *more = textwrap.wrap(note, WIDTH - COLUMN - 4, break_long_words=False, break_on_hyphens=False)
    return [f"{start} # {first}", *(" " * COLUMN + f"#   {line}" for line in more)]


def _range(field: FieldInfo) -> str:
    """Say what values are allowed."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is Literal:
            return " | ".join(get_args(kind))
    marks = [*field.metadata, *(mark for kind in get_args(field.annotation) for mark in getattr(kind, "metadata", ()))]
    low, above, high, below = (
        next((f"{getattr(mark, name):.15g}" for mark in marks if isinstance(mark, kind)), None)
        for kind, name in ((Ge, "ge"), (Gt, "gt"), (Le, "le"), (Lt, "lt"))
    )
    if low is not None and high is not None:
        return f"{low} to {high}"
    parts = [f"{low} or more"] if low is not None else [f"above {above}"] if above is not None else []
    parts += [f"at most {high}"] if high is not None else [f"below {below}"] if below is not None else []
    return ", ".join(parts)


def _yaml(value: Any) -> str:
    """Write a value as YAML on one line; floats so that YAML 1.1 and 1.2 read them as numbers."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6)
    return text.removesuffix("\n").removesuffix("...").rstrip()
