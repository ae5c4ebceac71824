"""Mutants that break one rule each: all but 5 % have to be refused; variants that break none may not be."""

import random
from collections import Counter

import pytest
from fhir_mutants import KINDS, mutants
from fhir_small import PROFILE, changed, checker, good
from fhir_variants import harmless, scrambled

from avatarlib.fhir import packages, profiles
from avatarlib.fhir.checker import CONFORMS, NOT_CHECKABLE, VIOLATES, Checker, check_resource
from avatarlib.fhir.profiles import gather
from avatarlib.fhir.stream import read_resources


def killed(ready: Checker, resource: dict, url: str, most: int = 1_000) -> tuple[Counter, Counter]:
    """Count by kind the mutants of a resource and those that are refused; "not checkable" counts as survived.

    Where there are more than `most` of a kind, as many are drawn.
    """
    kinds: dict[str, list[dict]] = {}
    for mutant in mutants(resource, profiles.snapshot(ready.library, url)):
        kinds.setdefault(mutant.kind, []).append(mutant.resource)
    made, refused, draw = Counter(), Counter(), random.Random(4)
    for kind, resources in kinds.items():
        for one in draw.sample(resources, min(most, len(resources))):
            (verdict,) = check_resource(ready, one, url)
            made[kind] += 1
            refused[kind] += verdict.answer == VIOLATES
    return made, refused


def still_fine(ready: Checker, resource: dict, url: str) -> None:
    """Assert that variants which nothing forbids are not refused."""
    for name, variant in harmless(resource):
        (verdict,) = check_resource(ready, variant, url)
        assert verdict.answer != VIOLATES, (name, url, verdict.violations)


def test_mutants_of_the_small_profile_are_all_refused():
    made, refused = killed(checker(), good(), PROFILE)
    still_fine(checker(), changed(lambda one: one.pop("method")), PROFILE)  # a fixed value allows nothing beside it
    assert made == refused and set(made) == set(KINDS) and made.total() >= 30


def test_mutants_on_the_embedded_package():
    ready = Checker(gather(packages.named(["embedded"])))
    made, refused = Counter(), Counter()
    for found in read_resources(packages.test_resources("embedded")):
        for verdict in check_resource(ready, found.resource):
            assert verdict.answer == CONFORMS, verdict
            counts = killed(ready, found.resource, verdict.profile, most=2)
            made += counts[0]
            refused += counts[1]
            still_fine(ready, found.resource, verdict.profile)
    assert made.total() >= 200
    assert refused.total() / made.total() >= 0.95, made - refused


def test_whatever_json_can_hold_gets_an_answer():
    ready = Checker(gather(packages.named(["embedded"])))
    resources = [found.resource for found in read_resources(packages.test_resources("embedded"))]
    draw, answers = random.Random(4), Counter()
    for _ in range(600):
        answers.update(one.answer for one in check_resource(ready, scrambled(draw.choice(resources), draw)))
    assert answers[VIOLATES] > 500


# What the test resources of the mirror really break, by profile and place, found by hand in the profiles' snapshots.
REAL = {
    ("mii-pr-consent-einwilligung", "pattern", "Consent.category[1].coding[0]"): 10,
}


@pytest.mark.mirror
def test_published_test_resources_and_their_mutants(mirror):
    ready = Checker(gather(packages.named(["fhir_packages"])))
    answers, broken = Counter(), Counter()
    made, refused = Counter(), Counter()
    for found in read_resources(packages.test_resources("fhir_packages")):
        for verdict in check_resource(ready, found.resource):
            if not ready.library.profile(verdict.profile):
                continue
            answers[verdict.answer] += 1
            broken.update((verdict.profile.rpartition("/")[2], one.rule, one.path) for one in verdict.violations)
            if verdict.answer == CONFORMS and answers[CONFORMS] % 2:
                counts = killed(ready, found.resource, verdict.profile, most=3)
                made += counts[0]
                refused += counts[1]
                still_fine(ready, found.resource, verdict.profile)
    assert answers.total() >= 300 and dict(broken) == REAL
    assert answers[NOT_CHECKABLE] / answers.total() <= 0.2
    assert made.total() >= 1_000 and set(made) == set(KINDS)
    assert refused.total() / made.total() >= 0.95, made - refused
