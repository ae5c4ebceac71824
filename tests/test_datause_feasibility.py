"""Counts that can be shared: what leaves a site, and the attack that takes one answer from another."""

import json
import random
from datetime import date

import pytest

from avatarlib.consent import build, options
from avatarlib.consent.policies import mii_policies
from avatarlib.datause import feasibility
from avatarlib.datause.criteria import VERIFICATION, Query, matching
from avatarlib.datause.server import serve
from avatarlib.datause.store import answer, refusal, write_store
from avatarlib.datause.strict import checked
from avatarlib.errors import InputError

DAY = date(2026, 7, 1)
ICD = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
YES = options.from_code("yes-yes-no-no")


def query(*include, exclude=()):
    return checked(Query, {"include": list(include), "exclude": list(exclude)}, "query")


AGE = {"kind": "age", "min": 0, "max": 120}
WOMEN = {"kind": "sex", "is": "female"}
GLAUCOMA = {"kind": "diagnosis", "system": ICD, "codes": ["H40"]}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """300 people; every third has glaucoma, everybody has consented but the last 60."""
    folder, policies = tmp_path_factory.mktemp("site") / "store", mii_policies()
    below = policies.system.removeprefix("urn:oid:")
    resources = []
    for n in range(300):
        born = date(1930 + n % 70, 1 + n % 12, 1 + n % 28)
        resources.append(
            {"resourceType": "Patient", "id": f"p{n}", "gender": ["female", "male"][n % 2], "birthDate": str(born)}
        )
        if n % 3 == 0:
            resources.append({"resourceType": "Condition", "id": f"c{n}", "subject": {"reference": f"Patient/p{n}"},
                              "code": {"coding": [{"system": ICD, "code": "H40.1"}]}})  # fmt: skip
        if n < 240:
            modules = [f"{below}.1", f"{below}.44"]
            resources.append(
                build.broad_consent(policies, id=f"s{n}", person=f"p{n}", day=date(2024, 1, 1), modules=modules)
            )
    write_store(folder, resources)
    return folder


def test_refuted_diagnoses_and_errors_do_not_count():
    people = [{"resourceType": "Patient", "id": str(n)} for n in range(3)]
    glaucoma = {"resourceType": "Condition", "code": {"coding": [{"system": ICD, "code": "H40.1"}]}}
    rows = [glaucoma | {"subject": {"reference": f"Patient/{n}"}} for n in range(3)]
    for row, code in zip(rows, ("refuted", "entered-in-error", "confirmed"), strict=True):
        row["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": code}]}
    found = matching(query(GLAUCOMA), {"Patient": people, "Condition": rows}.get, DAY)
    assert found == {"2"}


def fresh(folder):
    return feasibility.Site("here", folder)


def test_who_is_counted(site):
    here = fresh(site)
    assert len(here.people(query(AGE), YES, DAY)) == 240
    assert len(here.people(query(AGE), YES, date(2023, 12, 31))) == 0
    assert here.people(query(GLAUCOMA, exclude=[WOMEN]), YES, DAY) == {f"p{n}" for n in range(0, 240, 3) if n % 2}
    assert len(here.people(query({"kind": "age", "min": 40, "max": 49}), YES, date(2026, 12, 31))) == sum(
        40 <= 2026 - (1930 + n % 70) <= 49 for n in range(240)
    )
    assert here.people(query(AGE), options.from_code("yes-no-no-no"), DAY) == frozenset()


@pytest.mark.parametrize(
    "true, told", [(0, None), (9, None), (10, 10), (14, 10), (15, 20), (94, 90), (95, 100), (1000, 1000)]
)
def test_small_counts_are_not_told_and_others_are_rounded(true, told):
    counts = feasibility.Counts()
    assert counts.count("p", frozenset(map(str, range(true)))) == told
    low, high = counts.bounds(told)
    assert low <= true <= high


def test_bounds_hold_whatever_was_asked_before():
    rng = random.Random(1)
    for _ in range(200):
        counts = feasibility.Counts(budget=10**6)
        for _ in range(20):
            people = frozenset(range(rng.randint(0, 40)))
            low, high = counts.bounds(counts.count("p", people))
            assert low <= len(people) <= high


def attack(here, count):
    """Guess of people known by age and sex whether they have glaucoma, by the difference of two answers.

    Returns the share of those who have it that are found, and the share of the others that are wrongly named.
    """
    named = {True: [], False: []}
    for target in range(240):
        born = date(1930 + target % 70, 1 + target % 12, 1 + target % 28)
        age = DAY.year - born.year - ((DAY.month, DAY.day) < (born.month, born.day))
        known = [{"kind": "age", "min": age, "max": age}, {"kind": "sex", "is": ["female", "male"][target % 2]}]
        if len(here.people(query(*known), YES, DAY)) == 1:  # whoever can be singled out by what the attacker knows
            whole = here.people(query(GLAUCOMA), YES, DAY)
            without = whole - here.people(query(*known), YES, DAY)
            named[target % 3 == 0].append(count("p", whole) != count("p", without))
    assert min(len(told) for told in named.values()) >= 5
    return [sum(told) / len(told) for told in (named[True], named[False])]


