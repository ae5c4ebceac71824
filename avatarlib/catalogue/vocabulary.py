"""The words that entries may name: scenarios, use cases, licences and codes of data use, from one file."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from avatarlib import manifests


@dataclass(frozen=True)
class Vocabulary:
    """What `data_manifests/catalogue.yml` says.

    Attributes
    ----------
    scenarios
        By identifier: title and clinical question.
    use_cases
        By identifier: title and what the use case needs of a source.
    licences
        By SPDX identifier: grade of the terms, and "yes" or "no" for redistribution, derivatives and commercial use.
    duo
        By code: label.
    """

    scenarios: dict[str, dict[str, str]]
    use_cases: dict[str, dict[str, str]]
    licences: dict[str, dict]
    duo: dict[str, dict[str, str]]


def vocabulary() -> Vocabulary:
    """Return the vocabulary of the project."""
    return _read(manifests.folder() / "catalogue.yml")


@cache
def _read(path: Path) -> Vocabulary:
    import yaml

    return Vocabulary(**yaml.safe_load(path.read_text(encoding="utf-8")))
