"""Find the policies that a code belongs to: those of a file, the broad consent's, or the eye study's."""

from collections.abc import Iterable
from pathlib import Path

from avatarlib.consent.dates import quoted
from avatarlib.consent.policies import Policies, mii_policies, read_policies
from avatarlib.consent.study import EYE_STUDY, Domain, read_domain
from avatarlib.errors import InputError
from avatarlib.fhir import stream
from avatarlib.fhir.packages import EMBEDDED, Package, entries, named


def policies_with(code: str, file: Path | None = None) -> Policies:
    """Return the policies that hold `code`.

    Parameters
    ----------
    file
        A CodeSystem; None: the broad consent of the Medical Informatics Initiative, or the eye study's.

    Raises
    ------
    InputError
        None holds the code, or the file holds not one CodeSystem.
    """
    if file is None:
        known = [mii_policies(), eye_study().policies]
    else:
        known = [read_policies_file(file)]
    for policies in known:
        if code in policies.by_code:
            return policies
    systems = " and ".join(policies.system for policies in known)
    raise InputError(f"--policy: {quoted(code)} is no code of {systems}. Name its CodeSystem with --policies")


def read_policies_file(file: Path) -> Policies:
    """Return the policies of the one CodeSystem in a file.

    Raises
    ------
    InputError
        There is not exactly one, or it holds no policies.
    """
    found = [f for f in stream.read_resources(file) if f.resource["resourceType"] == "CodeSystem"]
    if len(found) != 1:
        raise InputError(f"{file} holds {len(found)} CodeSystems. Give the one with the policies")
    return read_policies(found[0].resource, found[0].where)


def eye_study() -> Domain:
    """Return the consent domain of the eye study, from the embedded package."""
    return read_domain(next(package for package in named([EMBEDDED]) if package.name == EYE_STUDY))


def policy_systems(packages: Iterable[Package]) -> list[tuple[dict, str]]:
    """Return the CodeSystems of consent policies among packages, and where each is.

    They are those that `Consent.provision` is bound to in the profiles: the broad consent's and the eye study's.
    """
    wanted = {mii_policies().system, eye_study().policies.system}
    found = (entry for package in packages for entry in entries(package))
    return [
        (entry.resource, entry.where)
        for entry in found
        if entry.resource["resourceType"] == "CodeSystem" and entry.resource.get("url") in wanted
    ]