def test_the_differencing_attack_succeeds_on_true_counts_and_learns_nothing_from_protected_ones(site):
    here = fresh(site)
    assert attack(here, lambda project, people: len(people)) == [1.0, 0.0]
    assert attack(here, feasibility.Counts(budget=10**6).count) == [0.0, 0.0]  # the answer never moves


def test_growing_a_set_one_by_one_tells_no_step():
    counts, told = feasibility.Counts(budget=10**6), []
    for n in range(20, 60):
        told.append(counts.count("p", frozenset(range(n))))
    steps = [n for n, (a, b) in enumerate(zip(told, told[1:], strict=False)) if a != b]
    assert all(b - a >= feasibility.SMALLEST for a, b in zip(steps, steps[1:], strict=False))


def test_asking_again_teaches_nothing_and_has_an_end():
    counts = feasibility.Counts(budget=5)
    people = frozenset(range(33))
    assert {counts.count("p", people) for _ in range(5)} == {30}
    with pytest.raises(InputError, match="has asked its 5 questions"):
        counts.count("p", people)
    assert counts.count("other", people) == 30


def test_only_a_count_is_on_the_wire(site):
    here, wire = fresh(site), []

    def listening(*asked):
        given = here.respond(*asked)
        wire.append(given)
        return given

    with serve(listening) as url:
        replies = feasibility.ask({"here": url}, project="p", query=query(GLAUCOMA), consent=YES, day=DAY)
        (status, headers, body), = wire  # fmt: skip
        assert json.loads(body) == {"site": "here", "count": 80} and status == 200
        assert set(headers) == {"Content-Type"}
        for what in ("Patient", "Condition?_count=1", "Consent"):  # data are not to be had
            assert here.respond("GET", f"{url}/{what}", {}, b"")[0] == 403
    assert replies == [feasibility.Reply("here", 80)]


def test_sites_that_are_down_refuse_or_answer_nonsense_hold_nobody_up(site):
    nonsense = {
        "more": {"site": "x", "count": 5, "people": ["p1"]}, "negative": {"site": "x", "count": -1},
        "text": {"site": "x", "count": "5"}, "true": {"site": "x", "count": True}, "none": {},
    }  # fmt: skip
    with serve(fresh(site).respond) as good, serve(lambda *_: refusal(403, "no contract")) as refusing:
        with serve(lambda *_: refusal(500, "")) as gone:
            pass
        addresses = {"good": good, "down": gone, "refusing": refusing}
        replies = feasibility.ask(
            addresses, project="p", query=query(GLAUCOMA), consent=YES, day=DAY, wait=lambda s: None
        )
    assert [reply.count for reply in replies] == [80, None, None]
    assert "can't be reached" in replies[1].problem and "'no contract'" in replies[2].problem
    table = feasibility.table(replies)
    assert table.told.tolist() == ["80", "", "", "1 of 3 sites"]
    assert table["at least"].iloc[-1] <= 80 <= table["at most"].iloc[-1]
    for value in nonsense.values():
        with serve(lambda *_, value=value: answer(200, value)) as url:
            (reply,) = feasibility.ask({"x": url}, project="p", query=query(GLAUCOMA), consent=YES, day=DAY)
        assert reply.count is None and "something else than a count" in reply.problem


@pytest.mark.parametrize(
    "change, line",
    [
        (b"{", "is not JSON"),
        (b"[]", "wanted a JSON object"),
        ({"extra": 1}, "wanted project, query, consent and day"),
        ({"project": 7}, "wanted project"),
        ({"day": "1.7.2026"}, "question: day: '1.7.2026' is no day"),
        ({"consent": "yes"}, "consent options"),
        ({"query": []}, "question: query: must hold keys"),
        ({"query": {"include": []}}, "include: "),
        ({"query": {"include": [{"kind": "name"}]}}, "include.0: kind must be one of age"),
        ({"query": {"include": [{"kind": "age"}]}}, "include.0: needs min, max or both"),
        ({"query": {"include": [{"kind": "age", "min": 9, "max": 1}]}}, "min is above max"),
        ({"query": {"include": [{"kind": "age", "min": float("nan")}]}}, "is not JSON"),
        ({"query": {"include": [AGE] * 51}}, "include: "),
        ({"query": {"include": [{"kind": "diagnosis", "system": "x", "codes": ["H40"]}]}}, "include.0.system"),
        ({"query": {"include": [{"kind": "diagnosis", "system": ICD, "codes": [".*"]}]}}, "include.0.codes.0"),
        ({"query": {"include": [AGE], "sql": "drop"}}, "sql: unknown key"),
    ],
)
def test_bad_questions_are_refused_and_cost_nothing(site, change, line):
    here = fresh(site)
    good = {"project": "p", "query": {"include": [AGE]}, "consent": "yes-yes-no-no", "day": "2026-07-01"}
    body = change if isinstance(change, bytes) else json.dumps(good | change).encode()
    status, _, told = here.respond("POST", "http://x/fhir/feasibility", {}, body)
    text = json.loads(told)["issue"][0]["diagnostics"]
    assert status == 422 and line in text and "\n" not in text
    assert not here.counts._asked
