"""The catalogue in formats of others, all from the same entries: CSV, Croissant, HealthDCAT-AP."""

from collections.abc import Sequence
from pathlib import Path

from avatarlib.catalogue.model import Source
from avatarlib.errors import InputError
from avatarlib.run.store import locked, scratch_folder, swap_in, write_json, write_text

FORMATS = ("csv", "croissant", "healthdcat")
MARK = "catalogue-export.json"  # a folder that holds it was written by `export`, and may be replaced


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
        `out` exists and is no earlier export.
    """
    out = Path(out)
    refuse_foreign(out)
    made = files(sources, form)
    try:
        with locked(out.with_name(f".{out.name}.lock")):
            new = scratch_folder(out)
            for name, content in made.items():
                (write_text if isinstance(content, str) else write_json)(new / name, content)
            write_json(new / MARK, {"format": form, "sources": len(sources)})
            swap_in(new, out)
    except OSError as error:
        raise InputError(f"{out}: can't be written ({error.strerror}): name another folder") from None
    finally:
        out.with_name(f".{out.name}.lock").unlink(missing_ok=True)
    return list(made)


def refuse_foreign(out: Path) -> None:
    """Refuse a place that is there and was not written by `export`.

    Raises
    ------
    InputError
        `out` is a file, or a folder that holds something else.
    """
    empty = out.is_dir() and not any(out.iterdir())
    if (out.exists() or out.is_symlink()) and not empty and not (out / MARK).is_file():
        raise InputError(f"{out}: is there and no earlier export: name a new folder")
