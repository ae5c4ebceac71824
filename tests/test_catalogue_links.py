"""`avatar catalogue check` against a server on this machine: 200, redirect, 404, refusal, time-out, changed content."""

import http.server
import threading
import time
from pathlib import Path

import pytest
import requests

from avatarlib.catalogue import links, load
from avatarlib.cli import main
from avatarlib.errors import InputAbsent

ENTRY = (Path(__file__).parent / "made-up-eyes.yml").read_text(encoding="utf-8")
HTML = "text/html; charset=utf-8"
PAGES = {
    "/data": (200, {"Content-Type": HTML}, "<p>28 images of <b>14</b> people,&nbsp;left\nand right</p>"),
    "/terms": (200, {"Content-Type": HTML}, "<p>licensed under CC BY 4.0</p>"),
    "/1": (200, {"Content-Type": "text/plain"}, "Licence: other"),
    "/new": (200, {"Content-Type": HTML}, "<p>licensed under CC BY 4.0</p>"),
    "/old": (301, {"Location": "/new"}, ""),
    "/loop": (302, {"Location": "/loop"}, ""),
    "/changed": (200, {"Content-Type": HTML}, "<p>all rights reserved</p>"),
    "/script": (200, {"Content-Type": HTML}, "<script>var x = 'licensed under CC BY'</script><p>no</p>"),
    "/pdf": (200, {"Content-Type": "application/pdf"}, "%PDF"),
    "/json": (200, {"Content-Type": "application/json"}, '{"licence": "licensed under \\"CC BY 4.0\\""}'),
    "/closed": (403, {}, ""),
    "/gone": (410, {}, ""),
    "/latin": (200, {"Content-Type": "text/html; charset=latin-1"}, "Z\xe4hlung"),
    "/odd": (200, {"Content-Type": "text/html; charset=no-such-thing"}, "words"),
}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/10."):
            path = "/data"
        if path == "/slow":
            time.sleep(2)
        if path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(30):
                try:
                    self.wfile.write(b"x" * 70_000)
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.1)
            return
        if path == "/huge":
            self.send_response(200)
            self.send_header("Content-Type", HTML)
            self.end_headers()
            try:
                for _ in range(200):
                    self.wfile.write(b" " * 100_000)
            except OSError:
                pass
            return
        status, headers, text = PAGES.get(path, (404, {}, ""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode("latin-1" if "latin" in path else "utf-8"))

    def log_message(self, *_):
        pass


class _Here(requests.adapters.HTTPAdapter):
    """Sends what goes to any host to the server on this machine."""

    def __init__(self, port: int):
        super().__init__()
        self.port = port

    def send(self, request, **options):
        request.url = f"http://127.0.0.1:{self.port}{request.path_url}"
        return super().send(request, **options)


@pytest.fixture(scope="module")
def session():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    ordinary = requests.Session

    def make():
        web = ordinary()
        web.trust_env = False
        web.mount("https://", _Here(server.server_port))
        web.mount("http://", _Here(server.server_port))
        return web

    yield make
    server.shutdown()


def outcome(session, path, words=None, **options):
    target = links.Target("made-up-eyes", "evidence.e1", f"https://made-up-eyes.org{path}", words)
    return links.check([target], session=session, **options)[0]


@pytest.mark.parametrize(
    ("path", "words", "state"),
    [
        ("/data", "28 images of 14 people, left and right", "there"),
        ("/data", "28 images of 15 people", "changed"),
        ("/terms", "Licensed under  CC‐BY 4.0", "changed"),
        ("/json", "licensed under “CC BY 4.0”", "there"),
        ("/old", "licensed under CC BY 4.0", "moved"),
        ("/changed", "licensed under CC BY 4.0", "changed"),
        ("/script", "licensed under CC BY", "there"),
        ("/missing", None, "gone"),
        ("/gone", None, "gone"),
        ("/closed", None, "refused"),
        ("/loop", None, "unreachable"),
        ("/pdf", "licensed under CC BY 4.0", "unread"),
        ("/pdf", None, "there"),
        ("/latin", "Zählung", "there"),
        ("/odd", "words", "there"),
        ("/huge", "licensed", "changed"),
    ],
)
def test_states(session, path, words, state):
    found = links.check(
        [
            links.Target("x", "evidence.e1", f"https://made-up-eyes.org{path}", words),
            links.Target("x", "addresses.page", "https://made-up-eyes.org/data"),
        ],
        session=session,
    )
    assert [one.state for one in found] == [state, "there"]
    assert found[0].good == (state in ("there", "moved", "unread"))


def test_a_moved_page_names_the_new_address(session):
    assert outcome(session, "/old").detail.endswith("/new")


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_nobody_waits_longer_than_asked(session, path):
    began = time.monotonic()
    found = outcome(session, path, seconds=0.5)
    assert found.state == "slow" and time.monotonic() - began < 1.9


def test_no_network_is_said_once():
    target = links.Target("x", "addresses.page", "https://no-such-host.invalid/")
    with pytest.raises(InputAbsent, match="is there a network"):
        links.check([target], seconds=1)


def test_every_address_of_an_entry_is_a_target(tmp_path, write_entry):
    found = links.targets([load.read(write_entry(tmp_path))])
    assert [target.key for target in found] == [
        "addresses.page",
        "addresses.doi",
        "evidence.e1",
        "evidence.e2",
        "evidence.e3",
    ]
    assert found[1].address == "https://doi.org/10.1234/made.up" and found[1].words is None


def test_the_command(tmp_path, session, capsys, monkeypatch, write_entry):
    monkeypatch.setattr(requests, "Session", session)
    write_entry(tmp_path)
    check = ["catalogue", "check", "--catalogue", str(tmp_path)]
    assert main(check) == 0
    assert "5 addresses, 0 need care" in capsys.readouterr().err
    write_entry(tmp_path, ENTRY.replace("made-up-eyes.org/terms", "made-up-eyes.org/changed"))
    assert main([*check, "made-up-eyes"]) == 1
    said = capsys.readouterr()
    assert "made-up-eyes\tevidence.e2\tchanged\tthe quoted words are not there" in said.out
    assert "5 addresses, 1 need care" in said.err
    assert main([*check, "--offline"]) == 0
    assert main([*check, "--timeout", "0"]) == 2
