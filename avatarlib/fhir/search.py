"""Find elements in a metadata index by a question in German or English."""

import sqlite3
from dataclasses import dataclass
from functools import cache

from avatarlib.errors import InputError
from avatarlib.fhir import texts
from avatarlib.fhir.tables import read_table

QUERY_CHARACTERS = 500
SAME = 2  # how many rows of one element, in several profiles, a page shows
CANDIDATES = 400
PART_LETTERS = 4  # of the first part of a compound, at least; the second may have lost one with its ending
WEIGHTS = (6.0, 2.0, 4.0, 5.0, 1.5, 1.0)  # of the columns name, path, profile, text, elsewhere, more, for BM25
SYNONYM = 0.6  # weight of a word of the same meaning
COMMON = 0.1  # share of rows; a word of the same meaning that more of them have would tell nothing
PART = 0.5  # weight of a word found inside another one
DEPTH = 0.25  # how much less an element four steps down counts: 1 / (1 + DEPTH)
_BOILERPLATE = ("id", "extension", "modifierExtension", "system", "use", "version", "userSelected", "display")
# Words of a question that say nothing about what is looked for.
_EMPTY = frozenset(
    "der die das des dem den ein eine einer eines einem einen und oder von vom zu zur zum mit im in am an bei nach für "
    "ist wird wurde werden wie was wer wo welche welcher welches unter "
    "the a an of to in at on by for and or is was are be with from which what who whom how that not it".split()
)


@dataclass(frozen=True)
class Hit:
    """An element found: the row of the index as a dict by column, and its score (the higher, the better)."""

    row: dict
    score: float


def search(index: sqlite3.Connection, question: str, limit: int = 10, *, lexicon: bool = True) -> list[Hit]:
    """Return the elements that answer a question, best first.

    A question's words are folded and cut to stems; each finds itself and what the lexicon says it means in the other
    language. Columns weigh as `WEIGHTS` says; rows deep inside others and the format's own parts come later; of one
    element in several profiles at most `SAME` are shown.

    Parameters
    ----------
    index
        What `index.build` or `index.open_index` gives.
    question
        Words in German or English, at most 500 characters.
    limit
        How many rows, at least 1.
    lexicon
        Look for words of the same meaning too.

    Raises
    ------
    InputError
        The question holds no word or is too long, or the limit is below 1.
    """
    if len(question) > QUERY_CHARACTERS:
        raise InputError(f"the question has {len(question)} characters; {QUERY_CHARACTERS} are enough")
    if limit < 1:
        raise InputError(f"the limit is {limit}; it has to be 1 or more")
    wanted = terms(question, lexicon=lexicon)
    if not wanted:
        raise InputError(f"the question {question!r} holds no word to look for")
    scores = _scores(index, wanted, lexicon)
    return _page(index, scores, limit)


def terms(question: str, *, lexicon: bool = True) -> list[dict[str, float]]:
    """Return what a question asks for: for each of its words or known phrases, what may stand for it, with weights.

    Examples
    --------
    >>> [sorted(one) for one in terms("the ward")]
    [['statio', 'ward']]
    """
    stems = [texts.words(word) for word in question.split()]
    plain = [stem for group in stems for stem in group]
    out: list[dict[str, float]] = []
    known = meanings() if lexicon else {}
    at = 0
    while at < len(plain):
        length = next((n for n in range(_longest(), 0, -1) if " ".join(plain[at : at + n]) in known), 1)
        phrase = " ".join(plain[at : at + length])
        if length > 1 or (phrase not in empty_stems() and (len(phrase) > 1 or phrase.isdecimal())):
            out.append(dict.fromkeys(known.get(phrase, ()), SYNONYM) | {phrase: 1.0})
        at += length
    return out


@cache
def empty_stems() -> frozenset[str]:
    """Return the stems of words that say nothing about what is looked for."""
    return frozenset(stem for word in _EMPTY for stem in texts.words(word))


@cache
def meanings() -> dict[str, tuple[str, ...]]:
    """Return phrase -> all phrases that mean the same, as stems with a space between."""
    found: dict[str, dict[str, None]] = {}
    for group in read_table("lexicon.yml"):
        phrases = list(dict.fromkeys(" ".join(texts.words(phrase)) for phrase in group))
        for phrase in phrases:
            found.setdefault(phrase, {}).update(dict.fromkeys(phrases))
    return {phrase: tuple(others) for phrase, others in found.items()}


