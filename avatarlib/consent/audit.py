"""What does not fit together in published consent material: in a policy CodeSystem, and in consents that use it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from avatarlib.consent.dates import quoted, years_later
from avatarlib.consent.document import Document, Provision, read_document
from avatarlib.consent.policies import Policies, read_policies

MII_CATEGORY = "2.16.840.1.113883.3.1937.777.24.2.184"
MII_CATEGORY_SYSTEM = (
    "https://www.medizininformatik-initiative.de/fhir/modul-consent/CodeSystem/mii-cs-consent-consent_category"
)


@dataclass(frozen=True)
class Finding:
    """Something that does not fit: its kind, where it is, and what is stated against what is there."""

    kind: str
    where: str
    what: str


def of_codesystem(system: dict, where: str) -> list[Finding]:
    """Return what does not fit in a policy CodeSystem: its count, policies without years, names given twice."""
    policies = read_policies(system, where)
    found = []
    if "count" in system and system["count"] != len(policies.by_code):
        found.append(
            Finding("count", where, f"declares {quoted(system['count'])} concepts and holds {len(policies.by_code)}")
        )
    leaves = [policy for policy in policies.by_code.values() if policy.code not in policies.parts]
    found += [
        Finding("no validity", f"{where}: {quoted(policy.code)}", "nothing states for how long this policy holds")
        for policy in leaves
        if policy.years is None
    ]
    times = Counter(policy.display for policy in policies.by_code.values())
    found += [
        Finding(
            "same name", f"{where}: {quoted(policy.code)}", f"{times[policy.display]} codes carry the name of this one"
        )
        for policy in policies.by_code.values()
        if policy.display and times[policy.display] > 1
    ]
    return found


def of_consents(resources: Iterable[tuple[dict, str]], policies: Policies) -> list[Finding]:
    """Return what does not fit in consents.

    Parameters
    ----------
    resources
        Consent resources and where each is.
    policies
        The policies that they use.
    """
    found = []
    for resource, where in resources:
        document = read_document(resource, where)
        found += _rules(document, document.rule, policies, where, "provision", None)
        found += _category(resource, where)
        found += _names(resource.get("provision"), policies, where, "provision")
    return found


def table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return one row for each kind: how often it was found, in how many places, and an example."""
    rows = pd.DataFrame([(f.kind, f.where, f.what) for f in findings], columns=["finding", "where", "example"])
    grouped = rows.groupby("finding", sort=False)
    summary = {"times": grouped.size(), "resources": grouped["where"].nunique(), "example": grouped["example"].first()}
    return pd.DataFrame(summary).reset_index()


def _rules(
    document: Document, rule: Provision, policies: Policies, where: str, place: str, around: Provision | None
) -> Iterator[Finding]:
    if around and around.end and rule.end and rule.end.last > around.end.last:
        what = f"ends on {rule.end.last}, the rule around it on {around.end.last}"
        yield Finding("longer than the document", f"{where}: {place}", what)
    for system, code in sorted(rule.codes):
        if system != policies.system:
            continue
        policy = policies.by_code.get(code)
        if policy is None:
            yield Finding("unknown code", f"{where}: {place}", f"{quoted(code)} is not in {policies.system}")
        elif code in policies.parts:
            yield Finding("module as policy", f"{where}: {place}", f"{quoted(code)} is a module of {policies.system}")
        elif rule.permit and policy.years and rule.end:
            start = rule.start.first if rule.start else document.given.first
            if rule.end.complete > years_later(start, policy.years):
                what = f"a policy of {policy.years} years runs from {start} to {rule.end.last}"
                yield Finding("longer than its policy", f"{where}: {place}: {quoted(code)}", what)
    for number, part in enumerate(rule.exceptions):
        yield from _rules(document, part, policies, where, f"{place}.provision[{number}]", rule)


def _category(resource: dict, where: str) -> Iterator[Finding]:
    for concept in resource.get("category", []):
        for coding in concept.get("coding", []):
            if coding.get("code") == MII_CATEGORY and coding.get("system") != MII_CATEGORY_SYSTEM:
                what = f"system is {quoted(coding.get('system'), 120)}, the profile fixes {MII_CATEGORY_SYSTEM}"
                yield Finding("other category system", f"{where}: category", what)


def _names(provision, policies: Policies, where: str, place: str) -> Iterator[Finding]:
    for concept in provision.get("code", []):
        for coding in concept.get("coding", []):
            policy = policies.by_code.get(coding.get("code")) if coding.get("system") == policies.system else None
            if policy and policy.display and coding.get("display", policy.display) != policy.display:
                what = f"display {quoted(coding['display'])}, the CodeSystem has {quoted(policy.display)}"
                yield Finding("other display", f"{where}: {place}", what)
    for number, part in enumerate(provision.get("provision", [])):
        yield from _names(part, policies, where, f"{place}.provision[{number}]")
