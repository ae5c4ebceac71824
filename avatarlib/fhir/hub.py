"""Read study records from a study hub, such as the German Central Health Study Hub, over HTTP."""

import time
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import httpx

from avatarlib.errors import InputError
from avatarlib.fhir import stream

HUB = "https://csh.nfdi4health.de/api/resource"  # a record lies below it by its identifier
RECORD_BYTES = 4 << 20
RETRIES = 3
WAIT = 0.5  # seconds before the second try; doubled before each further one
AGAIN = (429, 500, 502, 503, 504)


def records(identifiers: Iterable[str], *, hub: str = HUB, timeout: float = 30.0, wait: float = WAIT) -> Iterator[dict]:
    """Yield the study records of a hub, one request each, in the order asked for.

    Only the hub itself is asked: a redirection is an error. A server that is busy is asked again, `RETRIES` times.

    Parameters
    ----------
    identifiers
        Of records, as the hub names them.
    hub
        Address below which records lie by identifier, http or https.
    timeout
        Seconds without an answer after which a try has failed.
    wait
        Seconds before the second try.

    Raises
    ------
    InputError
        The address is none, the hub can't be reached or refuses, or its answer is no such record.
    """
    if not hub.startswith(("http://", "https://")):
        raise InputError(f"hub {hub!r} is no address: it begins with http:// or https://")
    with httpx.Client(timeout=timeout, headers={"Accept": "application/json"}) as client:
        for identifier in identifiers:
            url = f"{hub.rstrip('/')}/{quote(identifier, safe='')}"
            yield stream.parse(_get(client, url, wait), url)


def _get(client: httpx.Client, url: str, wait: float) -> bytes:
    for attempt in range(RETRIES + 1):
        try:
            with client.stream("GET", url) as response:
                status = response.status_code
                if status == 200:
                    return _body(response, url)
            reason = f"status {status}"
        except httpx.TransportError as error:
            status, reason = None, str(error) or type(error).__name__
        if status is not None and status not in AGAIN:
            break
        if attempt < RETRIES:
            time.sleep(wait * 2**attempt)
    raise InputError(f"{url}: no record ({reason}). Is the address right, and may it be read?")


def _body(response: httpx.Response, url: str) -> bytes:
    data = bytearray()
    for part in response.iter_bytes():
        data += part
        if len(data) > RECORD_BYTES:
            raise InputError(f"{url}: the answer is longer than {RECORD_BYTES:,} bytes")
    return bytes(data)
