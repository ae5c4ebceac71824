"""The catalogue in formats of others, all from the same entries: CSV, Croissant, HealthDCAT-AP."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from avatarlib.catalogue.model import Source
from avatarlib.errors import InputError
from avatarlib.run.store import read_json, swap_in, write_json, write_text

FORMATS = ("csv", "croissant", "healthdcat")
MARK = "catalogue-export.json"  # names the files beside it, so that an export replaces nothing else


def files(sources: Sequence[Source], form: str) -> dict[str, str | dict]:
    """Return the files of one of `FORMATS` by name: texts, or values to be written as JSON."""
    if form == "csv":
        from avatarlib.catalogue.export import csv_tables as module
    elif form == "croissant":
        from avatarlib.catalogue.export import croissant as module
    else:
        from avatarlib.catalogue.export import healthdcat as module
    return module.files(sources)


def export(sources: Sequence[Source], form: str, out: Path) -> list[str]:
    """Write the catalogue into a folder, all files or none; an earlier export there is replaced.

    Parameters
    ----------
    form
        One of `FORMATS`.

    Returns
    -------
    The names of the files.

    Raises
    ------
    InputError
        `out` is there and holds anything but an earlier export, or can't be made.
    """
    out = Path(os.path.abspath(out))
    refuse_foreign(out)
    made = files(sources, form)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".new-{out.name}-"))
    except OSError as error:
        raise InputError(f"--out {out} can't be made ({error.strerror}): name another folder") from None
    try:
        for name, content in made.items():
            (write_text if isinstance(content, str) else write_json)(new / name, content)
        write_json(new / MARK, {"format": form, "sources": len(sources), "files": sorted(made)})
        new.chmod(0o755)
        swap_in(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return list(made)


def refuse_foreign(out: Path) -> None:
    """Refuse a place that is there, unless it is an empty folder or holds an earlier export and nothing else.

    Raises
    ------
    InputError
        Another place must be named.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()) or os.path.ismount(out):
        raise InputError(f"--out {out} is no folder that can be replaced: name a new one")
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    earlier = read_json(out / MARK) or {}
    if there and there != {MARK, *earlier.get("files", ())}:
        raise InputError(f"--out {out} holds more than an earlier export: name a new folder")
