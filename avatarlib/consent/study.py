"""The consent of a single study, in the terms of gICS: a domain with policies, in modules, in versions of forms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from avatarlib.consent.build import TEMPLATE_TYPE, consent
from avatarlib.consent.dates import quoted
from avatarlib.consent.policies import Policies, read_policies
from avatarlib.errors import InputError
from avatarlib.fhir.packages import Package, entries

EYE_STUDY, EYE_DOMAIN = "avatarlib.eye-study", "eye-consent-domain"
KINDS = {"CONSENT-OPT-IN": "consent", "WITHDRAWAL": "partial withdrawal", "REFUSAL": "refusal"}
PATIENT_CONSENT = ("http://loinc.org", "59284-0")


@dataclass(frozen=True)
class Module:
    """A question of a form: its code, whether it has to be answered with yes, and its text by language."""

    code: str
    required: bool
    text: Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """A version of a form that people sign."""

    uri: str
    title: str
    kind: str
    template_type: str
    modules: tuple[Module, ...]


@dataclass(frozen=True)
class Domain:
    """A study's consent: the reference of its ResearchStudy, its policies, and its forms."""

    reference: str
    title: str
    policies: Policies
    forms: tuple[Form, ...]

    def form(self, uri: str) -> Form:
        """Return the form with this "url|version".

        Raises
        ------
        InputError
            The domain has none.
        """
        for form in self.forms:
            if form.uri == uri:
                return form
        raise InputError(f"{self.reference} has no form {quoted(uri)}; it has {', '.join(f.uri for f in self.forms)}")


def read_domain(package: Package, id: str = EYE_DOMAIN) -> Domain:
    """Return the domain `ResearchStudy/id` of a FHIR package: its forms name it in `useContext`.

    Raises
    ------
    InputError
        The package lacks the study, its policies or its forms.
    """
    found = {(entry.resource["resourceType"], entry.resource.get("id")): entry for entry in entries(package)}
    reference = f"ResearchStudy/{id}"
    study = found.get(("ResearchStudy", id))
    forms, systems = [], set()
    for (kind, _), entry in sorted(found.items(), key=lambda item: str(item[0])):
        if kind == "Questionnaire" and reference in _contexts(entry.resource):
            forms.append(_form(entry.resource, entry.where))
            systems |= {item["code"][0]["system"] for item in entry.resource.get("item", [])}
    codes = [
        entry for (kind, _), entry in found.items() if kind == "CodeSystem" and entry.resource.get("url") in systems
    ]
    if study is None or len(codes) != 1:
        raise InputError(
            f"{package.path} holds no domain {reference} with forms and the one CodeSystem of their modules"
        )
    policies = read_policies(codes[0].resource, codes[0].where)
    return Domain(reference, study.resource.get("title", id), policies, tuple(forms))


def sign(
    domain: Domain, form: Form, *, id: str, person: str, day: date, answers: Mapping[str, bool], profile: str
) -> dict:
    """Return the FHIR Consent that comes of a signed form.

    Parameters
    ----------
    answers
        Module -> yes or no. Of a consent, yes grants the module's policies and no denies them; of a withdrawal, yes
        ends them. A refusal needs none: it denies everything.

    Raises
    ------
    InputError
        A question was not answered, is not on the form, or one that needs a yes got a no.
    """
    asked = {module.code for module in form.modules}
    if set(answers) != asked:
        wrong = sorted(set(answers) ^ asked)
        raise InputError(f"{form.uri}: answer its questions, all of them and no others: see {', '.join(wrong)}")
    for module in form.modules:
        if module.required and not answers[module.code]:
            raise InputError(f"{form.uri}: without {module.code} there is no consent. Sign the refusal instead")
    yes = [code for module, said in answers.items() if said for code in domain.policies.leaves(module)]
    no = [code for module, said in answers.items() if not said for code in domain.policies.leaves(module)]
    if form.kind == "refusal":
        yes, no = [], [code for module in domain.policies.parts for code in domain.policies.leaves(module)]
    elif form.kind != "consent":
        yes, no = [], yes
    if not yes and not no:
        raise InputError(f"{form.uri}: nothing was answered with yes, so there is nothing to sign")
    return consent(
        domain.policies, id=id, person=person, day=day, uri=form.uri, profile=profile, domain=domain.reference,
        categories=(PATIENT_CONSENT, (TEMPLATE_TYPE, form.template_type)), granted=yes, denied=no,
    )  # fmt: skip


def policies_table(policies: Policies) -> pd.DataFrame:
    """Return the policies: module, code, what it is called, years, role."""
    role = {code: name for name, codes in policies.roles.items() for code in codes}
    rows = [
        (p.module or "", p.code, p.display, p.years, role.get(p.code, ""))
        for p in policies.by_code.values()
        if p.code not in policies.parts
    ]
    return pd.DataFrame(rows, columns=["module", "policy", "called", "years", "role in requests"])


def _contexts(questionnaire: Mapping) -> Iterable[str]:
    return [use.get("valueReference", {}).get("reference") for use in questionnaire.get("useContext", [])]


def _form(questionnaire: Mapping, where: str) -> Form:
    codes = [c["code"] for c in questionnaire.get("code", []) if c.get("system") == TEMPLATE_TYPE]
    if len(codes) != 1 or codes[0] not in KINDS:
        raise InputError(f"{where}: code is not one of {', '.join(KINDS)} of {TEMPLATE_TYPE}")
    modules = tuple(
        Module(item["code"][0]["code"], item.get("required", False), {"en": item["text"]} | _translations(item))
        for item in questionnaire.get("item", [])
    )
    uri = f"{questionnaire['url']}|{questionnaire['version']}"
    return Form(uri, questionnaire.get("title", ""), KINDS[codes[0]], codes[0], modules)


def _translations(item: Mapping) -> dict[str, str]:
    found = {}
    for extension in item.get("_text", {}).get("extension", []):
        parts = {
            part["url"]: next(v for k, v in part.items() if k.startswith("value")) for part in extension["extension"]
        }
        found[parts["lang"]] = parts["content"]
    return found
