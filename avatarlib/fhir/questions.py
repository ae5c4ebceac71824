"""How well the search answers written questions: the share that it answers among its first rows."""

import re
import sqlite3
import time
from dataclasses import dataclass

from avatarlib.fhir.search import search
from avatarlib.fhir.tables import read_table


@dataclass(frozen=True)
class Answer:
    """A written question, the rank of the first row that answers it (None: none on the page), and the seconds taken.

    `check` marks the half of the questions at which nobody looked while the ranking was tuned.
    """

    ask: str
    language: str
    check: bool
    rank: int | None
    seconds: float


def answers(index: sqlite3.Connection, name: str, limit: int = 10, *, lexicon: bool = True) -> list[Answer]:
    """Put the questions written for the packages of that name to an index.

    Parameters
    ----------
    index
        What `index.build` gives.
    name
        A list of `questions.yml`: "fhir_packages"; "later", "fresh", "last" (for these packages too); "embedded".
    limit, lexicon
        As `search` takes them.
    """
    out = []
    for question in read_table("questions.yml")[name]:
        patterns = [pattern(text) for text in question["hits"]]
        begin = time.perf_counter()
        page = search(index, question["ask"], limit, lexicon=lexicon)
        seconds = time.perf_counter() - begin
        found = [f"{hit.row['profile']}/{hit.row['element']}" for hit in page]
        ranks = [rank for rank, text in enumerate(found, 1) if any(pattern.fullmatch(text) for pattern in patterns)]
        out.append(
            Answer(
                question["ask"], question["language"], question.get("check", False), min(ranks, default=None), seconds
            )
        )
    return out


def pattern(text: str) -> re.Pattern:
    """Return "a*b" as a pattern; only * is special, [x] is not."""
    return re.compile(".*".join(map(re.escape, text.split("*"))))
