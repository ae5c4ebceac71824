"""Read the catalogue's files: one source each, errors with file, line and key."""

import difflib
from pathlib import Path
from typing import TypeVar

from avatarlib import documents, manifests
from avatarlib.catalogue.internal import InternalSource
from avatarlib.catalogue.model import Source
from avatarlib.documents.yaml_text import shown
from avatarlib.errors import InputError

Entry = TypeVar("Entry", Source, InternalSource)
ADVICE = "compare it with data_manifests/catalogue/chase-db1.yml"


def folder() -> Path:
    """Return the folder of the entries."""
    return manifests.folder() / "catalogue"


def read(path: Path) -> Source:
    """Read one source.

    Raises
    ------
    InputError
        One line that names the file, line and key, what is wrong and what to do.
    """
    text, source = _read(path, Source)
    if source.mirror is None:
        return source
    if source.mirror not in manifests.sources():
        problem = f"{shown(source.mirror)} is not in data_manifests/sources.yml: {', '.join(manifests.sources())}"
        raise documents.failure(text, [(("mirror",), problem)])
    files = len(manifests.source(source.mirror).checksums)
    if source.level == "V3" and source.size.unit == "images" and source.size.value != files:
        problem = f"V3 claims all {source.size.value} images, the mirror declares {files}: correct one, or state V2"
        raise documents.failure(text, [(("verification",), problem)])
    return source


def find(name: str, place: Path | None = None) -> Source:
    """Read the source with an identifier, or the entry in a file.

    Raises
    ------
    InputError
        No such source; says which name is near. An entry that is wrong.
    """
    if name.endswith(".yml"):
        return read(Path(name))
    place = place or folder()
    known = sorted(path.stem for path in place.glob("*.yml"))
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else "`avatar catalogue list` names them"
        raise InputError(f"{place}: no source is called {shown(name)}: {hint}")
    return read(place / f"{name}.yml")


def read_internal(path: Path) -> InternalSource:
    """Read one source that is not open; errors as those of `read`."""
    return _read(path, InternalSource)[1]


def load_internal(place: Path | None = None) -> list[InternalSource]:
    """Read all sources that are not open, of the folder `internal` beside the entries.

    Raises
    ------
    InputError
        An entry that is wrong, or that names an open source which is not there.
    """
    place = place or folder()
    found = []
    for path in sorted(place.glob("internal/*.yml")):
        source = read_internal(path)
        for name in source.instead:
            if not (place / f"{name}.yml").is_file():
                raise InputError(f"{path}: instead: no source is called {shown(name)}: name an entry beside internal/")
        found.append(source)
    return found


def _read(path: Path, model: type[Entry]) -> tuple[documents.Document, Entry]:
    text = documents.read(path, ADVICE)
    source = documents.check(text, model)
    if source.identifier != path.stem:
        problem = f"is {source.identifier}, but the file is called {path.stem}: make them the same"
        raise documents.failure(text, [(("identifier",), problem)])
    return text, source


def load(place: Path | None = None) -> list[Source]:
    """Read all sources of a folder, in the order of their identifiers.

    Raises
    ------
    InputError
        No folder, no entry in it, an entry that is wrong, or two of one address.
    """
    place = place or folder()
    paths = sorted(place.glob("*.yml"))
    if not paths:
        raise InputError(f"{place}: holds no entries (*.yml): name the folder of a catalogue")
    sources = [read(path) for path in paths]
    seen: dict[str, Path] = {}
    for source, path in zip(sources, paths, strict=True):
        for key, value in (("page", source.addresses.page.rstrip("/")), ("doi", source.addresses.doi)):
            first = seen.setdefault(value, path) if value else path
            if first is not path:
                raise InputError(f"{path}: addresses.{key}: {value} is that of {first.name} too: delete one")
    return sources
