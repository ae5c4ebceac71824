"""Whether a result is that of the present sources: the content key, its parts, and what changed."""

import json
import sys
from pathlib import Path

from avatarlib.run import profiles, source, store
from avatarlib.run.profiles import Profile
from avatarlib.run.source import Source


def source_parts(nb: Source) -> dict[str, str]:
    """Return what the notebook's own side of the key consists of, name -> checksum: the same with every Python.

    Code cells (not the text between them), each avatarlib module that it imports and the data files beside them, the
    lock, the data manifests and the studies' tables; of those in a folder, which belongs to the room of its name,
    where it uses this room.
    """
    root = store.project_root()
    parts = {"code cells": store.text_sha256(json.dumps(nb.cells))}
    parts |= {f"module {name}": store.file_sha256(path) for name, path in nb.modules.items()}
    for folder in sorted({path.parent for path in nb.modules.values()}):
        for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")):
            parts[f"file {path.relative_to(store.PACKAGE.parent).as_posix()}"] = store.file_sha256(path)
    rooms = {name.split(".")[1] for name in nb.modules if "." in name}
    manifests, studies = root / "data_manifests", root / "studies"
    for path in [root / "requirements.lock", *sorted(manifests.rglob("*")), *sorted(studies.rglob("*"))]:
        above = next((folder for folder in (manifests, studies) if folder in path.parents), path.parent)
        belongs = path.parent == above or path.relative_to(above).parts[0] in rooms
        if path.is_file() and belongs:
            parts[f"file {path.relative_to(root).as_posix()}"] = store.file_sha256(path)
    return parts


def source_key(nb: Source) -> str:
    """Return the key that stamps an executed copy: its sources, and those of all notebooks that it builds on."""
    upstream = {f"source of {name}": source_key(source.read(name)) for name in nb.loads}
    return key({**source_parts(nb), **upstream})


def parts(nb: Source, profile: Profile, changed: dict) -> dict[str, str]:
    """Return everything that decides whether `nb` must run again, name -> checksum or value.

    Parameters
    ----------
    nb, profile
        The notebook and the profile.
    changed
        Its parameters that differ from the notebook's own values.
    """
    out = source_parts(nb) | {"profile": profile.name, "Python": ".".join(map(str, sys.version_info[:2]))}
    out |= {f"parameter {name}": repr(changed.get(name, own)) for name, own in nb.parameters.items()}
    for upstream in nb.loads:
        record = store.read_json(result_folder(profile.name, upstream) / "run.json") or {"outputs": {}}
        out |= {f"input {upstream}/{name}": checksum for name, checksum in record["outputs"].items()}
    return out


def key(parts: dict[str, str]) -> str:
    """Return the content key of `parts`.

    Examples
    --------
    >>> key({"a": "1", "b": "2"}) == key({"b": "2", "a": "1"})
    True
    """
    return store.text_sha256(json.dumps(parts, sort_keys=True))


def result_folder(profile: str, name: str) -> Path:
    """Return where the results of notebook `name` lie."""
    return store.results_root() / profile / name


def state_file(profile: str, name: str) -> Path:
    """Return the file that says how the last run of `name` failed; absent after a success."""
    return store.results_root() / profile / ".state" / f"{name}.json"


def reasons(nb: Source, profile: Profile, changed: dict) -> list[str]:
    """Return why `nb` has to run again, one short text a cause; empty where its result is fresh and undamaged."""
    folder = result_folder(profile.name, nb.name)
    record = store.read_json(folder / "run.json")
    if record is None or "parts" not in record:
        return ["it has no result yet"]
    then, now = record["parts"], parts(nb, profile, changed)
    if then != now:
        differ = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
        return [f"{name} {_difference(then.get(name), now.get(name))}" for name in differ]
    there = store.output_checksums(folder)
    wanted = record["outputs"]
    damaged = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
    return [f"its output {name} is {'not what it wrote' if name in there else 'missing'}" for name in damaged]


def status(name: str, profile: Profile) -> str:
    """Return one of "fresh", "stale: …", "never run", "failed: …", "not run: input absent: …" for notebook `name`."""
    nb = source.read(name)
    failed = store.read_json(state_file(profile.name, name))
    if failed:
        return f"{failed['state']}: {failed['message']}"
    why = reasons(nb, profile, profiles.changes(nb, profile, {}))
    if not why:
        return "fresh"
    return "never run" if why == ["it has no result yet"] else f"stale: {why[0]}" + (" …" if len(why) > 1 else "")


def _difference(then: str | None, now: str | None) -> str:
    if then is None or now is None:
        return "is new" if then is None else "is gone"
    return f"is {now}, was {then}" if len(then + now) < 80 else "has changed"
