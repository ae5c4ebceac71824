"""Who the donors are: names, sexes, parents, and how many copies of a contig each of them has."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.genomes.settings import Variation

AUTOSOME, X, Y, M = "autosome", "X", "Y", "M"
CONTIGS = {"X": X, "chrX": X, "Y": Y, "chrY": Y, "M": M, "MT": M, "chrM": M, "chrMT": M}
FEMALE, MALE = "female", "male"
SEXES = {"female": FEMALE, "f": FEMALE, "male": MALE, "m": MALE, "": ""}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Pedigree:
    """Parents by donor index, -1 where unknown, and the generation of each donor, 0 for those without children."""

    father: tuple[int, ...]
    mother: tuple[int, ...]
    generation: tuple[int, ...]


def contig_kind(name: str) -> str:
    """Tell from its name how a contig is inherited; names that are not listed are autosomes.

    Pseudoautosomal regions are treated as the rest of their chromosome.

    Examples
    --------
    >>> contig_kind("chrX"), contig_kind("MT"), contig_kind("phantom_1")
    ('X', 'M', 'autosome')
    """
    return CONTIGS.get(name, AUTOSOME)


def copies_of(name: str, sexes: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """List the copies of a contig as (donor index, haplotype).

    Two of autosomes, and of X in everybody but males; one of Y in males; one of M. Haplotype 1 is the father's and 2
    the mother's; a copy that is its donor's only one is haplotype 1 whoever it comes from.

    Parameters
    ----------
    name
        Name of the contig.
    sexes
        "female", "male" or "" of each donor.

    Examples
    --------
    >>> copies_of("chrX", ["female", "male"])
    ((0, 1), (0, 2), (1, 1))
    """
    kind = contig_kind(name)
    several = {AUTOSOME: (2, 2), X: (2, 1), Y: (0, 1), M: (1, 1)}[kind]
    return tuple((i, h + 1) for i, sex in enumerate(sexes) for h in range(several[sex == MALE]))


def donors_table(settings: Variation, contigs: Sequence[str], population: str) -> tuple[list[dict], Pedigree | None]:
    """Name the donors and give them sexes, populations and parents.

    Parameters
    ----------
    contigs
        Names of the contigs: sexes are given only where one of them is X or Y, alternating, female first, unless the
        pedigree says.
    population
        Population of all donors where `settings.populations` is empty or a pedigree is used.

    Returns
    -------
    One dict a donor with donor, population, sex, father and mother, "" where there is none; and the pedigree.
    """
    if settings.pedigree is None:
        several = settings.populations or {population: settings.donors}
        origin = [name for name, number in several.items() for _ in range(number)]
        names = [f"donor{i + 1:03}" for i in range(len(origin))]
        parents = [("", "")] * len(names)
        sexes, pedigree = [""] * len(names), None
    else:
        names, parents, sexes, pedigree = read_pedigree(settings.pedigree)
        origin = [population] * len(names)
        asked = settings.number_of_donors
        if {"donors", "populations"} & settings.model_fields_set and asked != len(names):
            raise InputError(f"{settings.pedigree}: {len(names)} donors, but {asked} were asked for: make them agree")
    if {X, Y}.isdisjoint(map(contig_kind, contigs)):
        sexes = [""] * len(names)
    else:
        sexes = [sex or (FEMALE, MALE)[i % 2] for i, sex in enumerate(sexes)]
    columns = zip(names, origin, sexes, parents, strict=True)
    donors = [
        {"donor": name, "population": place, "sex": sex, "father": father, "mother": mother}
        for name, place, sex, (father, mother) in columns
    ]
    return donors, pedigree


def read_pedigree(path: Path) -> tuple[list[str], list[tuple[str, str]], list[str], Pedigree]:
    """Read a CSV of relatives with the columns donor, father, mother and perhaps sex; a blank parent is unknown.

    Returns
    -------
    Names, (father, mother) of each, sexes ("" where neither said nor implied by being a parent), and the pedigree.

    Raises
    ------
    InputError
        No such file, columns missing, names twice or not usable, unknown parents, a parent of both sexes, or somebody
        who is their own ancestor.
    """
    rows = _rows(path)
    names = [row["donor"] for _, row in rows]
    number = {}
    for line, row in rows:
        name = row["donor"]
        if not NAME.fullmatch(name):
            raise InputError(f"{path}, line {line}: {name!r} can't name a donor: use letters, digits and . _ -")
        if name in number:
            raise InputError(f"{path}, line {line}: donor {name!r} is there twice: give one line each")
        number[name] = len(number)
    sexes = [_sex(path, line, row) for line, row in rows]
    links = {"father": [], "mother": []}
    for line, row in rows:
        for role, sex in (("father", MALE), ("mother", FEMALE)):
            parent = row[role]
            if parent and parent not in number:
                raise InputError(
                    f"{path}, line {line}: {role} {parent!r} has no line: add one, with blank parents if need be"
                )
            links[role].append(number[parent] if parent else -1)
            if parent:
                before = sexes[number[parent]]
                if before not in ("", sex):
                    raise InputError(f"{path}, line {line}: {role} {parent!r} is {before} elsewhere: correct one")
                sexes[number[parent]] = sex
    generation = _generations(path, names, links["father"], links["mother"])
    parents = [(row["father"], row["mother"]) for _, row in rows]
    return names, parents, sexes, Pedigree(tuple(links["father"]), tuple(links["mother"]), tuple(generation))


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and stripped fields of each row that isn't blank."""
    needed = {"donor", "father", "mother"}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="", strict=True)
            header = [name.strip() for name in reader.fieldnames or ()]
            if sorted(header) not in (sorted(needed), sorted(needed | {"sex"})):
                raise InputError(f"{path}, line 1: the columns must be donor,father,mother and perhaps sex")
            rows = []
            for row in reader:
                if row.pop("", None):
                    raise InputError(f"{path}, line {reader.line_num}: more fields than columns: remove a comma")
                fields = {name.strip(): value.strip() for name, value in row.items()}
                if any(fields.values()):
                    rows.append((reader.line_num, fields))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}): check the path of the pedigree") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no CSV in UTF-8 ({error}): save it as one") from error
    if not rows:
        raise InputError(f"{path}: no donors: add one line for each")
    return rows


def _sex(path: Path, line: int, row: dict[str, str]) -> str:
    sex = row.get("sex", "").lower()
    if sex not in SEXES:
        raise InputError(f"{path}, line {line}: sex {sex!r}: write female, male or nothing")
    return SEXES[sex]


def _generations(path: Path, names: list[str], father: list[int], mother: list[int]) -> list[int]:
    """Longest line of descent below each donor: people are handled once all their children are."""
    children = [0] * len(names)
    for parent in (*father, *mother):
        if parent >= 0:
            children[parent] += 1
    generation = [0] * len(names)
    ready = [i for i, several in enumerate(children) if not several]
    for person in ready:
        for parent in (father[person], mother[person]):
            if parent >= 0:
                generation[parent] = max(generation[parent], generation[person] + 1)
                children[parent] -= 1
                if not children[parent]:
                    ready.append(parent)
    if len(ready) < len(names):
        own = next(name for name, several in zip(names, children, strict=True) if several)
        raise InputError(f"{path}: {own!r} is their own ancestor, or a descendant of one who is: correct the parents")
    return generation
