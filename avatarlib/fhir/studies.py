"""Study records in NFDI4Health's fields: annotated with the elements of an index that they speak of."""

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from avatarlib.errors import InputError
from avatarlib.fhir.search import empty_stems, meanings
from avatarlib.fhir.tables import read_table
from avatarlib.fhir.texts import words

WORDS = 4  # of a phrase that stands for an element, at most
LETTERS = 4  # of a single word that stands for the elements of one profile whose phrases have it, at least
SHARED = 4  # elements that one phrase may stand for ("which eye" is asked in several profiles)
_PIECES = re.compile(r"[:,;()/]|\b(?:oder|und|or|and)\b")
_SENTENCES = re.compile(r"[.!?;]\s*")
# Left out of what is read: who did it, when, where, and what is a code.
_UNREAD = (
    "identifier",
    "acronyms",
    "countries",
    "language",
    "primaryDesign",
    "ageMin",
    "ageMax",
    "targetSampleSize",
    "id",
)
_NEGATIONS = frozenset(
    stem for word in "nicht kein keine keiner keinen ohne no not without nothing none".split() for stem in words(word)
)


@dataclass(frozen=True)
class Study:
    """A study record: its identifier, its texts (a sentence or keyword each), and the labels that a person gave it."""

    identifier: str
    texts: tuple[str, ...]
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Agreement:
    """How far annotations agree with labels: how many are in both, in the annotations alone, in the labels alone."""

    both: int
    annotated: int
    labelled: int

    @property
    def precision(self) -> float:
        """Share of the annotations that are labelled."""
        return self.both / (self.both + self.annotated)

    @property
    def recall(self) -> float:
        """Share of the labels that are annotated."""
        return self.both / (self.both + self.labelled)


def labelled_studies() -> list[Study]:
    """Return the synthetic study records with their labels as elements, PROFILE/ELEMENT."""
    table = read_table("studies.yml")
    terms = table["terms"]
    return [study(record, frozenset(terms[label] for label in record["labels"])) for record in table["studies"]]


def study(record: dict, labels: frozenset[str] = frozenset()) -> Study:
    """Return a study record from nested fields, a hub's or those of `studies.yml`.

    Raises
    ------
    InputError
        It has no identifier.
    """
    inner = record.get("resource", record) if isinstance(record, dict) else {}
    identifier = record.get("id") or inner.get("resource_identifier") if isinstance(inner, dict) else None
    if not isinstance(identifier, str):
        raise InputError("a study record has neither id nor resource.resource_identifier")
    kept = {key: value for key, value in inner.items() if key != "labels"}
    sentences = [part.strip() for text in _leaves(kept) for part in _SENTENCES.split(text)]
    return Study(identifier, tuple(dict.fromkeys(part for part in sentences if part)), labels)


def _leaves(value) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict):
        for key, part in value.items():
            if not key.rpartition("_")[2].startswith(_UNREAD) and key not in _UNREAD:
                yield from _leaves(part)


def vocabulary(index: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """Return phrase (stems with a space between) -> the elements that it stands for, from an index alone.

    Elements are what a profile of a resource is about (its first) and its must-support elements with content about a
    person. Phrases are the parts of their short texts and titles, the texts of the codes that they take, what the
    lexicon says means the same, and single words that no other element's phrases have.
    """
    query = """SELECT elements.profile || '/' || element, number, text_de, text_en, title, value_set
        FROM elements JOIN profiles ON profiles.url = elements.url AND profiles.package = elements.package
        WHERE elements.kind = 'resource' AND maximum != '0' AND types NOT LIKE '%Reference%' AND (number = 0 OR
        (must_support AND element NOT LIKE '%.%.%' AND (identifying IN ('quasi', 'sensitive') OR slice != '')))"""
    found: dict[str, set[str]] = {}
    first: dict[str, str] = {}
    for term, number, german, english, title, value_set in index.execute(query).fetchall():
        if number == 0:
            first[term.partition("/")[0]] = term
        texts = [german, english, title if number == 0 else ""]
        url = value_set.partition("|")[0]
        texts += [row[0] for row in index.execute("SELECT text FROM displays WHERE value_set = ?", (url,))]
        for phrase in {_phrase(piece) for text in texts for piece in _PIECES.split(text)} - {""}:
            found.setdefault(phrase, set()).add(term)
    found = _single_words(found) | found
    out: dict[str, set[str]] = {}
    for phrase, terms in found.items():
        for same in (phrase, *(_told(other.split()) for other in meanings().get(phrase, ()))):
            out.setdefault(same, set()).update(terms)
    return {phrase: frozenset(_without_parts(terms, first)) for phrase, terms in out.items() if len(terms) <= SHARED}


def _without_parts(terms: set[str], first: dict[str, str]) -> set[str]:
    """Return what a phrase stands for: a profile where both it and elements of it are called so, else the elements."""
    return {term for term in terms if first.get(term.partition("/")[0], term) not in terms - {term}}


def _phrase(text: str) -> str:
    stems = _told(words(text))
    return stems if stems.count(" ") < WORDS else ""


def _told(stems: Iterable[str]) -> str:
    return " ".join(stem for stem in stems if stem not in empty_stems())


def _single_words(phrases: dict[str, set[str]]) -> dict[str, set[str]]:
    owners: dict[str, set[str]] = {}
    for phrase, terms in phrases.items():
        for stem in phrase.split():
            owners.setdefault(stem, set()).update(terms)
    return {stem: terms for stem, terms in owners.items() if len(terms) <= SHARED and len(stem) >= LETTERS}


def annotate(study: Study, vocabulary: dict[str, frozenset[str]]) -> dict[str, str]:
    """Return the elements that a study record speaks of, each with the phrase by which it was found.

    A sentence that denies something ("Bilder werden nicht gemacht") gives nothing.
    """
    found: dict[str, str] = {}
    for sentence in study.texts:
        stems = words(sentence)
        if _NEGATIONS & set(stems):
            continue
        told = _told(stems).split()
        for at in range(len(told)):
            for length in range(1, WORDS + 1):
                phrase = " ".join(told[at : at + length])
                for term in vocabulary.get(phrase, ()):
                    found.setdefault(term, phrase)
    return found


def agreement(studies: Iterable[Study], vocabulary: dict[str, frozenset[str]], terms: frozenset[str]) -> Agreement:
    """Return how far annotation and labels agree over all studies, for the elements that labels were given for."""
    both = annotated = labelled = 0
    for one in studies:
        found = frozenset(annotate(one, vocabulary)) & terms
        both += len(found & one.labels)
        annotated += len(found - one.labels)
        labelled += len(one.labels - found)
    return Agreement(both, annotated, labelled)
