"""Requests: the portal's structure, what they need, their page, and every way in which they can be wrong."""

import copy
import json
import re
from datetime import date
from html.parser import HTMLParser

import pytest

from avatarlib.cli import main
from avatarlib.datause.page import page, query_sentences
from avatarlib.datause.request import GDPR, Request, read_request
from avatarlib.datause.strict import checked
from avatarlib.errors import InputError
from avatarlib.manifests import folder as manifests_folder

EXAMPLE = manifests_folder() / "fhir" / "requests" / "pressure-and-the-eye.json"


def example():
    return json.loads(EXAMPLE.read_text())


def edited(path, value):
    """The example with one value replaced (None: removed)."""
    changed = copy.deepcopy(example())
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


def test_what_a_request_needs_follows_from_what_it_says():
    def code(*changes):
        return checked(Request, edited(*changes), "r").options().code

    assert len(GDPR) == 30
    assert code(["typeOfUse", "usage"], ["DISTRIBUTED"]) == "yes-yes-no-no"
    assert code(["typeOfUse", "usage"], ["DISTRIBUTED", "CENTRALIZED"]) == "no-yes-no-no"
    assert code(["recipients", 0, "country"], "CH") == "yes-no-no-no"
    assert code(["requestedData", "insuranceData"], True) == "yes-yes-yes-no"
    assert code(["resourceAndRecontact", "isRecontactingIntended"], True) == "yes-yes-no-yes"


@pytest.mark.parametrize(
    "start, months, last",
    [("2026-01-01", 1, "2026-01-31"), ("2026-01-31", 1, "2026-01-31"), ("2026-12-01", 2, "2027-01-31"),
     ("2026-07-01", 24, "2028-06-30")],
)  # fmt: skip
def test_a_project_ends_with_a_month(start, months, last):
    value = example()
    value["generalProjectInformation"] |= {"desiredStartTime": start, "projectDuration": months}
    value["ethicVote"]["voteFromDate"] = "2025-01-01"
    request, end = checked(Request, value, "r"), date.fromisoformat(last)
    request.require_in_force(end)
    with pytest.raises(InputError, match="the project ended"):
        request.require_in_force(date.fromordinal(end.toordinal() + 1))


