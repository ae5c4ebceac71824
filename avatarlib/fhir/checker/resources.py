"""Resources against the profiles that they name or that are asked for, one after another."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.fhir import profiles, r4
from avatarlib.fhir.checker import rules, tree, walk
from avatarlib.fhir.checker.run import Run, nowhere
from avatarlib.fhir.checker.terminology import Terminology
from avatarlib.fhir.checker.verdict import Verdict, verdict
from avatarlib.fhir.profiles import Definition, Library
from avatarlib.fhir.stream import Found, parse, read_resources

LARGEST_BUNDLE = 32 << 20  # bytes; a larger one is never held whole
MOST_ADDRESSES = 1_000_000  # of one Bundle's entries; what references to later ones point to stays unknown


class Checker:
    """Compiled profiles and value sets of a library; each is built when it is first needed, and kept.

    Parameters
    ----------
    library
        Definitions, see `avatarlib.fhir.profiles.gather`.
    """

    def __init__(self, library: Library):
        self.library = library
        self.terminology = Terminology(library)
        self._compiled: dict[str, tree.Profile] = {}
        self._bases: dict[str, tree.Profile] = {}

    def base(self, kind: str) -> tree.Profile:
        """Return R4's own structure of a type, without the invariants that only its definition states."""
        if kind not in self._bases:
            self._bases[kind] = tree.build(r4.CORE + kind, kind, r4.elements(kind))
        return self._bases[kind]

    def type_root(self, kind: str) -> tree.Node:
        """Return the first element of R4's structure of a type."""
        return self.base(kind).root

    def compiled(self, canonical: str) -> tree.Profile | None:
        """Return a profile as a tree, or None where it is not at hand.

        Raises
        ------
        InputError
            The profile is at hand, but its bases go round in a circle or its snapshot does not hold together.
        """
        found = self.library.profile(canonical)
        if found is None:
            return self.base(canonical.partition("|")[0].removeprefix(r4.CORE)) if profiles.is_core(canonical) else None
        if canonical not in self._compiled:
            self._compiled[canonical] = self._compile(canonical, found)
        return self._compiled[canonical]

    def _compile(self, canonical: str, found: Definition) -> tree.Profile:
        kind = found.resource.get("type")
        if not isinstance(kind, str) or found.resource.get("kind") == "logical":
            raise InputError(f"{found.where}: is no profile of a FHIR type, so that no resource can be checked by it")
        try:
            built = tree.build(canonical, kind, profiles.snapshot(self.library, canonical))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{found.where}: the snapshot does not hold together ({error})") from None
        except RecursionError:
            raise InputError(f"{found.where}: the profile goes into a type that it needs itself, without end") from None
        for node in built.nodes.values():
            node.codes = node.codes or _core_codes(node.base_path)
        return built

    def kind_of(self, canonical: str) -> str:
        """Return the type that a profile's address stands for, or "" where it is not at hand."""
        found = self.library.profile(canonical)
        if found is not None:
            return str(found.resource.get("type", ""))
        name = canonical.partition("|")[0].removeprefix(r4.CORE)
        return name if name in ("Resource", "DomainResource") or r4.is_type(name) else ""

    def against(self, run: Run, have: dict, canonical: str, path: str) -> None:
        """Check a value against a profile that something names; note it as missing where it is not at hand."""
        if not run.first(have, canonical):
            return
        found = self.compiled(canonical)
        if found is None and canonical in r4.tables()["extensions"]:
            rules.core_extension(self, run, have, canonical, path)
        elif found is None:
            run.lacks(path, "profile", f"definition {canonical}")
        else:
            walk.profile(self, run, have, found, path)

    def meets(self, run: Run, resource: dict, canonical: str) -> bool | None:
        """Return whether a resource meets a profile, or None where that can't be checked."""
        trial = Run(resource, resource, run.around)
        self.against(trial, resource, canonical, "")
        return False if trial.violations else None if trial.missing else True


def _core_codes(path: str) -> tuple[str, ...] | None:
    kind = path.partition(".")[0]
    if not r4.is_type(kind) or kind in r4.PRIMITIVES:
        return None
    return next((element.get("codes") for element in r4.elements(kind) if element["path"] == path), None)


def claimed(resource: dict) -> list[str]:
    """Return the profiles that a resource says it meets; R4's own type where it names none."""
    meta = resource.get("meta")
    named = meta.get("profile") if isinstance(meta, dict) else None
    named = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    return list(dict.fromkeys(named)) or [r4.CORE + resource["resourceType"]]


