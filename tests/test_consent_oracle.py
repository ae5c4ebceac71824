"""Decisions on consent against an oracle that shares no code with them: it paints histories as bits, one a day."""

import random
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from avatarlib.consent import document
from avatarlib.consent.decide import Register
from avatarlib.consent.policies import Policies, Policy

SYSTEM, OTHER = "urn:test:policies", "urn:test:elsewhere"
MODULE = {"a": "m", "b": "m", "c": "n", "d": None}
YEARS = {"a": 1, "b": None, "c": 2, "d": 1}
POLICIES = Policies(
    SYSTEM,
    "of a test",
    {code: Policy(code, "", module, YEARS[code]) for code, module in MODULE.items()}
    | {code: Policy(code, "", None, None) for code in "mn"},
    {},
)
LEAVES = {"m": "ab", "n": "c"} | {code: code for code in "abcd"}
EPOCH, SPAN = date(2019, 6, 1), 1500  # days; bit k is the day EPOCH + k
ALL_DAYS = (1 << SPAN) - 1
FORMS = {"consent": "1791", "withdrawal": "2720", "partial": "2721", "refusal": "4054"}
BERLIN = ZoneInfo("Europe/Berlin")


def number(day: date) -> int:
    return (day - EPOCH).days


def draw_date(rng, low: int, high: int) -> dict:
    """A FHIR date as text, with the numbers of its first, last and complete day."""
    day = EPOCH + timedelta(days=rng.randint(low, high))
    kind = rng.random()
    if kind < 0.55:
        return {"text": day.isoformat(), "first": number(day), "last": number(day), "complete": number(day)}
    if kind < 0.70:
        first = day.replace(day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return {"text": f"{day:%Y-%m}", "first": number(first), "last": number(last), "complete": number(last)}
    if kind < 0.75:
        first, last = number(date(day.year, 1, 1)), number(date(day.year, 12, 31))
        return {"text": f"{day:%Y}", "first": first, "last": last, "complete": last}
    clock = rng.choice([(0, 0), (0, 30), (12, 0), (23, 30), (23, 59)])
    local = datetime(day.year, day.month, day.day, *clock, tzinfo=BERLIN)
    offset = rng.choice([-8, 0, 1, 2, 9])
    there = (local - local.utcoffset()).replace(tzinfo=None) + timedelta(hours=offset)
    zone = "Z" if offset == 0 else f"{'-' if offset < 0 else '+'}{abs(offset):02}:00"
    n = number(day)
    text, complete = there.isoformat(timespec="seconds") + zone, n - (clock != (23, 59))
    return {"text": text, "first": n, "last": n, "complete": complete, "clock": clock}


def draw_rule(rng, depth: int) -> dict:
    rule = {
        "type": rng.choice(["permit", "permit", "deny"]),
        "parts": [],
        "codes": [],
        "conditional": rng.random() < 0.05,
    }
    if depth == 0:
        rule["type"] = rng.choice(["deny", "deny", "deny", "permit"])
    if rng.random() < 0.85:
        rule["start"] = draw_date(rng, 60, 900)
    if rng.random() < 0.7:
        rule["end"] = draw_date(rng, 600, 1300)
    if "start" in rule and "end" in rule and rule["end"]["last"] < rule["start"]["first"]:
        del rule["end"]
    if rng.random() < (0.1 if depth == 0 else 0.9):
        rule["codes"] = [(rng.choice([SYSTEM] * 9 + [OTHER]), rng.choice("abcdmn")) for _ in range(rng.randint(1, 3))]
    if depth < 3:
        rule["parts"] = [
            draw_rule(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 3] if depth == 0 else [0, 0, 0, 1, 2]))
        ]
    return rule


def draw_document(rng, name: int) -> dict:
    return {
        "id": str(name), "given": draw_date(rng, 60, 900), "rule": draw_rule(rng, 0),
        "domain": rng.choice(["", "", "ResearchStudy/x", "ResearchStudy/y"]),
        "form": rng.choice(["consent"] * 7 + ["withdrawal", "partial", "refusal"]),
        "status": rng.choice(["active"] * 8 + ["rejected", "inactive", "draft"]),
    }  # fmt: skip


