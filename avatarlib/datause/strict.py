"""JSON from strangers as strict records: unknown keys, wrong types and hostile texts end in one clear line."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from avatarlib.consent.dates import quoted
from avatarlib.errors import InputError

MOST_SHOWN = 3  # errors in one line
Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A block of JSON: no unknown keys, types as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def checked(model: type[Model], value: Mapping, where: str) -> Model:
    """Return JSON as a model.

    Raises
    ------
    InputError
        One line with the first three of all that is wrong, each with its key.
    """
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: must hold keys, not {quoted(value)}")
    try:
        return model.model_validate(_frozen(value))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # A list whose elements are wrong is not also too short.
    within = {found["loc"][:n] for found in errors for n in range(len(found["loc"]))}
    problems = [_problem(found) for found in errors if found["loc"] not in within]
    more = f"; and {len(problems) - MOST_SHOWN} more" if len(problems) > MOST_SHOWN else ""
    raise InputError(f"{where}: " + "; ".join(problems[:MOST_SHOWN]) + more)


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, which strict models want."""
    if isinstance(value, Mapping):
        return {key: _frozen(part) for key, part in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _problem(found: dict) -> str:
    kinds = ("age", "sex", "diagnosis", "measurement", "image")  # pydantic names the branch it took
    parts = [quoted(part)[1:-1] if isinstance(part, str) else str(part) for part in found["loc"] if part not in kinds]
    given = quoted(list(found["input"]) if isinstance(found["input"], tuple) else found["input"])
    text = {
        "missing": "is missing: add it",
        "extra_forbidden": "unknown key: remove it",
        "tuple_type": f"must be a list, not {given}",
        "string_type": f"must be text, not {given}",
        "bool_type": f"must be true or false, not {given}",
        "string_pattern_mismatch": f"{given} is not written as it must be",
        "literal_error": f"must be {found.get('ctx', {}).get('expected')}, not {given}",
        "union_tag_invalid": f"kind must be one of {', '.join(kinds)}",
        "union_tag_not_found": f"kind is missing: one of {', '.join(kinds)}",
        "model_type": f"must hold keys, not {given}",
    }.get(found["type"], re.sub(r"^Value error, ", "", found["msg"]))
    return f"{'.'.join(parts)}: {text}" if parts else text
