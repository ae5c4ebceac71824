"""Short texts of definitions in German and English, and words as the search compares them."""

import re
import unicodedata
from functools import cache

from avatarlib.fhir.tables import read_table

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])|(?<=[A-ZÄÖÜ])(?=[A-ZÄÖÜ][a-zäöüß])")
_ENDINGS = ("ungen", "ation", "ing", "ung", "ies", "ern", "en", "er", "es", "em", "ed", "te", "e", "n", "s", "t", "y")
_GERMAN_SHAPE = re.compile(
    r"[äöüß]|(?:ung|keit|heit|schaft|ierung|nummer|datum|grund|gang|zeitpunkt|zeitraum|stelle|bezug|zusatz|daten)(?:en|s)?\b"
    r"|(?:lich|isch)(?:e[rsnm]?)?\b|\bpatienten|\bdiagnosen?\b"
)


def fold(text: str) -> str:
    """Return a text in small letters with ä, ae and a alike (and ö, ü), ß as ss, and accents dropped.

    Examples
    --------
    >>> fold("Körperstelle") == fold("Koerperstelle") == fold("KORPERSTELLE")
    True
    >>> fold("Straße")
    'strasse'
    """
    text = text.lower().replace("ß", "ss")
    for pair, letter in (("ae", "a"), ("oe", "o"), ("ue", "u")):
        text = text.replace(pair, letter)
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


@cache
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text or a name as stems, folded; a name in one word is cut where a capital begins.

    Examples
    --------
    >>> words("onsetPeriod: Beginn der Erkrankungen")
    ('onse', 'period', 'begin', 'der', 'erkrank')
    """
    return tuple(_stem(part) for word in _WORD.findall(text) for part in _CAMEL.split(word))


@cache
def _stem(word: str) -> str:
    """Fold a word and cut one ending that German or English inflects with, where four letters remain."""
    word = fold(word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def short_texts(element: dict, language: str = "") -> tuple[str, str]:
    """Return an element's short text in German and in English, "" where there is none.

    A translation that the element declares counts first. The text itself counts for the language that the definition
    declares, else for the one that its words are of; where they tell neither, it counts for none.

    Parameters
    ----------
    element
        An ElementDefinition.
    language
        What the StructureDefinition declares, such as "de-DE", or "".
    """
    found = {"de": "", "en": ""}
    short = element.get("short")
    short = short if isinstance(short, str) else ""
    for text, code in _translations(element.get("_short")):
        if code[:2].lower() in found:
            found[code[:2].lower()] = text
    told = language[:2].lower() or ("" if short in found.values() else language_of(short))
    if told in found and not found[told]:
        found[told] = short
    return found["de"], found["en"]


def _translations(primitive) -> list[tuple[str, str]]:
    out = []
    extensions = primitive.get("extension") if isinstance(primitive, dict) else None
    for extension in extensions if isinstance(extensions, list) else ():
        if not isinstance(extension, dict) or extension.get("url") != TRANSLATION:
            continue
        inner = extension.get("extension")
        inner = [part for part in inner if isinstance(part, dict)] if isinstance(inner, list) else []
        codes = [str(part.get("valueCode", "")) for part in inner if part.get("url") == "lang"]
        texts = [
            part.get("valueString", part.get("valueMarkdown", "")) for part in inner if part.get("url") == "content"
        ]
        if codes and texts and isinstance(texts[0], str):
            out.append((texts[0].strip(), codes[0]))
    return out


@cache
def _telling() -> dict[str, str]:
    lists = read_table("language.yml")
    return {word: language for language, listed in lists.items() for word in listed.split()}


@cache
def language_of(text: str) -> str:
    """Return "de" or "en" where the words of a short text tell its language, else "".

    Examples
    --------
    >>> language_of("Datum der Diagnose"), language_of("Who or what is the subject"), language_of("Status")
    ('de', 'en', '')
    """
    plain = [word.lower() for word in _WORD.findall(text)]
    tell = _telling()
    german = sum(tell.get(word) == "de" for word in plain) + sum(bool(_GERMAN_SHAPE.search(word)) for word in plain)
    english = sum(tell.get(word) == "en" for word in plain)
    return "" if german == english else "de" if german > english else "en"
