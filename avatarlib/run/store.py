"""Where results lie, their checksums, and how a finished folder takes the place of an older one."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from avatarlib.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
NOTEBOOK_NAME = re.compile(r"\d\d_[a-z0-9_]+")


def project_root() -> Path:
    """Return the project's root: `AVATAR_ROOT` if set, else the folder that holds this package."""
    return Path(os.environ.get("AVATAR_ROOT") or PACKAGE.parent).resolve()


def results_root() -> Path:
    """Return the folder of all results: `AVATAR_RESULTS` if set, else `results/` of the project."""
    return Path(os.environ.get("AVATAR_RESULTS") or project_root() / "results").resolve()


def notebooks() -> list[str]:
    """Return the names of all notebooks, in the order of their numbers."""
    paths = (project_root() / "notebooks").glob("*.ipynb")
    return sorted(path.stem for path in paths if NOTEBOOK_NAME.fullmatch(path.stem))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8.

    Examples
    --------
    >>> text_sha256("")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def output_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in `folder`, and one ("name/") over all that a folder in it holds.

    `run.json` and the runner's own files, which begin with a dot, are left out.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
            lines = [f"{file_sha256(files[name])}  {name}\n" for name in sorted(files)]
            found[f"{path.name}/"] = text_sha256("".join(lines))
        elif path.name != "run.json" and not path.name.startswith("."):
            found[path.name] = file_sha256(path)
    return found


def write_json(path: Path, value) -> None:
    """Write JSON with sorted keys, two spaces and a final line end, at once; not-a-number is an error."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text so that a reader sees the old file or the new one, never half of it.

    Raises
    ------
    InputError
        The path is a link, a folder or a device.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise InputError(f"{path} is a link, a folder or a device, and is not replaced. Name another file")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_json(path: Path) -> dict | None:
    """Return a JSON file's content, or None where there is no file or it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def swap_in(new: Path, place: Path) -> None:
    """Let folder `new` take the place of folder `place`, on the same disk; an older one is removed afterwards."""
    old = place.with_name(f".old-{place.name}")
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def scratch_folder(place: Path) -> Path:
    """Return a new empty folder beside `place`; what dead runs left there is removed. Call it under `place`'s lock."""
    for leftover in [*place.parent.glob(f".new-{place.name}-*"), place.with_name(f".old-{place.name}")]:
        shutil.rmtree(leftover, ignore_errors=True)
    folder = place.with_name(f".new-{place.name}-{os.getpid()}")
    folder.mkdir(parents=True)
    return folder


@contextlib.contextmanager
def locked(path: Path, *, shared: bool = False, on_wait=lambda: None) -> Iterator[None]:
    """Hold the lock file `path`, after waiting for whoever holds it; a lock ends with its process at the latest."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with open(path, "w") as file:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, kind)
        yield
