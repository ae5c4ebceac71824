"""The cone against hand-computed cases, the method's identities and degenerate input."""

import numpy as np
import pytest

from avatarlib.cone.calibration import (
    clopper_pearson,
    conformal_threshold,
    largest_by_person,
    person_bootstrap,
    share,
    smallest_alpha,
)
from avatarlib.cone.exam import equal_error_rate
from avatarlib.cone.judge import split_originals
from avatarlib.cone.material import split_people
from avatarlib.cone.score import SCALE_FLOOR, caught, flagged, local_scale, person_distances, score
from avatarlib.errors import InputError


def distances(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=2)


@pytest.fixture
def cloud():
    rng = np.random.default_rng(5)
    originals = rng.normal(size=(60, 3)) * np.where(np.arange(60) < 30, 1, 5)[:, None]
    return originals, rng.normal(size=(200, 3)) * 4


def test_scale_counts_each_other_person_once_by_the_nearest_capture():
    points = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 4.0])[:, None]
    persons = np.array(["a", "a", "a", "b", "b", "c"])
    scale = local_scale(distances(points, points), persons, k=2)
    assert scale[0] == pytest.approx((1.0 + 4.0) / 2)
    assert scale[3] == pytest.approx((0.8 + 3.0) / 2)


def test_repeated_captures_of_anyone_leave_the_scale_alone(cloud):
    originals, _ = cloud
    persons = np.arange(60)
    plain = local_scale(distances(originals, originals), persons)
    again = np.concatenate([originals, originals[:20]])
    repeated = local_scale(distances(again, again), np.concatenate([persons, persons[:20]]))
    assert np.allclose(repeated[:60], plain)


def test_fewer_than_k_plus_1_persons_is_an_error():
    points = np.arange(5.0)[:, None]
    with pytest.raises(InputError, match="5 persons.*at least 6"):
        local_scale(distances(points, points), np.arange(5), k=5)


def test_exact_duplicates_under_other_names_do_not_open_a_hole(cloud):
    originals, _ = cloud
    doubled = np.concatenate([originals, np.repeat(originals[:1], 5, axis=0)])
    scale = local_scale(distances(doubled, doubled), np.arange(65))
    assert scale[0] == pytest.approx(SCALE_FLOOR * np.median(local_scale(distances(doubled, doubled), np.arange(65))))
    near = score(distances(originals[:1] + 1e-9, doubled), scale=scale)
    assert near.score[0] < 1e-6


def test_one_neighbour_b_1_and_tau_1_is_authenticity(cloud):
    originals, candidates = cloud
    between, to = distances(originals, originals), distances(candidates, originals)
    decided = flagged(score(to, scale=local_scale(between, np.arange(60), k=1)).score, 1.0)
    nearest = to.argmin(axis=1)
    np.fill_diagonal(between, np.inf)
    authentic = to.min(axis=1) > between.min(axis=1)[nearest]
    assert 0 < decided.sum() < len(decided)
    assert np.array_equal(decided, ~authentic)


def test_global_z_score_decides_like_b_0(cloud):
    originals, candidates = cloud
    to = distances(candidates, originals)
    fixed = score(to, scale=local_scale(distances(originals, originals), np.arange(60)), b=0)
    z = (to.min(axis=1) - 2.0) / 0.7
    assert np.array_equal(flagged(fixed.score, 1.5), z <= (1.5 - 2.0) / 0.7)


def test_minimum_rule_is_never_more_lenient(cloud):
    originals, candidates = cloud
    scale = local_scale(distances(originals, originals), np.arange(60))
    to = distances(candidates, originals)
    assert np.all(score(to, scale=scale, rule="minimum").score <= score(to, scale=scale).score + 1e-12)


def test_the_view_with_the_smaller_score_counts():
    plain, mirrored = np.array([[4.0, 9.0]]), np.array([[9.0, 1.0]])
    both = score(plain, mirrored, scale=np.array([1.0, 2.0]))
    assert (both.nearest[0], both.score[0], both.distance[0], both.scale[0]) == (1, 0.5, 1.0, 2.0)


