"""Policies: what people can consent to, in modules, for how long, and what each policy is for."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import yaml

from avatarlib.consent.dates import quoted
from avatarlib.errors import InputError

MII = Path(__file__).with_name("mii.yml")
ROLES = (
    "collect",
    "use",
    "use_retrospective",
    "use_outside_gdpr",
    "pool",
    "insurance",
    "contact",
    "biosample",
    "image",
)
_YEARS = re.compile(r"P(\d{1,3})Y", re.ASCII)
DEEPEST = 20


@dataclass(frozen=True)
class Policy:
    """A concept of a policy CodeSystem: a policy, or a module of policies.

    Attributes
    ----------
    module
        Code of the module that it is part of, or None.
    years
        For how long it holds from the day of consent; 0: one transfer; None: not stated.
    deprecated
        True where it may no longer be used in new forms.
    """

    code: str
    display: str
    module: str | None
    years: int | None
    deprecated: bool = False


@dataclass(frozen=True)
class Policies:
    """The policies of one CodeSystem; `roles` says what codes are for (names of `ROLES`)."""

    system: str
    title: str
    by_code: Mapping[str, Policy]
    roles: Mapping[str, tuple[str, ...]]

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Module -> codes that are directly part of it."""
        found: dict[str, list[str]] = {}
        for policy in self.by_code.values():
            if policy.module is not None:
                found.setdefault(policy.module, []).append(policy.code)
        return {module: tuple(codes) for module, codes in found.items()}

    def leaves(self, code: str) -> tuple[str, ...]:
        """Return the policies of a module that are in use (all, where none is), or the policy itself."""
        if code not in self.parts:
            return (code,)
        below = [leaf for part in self.parts[code] for leaf in self.leaves(part)]
        return tuple(leaf for leaf in below if not self.by_code[leaf].deprecated) or tuple(below)

    def names(self, code: str) -> frozenset[str]:
        """Return the codes by which a document can mean this policy: its own and its modules'."""
        found, policy = {code}, self.by_code.get(code)
        while policy is not None and policy.module is not None:
            found.add(policy.module)
            policy = self.by_code.get(policy.module)
        return frozenset(found)

    def years(self, code: str) -> int | None:
        """Return for how many years a policy holds, None where that is not stated or it is one transfer."""
        return (self.by_code[code].years or None) if code in self.by_code else None


def read_policies(system: Mapping, where: str) -> Policies:
    """Return the policies of a FHIR CodeSystem.

    A concept's properties `validity` ("P5Y") and `role` (one of `ROLES`) say how long it holds and what it is for. For
    the CodeSystem of the Medical Informatics Initiative, which has neither, `mii.yml` states what its guide says.

    Raises
    ------
    InputError
        It is no CodeSystem, a concept has no code, a code comes twice, or a property can't be read.
    """
    if system.get("resourceType") != "CodeSystem" or not isinstance(system.get("url"), str):
        raise InputError(f"{where} is no CodeSystem with a url")
    url, facts = system["url"], _mii()
    years = facts["years"] if url == facts["system"] else {}
    by_code: dict[str, Policy] = {}
    roles: dict[str, list[str]] = {}
    for concept, module, place in _concepts(system.get("concept", []), None, "concept", where):
        code, properties = concept["code"], dict(_properties(concept, f"{where}: {place}"))
        if code in by_code:
            raise InputError(f"{where}: {place}: code {quoted(code)} comes twice")
        deprecated = properties.get("status") == "deprecated" or properties.get("inactive") is True
        own = _years(properties["validity"], f"{where}: {place}") if "validity" in properties else years.get(code)
        by_code[code] = Policy(code, str(concept.get("display", "")), module, own, deprecated)
        if "role" in properties:
            if properties["role"] not in ROLES:
                raise InputError(
                    f"{where}: {place}: role is {quoted(properties['role'])}, not one of {', '.join(ROLES)}"
                )
            roles.setdefault(properties["role"], []).append(code)
    if not by_code:
        raise InputError(f"{where} holds no concept")
    known = facts["roles"] if url == facts["system"] else {role: tuple(codes) for role, codes in roles.items()}
    return Policies(url, str(system.get("title", system.get("name", ""))), by_code, known)


def mii_policies() -> Policies:
    """Return the broad consent's policies as far as `mii.yml` tells: codes, modules, years, roles; no names.

    Examples
    --------
    >>> policies = mii_policies()
    >>> collect, = policies.roles["collect"]
    >>> policies.years(collect)
    5
    """
    facts = _mii()
    module = {part: whole for whole, parts in facts["modules"].items() for part in parts}
    codes = [*facts["modules"], *sorted(facts["years"], key=lambda code: int(code.rpartition(".")[2]))]
    by_code = {code: Policy(code, "", module.get(code), facts["years"].get(code)) for code in codes}
    return Policies(facts["system"], "MII broad consent", by_code, facts["roles"])


def mii_document(uri: str) -> dict[str, str] | None:
    """Return version and kind of a broad consent form by its OID, None where it is none that is known."""
    return _mii()["documents"].get(uri)


def mii_forms() -> list[dict[str, str]]:
    """Return the known forms of the broad consent: version, kind, uri."""
    return [form | {"uri": uri} for uri, form in _mii()["documents"].items()]


def mii_form(version: str, kind: str) -> str:
    """Return the OID of a form of the broad consent."""
    return next(uri for uri, form in _mii()["documents"].items() if (form["version"], form["kind"]) == (version, kind))


@cache
def _mii() -> dict:
    told = yaml.safe_load(MII.read_text(encoding="utf-8"))
    below = told["system"].removeprefix("urn:oid:")

    def codes(numbers) -> tuple[str, ...]:
        return tuple(f"{below}.{number}" for number in numbers)

    return {
        "system": told["system"],
        "years": {code: years for years, numbers in told["years"].items() for code in codes(numbers)},
        "modules": {codes([module])[0]: codes(parts) for module, parts in told["modules"].items()},
        "roles": {role: codes(numbers) for role, numbers in told["roles"].items()},
        "documents": {f"{told['documents_below']}{number}": form for number, form in told["documents"].items()},
    }


def _concepts(
    concepts, module: str | None, place: str, where: str, depth: int = 1
) -> Iterator[tuple[dict, str | None, str]]:
    if not isinstance(concepts, list) or depth > DEEPEST:
        raise InputError(f"{where}: {place} is " + ("no list" if depth <= DEEPEST else "nested too deeply"))
    for number, concept in enumerate(concepts):
        here = f"{place}[{number}]"
        if not isinstance(concept, dict) or not isinstance(concept.get("code"), str):
            raise InputError(f"{where}: {here} has no code")
        yield concept, module, here
        yield from _concepts(concept.get("concept", []), concept["code"], f"{here}.concept", where, depth + 1)


def _properties(concept: dict, where: str) -> Iterator[tuple[str, object]]:
    listed = concept.get("property", [])
    for found in listed if isinstance(listed, list) else [None]:
        value = [held for key, held in found.items() if key.startswith("value")] if isinstance(found, dict) else []
        if len(value) != 1 or not isinstance(found.get("code"), str):
            raise InputError(f"{where}: a property is no code with one value")
        yield found["code"], value[0]


def _years(text, where: str) -> int:
    match = _YEARS.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise InputError(f"{where}: validity is {quoted(text)}, not whole years such as P5Y")
    return int(match[1])
