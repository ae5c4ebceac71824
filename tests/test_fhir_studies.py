"""Study records: read from a hub over HTTP, annotated with elements of the index, compared with labels by hand."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from avatarlib.errors import InputError
from avatarlib.fhir import hub, index, packages, studies
from avatarlib.fhir.tables import read_table


@pytest.fixture(scope="module")
def phrases():
    return studies.vocabulary(index.build(packages.named(["embedded"])))


def test_records_are_whole():
    table = read_table("studies.yml")
    assert len(table["studies"]) >= 20 and {one["language"] for one in table["studies"]} == {"de", "en"}
    assert len({one["id"] for one in table["studies"]}) == len(table["studies"])
    own = index.build(packages.named(["embedded"]))
    there = {f"{profile}/{element}" for profile, element in own.execute("SELECT profile, element FROM elements")}
    assert set(table["terms"].values()) <= there


@pytest.mark.parametrize("language", ["de", "en"])
def test_annotations_agree_with_labels(phrases, language):
    table = read_table("studies.yml")
    chosen = {one["id"] for one in table["studies"] if one["language"] == language}
    own = [one for one in studies.labelled_studies() if one.identifier in chosen]
    found = studies.agreement(own, phrases, frozenset(table["terms"].values()))
    assert found.both + found.labelled == sum(len(one.labels) for one in own)
    assert found.precision >= 0.85 and found.recall >= 0.8


def test_an_annotation_by_hand(phrases):
    text = "Gemessen werden Augeninnendruck und systolischer Blutdruck. Bilder werden nicht gemacht."
    found = studies.annotate(studies.study({"id": "a", "Resource": {"descriptions": text}}), phrases)
    assert "IntraocularPressure/Observation" in found and "EyeBloodPressure/Observation.component:systolic" in found
    assert not any(term.startswith("EyeImage") for term in found), "which the text denies"


def test_no_text_no_annotation(phrases):
    assert studies.annotate(studies.study({"id": "a"}), phrases) == {}
    empty = studies.agreement([studies.study({"id": "a"})], phrases, frozenset())
    assert (empty.both, empty.annotated, empty.labelled) == (0, 0, 0)
    for wrong in ({}, {"resource": []}, {"resource": {"resource_identifier": 3}}):
        with pytest.raises(InputError, match="neither id nor"):
            studies.study(wrong)


def as_hub(record):
    """A record in the shape in which the hub gives it."""
    own = record["Resource"]
    texts = {"resource_titles": [{"text": own["titles"], "language": record["language"]}],
             "resource_descriptions": [{"text": own["descriptions"], "language": record["language"]}],
             "resource_keywords": [{"label": word} for word in own["keywords"]]}  # fmt: skip
    return {"resource": {"resource_identifier": record["id"], **texts, "study_design": record["Design"]}}


@pytest.fixture
def server():
    """A hub on this machine; it counts its requests and is busy as often as `busy` says."""
    table = {one["id"]: as_hub(one) for one in read_table("studies.yml")["studies"]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            name = self.path.rpartition("/")[2]
            if self.server.busy:
                self.server.busy -= 1
                self.send_response(503)
            elif name == "elsewhere":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1:9/SYN-01")
            elif name in ("broken", "huge") or name in table:
                body = {"broken": b'{"resource": ', "huge": b" " * (hub.RECORD_BYTES + 1)}.get(name)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body or json.dumps(table[name], ensure_ascii=False).encode())
                return
            else:
                self.send_response(404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    own = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own.asked, own.busy = [], 0
    thread = threading.Thread(target=own.serve_forever, daemon=True)
    thread.start()
    yield own
    own.shutdown()
    own.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_port}/api/resource"


def test_records_from_a_hub_are_annotated_as_those_from_a_file(server, phrases):
    own = studies.labelled_studies()
    served = [studies.study(one) for one in hub.records([one.identifier for one in own], hub=address(server))]
    assert [one.identifier for one in served] == [one.identifier for one in own]
    assert [set(studies.annotate(one, phrases)) for one in served] == [
        set(studies.annotate(one, phrases)) for one in own
    ]


def test_a_busy_hub_is_asked_again(server):
    server.busy = 2
    assert len(list(hub.records(["SYN-01"], hub=address(server), wait=0.01))) == 1 and len(server.asked) == 3
    server.busy = 99
    with pytest.raises(InputError, match="SYN-01: no record .status 503"):
        list(hub.records(["SYN-01"], hub=address(server), wait=0.01))
    assert len(server.asked) == 3 + 1 + hub.RETRIES


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nobody", "status 404"),
        ("elsewhere", "status 302"),
        ("broken", "is not JSON"),
        ("huge", "longer than"),
        ("../../secret", "status 404"),
    ],
)
def test_wrong_answers(server, name, text):
    with pytest.raises(InputError, match=text):
        list(hub.records([name], hub=address(server), wait=0.01))
    assert len(server.asked) == 1 and server.asked[0].count("/") == 3, "no name leads to another place"


def test_wrong_addresses(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="no record"):
        list(hub.records(["a"], hub=address(server), timeout=1, wait=0.01))
    with pytest.raises(InputError, match="is no address"):
        list(hub.records(["passwd"], hub="file:///etc"))
