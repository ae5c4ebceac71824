"""An embedded store: a folder with one NDJSON file a resource type, and what exports need of FHIR's REST."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
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
    """The resources of a folder, read once; `respond` answers as a FHIR server does."""

    def __init__(self, folder: Path):
        if not folder.is_dir() or not list(folder.glob("*.ndjson")):
            raise InputError(f"{folder} holds no .ndjson files. Name a folder with one for each resource type")
        self.folder = folder
        self._of: dict[str, list[dict]] = {}

    def resources(self, kind: str) -> list[dict]:
        """Return all resources of a type, those of other types in its file left out."""
        if kind not in self._of:
            path = self.folder / f"{kind}.ndjson"
            found = stream.read_resources(path) if path.is_file() else ()
            self._of[kind] = [f.resource for f in found if f.resource["resourceType"] == kind]
        return self._of[kind]

    def respond(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer `GET [base]/<Type>?_count=N`, page by page; everything else is refused with an OperationOutcome."""
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
        count, found = min(count, LARGEST_PAGE), self.resources(kind)
        base = url.partition("?")[0]
        links = [{"relation": "self", "url": url}]
        if start + count < len(found):
            links.append({"relation": "next", "url": f"{base}?_count={count}&_start={start + count}"})
        entries = [{"resource": resource} for resource in found[start : start + count]]
        return answer(200, {
            "resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links,
            **({"entry": entries} if entries else {}),
        })  # fmt: skip


def answer(status: int, value: dict, **headers: str) -> Answer:
    """Return a JSON answer."""
    return status, {"Content-Type": FHIR_JSON} | headers, json.dumps(value, ensure_ascii=False).encode()


def refusal(status: int, why: str) -> Answer:
    """Return an OperationOutcome."""
    issue = {"severity": "error", "code": "processing", "diagnostics": why}
    return answer(status, {"resourceType": "OperationOutcome", "issue": [issue]})
