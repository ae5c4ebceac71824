"""What a person's documents permit on a day: permit, deny or unknown; only permit opens anything.

1. A document counts from the day it was signed. Only active ones count, and rejected ones as refusals.
2. A document speaks of a policy by its code, or by the code of a module that it is part of. A rule is in force where
   its period, within the periods around it, holds the day. An exception goes before the rule that it belongs to; of
   several exceptions to one rule a denial goes before a permission.
3. Of the documents that speak of the policy the one signed last decides; where the time of day does not tell, a
   denial.
4. A permission ends with its period, with the years that its policy allows, or with the day before a minor comes of
   age, whichever comes first. Then the answer is deny.
5. Whatever is vague counts against permission. A partial date begins as late as it can, and for a denial as early. A
   rule under conditions (people, acts, purposes, data) permits nothing and denies all that it names. A rule that names
   nothing permits nothing; it denies where it has no exceptions, as a withdrawal of everything does, and a refusal.
   Such a blanket denial holds for its own domain where it names one and other documents speak of the policy. Where a
   person is named by an address on some server, the document can forbid for whoever has that id here, not permit.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, time

from avatarlib.consent.dates import quoted, years_later
from avatarlib.consent.document import Document, Provision, elsewhere, person_key
from avatarlib.consent.policies import Policies

PERMIT, DENY, UNKNOWN = "permit", "deny", "unknown"
_SILENT, _ENDED = "silent", "ended"


@dataclass(frozen=True)
class Decision:
    """An answer ("permit", "deny" or "unknown") and why."""

    answer: str
    reason: str

    @property
    def permitted(self) -> bool:
        """True for permit alone."""
        return self.answer == PERMIT


def worst(decisions: Iterable[Decision]) -> Decision:
    """Return the first denial, else the first unknown, else the first permission; there is at least one decision."""
    found: dict[str, Decision] = {}
    for decision in decisions:
        if decision.answer == DENY:
            return decision
        found.setdefault(decision.answer, decision)
    return found.get(UNKNOWN) or found[PERMIT]


class Register:
    """The documents of people, found by person: the state that is asked again and again."""

    def __init__(self, documents: Iterable[Document], policies: Policies):
        self.policies = policies
        self._said: dict[tuple[str, str, date], Decision] = {}
        self._of: dict[str, list[Document]] = defaultdict(list)
        for document in documents:
            if document.status in ("active", "rejected"):
                self._of[document.person].append(document)
                if id := elsewhere(document):  # it may be about this server's person: then it can forbid, not permit
                    kind = "partial withdrawal" if document.kind == "consent" else document.kind
                    self._of[id].append(replace(document, kind=kind))

    def people(self) -> list[str]:
        """Return everybody who signed anything."""
        return sorted(self._of)

    def documents(self, person: str) -> tuple[Document, ...]:
        """Return a person's active and rejected documents in the order of their dates."""
        found = self._of.get(person_key(person), [])
        return tuple(sorted(found, key=lambda document: (document.given.first, document.given.last)))

    def permits(self, person: str, policy: str, day: date) -> Decision:
        """Return what a person's documents say about a policy on a day.

        Parameters
        ----------
        person
            Reference ("Patient/17" or "17"), or "system|value" of an identifier.
        policy
            Code of a policy, or of a module: permitted where all its policies are, denied where one is denied.
        day
            The answer holds for the whole day.
        """
        return worst(self._known(person_key(person), leaf, day) for leaf in self.policies.leaves(policy))

    def _known(self, person: str, policy: str, day: date) -> Decision:
        key = (person, policy, day)
        if key not in self._said:
            self._said[key] = self._one(*key)
        return self._said[key]

    def _one(self, person: str, policy: str, day: date) -> Decision:
        keys = frozenset((self.policies.system, name) for name in self.policies.names(policy))
        years, on_file = self.policies.years(policy), self._of.get(person, ())
        said = [(document, *_word(document, keys, years, day)) for document in on_file]
        said = [row for row in said if row[1] != _SILENT]
        domains = {document.domain for document, _, named in said if named}
        said = [row for row in said if row[2] or not domains or not row[0].domain or domains & {"", row[0].domain}]
        if not said:
            return Decision(UNKNOWN, f"none of {len(on_file)} documents on file speaks of {policy} on {day}")
        document, word, _ = max(said, key=_rank)
        source = f"{document.kind} {quoted(document.id)} of {document.given.last}"
        if word == _ENDED:
            return Decision(DENY, f"{source}: its period for {policy} is over on {day}")
        return Decision(word, f"{source} {'permits' if word == PERMIT else 'denies'} {policy} on {day}")


def _rank(row: tuple[Document, str, bool]) -> tuple[date, time, bool]:
    """Return when a document was signed: a permission as early as its date allows, all else as late."""
    document, word, _ = row
    given = document.given
    if word == PERMIT:
        return given.first, given.clock or time.min, False
    return given.last, given.clock or time.max, True


def _word(document: Document, keys: frozenset, years: int | None, day: date) -> tuple[str, bool]:
    """Return what a document says of a policy (permit, deny, ended or silent), and whether it names the policy."""
    rule, given = document.rule, document.given
    named = _names(rule, keys)
    if document.kind in ("withdrawal", "refusal"):
        return (DENY if day >= given.first else _SILENT), named
    if not (rule.permit or rule.coded or rule.exceptions):
        begins = max(given.first, rule.start.first) if rule.start else given.first
        return (DENY if day >= begins else _SILENT), False
    always = date.max
    walk = _Walk(keys, years, day, given.first, document.kind == "consent")
    return walk.say(rule, False, (given.first, always), (given.last, document.until or always)), named


def _names(rule: Provision, keys: frozenset) -> bool:
    return bool(rule.codes & keys) or any(_names(part, keys) for part in rule.exceptions)


@dataclass(frozen=True)
class _Walk:
    """One question to one document: the policy's keys and years, the day, when it was signed, whether it can permit."""

    keys: frozenset
    years: int | None
    day: date
    signed: date
    may_permit: bool

    def say(self, rule: Provision, named: bool, wide: tuple[date, date], narrow: tuple[date, date]) -> str:
        """Return the word of a rule that may be in force on the days `wide`, and surely is on the days `narrow`."""
        if rule.coded and not rule.codes & self.keys:
            return _SILENT
        named = named or rule.coded
        if rule.start:
            wide, narrow = (max(wide[0], rule.start.first), wide[1]), (max(narrow[0], rule.start.last), narrow[1])
        if rule.end:
            wide, narrow = (wide[0], min(wide[1], rule.end.last)), (narrow[0], min(narrow[1], rule.end.complete))
        words = {self.say(part, named, wide, narrow) for part in rule.exceptions}
        own = self._own(rule, wide, narrow) if named else _SILENT
        return next((word for word in (DENY, PERMIT) if word in words), None) or (
            _ENDED if own == _SILENT and _ENDED in words else own
        )

    def _own(self, rule: Provision, wide: tuple[date, date], narrow: tuple[date, date]) -> str:
        if not rule.permit:
            return _SILENT if self.day < wide[0] else DENY if self.day <= wide[1] else _ENDED
        if rule.conditional or not self.may_permit or self.day < narrow[0]:
            return _SILENT
        start = min(wide[0], rule.start.first) if rule.start else wide[0]
        last = years_later(min(self.signed, start), self.years) if self.years else date.max
        return PERMIT if self.day <= min(narrow[1], last) else _ENDED
