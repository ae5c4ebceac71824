"""Reading from FHIR servers: pages, failures and retries, and servers that mean no good."""

import json
import tracemalloc
from pathlib import Path

import pytest

from avatarlib.datause import client as module
from avatarlib.datause.client import Client, ServerError
from avatarlib.datause.server import serve
from avatarlib.datause.store import Store, answer, refusal, write_store
from avatarlib.errors import InputError


def people(count):
    return [{"resourceType": "Patient", "id": f"p{n}"} for n in range(count)]


@pytest.fixture
def store(tmp_path):
    write_store(tmp_path / "store", [*people(23), {"resourceType": "Condition", "id": "c"}])
    return Store(tmp_path / "store")


def scripted(answers, otherwise=None):
    """A server that gives these answers one after the other, and keeps what it was asked."""
    asked, left = [], list(answers)

    def respond(method, url, headers, body):
        asked.append((method, url, dict(headers), body))
        given = left.pop(0) if left else otherwise
        return given(method, url, headers, body) if callable(given) else given

    return asked, respond


def read(url, kind="Patient", **more):
    waits = []
    with Client(url, wait=waits.append, **more) as client:
        return [resource["id"] for resource in client.resources(kind)], waits


@pytest.mark.parametrize("page", [1, 5, 23, 24])
def test_every_page_is_read_once_from_store_and_server_alike(store, page):
    wanted = [f"p{n}" for n in range(23)]
    assert read(store.folder, page=page)[0] == wanted
    with serve(store.respond) as url:
        assert read(url, page=page)[0] == wanted
        assert read(url + "/", kind="Condition")[0] == ["c"]
        assert read(url, kind="Observation")[0] == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again_and_waits_grow(store, status):
    asked, respond = scripted([(status, {}, b""), (status, {"Retry-After": "7"}, b"x")], store.respond)
    with serve(respond) as url:
        found, waits = read(url, page=10)
    assert len(found) == 23 and len(asked) == 2 + 3
    assert waits == [0.5, 7.0]


def test_waits_are_bounded_and_tries_are_counted(store):
    asked, respond = scripted([], (503, {"Retry-After": "86400"}, b""))
    waits = []
    with serve(respond) as url, Client(url, wait=waits.append) as client:
        with pytest.raises(ServerError, match="/fhir/Patient answers 503, 4 times. Try again later"):
            list(client.resources("Patient"))
    assert len(asked) == 4 and waits == [module.LONGEST_WAIT] * 3
    with pytest.raises(ServerError, match=r"can't be reached \(ConnectError\), 4 times"):
        read(url)


@pytest.mark.parametrize(
    "given, line",
    [
        (refusal(401, "who are you"), "answers 401: 'who are you'"),
        (refusal(403, "\x1b[31m\nno"), r"answers 403: '\\x1b\[31m\\nno'"),
        ((404, {}, b"<html>"), "answers 404$"),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), "answers 302$"),
        ((204, {}, b""), "answers 204$"),
        ((200, {}, b"<html>"), "is not JSON: .* Is it a FHIR server"),
        ((200, {}, b"[]"), "wanted a JSON object, found list. Is it"),
        ((200, {}, b"{" * 100_000), "is not JSON: "),
        (answer(200, {"resourceType": "Patient"}), "answers 'Patient', not a Bundle"),
        (answer(200, {"resourceType": "Bundle", "entry": {}}), "Bundle.entry is no list"),
        (answer(200, {"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://evil.example/x"}]}),
         "its next page lies on another server"),
        (answer(200, {"resourceType": "Bundle", "link": [{"relation": "next", "url": 7}]}), "another server"),
        (answer(200, {"resourceType": "Bundle", "link": [{"relation": "next", "url": "file:///etc/x"}]}), "another"),
    ],
)  # fmt: skip
def test_other_answers_end_in_one_line(given, line):
    with serve(lambda *_: given) as url:
        with pytest.raises(ServerError, match=line) as caught:
            read(url)
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


