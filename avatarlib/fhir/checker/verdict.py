"""What the checker answers: one verdict for each resource and profile, with its findings."""

from dataclasses import dataclass

CONFORMS, VIOLATES, NOT_CHECKABLE = "conforms", "violates", "not checkable"


@dataclass(frozen=True)
class Finding:
    """One thing that was found, and where.

    Attributes
    ----------
    path
        Place in the resource, such as "Patient.name[0].family".
    rule
        What it is about: "min", "max", "type", "unknown", "fixed", "pattern", "slice", "binding", "reference",
        "length", "invariant" or "profile".
    message
        What is wrong or missing. It shows codes, addresses of definitions and counts, never a person's data.
    """

    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True)
class Verdict:
    """The answer for one resource and one profile.

    Attributes
    ----------
    file, place
        Where the resource was: the file and the place in it ("" for all of it).
    kind
        The resource's type.
    profile
        Address of the profile.
    answer
        "conforms", "violates" or "not checkable".
    violations
        What is wrong; empty unless it violates.
    missing
        What could not be checked for want of something; a resource that violates may have these too.
    unverified
        Codes that were taken as they are, since the content of their code system is nowhere at hand.
    """

    file: str
    place: str
    kind: str
    profile: str
    answer: str
    violations: tuple[Finding, ...] = ()
    missing: tuple[Finding, ...] = ()
    unverified: tuple[Finding, ...] = ()


def verdict(
    file: str,
    place: str,
    kind: str,
    profile: str,
    violations: list[Finding],
    missing: list[Finding],
    unverified: list[Finding],
) -> Verdict:
    """Return the verdict that follows from findings; one that was found twice counts once.

    Examples
    --------
    >>> verdict("p.json", "", "Patient", "http://example.org/p", [], [], []).answer
    'conforms'
    """
    answer = VIOLATES if violations else NOT_CHECKABLE if missing else CONFORMS
    once = (tuple(dict.fromkeys(found)) for found in (violations, missing, unverified))
    return Verdict(file, place, kind, profile, answer, *once)
