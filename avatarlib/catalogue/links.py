"""Are the addresses still there, and do the pages still say the quoted words?"""

import html
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from avatarlib.catalogue.model import Source
from avatarlib.errors import InputAbsent

LARGEST = 5_000_000  # bytes of a page that are read
AT_ONCE = 4
AGENT = "Mozilla/5.0 (compatible; avatar catalogue check)"
READABLE = ("text/", "application/json", "application/xhtml", "application/xml", "application/ld+json")
GOOD = ("there", "moved", "unread")


@dataclass(frozen=True)
class Target:
    """An address of an entry, and the words that its page should hold (None: none are expected).

    Attributes
    ----------
    key
        Where the entry says it, such as `evidence.e1`.
    """

    identifier: str
    key: str
    address: str
    words: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a target.

    Attributes
    ----------
    state
        "there"; "moved" (there, at another address); "unread" (there, no text: the words could not be looked for);
        "changed" (there, without the words); "gone" (404, 410); "refused" (another status); "slow" (time-out);
        "unreachable" (no connection).
    detail
        Status, new address or reason.
    """

    target: Target
    state: str
    detail: str

    @property
    def good(self) -> bool:
        """True where nothing has to be done."""
        return self.state in GOOD


def targets(sources: Sequence[Source]) -> list[Target]:
    """Return all addresses of entries; words are expected where a page was read."""
    found = []
    for source in sources:
        here = source.addresses
        plain = [("addresses.page", here.page), ("addresses.record", here.record)]
        plain += [("addresses.doi", here.doi and f"https://doi.org/{here.doi}")]
        plain += [("metadata_access.address", source.metadata_access.address)]
        found += [Target(source.identifier, key, address) for key, address in plain if address]
        found += [
            Target(source.identifier, f"evidence.{key}", item.address, item.words if item.copy_ != "file" else None)
            for key, item in source.evidence.items()
        ]
    return found


def check(
    wanted: Sequence[Target],
    *,
    seconds: float = 20.0,
    session: Callable | None = None,
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> list[Outcome]:
    """Open every address once and look for the words.

    Parameters
    ----------
    seconds
        Longest time for one address.
    session
        Makes the `requests.Session` of one address; a test's own reaches a server on this machine.
    progress
        Called with "addresses" and the share that is done.

    Raises
    ------
    InputAbsent
        Not one address could be reached.
    """
    import requests

    session = session or requests.Session
    addresses = list(dict.fromkeys(target.address for target in wanted))
    pages: dict[str, tuple[str, str, str | None]] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, (address, page) in enumerate(
            zip(addresses, pool.map(lambda one: _open(one, seconds, session), addresses), strict=True), start=1
        ):
            pages[address] = page
            progress("addresses", number / len(addresses))
    if pages and all(state == "unreachable" for state, *_ in pages.values()):
        raise InputAbsent("no address could be reached: is there a network? --offline checks the entries alone")
    return [_judge(target, *pages[target.address]) for target in wanted]


def _open(address: str, seconds: float, session: Callable) -> tuple[str, str, str | None]:
    """Return state, detail and the page's text (None where it is no text)."""
    import requests

    began = time.monotonic()
    try:
        with (
            session() as web,
            web.get(address, timeout=(seconds, seconds), stream=True, headers={"User-Agent": AGENT}) as answer,
        ):
            if answer.status_code in (404, 410):
                return "gone", f"status {answer.status_code}", None
            if not answer.ok:
                return "refused", f"status {answer.status_code}", None
            data = b""
            for part in answer.iter_content(65_536):
                data += part
                if time.monotonic() - began > seconds:
                    return "slow", f"not read within {seconds:g} s", None
                if len(data) > LARGEST:
                    break
            state, detail = ("moved", answer.url) if answer.history else ("there", f"status {answer.status_code}")
            kind = answer.headers.get("Content-Type", "").lower()
            if not kind.startswith(READABLE):
                return state, detail, None
            return state, detail, _decoded(data, answer.encoding if "charset" in kind else None)
    except requests.Timeout:
        return "slow", f"no answer within {seconds:g} s", None
    except requests.RequestException as error:
        return "unreachable", type(error).__name__, None


def _decoded(data: bytes, coding: str | None) -> str:
    try:
        return data.decode(coding or "utf-8", errors="replace")
    except LookupError:  # a coding that nobody knows
        return data.decode("utf-8", errors="replace")


def _judge(target: Target, state: str, detail: str, text: str | None) -> Outcome:
    if state in ("there", "moved") and target.words is not None:
        if text is None:
            return Outcome(target, "unread", f"{detail}, no text")
        if not holds(text, target.words):
            return Outcome(target, "changed", "the quoted words are not there")
    return Outcome(target, state, detail)


def holds(page: str, words: str) -> bool:
    """Return True where a page's text holds the words, whatever the case, spaces, quotes, dashes and tags between.

    Examples
    --------
    >>> holds("<p>The <b>data</b>&nbsp;are\\n “open”</p>", 'The data are "open"')
    True
    >>> holds("<p>closed</p>", "open")
    False
    """
    return any(_flat(words) in _flat(text) for text in (_visible(page), page))


def _visible(page: str) -> str:
    text = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->", " ", page)
    return html.unescape(re.sub(r"<[^<>]*>", "", text))


def _flat(text: str) -> str:
    text = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    text = re.sub(r"[‘’‚‛`´]", "'", re.sub(r'[“”„‟«»]|\\"', '"', text))
    return re.sub(r"\s+", "", re.sub(r"[‐‑‒–—―−]", "-", text))
