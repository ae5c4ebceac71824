"""Read FHIR resources page by page: from a server over HTTP, and by the same code from an embedded store."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from avatarlib.consent.dates import quoted
from avatarlib.datause.store import FHIR_JSON, Store
from avatarlib.errors import AvatarError, InputError
from avatarlib.fhir import stream

TOKEN = "AVATAR_FHIR_TOKEN"
TRIES, FIRST_WAIT, LONGEST_WAIT = 4, 0.5, 30.0  # times, seconds
TRANSIENT = (429, 500, 502, 503, 504)
LARGEST_PAGE = 64 << 20  # bytes
LOCAL = ("localhost", "127.0.0.1", "::1")


class ServerError(AvatarError):
    """A server that can't be reached, fails again and again, or answers what no FHIR server answers."""


class StoreTransport(httpx.BaseTransport):
    """Lets the client ask an embedded store as if it were a server."""

    def __init__(self, store: Store):
        self._store = store

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from the store."""
        status, headers, body = self._store.respond(request.method, str(request.url), request.headers, request.read())
        return httpx.Response(status, headers=headers, content=body)


class Client:
    """A FHIR server, or a store that stands for one. Close it, or use it in a `with` statement."""

    def __init__(
        self, source: str | Path, *, page: int = 500, timeout: float = 60.0, wait: Callable[[float], None] = time.sleep
    ):
        """Prepare to read from a server's base URL or a store's folder; nothing is asked yet.

        Parameters
        ----------
        page
            Resources to ask for at once.
        timeout
            Seconds that a server may be silent.
        wait
            Called with the seconds to wait before another try.

        Raises
        ------
        InputError
            The address is not https (http is for this machine alone), or the folder is no store.
        """
        self._page, self._wait = page, wait
        headers = {"Accept": FHIR_JSON}
        if isinstance(source, str) and "://" in source:
            self._base, transport = _base(source), None
            if token := os.environ.get(TOKEN):
                headers["Authorization"] = f"Bearer {token}"
        else:
            self._base, transport = "http://store.invalid", StoreTransport(Store(Path(source)))
        self._http = httpx.Client(
            headers=headers, timeout=timeout, transport=transport, follow_redirects=False, trust_env=transport is None
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self._http.close()

    def resources(self, kind: str) -> Iterator[dict]:
        """Yield all resources of a type, page after page.

        Raises
        ------
        ServerError
            The server can't be reached, refuses, keeps failing, or its pages lead nowhere.
        """
        url, seen = f"{self._base}/{kind}?_count={self._page}", set()
        while url:
            if url in seen:
                raise ServerError(f"{self._place(url)}: the next page is one that was already read. Nothing was kept")
            seen.add(url)
            bundle = self._page_at(url)
            entries = bundle.get("entry", [])
            if not isinstance(entries, list):
                raise ServerError(f"{self._place(url)}: Bundle.entry is no list. Is it a FHIR server?")
            for entry in entries:
                resource = entry.get("resource") if isinstance(entry, dict) else None
                if isinstance(resource, dict) and resource.get("resourceType") == kind:
                    yield resource
            url = self._next(bundle, url)

    def post(self, path: str, value: dict) -> dict:
        """Send JSON and return the JSON that is answered; errors as `resources`."""
        return self._ask("POST", f"{self._base}/{path}", json=value)

    def _page_at(self, url: str) -> dict:
        bundle = self._ask("GET", url)
        if bundle.get("resourceType") != "Bundle":
            raise ServerError(f"{self._place(url)} answers {quoted(bundle.get('resourceType'))}, not a Bundle")
        return bundle

    def _ask(self, method: str, url: str, **more) -> dict:
        wait = FIRST_WAIT
        for left in range(TRIES - 1, -1, -1):
            try:
                response, body = self._send(method, url, **more)
            except httpx.TransportError as error:
                reason, after = f"can't be reached ({type(error).__name__})", None
            else:
                if response.status_code == 200:
                    return _json(body, self._place(url))
                reason, after = _reason(response, body), response.headers.get("Retry-After", "")
                if response.status_code not in TRANSIENT:
                    raise ServerError(f"{self._place(url)} {reason}")
            if left:
                told = float(after) if after and after.isdecimal() else 0.0
                self._wait(min(max(wait, told), LONGEST_WAIT))
                wait *= 2
        raise ServerError(f"{self._place(url)} {reason}, {TRIES} times. Try again later")

    def _send(self, method: str, url: str, **more) -> tuple[httpx.Response, bytes]:
        with self._http.stream(method, url, **more) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_PAGE:
                    raise ServerError(
                        f"{self._place(url)}: a page is over {LARGEST_PAGE >> 20} MB. Ask for smaller ones"
                    )
            return response, bytes(body)

    def _next(self, bundle: dict, url: str) -> str | None:
        links = bundle.get("link", [])
        for link in links if isinstance(links, list) else []:
            if isinstance(link, dict) and link.get("relation") == "next":
                there = httpx.URL(url).join(link["url"]) if isinstance(link.get("url"), str) else httpx.URL("")
                if _origin(str(there)) != _origin(self._base):  # the token must not follow a link to somebody else
                    raise ServerError(f"{self._place(url)}: its next page lies on another server. Nothing was kept")
                return str(there)
        return None

    def _place(self, url: str) -> str:
        """Name a place without what a query may tell of people."""
        return url.partition("?")[0]


def _base(source: str) -> str:
    parts = urlsplit(source)
    local = parts.hostname in LOCAL
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InputError(f"{quoted(source)} is no base URL such as https://fhir.example.org/r4")
    if parts.scheme == "http" and not local:
        raise InputError(f"{quoted(source)}: patients' data travel by https only; http is for this machine")
    return source.rstrip("/")


def _origin(url: str) -> tuple:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _json(body: bytes, where: str) -> dict:
    try:
        return stream.parse(body, where)
    except InputError as error:
        raise ServerError(f"{error}. Is it a FHIR server?") from None


def _reason(response: httpx.Response, body: bytes) -> str:
    """Say what a refusal says, as far as it can be trusted to be text."""
    try:
        told = stream.parse(body, "")["issue"][0]["diagnostics"]
    except (InputError, KeyError, IndexError, TypeError):
        told = None
    return f"answers {response.status_code}" + (f": {quoted(told, 120)}" if isinstance(told, str) else "")
