"""FHIR packages: what one is called and needs, and its definitions and examples, from an archive or a folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avatarlib import manifests
from avatarlib.errors import InputError
from avatarlib.fhir import archive, stream

EMBEDDED = "embedded"
OTHER_FOLDERS = ("openapi", "other", "xml")  # of a package; what lies there may be JSON but no resource
FHIR = "4.0"  # R4; its corrections (4.0.1) are the same release


@dataclass(frozen=True)
class Package:
    """A FHIR package: its header (`package/package.json`) and where it lies.

    `licence` is what the header states, None where it states nothing. `dependencies` maps names to versions.
    """

    name: str
    version: str
    title: str
    licence: str | None
    fhir_versions: tuple[str, ...]
    dependencies: dict[str, str]
    path: Path

    @property
    def label(self) -> str:
        """Name and version, as packages are cited: "name#version"."""
        return f"{self.name}#{self.version}"


@dataclass(frozen=True)
class Entry:
    """A resource of a package: its file (POSIX, in the package), whether it is an example, and the resource."""

    package: Package
    file: str
    example: bool
    resource: dict

    @property
    def where(self) -> str:
        """Package file and the file in it, as one text for messages."""
        return f"{self.package.path}: {self.file}"


def read_package(path: Path, limits: archive.Limits = archive.LIMITS) -> Package:
    """Return the header of a package.

    Parameters
    ----------
    path
        An archive (.tgz) that holds `package/package.json`, or a folder that holds that or `package.json`.
    limits
        Bounds for an archive or folder from a stranger.

    Raises
    ------
    InputError
        There is no header, it names no package or another FHIR version than R4, or `archive.files` refuses it.
    """
    path = Path(path)
    for name, data in archive.files(path, _is_header, limits):
        return _header(stream.parse(data, f"{path}: {name}"), f"{path}: {name}", path)
    raise InputError(f"{path} is no FHIR package: it holds no package/package.json")


def entries(package: Package, limits: archive.Limits = archive.LIMITS) -> Iterator[Entry]:
    """Yield the resources of a package, one in memory at a time, in the order in which they lie there.

    Raises
    ------
    InputError
        A file is not JSON, is no resource, or defines for another FHIR version; it is named.
    """
    root = "" if (package.path / "package.json").is_file() else "package/"
    for name, data in archive.files(package.path, lambda name: _is_resource(name, root), limits):
        where = f"{package.path}: {name}"
        resource = stream.parse(data, where)
        if not isinstance(resource.get("resourceType"), str):
            raise InputError(f"{where} is no FHIR resource: it has no resourceType")
        if resource["resourceType"] == "StructureDefinition":
            _require_r4(resource.get("fhirVersion"), package, where)
        inner = name.removeprefix(root)
        yield Entry(package, inner, inner.split("/")[0] in ("example", "examples"), resource)


def named(names: list[str]) -> list[Package]:
    """Return packages by name.

    Parameters
    ----------
    names
        Each is "embedded" (the packages of this project), a declared source whose modality is fhir, or a path of an
        archive or folder.

    Raises
    ------
    InputAbsent
        A source's files are not here and can't be fetched.
    InputError
        There is nothing of that name, or two packages carry the same name and version.
    """
    packages: list[Package] = []
    for name in names:
        packages += [read_package(path) for path in _paths(name)]
    labels = [package.label for package in packages]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(f"the package {twice[0]} is given twice")
    return packages


def test_resources(name: str) -> Path:
    """Return the archive or folder of test resources that belongs to the packages of that name.

    "embedded" has its own folder; a declared source has the archive that `<name>_testdata` declares.
    """
    if name == EMBEDDED:
        return manifests.folder() / "fhir" / "testdata"
    source = manifests.source(f"{name}_testdata")
    return manifests.fetch(source, list(source.checksums))[0]


def _paths(name: str) -> list[Path]:
    if name == EMBEDDED:
        return sorted(path.parent.parent for path in (manifests.folder() / "fhir").glob("*/package/package.json"))
    if name in manifests.sources():
        source = manifests.source(name)
        if source.modality != "fhir":
            raise InputError(f"source {name!r} holds {source.modality}, not FHIR packages")
        return manifests.fetch(source, sorted(source.checksums))
    return [Path(name)]


def _is_header(name: str) -> bool:
    return name in ("package/package.json", "package.json")


def _is_resource(name: str, root: str) -> bool:
    last = name.rpartition("/")[2]
    inner = name.removeprefix(root)
    return (
        name.startswith(root)
        and last.endswith(".json")
        and last not in archive.ABOUT_PACKAGES
        and "openapi/" not in inner
    )


def _header(header: dict, where: str, path: Path) -> Package:
    for key in ("name", "version"):
        if not isinstance(header.get(key), str) or not header[key].strip() or not header[key].isprintable():
            raise InputError(f"{where}: {key} is missing or no text. A package states its name and version")
    versions = header.get("fhirVersions", header.get("fhir-version-list", []))
    if not isinstance(versions, list) or not all(isinstance(version, str) for version in versions):
        raise InputError(f"{where}: fhirVersions is no list of texts")
    dependencies = header.get("dependencies") or {}
    if not isinstance(dependencies, dict):
        raise InputError(f"{where}: dependencies is no object of name and version")
    licence = header.get("license")
    package = Package(
        name=header["name"],
        version=header["version"],
        title=str(header.get("title") or header.get("description") or header["name"]).splitlines()[0].strip(),
        licence=licence if isinstance(licence, str) and licence else None,
        fhir_versions=tuple(versions),
        dependencies={str(name): str(version) for name, version in dependencies.items()},
        path=path,
    )
    if versions and not any(version.startswith(FHIR) for version in versions):
        _require_r4(versions[0], package, where)
    return package


def _require_r4(version, package: Package, where: str) -> None:
    if not isinstance(version, str) or not version.startswith(FHIR):
        text = json.dumps(version, ensure_ascii=False)
        raise InputError(f"{where}: FHIR version {text}; {package.label} can be read where it is R4 ({FHIR}.x) only")
