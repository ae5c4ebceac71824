"""How many people are there? Sites answer with counts from which nobody can be singled out, and nothing else leaves.

A site's count is protected four times:

- fewer than `SMALLEST` people are answered "fewer than ten", zero like nine;
- counts are rounded to tens;
- a question whose people differ from those of an earlier one by fewer than `SMALLEST` gets the earlier answer, so that
  the difference of two answers never tells of one person (the differencing attack; the defence is that of query-set
  overlap: Dobkin, Jones & Lipton 1979), and asking again teaches nothing;
- each project may ask `BUDGET` questions.

That bounds what one can learn; it is no differential privacy, and says nothing against many projects that collude.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from avatarlib.consent import document, options
from avatarlib.consent.dates import day as read_day
from avatarlib.consent.decide import Register
from avatarlib.consent.policies import Policies, mii_policies
from avatarlib.datause.client import Client, ServerError
from avatarlib.datause.criteria import Query, matching
from avatarlib.datause.store import Answer, Store, answer, refusal
from avatarlib.datause.strict import checked
from avatarlib.errors import InputError
from avatarlib.fhir import stream

SMALLEST, STEP, BUDGET = 10, 10, 50


class Counts:
    """What a site has answered so far; the memory is what protects."""

    def __init__(self, smallest: int = SMALLEST, step: int = STEP, budget: int = BUDGET):
        self.smallest, self.step, self.budget = smallest, step, budget
        self._given: list[tuple[frozenset[str], int | None]] = []
        self._asked: Counter[str] = Counter()

    def count(self, project: str, people: frozenset[str]) -> int | None:
        """Return the protected number of people, None for "fewer than `smallest`".

        Raises
        ------
        InputError
            The project has used up its questions.
        """
        if self._asked[project] >= self.budget:
            raise InputError(f"the project has asked its {self.budget} questions")
        self._asked[project] += 1
        near = [
            (len(people ^ earlier), told)
            for earlier, told in self._given
            if abs(len(people) - len(earlier)) < self.smallest
        ]
        near = [row for row in near if row[0] < self.smallest]
        if near:
            return min(near, key=lambda row: row[0])[1]
        told = None if len(people) < self.smallest else self.step * ((len(people) + self.step // 2) // self.step)
        self._given.append((people, told))
        return told

    def bounds(self, told: int | None) -> tuple[int, int]:
        """Return the least and largest true number behind an answer."""
        slack = self.smallest - 1
        if told is None:
            return 0, 2 * slack
        return max(0, told - self.step // 2 - slack), told + (self.step + 1) // 2 - 1 + slack


class Site:
    """A hospital that answers questions about its own store: `respond` is what its server says."""

    def __init__(self, name: str, folder: Path, policies: Policies | None = None):
        self.name, self.counts = name, Counts()
        self._store, self._kept = Store(folder), {}
        consents = document.linked(document.documents(self._resources("Consent"), name), self._resources("Patient"))
        self._register = Register(consents, policies or mii_policies())

    def _resources(self, kind: str) -> list[dict]:
        """Return the resources of a type; kept, because questions come again and again."""
        if kind not in self._kept:
            self._kept[kind] = list(self._store.resources(kind))
        return self._kept[kind]

    def people(self, query: Query, chosen: options.Options, day: date) -> frozenset[str]:
        """Return who is in a cohort and has consented to a project of this kind."""
        found = matching(query, self._resources, day)
        return frozenset(p for p in found if options.permits(self._register, p, chosen, day).permitted)

    def respond(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer `POST [base]/feasibility` with a count; data are not to be had here."""
        if method != "POST" or not url.endswith("/feasibility"):
            return refusal(403, "this site answers feasibility questions only")
        try:
            asked = stream.parse(body, "question")
            if set(asked) != {"project", "query", "consent", "day"} or not isinstance(asked["project"], str):
                raise InputError("question: wanted project, query, consent and day, no more")
            query, day = checked(Query, asked["query"], "question: query"), read_day(asked["day"], "question: day")
            people = self.people(query, options.from_code(asked["consent"]), day)
            return answer(200, {"site": self.name, "count": self.counts.count(asked["project"], people)})
        except InputError as error:
            return refusal(422, str(error))


@dataclass(frozen=True)
class Reply:
    """What became of a question to a site: `count` (None: fewer than ten) where `problem` is empty."""

    site: str
    count: int | None
    problem: str = ""


def ask(
    addresses: Mapping[str, str], *, project: str, query: Query, consent: options.Options, day: date, **client
) -> list[Reply]:
    """Ask sites how many people they have; one that is down or refuses holds nobody up.

    Parameters
    ----------
    addresses
        Site -> base URL.
    client
        Passed on to `avatarlib.datause.client.Client`.
    """
    question = {
        "project": project, "query": json.loads(query.model_dump_json(by_alias=True)), "consent": consent.code,
        "day": day.isoformat(),
    }  # fmt: skip
    return [_reply(site, url, question, client) for site, url in addresses.items()]


def _reply(site: str, url: str, question: dict, options: dict) -> Reply:
    try:
        with Client(url, **options) as client:
            told = client.post("feasibility", question)
    except ServerError as error:
        return Reply(site, None, str(error))
    count = told.get("count", -1)
    if set(told) != {"site", "count"} or not (count is None or (type(count) is int and count >= 0)):
        return Reply(site, None, "answers something else than a count; it was not looked at")
    return Reply(site, count)


def table(replies: Iterable[Reply]) -> pd.DataFrame:
    """Return one row a site and one for all that answered: what was told, and between which bounds the truth lies."""
    counts, rows = Counts(), []
    for reply in replies:
        low, high = (0, 0) if reply.problem else counts.bounds(reply.count)
        told = "" if reply.problem else f"fewer than {SMALLEST}" if reply.count is None else str(reply.count)
        rows.append((reply.site, told, low, high, reply.problem.partition(" ")[2] if reply.problem else ""))
    frame = pd.DataFrame(rows, columns=["site", "told", "at least", "at most", "problem"])
    answered = frame[frame.problem == ""]
    total = [
        "all that answered",
        f"{len(answered)} of {len(frame)} sites",
        answered["at least"].sum(),
        answered["at most"].sum(),
        "",
    ]
    return pd.concat([frame, pd.DataFrame([total], columns=frame.columns)], ignore_index=True)
