"""What data exist: sources with their licences and checksums; where they come from, and where they may go."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from avatarlib.errors import InputAbsent, InputError, LicenceError
from avatarlib.run.store import file_sha256, project_root, results_root

MIRROR = "AVATAR_DATA_MIRROR"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A data source as `data_manifests/sources.yml` declares it.

    `url` is a pinned address below which the files lie, or None where only a request form exists (`page`).
    `bytes` is the size of all files together; `checksums` maps file names (POSIX, below `folder`) to SHA-256.
    """

    name: str
    title: str
    folder: str
    page: str
    url: str | None
    licence: str
    terms: str
    cite: str
    use: str
    people: int
    bytes: int
    modality: str
    checksums: dict[str, str]

    @property
    def evaluation_only(self) -> bool:
        """True where nothing of it may be kept but aggregate numbers."""
        return self.use == "evaluation-only"


def folder() -> Path:
    """Return the folder of the manifests."""
    return project_root() / "data_manifests"


@cache
def _declared(path: Path) -> dict:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def sources() -> list[str]:
    """Return the names of all declared sources."""
    return sorted(_declared(folder() / "sources.yml"))


def source(name: str) -> Source:
    """Return a declared source.

    Raises
    ------
    InputError
        No such source.
    """
    declared = _declared(folder() / "sources.yml")
    if name not in declared:
        raise InputError(f"no source is called {name!r}; there are {', '.join(sorted(declared))}")
    lines = (folder() / f"{name}.sha256").read_text(encoding="utf-8").splitlines()
    checksums = {file: digest for digest, file in (line.split("  ", 1) for line in lines if line)}
    return Source(name=name, checksums=checksums, **declared[name])


def fetch(source: Source, files: Sequence[str]) -> list[Path]:
    """Bring files of a source here and check them.

    They come from the local mirror if `AVATAR_DATA_MIRROR` names one, else from the pinned address into
    `results/.downloads/`; before a download size and licence terms are logged.

    Raises
    ------
    InputAbsent
        Neither way leads to them; says what to do.
    InputError
        A file is not declared, or its SHA-256 differs from the declared one.
    """
    for file in files:
        if file not in source.checksums:
            raise InputError(f"{source.name} declares no file {file!r}")
    mirror = os.environ.get(MIRROR)
    if mirror:
        paths = [Path(mirror) / source.folder / file for file in files]
        for path in paths:
            if not path.is_file():
                raise InputAbsent(f"{source.title}: {path} is missing. Complete the mirror that {MIRROR} names")
    elif source.url is None:
        raise InputAbsent(
            f"{source.title} must be requested at {source.page}. Then set {MIRROR} to the folder above it"
        )
    else:
        paths = _download(source, files)
    for path, file in zip(paths, files, strict=True):
        if file_sha256(path) != source.checksums[file]:
            raise InputError(f"{source.title}: {path} is not the declared file (SHA-256 differs). Fetch it again")
    return paths


def _download(source: Source, files: Sequence[str]) -> list[Path]:
    import pooch

    size = f"{len(source.checksums)} files, {source.bytes / 1e6:.1f} MB"
    log.warning("%s (%s): %s. %s Cite: %s", source.title, size, source.licence, source.terms, source.cite)
    store = pooch.create(
        path=results_root() / ".downloads" / source.folder,
        base_url=source.url,
        registry={file: f"sha256:{digest}" for file, digest in source.checksums.items()},
    )
    try:
        return [Path(store.fetch(file, downloader=pooch.HTTPDownloader(timeout=60))) for file in files]
    except Exception as error:  # whatever the network says, the answer is the same
        reason = str(error).splitlines()[0][:200]
        raise InputAbsent(f"{source.title} can't be downloaded ({reason}). Or set {MIRROR} to a local copy") from None


def guard_write(path: Path, cohort) -> None:
    """Refuse to write what shows an evaluation-only cohort anywhere but below the results, which git ignores.

    Parameters
    ----------
    path
        File or folder about to be written.
    cohort
        Anything with `evaluation_only`.

    Raises
    ------
    LicenceError
        The licence forbids it.
    """
    if not cohort.evaluation_only:
        return
    # Links are followed first: results/x may point to figures/.
    target, allowed = Path(os.path.realpath(path)), Path(os.path.realpath(results_root()))
    kept = [Path(os.path.realpath(project_root() / name)) for name in ("executed", "figures", "checkpoints", "studies")]
    if not target.is_relative_to(allowed) or any(allowed.is_relative_to(k) or target.is_relative_to(k) for k in kept):
        raise LicenceError(f"{path}: this cohort is for evaluation only; it may be written below {allowed} alone")