class Reader(HTMLParser):
    """Keeps the tags and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.text, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    reader = Reader()
    reader.feed(html)
    return reader


def strings(value):
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    yield from (value,) if isinstance(value, str) else (text for part in parts for text in strings(part))


def test_the_page_shows_every_text_of_the_request():
    shown = " ".join(parsed(page(read_request(EXAMPLE))).text)
    hidden = {"age", "image", "diagnosis", "shifted"}  # said in other words
    assert [text for text in strings(example()) if text not in shown and text not in hidden] == []
    for words in ("age in years: 20 to 80", "the analysis comes to the data", "yes-yes-no-no"):
        assert words in shown


EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&amp;\"'\u202e"


def test_hostile_texts_are_text_on_the_page():
    value = example()
    free = {
        "projectTitle", "projectFunding", "simpleProjectDescription", "scientificBackground", "label", "institution",
        "role", "hypothesisAndQuestionProjectGoals", "materialAndMethods", "details", "ethicsCommittee", "deletion",
        "ethicsVoteNumber", "dataPrivacyExtra", "patientInfo", "dataInfo",
    }  # fmt: skip

    def spoil(part):
        if isinstance(part, dict):
            return {key: EVIL if key in free else spoil(inner) for key, inner in part.items()}
        return [spoil(inner) for inner in part] if isinstance(part, list) else part

    html = page(checked(Request, spoil(value), "r"))
    clean, evil = parsed(page(read_request(EXAMPLE))), parsed(html)
    assert evil.tags == clean.tags and evil.attributes == clean.attributes
    assert "".join(evil.text).count(EVIL) == len(free) + 2  # the title stands in three places


@pytest.mark.parametrize(
    "path, value, line",
    [
        (["projectId"], None, "projectId: is missing: add it"),
        (["projectId"], "No Spaces", "projectId: 'No Spaces' is not written as it must be"),
        (["projectId"], 7, "projectId: must be text, not 7"),
        (["surprise"], 1, "surprise: unknown key"),
        (["project_id"], "x", "project_id: unknown key"),
        (["generalProjectInformation"], [], "generalProjectInformation: must hold keys, not []"),
        (["generalProjectInformation", "projectTitle"], " \n", "projectTitle: ' \\n' is not written"),
        (["generalProjectInformation", "projectTitle"], "x" * 10_001, "projectTitle: String should have at most 10000"),
        (["generalProjectInformation", "projectDuration"], 0, "projectDuration: Input should be greater than"),
        (["generalProjectInformation", "projectDuration"], True, "projectDuration: Input should be a valid integer"),
        (["generalProjectInformation", "projectDuration"], "12", "projectDuration: Input should be a valid integer"),
        (["generalProjectInformation", "desiredStartTime"], "1.7.2026", "must be a day such as 2026-06-30, not '1.7"),
        (["generalProjectInformation", "desiredStartTime"], "2026-02-30", "must be a day such as"),
        (["generalProjectInformation", "desiredStartTime"], 20260701, "must be a day such as"),
        (["ethicVote", "ethicsVoteNumber"], None, "ethicVote: an existing vote needs ethicsCommittee"),
        (["ethicVote", "isExisting"], "yes", "ethicVote.isExisting: must be true or false, not 'yes'"),
        (["typeOfUse", "usage"], [], "typeOfUse.usage: "),
        (["typeOfUse", "usage"], ["SOLD"], "typeOfUse.usage.0: must be 'DISTRIBUTED' or 'CENTRALIZED', not 'SOLD'"),
        (["typeOfUse", "usage"], "DISTRIBUTED", "typeOfUse.usage: must be a list, not 'DISTRIBUTED'"),
        (["recipients"], [], "recipients: "),
        (["recipients", 0, "country"], "Germany", "recipients.0.country: 'Germany' is not written"),
        (["retention", "months"], 241, "retention.months: "),
        (["variableSelection", "dates"], "exact", "must be 'year', 'month' or 'shifted', not 'exact'"),
        (["variableSelection", "variables", 0, "resourceType"], "Person", "must be 'Patient', 'Condition'"),
        (["variableSelection", "variables", 0, "elements"], ["name"], "of Patient these can be had: gender, birthDate"),
        (["variableSelection", "variables", 1, "codes"], [], "name system and codes of the Condition"),
        (["variableSelection", "variables", 2, "elements"], ["status"], "without code it is no Observation"),
        (["variableSelection", "variables", 0, "codes"], ["x"], "Patient is chosen by no codes"),
        (["cohort", "query", "include"], [], "cohort.query.include: "),
        (["cohort", "query", "include", 0, "kind"], "name", "cohort.query.include.0: kind must be one of"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(capsys, tmp_path, path, value, line):
    file = tmp_path / "r.json"
    file.write_text(json.dumps(edited(path, value)))
    assert main(["fhir", "request", str(file), "--page", str(tmp_path / "p.html")]) == 2
    told = capsys.readouterr().err
    assert (
        line in told and told.count("\n") == 1 and told.startswith(f"avatar: {file}: ") and told.strip().isprintable()
    )
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    "data, line",
    [
        (b"", "is not JSON"), (b"[]", "wanted a JSON object"), (b'{"a": NaN}', "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"projectId": "\\ud800"}', "half a character"), (b"[" * 100_000, "is not JSON"),
        (b" " * (1 << 20) + b"{}", "larger than 1 MB"),
        (b'{"\x1b[31m\\u202e": 1}', "is not JSON"), (b'{"\\u001b[31m\\u202e": 1}', "unknown key"),
    ],
)  # fmt: skip
def test_files_that_are_no_request(capsys, tmp_path, data, line):
    file = tmp_path / "r.json"
    file.write_bytes(data)
    assert main(["fhir", "request", str(file)]) == 2
    told = capsys.readouterr().err
    assert (line in told or "is missing" in told) and told.count("\n") == 1 and told.strip().isprintable()
    assert main(["fhir", "request", str(tmp_path / "none.json")]) == 2


def test_command_writes_the_page(capsys, tmp_path):
    assert main(["fhir", "request", str(EXAMPLE), "--page", str(tmp_path / "p.html")]) == 0
    assert "the request holds; it needs consent yes-yes-no-no" in capsys.readouterr().out
    assert re.match(r"<!DOCTYPE html><html lang=\"en\">", (tmp_path / "p.html").read_text())


def test_cohorts_in_words():
    request = read_request(EXAMPLE)
    assert [line.partition(" (")[0] for line in query_sentences(request.cohort.query)] == [
        "age in years: 20 to 80", "pictures: fundus", "not: diagnosis H35.3",
    ]  # fmt: skip


def test_a_page_replaces_pages_alone(capsys, tmp_path):
    call = ["fhir", "request", str(EXAMPLE), "--page"]
    for _ in range(2):
        assert main([*call, str(tmp_path / "p.html")]) == 0
    (tmp_path / "thesis.txt").write_text("years of work")
    for name in ("thesis.txt", "."):
        assert main([*call, str(tmp_path / name)]) == 2
        assert "is no page of a request: name a new file" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.html", "thesis.txt"]
