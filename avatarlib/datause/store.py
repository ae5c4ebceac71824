"""An embedded store: a folder with one NDJSON file a resource type, and what exports need of FHIR's REST."""

import codecs
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from avatarlib.errors import InputError
from avatarlib.fhir import stream
from avatarlib.run.store import scratch_folder, swap_in

PAGE, LARGEST_PAGE = 200, 1000
FHIR_JSON = "application/fhir+json"
Answer = tuple[int, dict[str, str], bytes]


def write_store(folder: Path, resources: Iterable[dict]) -> dict[str, int]:
    """Write resources as `<Type>.ndjson` files and return how many there are of each type.

    The folder appears whole or not at all.

    Raises
    ------
    InputError
        The folder exists and is not empty, or a resource has no plain resourceType.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty. Name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch, counts = scratch_folder(folder), Counter()
    files = {}
    try:
        for resource in resources:
            kind = resource.get("resourceType")
            if not (isinstance(kind, str) and kind.isascii() and kind.isalpha()):
                raise InputError(f"resource {sum(counts.values()) + 1} has no plain resourceType")
            if kind not in files:
                files[kind] = open(scratch / f"{kind}.ndjson", "w", encoding="utf-8", newline="\n")
            files[kind].write(json.dumps(resource, ensure_ascii=False, separators=(",", ":")) + "\n")
            counts[kind] += 1
    finally:
        for file in files.values():
            file.close()
    swap_in(scratch, folder)
    return dict(counts)


class Store:
    """The resources of a folder; `respond` answers as a FHIR server does, a page at a time, never holding all."""

    def __init__(self, folder: Path):
        if not folder.is_dir() or not list(folder.glob("*.ndjson")):
            raise InputError(f"{folder} holds no .ndjson files. Name a folder with one for each resource type")
        self.folder = folder
        self._starts: dict[str, array] = {}

    def resources(self, kind: str) -> Iterator[dict]:
        """Yield all resources of a type."""
        return (json.loads(line) for line in self._lines(kind, 0, len(self._index(kind))))

    def respond(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer `GET [base]/<Type>?_count=N`, page by page; everything else is refused with an OperationOutcome.

        Raises
        ------
        InputError
            A line of the page is no resource of the type that its file is named after.
        """
        parts = urlsplit(url)
        kind, query = parts.path.rpartition("/")[2], parse_qs(parts.query)
        if method != "GET" or not (kind.isascii() and kind.isalpha()):
            return refusal(404, "only searches such as GET [base]/Patient are answered")
        try:
            count, start = (int(query.get(key, [default])[0]) for key, default in (("_count", PAGE), ("_start", 0)))
        except ValueError:
            return refusal(400, "_count and _start are whole numbers")
        if count < 1 or start < 0:
            return refusal(400, "_count is at least 1, _start at least 0")
        count, total = min(count, LARGEST_PAGE), len(self._index(kind))
        links = [{"relation": "self", "url": url}]
        if start + count < total:
            links.append({"relation": "next", "url": f"{url.partition('?')[0]}?_count={count}&_start={start + count}"})
        head = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": total, "link": links}).encode()
        entries = b",".join(b'{"resource":%s}' % line for line in self._lines(kind, start, start + count))
        tail = b',"entry":[%s]}' % entries if entries else b"}"
        return 200, {"Content-Type": FHIR_JSON}, head.removesuffix(b"}") + tail

    def _index(self, kind: str) -> array:
        """Return where the lines of a type begin, counted in bytes."""
        if kind not in self._starts:
            starts, at, path = array("q"), 0, self.folder / f"{kind}.ndjson"
            if path.is_file():
                with open(path, "rb") as file:
                    while line := file.readline(stream.RESOURCE_BYTES + 1):
                        if len(line) > stream.RESOURCE_BYTES:
                            raise InputError(f"{path}: a line is longer than {stream.RESOURCE_BYTES:,} bytes")
                        if line.strip():
                            starts.append(at)
                        at += len(line)
            self._starts[kind] = starts
        return self._starts[kind]

    def _lines(self, kind: str, start: int, end: int) -> Iterator[bytes]:
        """Yield some lines of a type, each known to be a resource of it."""
        starts, path = self._index(kind)[start:end], self.folder / f"{kind}.ndjson"
        if starts:
            with open(path, "rb") as file:
                for number, at in enumerate(starts, start + 1):
                    file.seek(at)
                    line = file.readline().strip().removeprefix(codecs.BOM_UTF8)
                    where = f"{path}: resource {number}"
                    if stream.parse(line, where).get("resourceType") != kind:
                        raise InputError(f"{where} is no {kind}")
                    yield line


def answer(status: int, value: dict, **headers: str) -> Answer:
    """Return a JSON answer."""
    return status, {"Content-Type": FHIR_JSON} | headers, json.dumps(value, ensure_ascii=False).encode()


def refusal(status: int, why: str) -> Answer:
    """Return an OperationOutcome."""
    issue = {"severity": "error", "code": "processing", "diagnostics": why}
    return answer(status, {"resourceType": "OperationOutcome", "issue": [issue]})
