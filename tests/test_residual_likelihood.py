"""Likelihoods against hand-made cases and against a sum over genotypes written out; what must not happen by chance."""

import itertools
import math

import numpy as np
import pytest

from avatarlib.residual.evidence import Evidence
from avatarlib.residual.likelihood import expected, genotype_likelihoods, informative, populations, ratios, sex
from avatarlib.residual.panel import Panel
from avatarlib.residual.recognition import false_match_rate, measured_among, modelled_among, needed, rank, threshold


def panel_with(dose, populations=None):
    dose = np.asarray(dose, np.int8)
    sites, people = dose.shape
    names = tuple(f"p{k}" for k in range(people))
    base = np.full(sites, ord("A"), np.uint8)
    where = np.zeros(sites, np.int64), np.arange(sites)
    return Panel(names, populations or ("",) * people, ("chr1",), *where, base, base + 2, dose)


def seen(rows):
    """Evidence of (read, site, alternative, error)."""
    read, site, alternative, error = (np.array(column) for column in zip(*rows, strict=True))
    return Evidence(read, site, alternative.astype(bool), error.astype(float), len(rows))


def test_ratios_against_a_sum_written_out():
    rng = np.random.default_rng(1)
    panel = panel_with(rng.integers(0, 3, (5, 4)))
    rows = [(k, int(rng.integers(5)), bool(rng.random() < 0.5), 0.02) for k in range(12)]
    got = ratios(panel, genotype_likelihoods(seen(rows), 5))
    frequency = panel.frequency()
    for person in range(4):
        total = 0.0
        for site in range(5):
            chance = [1.0, 1.0, 1.0]
            for (_, at, alternative, e), g in itertools.product(rows, range(3)):
                if at == site:
                    p = g / 2 * (1 - e) + (1 - g / 2) * e / 3
                    q = (1 - g / 2) * (1 - e) + g / 2 * e / 3
                    chance[g] *= p if alternative else q
            total += math.log(chance[panel.dose[site, person]])
            total -= math.log(sum(chance[g] * frequency[site, g] for g in range(3)))
        assert got[person] == pytest.approx(total)


def test_no_read_tells_nothing():
    panel = panel_with([[0, 1, 2], [2, 1, 0]])
    empty = Evidence(*(np.zeros(0, kind) for kind in (int, int, bool, float)), 0)
    assert ratios(panel, genotype_likelihoods(empty, 2)).tolist() == [0, 0, 0]
    assert informative(panel, empty) == {"reads": 0, "sites": 0}
    assert informative(panel, seen([(7, 0, True, 0.01), (7, 1, True, 0.01), (9, 0, False, 0.01)])) == {
        "reads": 2,
        "sites": 2,
    }


def test_a_copy_that_one_has_not_counts_as_no_evidence():
    panel = panel_with([[-1, 2, 0]])  # the first has no copy of this contig
    got = ratios(panel, genotype_likelihoods(seen([(0, 0, True, 0.01)]), 1))
    assert got[0] == 0 and got[1] > 0 > got[2]


def test_frequencies_are_whole_and_never_nothing():
    panel = panel_with(np.zeros((3, 50)))
    frequency = panel.frequency()
    assert np.allclose(frequency.sum(axis=1), 1) and (frequency > 0).all()


def test_a_random_person_is_not_recognised_more_often_than_stated():
    """Reads of people outside the panel: a ratio above t has probability 1/t at most (Markov)."""
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.5, 60)
    dose = rng.binomial(2, p[:, None], (60, 400))
    panel = panel_with(dose)
    above = {10: 0, 100: 0}
    trials = 200
    for _ in range(trials):
        own = rng.binomial(2, p)
        alternative = rng.random(60) < own / 2
        wrong = rng.random(60) < 0.05
        alternative = np.where(wrong, rng.random(60) < 1 / 3, alternative)
        got = ratios(panel, genotype_likelihoods(seen([(k, k, alternative[k], 0.05) for k in range(60)]), 60))
        for t in above:
            above[t] += int((got > math.log(t)).sum())
    for t, several in above.items():
        assert several / (trials * 400) < 1.1 / t


def test_populations_and_sex():
    rng = np.random.default_rng(4)
    one, two = rng.uniform(0, 1, (2, 200))
    dose = np.concatenate([rng.binomial(2, one[:, None], (200, 20)), rng.binomial(2, two[:, None], (200, 20))], axis=1)
    panel = panel_with(dose, ("A",) * 20 + ("B",) * 20)
    rows = [(k, k, bool(rng.random() < panel.dose[k, 25] / 2), 0.01) for k in range(200)]
    found = populations(panel, genotype_likelihoods(seen(rows), 200), without=25)
    assert found["B"] > 0.999 and sum(found.values()) == pytest.approx(1)
    assert np.isfinite(expected(np.zeros((2, 3)), panel.frequency()[:2])).all()
    assert sex(0, 0, 10, 90) == 0 and sex(1, 0, 10, 90) == pytest.approx(math.log(0.1 / (10 / 190)))


def test_recognition():
    strangers = np.arange(-500.0, 500.0)
    assert rank(np.append(strangers, 600.0), 1000) == 1
    above = threshold(strangers, 0.01)
    assert false_match_rate(strangers, above)["share"] <= 0.01
    assert threshold(np.arange(50.0), 0.01) == math.inf  # fifty strangers can't promise one in a hundred
    assert measured_among(600.0, strangers, 1000) == 1 and measured_among(-501.0, strangers, 2) == 0
    assert measured_among(498.5, strangers, 501) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="1000 strangers"):
        measured_among(0.0, strangers, 2000)
    several = np.array([10, 20, 40, 80])
    assert needed(several, np.array([1.0, 0.9, 0.995, 1.0])) == 40 and needed(several, np.zeros(4)) == math.inf


def test_model_agrees_with_measurement_where_both_can_be_had():
    rng = np.random.default_rng(5)
    strangers = rng.normal(-20, 8, 1000)
    for own in (-5.0, 0.0, 5.0):
        assert modelled_among(own, strangers, 100) == pytest.approx(measured_among(own, strangers, 100), abs=0.12)
    chances = [modelled_among(10.0, strangers, n) for n in (10, 100, 10**4, 10**6)]
    assert chances == sorted(chances, reverse=True)
    assert modelled_among(1.0, np.zeros(3), 10) == 1
