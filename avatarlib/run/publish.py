"""Executed copies and figures that are committed: stripped of times, stamped with their source.

Those of the laptop profile, and in folders `real` of their own those of real data whose licences allow it.
"""

import json
import shutil
from pathlib import Path

from avatarlib.errors import LicenceError
from avatarlib.run import freshness, source, store

LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
PUBLISHED = ("laptop", REAL := "real")  # profiles
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def clean(path: Path, source_key: str, outputs: dict[str, str]) -> None:
    """Strip an executed notebook of times and versions, so that two runs give the same bytes, and stamp it.

    Parameters
    ----------
    path
        The notebook, rewritten in place.
    source_key
        The content key of its sources.
    outputs
        File name -> SHA-256 of what the run wrote; `make verify` compares a rerun with them.
    """
    nb = json.loads(path.read_text(encoding="utf-8"))
    nb["metadata"] = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    nb["metadata"]["avatar"] = {"source": source_key, "outputs": outputs}
    for cell in nb["cells"]:
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key in ("tags", "jupyter")}
        if "injected-parameters" in tags:
            cell["id"] = "injected-parameters"
    _write(path, nb)


def restamp(path: Path, source_key: str) -> None:
    """Stamp the executed copy at `path` anew, where a source upstream changed and none of the inputs that it gives did.

    The notebook need not run again then, and its copy is one of the present sources all the same.
    """
    nb = store.read_json(path)
    if nb["metadata"]["avatar"]["source"] != source_key:
        nb["metadata"]["avatar"]["source"] = source_key
        _write(path, nb)


def publish(name: str, profile: str) -> None:
    """Copy the executed notebook to `executed/` and its figures to `figures/NN_name/`, where they differ.

    Of profile real, to `executed/real/` and `figures/real/NN_name/`; there a notebook is passed over that the profile
    gives no real data, or that has to do with pictures for evaluation only.

    Raises
    ------
    LicenceError
        Where a run of the laptop profile loaded or wrote pictures that are licensed for evaluation only.
    """
    folder, nb = freshness.result_folder(profile, name), source.read(name)
    record = store.read_json(folder / "run.json")
    shows = [record, *(store.read_json(freshness.result_folder(profile, above) / "run.json") for above in nb.loads)]
    forbidden = any(one["evaluation_only"] for one in shows)
    if profile == REAL and (forbidden or record["parameters"] == nb.parameters):
        return
    if forbidden:
        raise LicenceError(f"{name} holds pictures for evaluation only: neither executed copy nor figure is published")
    copies, figures = places(profile)
    copy = (folder / ".executed.ipynb").read_text(encoding="utf-8")
    place = copies / f"{name}.ipynb"
    if not place.is_file() or place.read_text(encoding="utf-8") != copy:
        store.write_text(place, copy)
    pictures = {path.name: path for path in (*folder.glob("*.png"), *folder.glob("figures.json"))}
    target = figures / name
    wanted = {file_name: record["outputs"][file_name] for file_name in pictures}
    if wanted == (store.output_checksums(target) if target.is_dir() else {}):
        return
    new = store.scratch_folder(target)
    for file_name, path in pictures.items():
        shutil.copyfile(path, new / file_name)
    store.swap_in(new, target)


def places(profile: str) -> tuple[Path, Path]:
    """Return where the executed copies and the figures of a profile lie."""
    root = store.project_root()
    return (
        (root / "executed" / REAL, root / "figures" / REAL)
        if profile == REAL
        else (root / "executed", root / "figures")
    )


def stale_copies() -> list[str]:
    """Return a line for each executed copy that is missing or was not made from the present sources."""
    lines = []
    for name in store.notebooks():
        copy = store.read_json(store.project_root() / "executed" / f"{name}.ipynb")
        if copy is None:
            lines.append(f"executed/{name}.ipynb is missing: run `make all`")
        elif copy["metadata"]["avatar"]["source"] != freshness.source_key(source.read(name)):
            lines.append(f"executed/{name}.ipynb is not from the present sources: run `make all`")
    for path in sorted(places(REAL)[0].glob("*.ipynb")):
        stamp = store.read_json(path)["metadata"]["avatar"]["source"]
        if path.stem not in store.notebooks() or stamp != freshness.source_key(source.read(path.stem)):
            lines.append(
                f"executed/{REAL}/{path.name} is not from the present sources: `make {path.stem} PROFILE=real`"
            )
    return lines


def unequal(name: str, results: Path) -> list[str]:
    """Return a line for each output of the rerun in `results` that differs from what is committed of notebook `name`.

    Compared by SHA-256: tables, arrays, figures and pages with the stamp of the executed copy, the figures in
    `figures/`, and the executed copy itself.
    """
    root, folder = store.project_root(), results / "laptop" / name
    committed = root / "executed" / f"{name}.ipynb"
    copy = store.read_json(committed)
    if copy is None or not (folder / "run.json").is_file():
        return [f"{name}: {'no executed copy is committed' if copy is None else 'the rerun gave no result'}"]
    now, then = store.output_checksums(folder), copy["metadata"]["avatar"]["outputs"]
    lines = [f"{name}: {file} differs" for file in sorted({*now, *then}) if now.get(file) != then.get(file)]
    pictures = store.output_checksums(root / "figures" / name) if (root / "figures" / name).is_dir() else {}
    lines += [f"{name}: figures/{name}/{file} differs" for file in sorted(pictures) if pictures[file] != now.get(file)]
    if committed.read_text(encoding="utf-8") != (folder / ".executed.ipynb").read_text(encoding="utf-8"):
        lines.append(f"{name}: the executed copy differs")
    return lines


def _write(path: Path, nb: dict) -> None:
    store.write_text(path, json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
