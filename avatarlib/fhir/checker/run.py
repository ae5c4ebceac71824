"""The state of checking one resource: what was found so far, and what its references point to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from avatarlib.fhir import r4
from avatarlib.fhir.checker.verdict import Finding

_REST = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


@dataclass
class Run:
    """Findings about a resource (`resource`) that lies in another one (`root`) or is that itself.

    `around` maps addresses that references may use ("Patient/1", a fullUrl) to resources of the same Bundle.
    """

    resource: dict
    root: dict
    around: Mapping[str, dict] = field(default_factory=dict)
    violations: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    unverified: list[Finding] = field(default_factory=list)

    def wrong(self, path: str, rule: str, message: str) -> None:
        """Note a violation."""
        self.violations.append(Finding(path, rule, message))

    def lacks(self, path: str, rule: str, message: str) -> None:
        """Note what would be needed to check something."""
        self.missing.append(Finding(path, rule, message))

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
        else:
            found = self.around.get(address)
        if found is not None:
            return str(found.get("resourceType", "")), found
        match = _REST.search(address)
        if match and r4.is_resource(match[1]):
            return match[1], None
        return _kind(reference.get("type")), None


def _kind(stated: object) -> str:
    return stated if isinstance(stated, str) and stated.isidentifier() and r4.is_resource(stated) else ""
