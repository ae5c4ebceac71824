"""The catalogue as a table: one row a source; facets, words, shares of what nobody checked."""

from collections.abc import Iterable, Sequence
from typing import get_args

import pandas as pd

from avatarlib.catalogue.criteria import CRITERIA, MODES
from avatarlib.catalogue.model import LEVELS, Discipline, Modality, Source, citations
from avatarlib.catalogue.vocabulary import vocabulary
from avatarlib.documents.yaml_text import shown
from avatarlib.errors import InputError

SIDED = ("ophthalmology", "audiology")  # fields in which left and right mean something


def facets() -> dict[str, tuple[str, ...] | None]:
    """Return the facets of `search` with the words that each may have; None where any text may be asked for."""
    return {
        "field": get_args(Discipline),
        "modality": get_args(Modality),
        "mode": tuple(MODES),
        "licence": None,
        "scenario": tuple(vocabulary().scenarios),
        "use_case": tuple(vocabulary().use_cases),
        "level": tuple(LEVELS),
        "suitability": ("suitable", "limited", "unsuitable"),
        "synthetic": ("yes", "no"),
        "sex": ("yes", "no", "unclear"),
        "side": ("yes", "no", "unclear"),
    }


def row(source: Source) -> dict:
    """Return what the table says of a source: plain numbers and texts, lists as tuples, None where nothing is known."""
    criteria = source.criteria
    grades = {name: getattr(criteria, name).grade for name in CRITERIA}
    return {
        "identifier": source.identifier,
        "title": source.title,
        "provider": source.provider,
        "page": source.addresses.page,
        "doi": source.addresses.doi,
        "field": source.field,
        "modality": source.modality,
        "synthetic": source.synthetic,
        "about": source.about,
        "size": source.size.value,
        "unit": source.size.unit,
        "people": source.people.value,
        "sex": source.labels.sex.answer,
        "side": source.labels.side.answer,
        "metadata_form": source.metadata_access.form,
        "metadata_access": source.metadata_access.answer,
        "metadata_address": source.metadata_access.address,
        **grades,
        "indications": tuple(
            " ".join(filter(None, (x.system, x.code, x.term))) for x in criteria.relevance.indications
        ),
        "mode": criteria.availability.mode,
        "method": criteria.anonymity.method,
        "consent": criteria.anonymity.consent,
        "recognisable": criteria.anonymity.recognisable,
        "residual_risk": criteria.anonymity.residual_risk,
        "licence": criteria.terms.licence,
        "licence_words": criteria.terms.licence_words,
        "duo": criteria.terms.duo,
        "derivatives": criteria.terms.derivatives,
        "redistribution": criteria.terms.redistribution,
        "model_release": criteria.terms.model_release,
        "scenarios": source.scenarios,
        "use_cases": source.use_cases,
        "suitability": source.suitability.answer,
        "suitability_reason": source.suitability.reason,
        "limits": source.limits,
        "traps": source.traps,
        "level": source.level,
        "verified": max(entry.date for entry in source.verification).isoformat(),
        "not_checked": tuple(name for name, cited in citations(source) if not cited),
    }


def frame(sources: Sequence[Source]) -> pd.DataFrame:
    """Return the table of sources, one row each, columns as `row` names them; grades and counts may be missing."""
    table = pd.DataFrame([row(source) for source in sources])
    return table.astype({name: "Int64" for name in (*CRITERIA, "people")} | {"size": "Float64"})


def search(
    sources: Iterable[Source],
    words: Sequence[str] = (),
    *,
    where: dict[str, str] | None = None,
    at_least: dict[str, int] | None = None,
) -> list[Source]:
    """Return the sources that hold all words and fit all facets.

    Parameters
    ----------
    words
        Looked for in everything that the table says of a source, whatever the case.
    where
        Words that must be equal, by names of `facets`; "scenario" and "use_case" must be among the source's.
    at_least
        Lowest grade by criterion; a source that is not graded does not fit.

    Raises
    ------
    InputError
        A facet has a word that no source can have.
    """
    for name, value in (where or {}).items():
        allowed = facets()[name]
        if allowed is not None and value.casefold() not in map(str.casefold, allowed):
            raise InputError(f"{name} is {shown(value)}; it must be one of {', '.join(allowed)}")
    found = []
    for source in sources:
        known = row(source)
        known |= {"scenario": known["scenarios"], "use_case": known["use_cases"], "synthetic": _yes(source.synthetic)}
        text = " ".join(_words(known.values())).casefold()
        fits = all(word.casefold() in text for word in words)
        fits = fits and all(_has(known[name], value) for name, value in (where or {}).items())
        fits = fits and all((known[name] or 0) >= grade for name, grade in (at_least or {}).items())
        if fits and all(known[name] is not None for name in (at_least or {})):
            found.append(source)
    return found


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _has(held, value: str) -> bool:
    return value in held if isinstance(held, tuple) else str(held).casefold() == value.casefold()


def _words(values: Iterable) -> Iterable[str]:
    for value in values:
        if isinstance(value, tuple):
            yield from value
        elif value is not None:
            yield str(value)


def not_checked(sources: Sequence[Source]) -> pd.DataFrame:
    """Return of every cited field how many sources say "not checked", and which share of them that is.

    Columns are `field`, `sources`, `not_checked` and `share` (0 to 1). Labels of the side are asked for eyes and ears.
    """
    rows = [
        (name, not cited)
        for source in sources
        for name, cited in citations(source)
        if not name.startswith("verification.") and (name != "labels.side" or source.field in SIDED)
    ]
    table = pd.DataFrame(rows, columns=["field", "open"])
    table = table.groupby("field", sort=False).open.agg(["size", "sum"]).reset_index()
    table.columns = ["field", "sources", "not_checked"]
    return table.assign(share=table.not_checked / table.sources)


def matrix(sources: Sequence[Source], which: str = "scenarios") -> pd.DataFrame:
    """Return scenarios or use cases by sources: True where a source serves one; rows of the vocabulary, all of them.

    Parameters
    ----------
    which
        "scenarios" or "use_cases".
    """
    rows = getattr(vocabulary(), which)
    held = [{name: name in getattr(source, which) for name in rows} for source in sources]
    return pd.DataFrame(held, index=[source.identifier for source in sources], columns=list(rows)).T


def traps(source: Source) -> list[str]:
    """Return the traps that an entry names, and those that follow from its licence and the way to it."""
    terms, mode = source.criteria.terms, source.criteria.availability.mode
    licence = vocabulary().licences.get(terms.licence, {})
    found = list(source.traps)
    if licence.get("commercial") == "no" and terms.model_release == "not stated":
        found.append(f"{terms.licence} forbids commercial use; no word on models: ask before weights are released")
    if licence.get("derivatives") == "no":
        found.append(f"{terms.licence} forbids passing on derived works: augmented or cropped copies stay at home")
    if mode == "registration" and terms.licence in vocabulary().licences:
        found.append(f"{terms.licence} is an open licence, the download still needs an account")
    if terms.licence is None and mode == "open":
        found.append("Open to download, but no licence is known: that is no permission")
    return found
