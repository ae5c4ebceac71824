"""Croissant 1.1 (https://docs.mlcommons.org/croissant), one file a source, with data use conditions in `usageInfo`.

`creator` and `datePublished` are left out: the catalogue does not record them, and guesses would look like facts.
"""

from collections.abc import Sequence

import mlcroissant

from avatarlib.catalogue import table
from avatarlib.catalogue.export import usage
from avatarlib.catalogue.model import Source
from avatarlib.catalogue.vocabulary import vocabulary

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"


def files(sources: Sequence[Source]) -> dict[str, dict]:
    """Return one Croissant description a source, by file name."""
    return {f"{source.identifier}.json": _describe(source) for source in sources}


def _describe(source: Source) -> dict:
    known, terms, doi = table.row(source), source.criteria.terms, source.addresses.doi
    use_cases = "; ".join(vocabulary().use_cases[name]["title"] for name in source.use_cases)
    licence = usage.licence_iri(source) or terms.licence_words or terms.licence
    described = mlcroissant.Metadata(
        conforms_to=[CONFORMS_TO],
        name=source.title,
        description=source.about,
        url=source.addresses.page,
        same_as=[f"https://doi.org/{doi}"] if doi else None,
        license=[licence] if licence else None,
        publisher=[mlcroissant.Organization(name=source.provider)],
        keywords=[source.field, source.modality, *known["indications"], *source.scenarios],
        data_use_cases=[f"{use_cases}: {source.suitability.answer}. {source.suitability.reason}"],
        data_limitations=[*source.limits, *table.traps(source)],
        personal_sensitive_information=_sensitive(source),
    ).to_json()
    described["@context"] |= {"duo": usage.DUO, "odrl": usage.ODRL, "cc": usage.CC}
    return described | {"usageInfo": _conditions(source)}


def _sensitive(source: Source) -> list[str]:
    anonymity = source.criteria.anonymity
    said = [f"recognisable: {', '.join(anonymity.recognisable)}"] if anonymity.recognisable else []
    said += [f"method: {anonymity.method}"] if anonymity.method else []
    said += [f"consent: {anonymity.consent}"] if anonymity.consent else []
    return [*said, f"residual risk: {anonymity.residual_risk or 'not checked'}"]


def _conditions(source: Source) -> list[dict]:
    terms, rules = source.criteria.terms, usage.rules(source)
    found: list[dict] = [
        {"@type": "sc:DefinedTerm", "name": label, "termCode": f"DUO_{number}", "url": iri}
        for number, label, iri in usage.codes(source)
    ]
    offer = {
        "@type": ["odrl:Offer", "sc:CreativeWork"],
        "@id": f"urn:avatar:catalogue:{source.identifier}:terms",
        "name": usage.READING,
        "text": f"May a model trained on it be released? {terms.model_release}",
        "odrl:target": {"@id": source.addresses.page},
    }
    for kind in ("permission", "prohibition"):
        if rules[kind]:
            offer[f"odrl:{kind}"] = [_rule(kind, action, rules["duty"]) for action in rules[kind]]
    return [*found, offer]


def _rule(kind: str, action: str, duties: list[str]) -> dict:
    rule: dict = {"@type": f"odrl:{kind.title()}", "odrl:action": {"@id": action}}
    if kind == "permission" and duties:
        rule["odrl:duty"] = [{"@type": "odrl:Duty", "odrl:action": {"@id": duty}} for duty in duties]
    return rule
