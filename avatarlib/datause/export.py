"""Export for a request: of the people who consented, the elements it names, under pseudonyms of its purpose."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from avatarlib.consent import document, options
from avatarlib.consent.decide import DENY, PERMIT, Register
from avatarlib.consent.policies import Policies, mii_policies
from avatarlib.datause import minimise
from avatarlib.datause.client import Client
from avatarlib.datause.criteria import holds, matching, person_of
from avatarlib.datause.pseudonyms import Pseudonyms
from avatarlib.datause.request import Request
from avatarlib.errors import InputError
from avatarlib.run.store import scratch_folder, swap_in, text_sha256, write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Summary:
    """What an export held back and gave, in numbers.

    Attributes
    ----------
    cohort
        People who fit the request.
    consented
        Those of them whose consent permits it.
    given
        Resource type -> how many were written.
    not_covered
        Resources of these people that no consent covers: made when it did not, or nobody knows when.
    """

    cohort: int
    consented: int
    given: dict[str, int]
    not_covered: int


def export(
    request: Request, source: Client, folder: Path, *, key: bytes, day: date, policies: Policies | None = None
) -> Summary:
    """Write a request's data as Bulk Data NDJSON: one file a resource type, and `manifest.json`.

    The folder appears whole or not at all; where nobody's consent permits the request, not at all.

    Parameters
    ----------
    source
        The site's server or store.
    key
        Secret, kept apart from the export (`avatarlib.datause.pseudonyms.read_key`).
    day
        Of the export: consents are asked for this day.
    policies
        What the consents are about; None: the broad consent of the Medical Informatics Initiative.

    Raises
    ------
    InputError
        The request may not be served on this day, or the folder is there already.
    ServerError
        The source fails.
    """
    request.require_in_force(day)
    if folder.exists():
        raise InputError(f"{folder} is there already. Name a new folder")
    policies = policies or mii_policies()
    consents = document.documents(source.resources("Consent"), "source")
    consents = document.linked(consents, source.resources("Patient"))
    covered = _Covered(Register(consents, policies), request, day)
    cohort = matching(request.cohort.query, source.resources, day)
    people = frozenset(person for person in cohort if covered.use(person))
    lines, not_covered = _collect(request, source, people, covered, key, day)
    given = {kind: len(found) for kind, found in sorted(lines.items())}
    if given:
        _write(folder, request, lines, day)
    return Summary(len(cohort), len(people), given, not_covered)


class _Covered:
    """What consents permit for one request: of whom, and which of a person's data."""

    def __init__(self, register: Register, request: Request, day: date):
        self._register, self._day, self._options = register, day, request.options()
        options.required(self._options, register.policies)  # fails where nobody can have consented

    def use(self, person: str) -> bool:
        return options.permits(self._register, person, self._options, self._day).permitted

    def resource(self, person: str, resource: dict) -> bool:
        """Return whether data of these days may be used: collected under a consent, or before it where it says so."""
        kind, roles = resource["resourceType"], self._register.policies.roles
        if kind == "Patient":
            return True
        if kind == "Media" and not self._all(person, roles.get("image", ()), self._day):
            return False
        found = minimise.dates_of(resource)
        return bool(found) and all(self._collected(person, d) for when in found for d in (when.first, when.last))

    def _collected(self, person: str, day: date) -> bool:
        roles = self._register.policies.roles
        answers = {self._register.permits(person, code, day).answer for code in roles["collect"]}
        if answers == {PERMIT}:
            return True
        # Nobody had signed yet: data from before a consent need a consent to just that.
        return DENY not in answers and self._all(person, roles["use_retrospective"], self._day)

    def _all(self, person: str, codes: Sequence[str], day: date) -> bool:
        return all(self._register.permits(person, code, day).permitted for code in codes)


def _collect(
    request: Request, source: Client, people: frozenset[str], covered: _Covered, key: bytes, day: date
) -> tuple[dict[str, list[str]], int]:
    selection = request.variable_selection
    rules = minimise.Rules(selection.dates, day, Pseudonyms(key, request.project_id))
    lines, not_covered = defaultdict(list), 0
    for kind in sorted({variable.resource_type for variable in selection.variables}):
        variables = [variable for variable in selection.variables if variable.resource_type == kind]
        for resource in source.resources(kind):
            person = person_of(resource)
            chosen = [v for v in variables if person in people and holds(resource) and _asked(resource, v)]
            if chosen and not covered.resource(person, resource):
                not_covered += 1
            elif chosen and (line := _line(resource, person, chosen, rules)):
                lines[kind].append(line)
    return dict(lines), not_covered


def _asked(resource: dict, variable) -> bool:
    key = minimise.CODED.get(variable.resource_type)
    return key is None or any(
        minimise.wanted(code, variable.codes) for code in minimise.codes_of(resource.get(key), variable.system)
    )


def _line(resource: dict, person: str, chosen: Sequence, rules: minimise.Rules) -> str | None:
    """Return a resource as a line: of several variables that ask for it, what the first names."""
    first = chosen[0]
    made = minimise.built(
        resource, person, first.elements, rules=rules, system=first.system, codes=first.codes, digits=first.digits
    )
    return json.dumps(made, ensure_ascii=True, separators=(",", ":")) if made else None


def _write(folder: Path, request: Request, lines: dict[str, Iterable[str]], day: date) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch, output = scratch_folder(folder), []
    for kind, found in sorted(lines.items()):
        # By pseudonym: the order in which people came must not tell who they are.
        text = "".join(f"{line}\n" for line in sorted(found))
        (scratch / f"{kind}.ndjson").write_text(text, encoding="ascii", newline="\n")
        output.append({"type": kind, "url": f"{kind}.ndjson", "count": len(found)})
    write_json(scratch / MANIFEST, {
        "transactionTime": f"{day}T00:00:00Z", "request": f"urn:avatar:request:{request.project_id}",
        "requiresAccessToken": False, "output": output, "error": [],
        "extension": {"requestSha256": text_sha256(request.model_dump_json(by_alias=True))},
    })  # fmt: skip
    swap_in(scratch, folder)