def check_resource(
    checker: Checker,
    resource: dict,
    profile: str | None = None,
    *,
    file: str = "",
    place: str = "",
    around: Callable[[str], str] = nowhere,
    strict: bool = False,
) -> list[Verdict]:
    """Check one resource against a profile, or against all that it names.

    Parameters
    ----------
    checker
        Holds the definitions.
    resource
        A FHIR resource as JSON gives it.
    profile
        Address of the profile; without it `meta.profile` decides, and where that names none R4's own type.
    file, place
        Where the resource comes from, for the verdict.
    around
        Gives the type of the resource that an address stands for, or "".
    strict
        Whether a code whose code system is not at hand makes the resource not checkable; else it is taken as it is,
        unless its form or check digit shows that there is no such code.

    Raises
    ------
    InputError
        A definition is at hand but broken.
    """
    kind = resource["resourceType"]
    answers = []
    for canonical in [profile] if profile else claimed(resource):
        run = Run(resource, resource, around)
        if not r4.is_resource(kind):
            run.wrong("", "type", "its resourceType is none of R4")
        elif not r4.is_resource(checker.kind_of(canonical)) and checker.kind_of(canonical):
            run.wrong(kind, "type", f"profile {canonical} is of a data type, not of a resource")
        elif checker.kind_of(canonical) not in ("", kind):
            run.wrong(kind, "type", f"profile {canonical} is one of {checker.kind_of(canonical)}")
        else:
            _walk(checker, run, resource, canonical)
        if strict:
            run.missing += run.unverified
            run.unverified.clear()
        answers.append(verdict(file, place, kind, canonical, run.violations, run.missing, run.unverified))
    return answers


def _walk(checker: Checker, run: Run, resource: dict, canonical: str) -> None:
    kind = resource["resourceType"]
    try:
        checker.against(run, resource, canonical, kind)
        if checker.compiled(canonical) is None:  # what R4 forbids no profile can allow
            walk.profile(checker, run, resource, checker.base(kind), kind)
    except RecursionError:
        run.lacks(kind, "type", "it is nested too deeply to be checked")


def check_files(
    checker: Checker, paths: Iterable[Path], profile: str | None = None, *, strict: bool = False
) -> Iterator[Verdict]:
    """Check the resources of files, folders and archives, one in memory at a time.

    Of a Bundle its entries are checked, and itself where it names a profile, is no larger than 32 MiB and lies in no
    archive. By a profile of Bundles only these are checked.

    Raises
    ------
    InputError
        A path holds no resources, or what `read_resources` and `check_resource` refuse.
    """
    of_bundles = profile is not None and checker.kind_of(profile) == "Bundle"
    for path in paths:
        empty, around = True, Around(path)
        for found in chain(() if of_bundles else read_resources(path), _bundles(path, of_bundles)):
            empty = False
            named = None if found.resource["resourceType"] == "Bundle" and not of_bundles else profile
            where = {"file": found.file, "place": found.place}
            yield from check_resource(checker, found.resource, named, around=around, strict=strict, **where)
        if empty:
            what = "Bundle of at most 32 MiB (.json)" if of_bundles else "FHIR resource (.json or .ndjson)"
            raise InputError(f"{path}: holds no {what}")


def _bundles(path: Path, every: bool) -> Iterator[Found]:
    """Yield Bundles whole: those that name a profile of their own, or every one."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path] if path.suffix == ".json" else []
    for file in files:
        data = file.read_bytes() if file.stat().st_size <= LARGEST_BUNDLE else b""
        if b'"Bundle"' in data:
            resource = parse(data, str(file))
            if resource.get("resourceType") == "Bundle" and (every or claimed(resource) != [r4.CORE + "Bundle"]):
                yield Found(str(file), "", resource)


class Around:
    """The types of a Bundle's resources by fullUrl; the file is gone through for them when the first is asked for.

    References such as urn:uuid:… do not tell what they point to. Kept are 100 bytes or so for each entry, no resource.
    """

    def __init__(self, path: Path):
        self._path = path
        self._kinds: dict[str, str] | None = None

    def __call__(self, address: str) -> str:
        """Return the type of the resource with this fullUrl, or "" where there is none or there are too many."""
        if self._kinds is None:
            self._kinds = {}
            for found in read_resources(self._path):
                if found.full_url and len(self._kinds) < MOST_ADDRESSES:
                    self._kinds[found.full_url] = sys.intern(found.resource["resourceType"])
        return self._kinds.get(address, "")