def test_not_judgeable_is_neither_flagged_nor_passed():
    scores = score(np.array([[1.0], [2.0]]), scale=np.ones(1), judgeable=np.array([True, False])).score
    assert not flagged(scores, 5.0)[1] and caught(scores, 0.0)[1] and not caught(scores, 0.5)[0]


def test_person_distances_by_hand():
    by_person, names = person_distances(np.array([[5.0, 2.0, 7.0], [1.0, 3.0, 0.5]]), np.array(["b", "a", "b"]))
    assert names.tolist() == ["a", "b"] and by_person.tolist() == [[2.0, 5.0], [3.0, 0.5]]


def test_conformal_coverage_on_exchangeable_scores():
    rng = np.random.default_rng(1)
    covered = [rng.random() <= conformal_threshold(rng.random(39), 0.1) for _ in range(4000)]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("n, alpha, rank", [(19, 0.05, 19), (99, 0.01, 99), (39, 0.05, 38), (9, 0.1, 9)])
def test_conformal_rank(n, alpha, rank):
    assert conformal_threshold(np.arange(1, n + 1), alpha) == rank


def test_conformal_leaves_out_what_cannot_be_judged_and_needs_enough():
    assert conformal_threshold(np.array([1.0, np.nan, 2.0]), 0.4) == 2.0
    assert conformal_threshold(np.arange(18), 0.05) == np.inf
    assert conformal_threshold(np.array([]), 0.5) == np.inf
    assert smallest_alpha(19) == 0.05
    with pytest.raises(InputError, match="strictly between"):
        conformal_threshold(np.arange(5), 0.0)


def test_largest_by_person_skips_people_without_a_judgeable_image():
    assert largest_by_person(np.array([1, 4, np.nan]), np.array([1, 1, 2])).tolist() == [4]


def test_intervals_against_a_reference():
    from scipy.stats import binomtest

    for hits, n in ((0, 7), (3, 7), (7, 7), (12, 400)):
        reference = binomtest(hits, n).proportion_ci(0.95, method="exact")
        assert clopper_pearson(hits, n) == pytest.approx((reference.low, reference.high))
    assert clopper_pearson(0, 0) == (0.0, 1.0) and share(np.array([], dtype=bool))["share"] is None


def test_person_bootstrap_is_wider_when_images_of_a_person_agree():
    rng = np.random.default_rng(0)
    hits = np.repeat(rng.random(20) < 0.5, 10)
    clustered = person_bootstrap(hits, np.repeat(np.arange(20), 10), np.random.default_rng(1))
    independent = person_bootstrap(hits, np.arange(200), np.random.default_rng(1))
    assert np.ptp(clustered) > 2 * np.ptp(independent)


def test_equal_error_rate_by_hand():
    assert equal_error_rate(np.array([1.0, 2.0, 3.0, 10.0]), np.array([2.5, 11.0, 12.0, 13.0])) == 0.25


def test_splits_never_share_a_person_and_reserve_the_reserved():
    sizes = {"learn": 4, "calibrate": 3, "test": 3, "new": 4}
    groups = split_people([f"{i:03d}" for i in range(20)], 3, sizes, reserved=["018", "019"])
    everyone = np.concatenate(list(groups.values()))
    assert len(everyone) == len(set(everyone)) == 16
    assert not {"018", "019"} & set(np.concatenate([groups["learn"], groups["calibrate"]]))
    assert {"018", "019"} <= set(np.concatenate([groups["test"], groups["new"]]))
    with pytest.raises(InputError, match="only 3"):
        split_people([1, 2, 3], 0, sizes)


@pytest.mark.parametrize("n", [7, 8, 12, 100, 501])
def test_a_fifth_is_held_out_and_every_role_is_filled(n):
    groups = split_originals(np.repeat(np.arange(n), 2), seed=0)
    assert sorted(np.concatenate(list(groups.values()))) == list(range(n))
    assert len(groups["new"]) == max(1, round(n / 5)) and min(map(len, groups.values())) >= 1


def test_too_few_persons_after_holding_out():
    with pytest.raises(InputError, match="6 persons.*5 remain.*at least 6"):
        split_originals(np.arange(6), seed=0)
