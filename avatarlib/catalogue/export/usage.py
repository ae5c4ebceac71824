"""Terms of use that machines read: DUO codes, and an ODRL offer of what the terms permit, forbid and require."""

from avatarlib.catalogue.model import Source
from avatarlib.catalogue.vocabulary import vocabulary

DUO = "http://purl.obolibrary.org/obo/DUO_"
ODRL = "http://www.w3.org/ns/odrl/2/"
CC = "http://creativecommons.org/ns#"
READING = "Our reading of the terms. The source's own words count."

_ACTIONS = {"derivatives": f"{ODRL}derive", "redistribution": f"{ODRL}distribute"}
_COMMERCIAL = f"{CC}CommercialUse"


def rules(source: Source) -> dict[str, list[str]]:
    """Return the actions that the terms permit, forbid and require, as IRIs of ODRL and Creative Commons.

    What the terms don't state is in neither list: in ODRL, silence permits nothing.
    """
    terms = source.criteria.terms
    licence = vocabulary().licences.get(terms.licence, {})
    answers = {_ACTIONS[name]: getattr(terms, name) for name in _ACTIONS}
    answers |= {_COMMERCIAL: licence["commercial"]} if licence else {}
    use = [f"{ODRL}use"] if terms.licence is not None else []
    duties = [f"{ODRL}attribute"] if "-BY" in (terms.licence or "") else []
    duties += [f"{ODRL}shareAlike"] if "-SA" in (terms.licence or "") else []
    return {
        "permission": use + [action for action, answer in answers.items() if answer == "yes"],
        "prohibition": [action for action, answer in answers.items() if answer == "no"],
        "duty": duties,
    }


def codes(source: Source) -> list[tuple[str, str, str]]:
    """Return of each DUO code: its number, label and IRI."""
    return [
        (code.removeprefix("DUO:"), vocabulary().duo[code]["label"], DUO + code.removeprefix("DUO:"))
        for code in source.criteria.terms.duo
    ]


def licence_iri(source: Source) -> str | None:
    """Return the SPDX page of a known licence, else None."""
    licence = source.criteria.terms.licence
    return f"https://spdx.org/licenses/{licence}.html" if licence in vocabulary().licences else None
