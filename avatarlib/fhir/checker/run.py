"""The state of checking one resource: what was found so far, and what its references point to."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from avatarlib.fhir import r4
from avatarlib.fhir.checker.verdict import Finding

_REST = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


def nowhere(address: str) -> str:
    """Return "": where there is no Bundle, no address stands for anything."""
    return ""


@dataclass
class Run:
    """Findings about a resource (`resource`) that lies in another one (`root`) or is that itself.

    `around` gives the type of what an address stands for (a fullUrl in the same Bundle), or "".
    """

    resource: dict
    root: dict
    around: Callable[[str], str] = nowhere
    violations: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    unverified: list[Finding] = field(default_factory=list)
    _done: set[tuple[int, object]] = field(default_factory=set)

    @cached_property
    def has_companions(self) -> bool:
        """Whether a primitive value anywhere in the resource has a companion (_name): an extension or an id."""
        waiting: list = [self.root]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                if any(key[:1] == "_" for key in part):
                    return True
                waiting += part.values()
            elif isinstance(part, list):
                waiting += part
        return False

    def wrong(self, path: str, rule: str, message: str) -> None:
        """Note a violation."""
        self.violations.append(Finding(path, rule, message))

    def lacks(self, path: str, rule: str, message: str) -> None:
        """Note what would be needed to check something."""
        self.missing.append(Finding(path, rule, message))

    def first(self, have: dict, what: object) -> bool:
        """Return whether a value is met with a definition for the first time: a second time finds nothing new."""
        key = id(have), what
        new = key not in self._done
        self._done.add(key)
        return new

    def apart(self, resource: dict | None = None) -> "Run":
        """Return a run of its own for a trial, or for another resource within the same root."""
        return Run(resource or self.resource, self.root, self.around)

    def take(self, other: "Run") -> None:
        """Add another run's findings."""
        self.violations += other.violations
        self.missing += other.missing
        self.unverified += other.unverified

    def target(self, reference: dict) -> tuple[str, dict | None]:
        """Return the type of what a Reference points to ("" if unknown) and the resource itself, if it is here."""
        address = reference.get("reference")
        if not isinstance(address, str):
            return _kind(reference.get("type")), None
        if address.startswith("#"):
            inner = [one for one in self.root.get("contained", []) if isinstance(one, dict)]
            found = self.root if address == "#" else next((o for o in inner if o.get("id") == address[1:]), None)
            return (str(found.get("resourceType", "")), found) if found else ("", None)
        match = _REST.search(address)
        if match and r4.is_resource(match[1]):
            return match[1], None
        return self.around(address) or _kind(reference.get("type")), None


def _kind(stated: object) -> str:
    return stated if isinstance(stated, str) and stated.isidentifier() and r4.is_resource(stated) else ""
