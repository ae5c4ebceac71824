"""Synthetic patients of eye departments: who they are and what they have, by declared distributions and a seed."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from avatarlib.errors import InputError
from avatarlib.seeds import generator

PARAMETERS = Path(__file__).with_name("patients.yml")
YEAR = 365.25  # days
SIDES = ("left", "right")


@dataclass(frozen=True)
class Condition:
    """A condition since a day; `sides` is empty where it is not one of the eyes."""

    name: str
    code: str
    sides: tuple[str, ...]
    since: date


@dataclass(frozen=True)
class Signature:
    """A consent document: "consent", "refusal", "partial withdrawal" or "withdrawal", with the modules it is about."""

    kind: str
    day: date
    version: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Patient:
    """A synthetic patient; days are in the order of time, measurements are (name, day, value or (left, right))."""

    id: str
    sex: str
    born: date
    conditions: tuple[Condition, ...]
    visits: tuple[date, ...]
    measurements: tuple[tuple[str, date, float | tuple[float, float]], ...]
    images: tuple[date, ...]
    signatures: tuple[Signature, ...]

    def age(self, day: date) -> int:
        """Return the age in whole years on a day."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@cache
def parameters() -> dict:
    """Return what `patients.yml` declares."""
    return yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))


def sites() -> list[str]:
    """Return the names of the sites that have patients."""
    return list(parameters()["sites"])


def patients(site: str, n: int, *, seed: int, day: date) -> list[Patient]:
    """Draw the patients of a site; patient i is the same whatever `n` is.

    Parameters
    ----------
    site
        One of `sites()`.
    n
        How many.
    day
        Today: nothing happens after it.

    Examples
    --------
    >>> one, two = patients("site_a", 2, seed=1, day=date(2026, 6, 30))
    >>> patients("site_a", 1, seed=1, day=date(2026, 6, 30)) == [one]
    True
    """
    if site not in sites():
        raise InputError(f"no site is called {site!r}; there are {', '.join(sites())}")
    return [_patient(site, i, generator(seed, "patients", site, i), day) for i in range(n)]


def _patient(site: str, number: int, rng: np.random.Generator, today: date) -> Patient:
    declared, place = parameters(), parameters()["sites"][site]
    child = rng.random() < place["children"]
    age = rng.uniform(0, 18) if child else float(np.clip(rng.normal(*place["age"]), 18, 101))
    born = today - timedelta(days=round(age * YEAR) + int(rng.integers(1, 180)))
    sex = "female" if rng.random() < declared["female"] else "male"
    first = max(declared["visits"]["from"], born + timedelta(days=30))
    span = max((today - first).days, 1)
    count = 1 + rng.poisson(declared["visits"]["mean"] - 1)
    visits = sorted({first + timedelta(days=int(k)) for k in rng.integers(0, span, size=count)})
    conditions = _conditions(rng, age, visits)
    has = {condition.name for condition in conditions}
    images = tuple(visits[-2:]) if age >= 18 and rng.random() < declared["images"] else ()
    return Patient(
        id=f"{site.removeprefix('site_')}-{number:06}",
        sex=sex,
        born=born,
        conditions=conditions,
        visits=tuple(visits),
        measurements=tuple(_measurements(rng, visits, age, has)),
        images=images,
        signatures=tuple(_signatures(rng, visits, born, today)),
    )


def _conditions(rng: np.random.Generator, age: float, visits: list[date]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for name, told in parameters()["conditions"].items():
        chance = told["base"] + told["rise"] / (1 + np.exp((told["middle"] - age) / told["width"]))
        for other, factor in told.get("factor", {}).items():
            chance *= factor if any(condition.name == other for condition in found) else 1
        draw, both, side, when = rng.random(4)
        if draw < chance:
            eyes = SIDES if both < parameters()["both_eyes"] else (SIDES[int(side < 0.5)],)
            since = visits[int(when * len(visits))]
            found.append(Condition(name, told["code"], eyes if told.get("eyes") else (), since))
    return tuple(found)


def _measurements(rng: np.random.Generator, visits: list[date], age: float, has: set[str]):
    declared = parameters()
    decades = (age - 50) / 10
    for day in visits:
        for name, told in declared["measurements"].items():
            mean, sd = (
                told.get("diabetes", (0, 0)) if "diabetes" in has and "diabetes" in told else (told["mean"], told["sd"])
            )
            share, z = rng.random(), rng.standard_normal()
            if share < told["share"]:
                value = mean + told.get("per_decade", 0) * decades + sd * z
                yield name, day, round(float(max(value, 0.2)), told["digits"])
        pressure, eyes = rng.random(2)
        z = rng.standard_normal(4)
        if pressure < 0.5:
            yield (
                "blood pressure",
                day,
                tuple(
                    float(
                        round(
                            t["mean"]
                            + t["per_decade"] * decades
                            + t["hypertension"] * ("hypertension" in has)
                            + t["sd"] * k
                        )
                    )
                    for t, k in ((declared["systolic"], z[0]), (declared["diastolic"], 0.6 * z[0] + 0.8 * z[1]))
                ),
            )
        if eyes < 0.5:
            t = declared["intraocular"]
            mean = t["mean"] + t["glaucoma"] * ("glaucoma" in has)
            yield "intraocular pressure", day, tuple(float(max(5, round(mean + t["sd"] * k))) for k in z[2:])


def _signatures(rng: np.random.Generator, visits: list[date], born: date, today: date):
    told = parameters()["broad_consent"]
    asked, refuses, whole, part, when = rng.random(5)
    draws, later = rng.random(len(told["modules"])), rng.random()
    days = [day for day in visits if day >= min(told["versions"].values())]
    if not days or asked >= told["asked"]:
        return
    day = days[int(when * len(days))]
    version = max((first, name) for name, first in told["versions"].items() if first <= day)[1]
    minor = day < date(born.year + 18, born.month, 1)
    if minor and version != max(told["versions"]):
        return
    if refuses < told["refuses"]:
        yield Signature("refusal", day, version, ())
        return
    modules = tuple(m for m, draw in zip(told["modules"], draws, strict=True) if draw < told["modules"][m])
    yield Signature("consent", day, told["minors"] if minor else version, modules)
    after = day + timedelta(days=1 + int(later * max((today - day).days - 1, 0)))
    if after > today:
        return
    if whole < told["withdraws"]:
        yield Signature("withdrawal", after, version, ())
    elif part < told["withdraws_in_part"] and len(modules) > 1:
        yield Signature("partial withdrawal", after, version, (modules[1 + int(later * (len(modules) - 1))],))
