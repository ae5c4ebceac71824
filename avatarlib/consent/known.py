"""Find the policies that a code belongs to: those of a file, the broad consent's, or the eye study's."""

from pathlib import Path

from avatarlib.consent.dates import quoted
from avatarlib.consent.policies import Policies, mii_policies, read_policies
from avatarlib.consent.study import EYE_STUDY, Domain, read_domain
from avatarlib.errors import InputError
from avatarlib.fhir import stream
from avatarlib.fhir.packages import EMBEDDED, named


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