def test_pages_that_go_in_a_circle_or_never_end(monkeypatch):
    def circle(method, url, headers, body):
        there = url.replace("_start=1", "_start=0") if "_start=1" in url else url.partition("?")[0] + "?_start=1"
        return answer(200, {"resourceType": "Bundle", "link": [{"relation": "next", "url": there}]})

    with serve(circle) as url, pytest.raises(ServerError, match="already read"):
        read(url)
    monkeypatch.setattr(module, "LARGEST_PAGE", 1000)
    with serve(lambda *_: (200, {}, b" " * 1001)) as url, pytest.raises(ServerError, match="a page is over"):
        read(url)


def test_strange_entries_are_passed_over():
    entries = [
        None,
        {},
        {"resource": None},
        {"resource": {"resourceType": "OperationOutcome"}},
        {"resource": people(1)[0]},
    ]
    with serve(lambda *_: answer(200, {"resourceType": "Bundle", "entry": entries})) as url:
        assert read(url)[0] == ["p0"]


def test_the_token_goes_to_the_server_alone(store, monkeypatch):
    monkeypatch.setenv(module.TOKEN, "secret")
    asked, respond = scripted([], store.respond)
    with serve(respond) as url:
        read(url)
    assert asked[0][2]["Authorization"] == "Bearer secret"
    with Client(store.folder) as client:
        assert "Authorization" not in client._http.headers


@pytest.mark.parametrize(
    "source, line",
    [
        ("http://fhir.example.org", "by https only"),
        ("ftp://fhir.example.org", "is no base URL"),
        ("https://user:pw@fhir.example.org", "is no base URL"),
        ("https://fhir.example.org/?a=b", "is no base URL"),
        ("https://", "is no base URL"),
        ("/nowhere", "holds no .ndjson files"),
    ],
)
def test_sources_that_are_none(source, line):
    with pytest.raises(InputError, match=line):
        Client(source)


def test_store_refuses_what_it_does_not_know(store):
    def status(method, url):
        return store.respond(method, url, {}, b"")[0]

    assert status("POST", "http://x/fhir/Patient") == 404
    assert status("GET", "http://x/fhir/Patient/$everything") == 404
    assert status("GET", "http://x/fhir/../../etc/passwd") == 200  # a type called passwd: there is none of it
    assert json.loads(store.respond("GET", "http://x/fhir/passwd", {}, b"")[2])["total"] == 0
    assert status("GET", "http://x/fhir/Patient?_count=x") == status("GET", "http://x/fhir/Patient?_count=0") == 400


def test_a_store_is_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(InputError, match="resource 2 has no plain resourceType"):
        write_store(tmp_path / "s", [people(1)[0], {"resourceType": "../x"}])
    assert not (tmp_path / "s").exists()
    write_store(tmp_path / "s", people(1))
    with pytest.raises(InputError, match="is not empty"):
        write_store(tmp_path / "s", people(1))
    assert sorted(path.name for path in Path(tmp_path / "s").iterdir()) == ["Patient.ndjson"]


@pytest.mark.parametrize(
    "line, told",
    [(b"{", "is not JSON"), (b"[]", "wanted a JSON object"), (b'{"resourceType": "Observation"}', "is no Patient"),
     (b"\xff", "is not JSON"), (b'{"resourceType": "Patient", "x": NaN}', "is not JSON")],
)  # fmt: skip
def test_a_bad_line_of_a_store_is_named(tmp_path, line, told):
    good = json.dumps(people(1)[0]).encode()
    (tmp_path / "Patient.ndjson").write_bytes(good + b"\n\n" + good + b"\n" + line + b"\n")
    with pytest.raises(InputError, match="Patient.ndjson: resource 3") as caught:
        read(tmp_path)
    assert told in str(caught.value)


def test_a_store_is_never_held_whole(tmp_path):
    write_store(tmp_path / "s", ({"resourceType": "Patient", "id": f"p{n}", "x": "y" * 10_000} for n in range(6000)))
    assert (tmp_path / "s" / "Patient.ndjson").stat().st_size > 60e6
    tracemalloc.start()
    with Client(tmp_path / "s", page=50) as client:
        assert sum(1 for _ in client.resources("Patient")) == 6000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