def to_fhir(drawn: dict) -> dict:
    def rule(given: dict) -> dict:
        period = {key: given[key]["text"] for key in ("start", "end") if key in given}
        out = {"type": given["type"]} | ({"period": period} if period else {})
        if given["codes"]:
            out["code"] = [{"coding": [{"system": system, "code": code}]} for system, code in given["codes"]]
        if given["parts"]:
            out["provision"] = [rule(part) for part in given["parts"]]
        return out | ({"purpose": [{"code": "HRESCH"}]} if given["conditional"] else {})

    resource = {
        "resourceType": "Consent", "id": drawn["id"], "status": drawn["status"], "patient": {"reference": "Patient/1"},
        "dateTime": drawn["given"]["text"], "provision": rule(drawn["rule"]),
        "policy": [{"uri": f"urn:oid:2.16.840.1.113883.3.1937.777.24.2.{FORMS[drawn['form']]}"}],
    }  # fmt: skip
    if drawn["domain"]:
        parts = [{"url": "domain", "valueReference": {"reference": drawn["domain"]}}]
        resource["extension"] = [{"url": document.DOMAIN, "extension": parts}]
    return resource


# -- the oracle: everything below works on bits of whole histories ----------------------------------------------------


def from_day(n: int) -> int:
    return ALL_DAYS & ~((1 << max(n, 0)) - 1)


def until_day(n: int) -> int:
    return (1 << min(max(n + 1, 0), SPAN)) - 1


def anniversary(n: int, years: int) -> int:
    start = EPOCH + timedelta(days=n)
    if (start.month, start.day) == (2, 29):
        return number(date(start.year + years, 2, 28))
    return number(date(start.year + years, start.month, start.day)) - 1


def paint(rule, leaf, doc, blanket_parent, begin, end, may_permit, conditional):
    """Days on which a rule permits, denies, or has run out; begin and end are (for denials, for permissions)."""
    wanted = {(SYSTEM, leaf), (SYSTEM, MODULE[leaf])}
    if rule["codes"] and not wanted & set(rule["codes"]):
        return 0, 0, 0
    conditional |= rule["conditional"]
    if "start" in rule:
        begin = (max(begin[0], rule["start"]["first"]), max(begin[1], rule["start"]["last"]))
    if "end" in rule:
        end = (min(end[0], rule["end"]["last"]), min(end[1], rule["end"]["complete"]))
    speaks = bool(rule["codes"]) or not blanket_parent
    painted = [paint(part, leaf, doc, not speaks, begin, end, may_permit, conditional) for part in rule["parts"]]
    deny = permit = ended = 0
    for p, d, e in painted:
        permit, deny, ended = permit | p, deny | d, ended | e
    permit &= ~deny
    free = ALL_DAYS & ~(permit | deny)
    if speaks and rule["type"] == "deny":
        within = from_day(begin[0]) & until_day(end[0])
        deny |= free & within
        ended |= from_day(begin[0]) & ~within
    elif speaks and may_permit and not conditional:
        last = end[1]
        if YEARS[leaf]:
            first = begin[0] if "start" not in rule else min(begin[0], rule["start"]["first"])
            last = min(last, anniversary(min(first, doc["given"]["first"]), YEARS[leaf]))
        within = from_day(begin[1]) & until_day(last)
        permit |= free & within
        ended |= from_day(begin[1]) & ~within
    return permit, deny, ended & ~(permit | deny)


def mentions(rule, leaf) -> bool:
    return any(pair in rule["codes"] for pair in ((SYSTEM, leaf), (SYSTEM, MODULE[leaf]))) or any(
        mentions(part, leaf) for part in rule["parts"]
    )


