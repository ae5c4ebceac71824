"""A server on this machine for whatever answers requests: the sites of a notebook, failing servers of tests."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from avatarlib.datause.store import Answer

LARGEST_BODY = 1 << 20
HERE = "127.0.0.1"
Respond = Callable[[str, str, Mapping[str, str], bytes], Answer]


@contextmanager
def serve(respond: Respond) -> Iterator[str]:
    """Answer requests by `respond(method, url, headers, body)` at a free port of this machine; yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _answer(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdecimal() or int(length) > LARGEST_BODY:
                self.close_connection = True
                status, headers, body = 413, {}, b""
            else:
                given = self.rfile.read(int(length))
                url = f"http://{self.headers.get('Host', '')}{self.path}"
                status, headers, body = respond(self.command, url, self.headers, given)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer

        def log_message(self, *_) -> None:
            """Say nothing: what is asked stays between the two."""

    server = ThreadingHTTPServer((HERE, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://{HERE}:{server.server_port}/fhir"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