@cache
def _longest() -> int:
    return max(phrase.count(" ") + 1 for phrase in meanings())


def _scores(index: sqlite3.Connection, wanted: list[dict[str, float]], lexicon: bool) -> dict[int, float]:
    """Return row number -> score: for each thing wanted its best match, and less where some of them are missing."""
    total: dict[int, float] = {}
    matched: dict[int, int] = {}
    wanted = [part for alternatives in wanted for part in _parts(index, alternatives, lexicon)]
    for alternatives in wanted:
        best: dict[int, float] = {}
        for phrase, weight in alternatives.items():
            if weight < 1 and _rows_with(index, phrase) > COMMON * _rows(index):
                continue
            for row, score in _matches(index, phrase):
                if weight * score > best.get(row, 0.0):
                    best[row] = weight * score
        for row, score in best.items():
            total[row] = total.get(row, 0.0) + score
            matched[row] = matched.get(row, 0) + 1
    return {row: score * matched[row] / len(wanted) for row, score in total.items()}


def _parts(index: sqlite3.Connection, alternatives: dict[str, float], lexicon: bool) -> list[dict[str, float]]:
    """Return one wanted thing, or two where it is a compound that no row has and both its parts are known."""
    (word, *others) = alternatives
    if others or len(word) < 2 * PART_LETTERS or " " in word or _matches(index, word):
        return [alternatives]
    for at in range(len(word) - PART_LETTERS + 1, PART_LETTERS - 1, -1):
        for first in (word[:at], word[: at - 1] if word[at - 1] == "s" else word[:at]):
            parts = [terms(part, lexicon=lexicon) for part in (first, word[at:])]
            if all(len(part) == 1 and (len(part[0]) > 1 or _matches(index, next(iter(part[0])))) for part in parts):
                return [part[0] for part in parts]
    return [alternatives]


def _rows(index: sqlite3.Connection) -> int:
    return index.execute("SELECT max(rowid) FROM elements").fetchone()[0] or 0


def _rows_with(index: sqlite3.Connection, word: str) -> int:
    """Return in how many rows a word is; 0 for a phrase, of which it is not known beforehand."""
    found = index.execute("SELECT doc FROM vocabulary WHERE term = ?", (word,)).fetchone()
    return found[0] if found else 0


def _matches(index: sqlite3.Connection, phrase: str) -> list[tuple[int, float]]:
    weights = ", ".join(map(str, WEIGHTS))
    query = f"SELECT rowid, -bm25(words, {weights}) FROM words WHERE words MATCH ? ORDER BY 2 DESC LIMIT {CANDIDATES}"
    found = index.execute(query, (f'"{phrase}"',)).fetchall()
    if len(phrase) < 5 or " " in phrase or len(found) == CANDIDATES:
        return found
    inside = "SELECT rowid, -bm25(parts) FROM parts WHERE parts MATCH ? ORDER BY 2 DESC LIMIT ?"
    return found + [(row, PART * score) for row, score in index.execute(inside, (f'"{phrase}"', CANDIDATES))]


def _page(index: sqlite3.Connection, scores: dict[int, float], limit: int) -> list[Hit]:
    best = sorted(scores, key=lambda row: (-scores[row], row))[:CANDIDATES]
    marks = ", ".join("?" * len(best))
    cursor = index.execute(f"SELECT rowid AS number_in_index, * FROM elements WHERE rowid IN ({marks})", best)
    names = [column[0] for column in cursor.description]
    hits = []
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        steps = row["element"].split(".")
        score = scores[row.pop("number_in_index")] / (1 + DEPTH * (len(steps) - 1) / 4)
        hits.append(Hit(row, score * (0.5 if steps[-1] in _BOILERPLATE else 1.0)))
    shown: dict[str, int] = {}
    page = []
    for hit in sorted(hits, key=lambda hit: (-hit.score, hit.row["package"], hit.row["profile"], hit.row["number"])):
        seen = shown[hit.row["element"]] = shown.get(hit.row["element"], 0) + 1
        if seen <= SAME:
            page.append(hit)
    return page[:limit]
