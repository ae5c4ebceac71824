"""An exercise with a checked answer: which elements does a question need, and no more?"""

import sqlite3
from collections.abc import Iterable

from avatarlib.errors import InputError
from avatarlib.fhir.questions import pattern
from avatarlib.fhir.tables import read_table


def task(name: str) -> dict:
    """Return the exercise for the packages of that name: `question`, `needed` (what -> patterns), `solution`.

    Raises
    ------
    InputError
        There is none.
    """
    table = read_table("exercise.yml")
    if name not in table:
        raise InputError(f"there is no exercise for {name!r}; there is one for {', '.join(table)}")
    return table[name]


def remarks(index: sqlite3.Connection, answer: Iterable[str], name: str) -> list[str]:
    """Return what is wrong with an answer to the exercise, one line a remark; none where it is right.

    Right is an answer that has something for everything that the question needs, names only elements of the index, no
    directly identifying one, and nothing that answers no need.

    Parameters
    ----------
    index
        Of the packages of that name.
    answer
        Elements as PROFILE/ELEMENT.
    name
        As `task` takes it.
    """
    needed = {what: [pattern(text) for text in texts] for what, texts in task(name)["needed"].items()}
    given = list(dict.fromkeys(answer))
    groups = _groups(index)
    out = [f"{one} is not in the index: look at its spelling" for one in given if one not in groups]
    known = [one for one in given if one in groups]
    out += [
        f"{one} identifies directly: {groups[one][1]}. The question does not need it"
        for one in known
        if groups[one][0] == "direct"
    ]

    def serves(one: str, what: str) -> bool:
        return any(one_pattern.fullmatch(one) for one_pattern in needed[what])

    out += [f"nothing gives {what}" for what in needed if not any(serves(one, what) for one in known)]
    idle = [one for one in known if groups[one][0] != "direct" and not any(serves(one, what) for what in needed)]
    return out + [f"{one} answers no need of the question: leave it where it is" for one in idle]


def _groups(index: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    rows = index.execute("SELECT profile || '/' || element, identifying, reason FROM elements")
    return {name: (group, reason) for name, group, reason in rows}
