"""Definitions by their canonical address: profiles with their snapshots and bases, value sets and code systems."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from avatarlib.errors import InputError
from avatarlib.fhir import r4
from avatarlib.fhir.packages import Package, entries

KINDS = ("StructureDefinition", "ValueSet", "CodeSystem")


@dataclass(frozen=True)
class Definition:
    """A definition, and the package and file that it comes from."""

    resource: dict
    where: str

    @property
    def version(self) -> str:
        """The definition's business version, or ""."""
        return str(self.resource.get("version", ""))


@dataclass(frozen=True)
class Library:
    """Definitions of one or more packages.

    `held` maps each kind to addresses, and these to their definitions; the newest version comes last.
    """

    held: dict[str, dict[str, list[Definition]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def find(self, kind: str, canonical: str) -> Definition | None:
        """Return the definition of an address, which may end in a version ("url|1.0.0"; "url|1.0" is any 1.0.x)."""
        url, _, version = canonical.partition("|")
        found = self.held[kind].get(url, [])
        if version:
            found = [one for one in found if one.version == version or one.version.startswith(f"{version}.")]
        return found[-1] if found else None

    def profile(self, canonical: str) -> Definition | None:
        """Return a StructureDefinition, or None."""
        return self.find("StructureDefinition", canonical)


def gather(packages: Iterable[Package]) -> Library:
    """Return the definitions of packages; their examples are left out.

    Raises
    ------
    InputError
        A definition has no address, or `packages.entries` refuses a file.
    """
    library = Library()
    for package in packages:
        for entry in entries(package):
            kind = entry.resource["resourceType"]
            if kind in KINDS and not entry.example:
                add(library, entry.resource, entry.where)
    return library


def add(library: Library, resource: dict, where: str) -> None:
    """Add one definition to a library.

    Raises
    ------
    InputError
        It is none, or has no address.
    """
    kind, url = resource.get("resourceType"), resource.get("url")
    if kind not in KINDS:
        raise InputError(f"{where}: {kind} is no definition that profiles use. Give one of {', '.join(KINDS)}")
    if not isinstance(url, str) or not url:
        raise InputError(f"{where}: {kind}.url is missing: nothing could refer to it")
    held = library.held[kind].setdefault(url, [])
    held.append(Definition(resource, where))
    held.sort(key=lambda definition: _ordered(definition.version))


def _ordered(version: str) -> tuple:
    parts = version.replace("-", ".-").split(".")  # 1.0.0-rc comes before 1.0.0
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts) + ((True, 0, ""),)


def bases(library: Library, canonical: str) -> Iterator[Definition]:
    """Yield a profile and those that it is built on, up to R4's own type.

    Raises
    ------
    InputError
        One of them is in no package, names no base, or the bases go round in a circle; both ends are named.
    """
    seen: list[str] = []
    while not is_core(canonical) or library.profile(canonical):
        found = library.profile(canonical)
        if found is None:
            needed = f"{seen[-1]} is built on {canonical}, which" if seen else f"profile {canonical}"
            place = f"{library.profile(seen[-1]).where}: " if seen else ""
            raise InputError(f"{place}{needed} is in none of the packages. Give the package that holds it")
        url = found.resource["url"]
        if url in seen:
            circle = " -> ".join([*seen[seen.index(url) :], url])
            raise InputError(f"{found.where}: the profiles are built on each other in a circle: {circle}")
        yield found
        seen.append(url)
        if found.resource.get("derivation") == "specialization":
            return
        canonical = found.resource.get("baseDefinition")
        if not isinstance(canonical, str) or not canonical:
            raise InputError(f"{found.where}: baseDefinition is missing: what is the profile built on?")


def is_core(canonical: str) -> bool:
    """Return whether an address is that of one of R4's own types, whose structure is known without a package.

    Examples
    --------
    >>> is_core("http://hl7.org/fhir/StructureDefinition/Patient"), is_core("http://example.org/Patient")
    (True, False)
    """
    name = canonical.partition("|")[0].removeprefix(r4.CORE)
    return canonical.startswith(r4.CORE) and r4.is_type(name)


def snapshot(library: Library, canonical: str) -> list[dict]:
    """Return a profile's elements: its snapshot, else its differential applied to the snapshot of its base.

    Raises
    ------
    InputError
        The profile or a base that is needed is in no package, the bases go round in a circle, or an element's change
        fits nothing in the base.
    """
    from avatarlib.fhir.snapshot import apply

    waiting: list[Definition] = []
    for definition in bases(library, canonical):
        elements = definition.resource.get("snapshot", {}).get("element")
        if elements:
            break
        waiting.append(definition)
    else:
        elements = None
    if not elements:
        kind = waiting[-1].resource.get("type") if waiting else canonical.partition("|")[0].removeprefix(r4.CORE)
        elements = list(r4.elements(kind))
    for definition in reversed(waiting):
        changes = definition.resource.get("differential", {}).get("element", [])
        elements = apply(library, elements, changes, definition.where)
    return elements
