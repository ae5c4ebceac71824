import math

import numpy as np
import pytest

from avatarlib.eyes import people as p


def test_person_does_not_depend_on_how_many_are_drawn():
    many, few = p.people(40, seed=3), p.people(5, seed=3, first=20)
    assert many.iloc[20:25].reset_index(drop=True).equals(few)
    assert not p.people(5, seed=4, first=20).equals(few)
    assert tuple(many.columns) == p.TRUTH


def test_nobody():
    assert len(p.people(0, seed=1)) == 0
    with pytest.raises(ValueError, match="negative"):
        p.people(-1, seed=1)


def test_every_trait_has_every_effect():
    declared = p.parameters()
    assert set(declared["effects"]) == set(p.TRAITS)
    assert all(set(e) == {"sex", "age", "high_blood_pressure"} for e in declared["effects"].values())
    assert {t for shown in declared["shown"].values() for t in shown} == set(p.TRAITS)


def test_means_by_hand():
    # A man of 70 with high blood pressure: half the sex effect, two decades, half the blood pressure effect.
    mean = p.trait_means(["male"], [70.0], [True])[0, p.TRAITS.index("arteriole_calibre")]
    assert mean == pytest.approx(-0.20 / 2 + 2 * -0.10 - 0.90 / 2)


def test_drawn_people_show_the_declared_effects():
    table = p.people(8000, seed=1)
    male, decades = table.sex == "male", (table.age - 50) / 10
    design = np.column_stack([np.ones(len(table)), male, decades, table.high_blood_pressure]).astype(float)
    fitted = np.linalg.lstsq(design, table[list(p.TRAITS)].to_numpy(), rcond=None)[0][1:]
    declared = [[p.parameters()["effects"][t][c] for t in p.TRAITS] for c in ("sex", "age", "high_blood_pressure")]
    # Standard errors are 2/√n and, for a decade of age, (1/1.73)/√n.
    assert abs(fitted - declared).max() < 4.5 * 2 / math.sqrt(len(table))
    assert abs(table.high_blood_pressure.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(table.high_blood_pressure, table.sex == "male")[0, 1]) < 0.05


def _density(traits, sex, age, pressure):
    return np.exp(-((traits - p.trait_means(sex, age, pressure)) ** 2).sum(axis=1) / 2)


@pytest.mark.parametrize("condition", p.CONDITIONS)
def test_best_accuracy_equals_the_exact_posterior(condition):
    table = p.people(6000, seed=2)
    traits, n = table[list(p.TRAITS)].to_numpy(), len(table)
    if condition == "sex":
        yes = _density(traits, np.full(n, "male"), table.age, table.high_blood_pressure)
        no = _density(traits, np.full(n, "female"), table.age, table.high_blood_pressure)
        truth = table.sex == "male"
    else:
        yes = _density(traits, table.sex, table.age, np.ones(n, bool))
        no = _density(traits, table.sex, table.age, np.zeros(n, bool))
        truth = table.high_blood_pressure
    best = p.best_accuracy(condition)
    assert abs(((yes > no) == truth).mean() - best) < 4 * math.sqrt(best * (1 - best) / n)


def test_best_accuracy_at_its_ends():
    assert p.best_accuracy("sex", ()) == 0.5
    assert p.best_accuracy("high_blood_pressure", ("iris_pigment",)) == 0.5
    assert p.best_accuracy("sex") > p.best_accuracy("sex", tuple(p.parameters()["shown"]["iris"])) > 0.5
    with pytest.raises(ValueError, match="condition"):
        p.best_accuracy("age")
    with pytest.raises(ValueError, match="unknown traits"):
        p.best_accuracy("sex", ("shoe_size",))