def oracle(history, leaf, n: int) -> str:
    rows = []
    for doc in history:
        if doc["status"] not in ("active", "rejected"):
            continue
        first, last = doc["given"]["first"], doc["given"]["last"]
        rule, named = doc["rule"], mentions(doc["rule"], leaf)
        form = "refusal" if doc["status"] == "rejected" else doc["form"]
        if form in ("withdrawal", "refusal"):
            permit, deny, ended = 0, from_day(first), 0
        elif rule["type"] == "deny" and not rule["codes"] and not rule["parts"]:
            permit, deny, ended, named = (
                0,
                from_day(max(first, rule["start"]["first"]) if "start" in rule else first),
                0,
                False,
            )
        else:
            far = (SPAN + 9999, SPAN + 9999)
            permit, deny, ended = paint(rule, leaf, doc, True, (first, last), far, form == "consent", False)
        if permit >> n & 1:
            rows.append((first, doc["given"].get("clock", (0, 0)), False, "permit", named, doc["domain"]))
        elif (deny | ended) >> n & 1:
            rows.append((last, doc["given"].get("clock", (24, 0)), True, "deny", named, doc["domain"]))
    domains = {row[5] for row in rows if row[4]}
    kept = [row for row in rows if row[4] or not domains or row[5] == "" or "" in domains or row[5] in domains]
    return max(kept)[3] if kept else "unknown"


def ask_oracle(history, code: str, n: int) -> str:
    answers = {oracle(history, leaf, n) for leaf in LEAVES[code]}
    return "deny" if "deny" in answers else "unknown" if "unknown" in answers else "permit"


def edges(history) -> list[int]:
    """The days on which something may change, and their neighbours."""
    found = []

    def walk(rule):
        for key in ("start", "end"):
            if key in rule:
                found.extend([rule[key]["first"], rule[key]["last"]])
        for part in rule["parts"]:
            walk(part)

    for doc in history:
        found.extend([doc["given"]["first"], doc["given"]["last"], anniversary(doc["given"]["first"], 1)])
        walk(doc["rule"])
    return [n + step for n in found for step in (-1, 0, 1) if 0 <= n + step < SPAN]


def histories(seed: int, count: int):
    rng = random.Random(seed)
    for _ in range(count):
        history = [draw_document(rng, k) for k in range(rng.choice([0, 1, 1, 2, 3, 4]))]
        if len(history) > 1 and rng.random() < 0.2:  # signed on one day
            n = history[0]["given"]["first"]
            history[1]["given"] = draw_date(rng, n, n)
        yield rng, history


@pytest.mark.parametrize("seed", range(4))
def test_no_disagreement_with_the_oracle(seed):
    answers, wrong = {"permit": 0, "deny": 0, "unknown": 0}, []
    for rng, history in histories(seed, 3000):
        register = Register(document.documents(map(to_fhir, history), "test"), POLICIES)
        near = edges(history) or [300]
        for code in "abcdmn":
            for n in rng.choices(near, k=2):
                got = register.permits("Patient/1", code, EPOCH + timedelta(days=n)).answer
                answers[got] += 1
                if got != ask_oracle(history, code, n):
                    wrong.append((code, EPOCH + timedelta(days=n), got, ask_oracle(history, code, n), history))
    assert not wrong, wrong[0]
    assert min(answers.values()) > 1000, answers  # the histories exercise all three answers


def test_a_denial_more_never_opens_anything():
    for rng, history in histories(99, 1500):
        extra = draw_document(rng, 9) | {"form": rng.choice(["withdrawal", "refusal"]), "status": "active"}
        resources = [to_fhir(doc) for doc in history]
        before = Register(document.documents(resources, "test"), POLICIES)
        after = Register(document.documents([*resources, to_fhir(extra)], "test"), POLICIES)
        for n in rng.choices(edges([*history, extra]), k=4):
            day = EPOCH + timedelta(days=n)
            code = rng.choice("abcdmn")
            assert before.permits("1", code, day).permitted or not after.permits("1", code, day).permitted
