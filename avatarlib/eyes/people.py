"""Phantom people: who they are, what is true of them, and how well anybody could tell it from their traits."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.stats import norm

from avatarlib.seeds import generator

PARAMETERS = Path(__file__).parents[2] / "data_manifests" / "phantoms.yml"
TRAITS = (
    "disc_area", "cup_ratio", "arteriole_calibre", "venule_calibre", "tortuosity", "fundus_pigment",
    "lid_opening", "iris_pigment", "pupil_size", "skin_tone",
)  # fmt: skip
CONDITIONS = ("sex", "high_blood_pressure")
TRUTH = ("person", "sex", "age", "high_blood_pressure", *TRAITS)


@cache
def parameters() -> dict:
    """Return what `data_manifests/phantoms.yml` declares."""
    return yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))


def trait_means(sex, age, high_blood_pressure) -> np.ndarray:
    """Mean z value of every trait, given what is true of people.

    Parameters
    ----------
    sex
        "female" or "male", (n,).
    age
        Years, (n,).
    high_blood_pressure
        bool, (n,).

    Returns
    -------
    float64 (n, len(TRAITS)), in standard deviations.
    """
    declared = parameters()["effects"]
    effects = np.array([[declared[t][c] for c in ("sex", "age", "high_blood_pressure")] for t in TRAITS])
    male = np.asarray(sex) == "male"
    design = np.column_stack([male - 0.5, (np.asarray(age) - 50) / 10, np.asarray(high_blood_pressure, bool) - 0.5])
    # No matrix product: its last bits depend on the number of people.
    return sum(design[:, [c]] * effects[:, c] for c in range(3))


def people(n: int, seed: int, first: int = 0) -> pd.DataFrame:
    """Draw phantom people.

    Parameters
    ----------
    n
        How many.
    seed
        Of the population. Person i is the same whatever `n` and `first` are.
    first
        Number of the first person.

    Returns
    -------
    One row a person: `person` (int), `sex` (female/male), `age` (years), `high_blood_pressure` (bool) and the
    z values of `TRAITS`.

    Examples
    --------
    >>> people(3, seed=1).iloc[2].equals(people(1, seed=1, first=2).iloc[0])
    True
    """
    if n < 0 or first < 0:
        raise ValueError(f"n and first must not be negative, not {n} and {first}")
    population = parameters()["population"]
    numbers = np.arange(first, first + n)
    uniform, noise = np.empty((n, 3)), np.empty((n, len(TRAITS)))
    for row, number in enumerate(numbers):
        rng = generator(seed, "person", int(number))
        uniform[row], noise[row] = rng.random(3), rng.standard_normal(len(TRAITS))
    low, high = population["age"]
    table = pd.DataFrame(
        {
            "person": numbers,
            "sex": np.where(uniform[:, 0] < population["male"], "male", "female"),
            "age": (low + (high - low) * uniform[:, 1]).round(1),
            "high_blood_pressure": uniform[:, 2] < population["high_blood_pressure"],
        }
    )
    traits = trait_means(table.sex, table.age, table.high_blood_pressure) + noise
    return table.assign(**dict(zip(TRAITS, traits.T, strict=True)))


def best_accuracy(condition: str, traits: tuple[str, ...] = TRAITS) -> float:
    """Accuracy of the best possible classifier, computed from the declared effects.

    The traits are normal with equal variance and independent given age and the other condition, and both values of a
    condition are equally frequent. Then the best rule given traits, age and the other condition is linear and is right
    with probability Φ(Δ/2), Δ being the Euclidean length of the condition's shifts (Fisher 1936). Nothing that sees
    only a picture can do better; without age or the other condition it does a little worse.

    Parameters
    ----------
    condition
        One of `CONDITIONS`.
    traits
        Traits that are seen, for instance `parameters()["shown"]["iris"]`.

    Returns
    -------
    Accuracy, 0.5..1.

    Examples
    --------
    >>> round(best_accuracy("sex", ("fundus_pigment",)), 3)
    0.599
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition must be one of {', '.join(CONDITIONS)}, not {condition!r}")
    unknown = set(traits) - set(TRAITS)
    if unknown:
        raise ValueError(f"unknown traits: {', '.join(sorted(unknown))}")
    shifts = [parameters()["effects"][trait][condition] for trait in traits]
    return float(norm.cdf(np.linalg.norm(shifts) / 2))
