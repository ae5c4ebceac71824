"""Write consent documents: a denial of everything with the policies that are granted, each for as long as it holds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from avatarlib.consent.dates import years_later
from avatarlib.consent.document import DOMAIN
from avatarlib.consent.policies import Policies, mii_form

LONGEST = 30  # years, for what has no period of its own: a denial, a single transfer
TEMPLATE_TYPE = "http://fhir.de/ConsentManagement/CodeSystem/TemplateType"
PROVISION_TYPE = "http://hl7.org/fhir/publication-status"
MII_PROFILE = (
    "https://www.medizininformatik-initiative.de/fhir/modul-consent/StructureDefinition/mii-pr-consent-einwilligung"
)
MII_CATEGORIES = (
    ("http://loinc.org", "57016-8"),
    (
        "https://www.medizininformatik-initiative.de/fhir/modul-consent/CodeSystem/mii-cs-consent-consent_category",
        "2.16.840.1.113883.3.1937.777.24.2.184",
    ),
)


def consent(
    policies: Policies,
    *,
    id: str,
    person: str,
    day: date,
    uri: str,
    profile: str,
    categories: Sequence[tuple[str, str]],
    granted: Iterable[str] = (),
    denied: Iterable[str] = (),
    domain: str = "",
) -> dict:
    """Return a FHIR Consent: everything is denied but the policies granted, each until its years are over.

    Parameters
    ----------
    granted, denied
        Codes of policies (not of modules). What is denied stays so as long as the document lasts.
    uri
        The form that was signed.
    categories
        (system, code), one for each category.
    """
    until: dict[date, list[str]] = defaultdict(list)
    for code in granted:
        until[years_later(day, policies.years(code) or LONGEST)].append(code)
    end = max(until, default=years_later(day, LONGEST))
    rules = [("permit", last, codes) for last, codes in sorted(until.items())]
    rules += [("deny", end, list(denied))] if denied else []
    extension = [
        {"url": "domain", "valueReference": {"reference": domain}},
        {"url": "status", "valueCoding": {"system": PROVISION_TYPE, "code": "active"}},
    ]
    return {
        "resourceType": "Consent",
        "id": id,
        "meta": {"profile": [profile]},
        **({"extension": [{"extension": extension, "url": DOMAIN}]} if domain else {}),
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
        "category": [{"coding": [{"system": system, "code": code}]} for system, code in categories],
        "patient": {"reference": f"Patient/{person}"},
        "dateTime": day.isoformat(),
        "policy": [{"uri": uri}],
        "provision": {
            "type": "deny",
            "period": {"start": day.isoformat(), "end": end.isoformat()},
            "provision": [
                {
                    "type": kind,
                    "period": {"start": day.isoformat(), "end": last.isoformat()},
                    "code": [{"coding": [_coding(policies, code)]} for code in codes],
                }
                for kind, last, codes in rules
            ],
        },
    }


def broad_consent(
    policies: Policies, *, id: str, person: str, day: date, modules: Sequence[str] = (), version: str = "1.7.2",
    kind: str = "consent",
) -> dict:  # fmt: skip
    """Return a broad consent of the Medical Informatics Initiative, or a withdrawal or refusal of one.

    Parameters
    ----------
    policies
        The broad consent's (`avatarlib.consent.policies`).
    modules
        Codes of the modules that are granted; of a partial withdrawal, those that end.
    kind
        "consent", "partial withdrawal", "withdrawal" or "refusal".
    """
    codes = [leaf for module in modules for leaf in policies.leaves(module)]
    everything = [leaf for module in policies.parts for leaf in policies.leaves(module)]
    given = {"consent": ("granted", codes), "partial withdrawal": ("denied", codes)}
    role, named = given.get(kind, ("denied", everything))
    return consent(
        policies, id=id, person=person, day=day, uri=mii_form(version, kind), profile=MII_PROFILE,
        categories=MII_CATEGORIES, **{role: named},
    )  # fmt: skip


def _coding(policies: Policies, code: str) -> dict:
    display = policies.by_code[code].display
    return {"system": policies.system, "code": code} | ({"display": display} if display else {})
