"""Synthetic patients: the same for the same seed, distributions as declared, conforming to the profiles they name."""

from collections import Counter
from datetime import date

import numpy as np
import pytest

from avatarlib.consent import audit
from avatarlib.consent.policies import mii_policies
from avatarlib.datause import patients as drawn
from avatarlib.datause.patients_fhir import PROFILES, resources
from avatarlib.errors import InputError
from avatarlib.fhir import checker, packages, profiles

DAY = date(2026, 6, 30)


@pytest.fixture(scope="module")
def people():
    return {site: drawn.patients(site, 2000, seed=3, day=DAY) for site in drawn.sites()}


def test_seeded_and_independent_of_their_number(people):
    again = drawn.patients("site_b", 30, seed=3, day=DAY)
    assert again == people["site_b"][:30]
    assert drawn.patients("site_b", 30, seed=4, day=DAY) != again
    assert len({patient.id for site in people.values() for patient in site}) == 6000
    with pytest.raises(InputError, match="no site is called 'x'"):
        drawn.patients("x", 1, seed=1, day=DAY)


def test_distributions_are_those_declared(people):
    told, everybody = drawn.parameters(), [patient for site in people.values() for patient in site]
    assert abs(np.mean([p.sex == "female" for p in everybody]) - told["female"]) < 0.02
    for site, one in people.items():
        children = np.mean([p.age(DAY) < 18 for p in one])
        assert abs(children - told["sites"][site]["children"]) < 0.03
    for age in (30, 50, 70):
        near = [p for p in everybody if abs(p.age(DAY) - age) <= 2]
        has = np.mean([any(c.name == "hypertension" for c in p.conditions) for p in near])
        h = told["conditions"]["hypertension"]
        expected = h["base"] + h["rise"] / (1 + np.exp((h["middle"] - age) / h["width"]))
        assert abs(has - expected) < 4 * np.sqrt(expected * (1 - expected) / len(near)) + 0.02
    pressures = {True: [], False: []}
    for p in everybody:
        if 45 <= p.age(DAY) <= 55:
            high = any(c.name == "hypertension" for c in p.conditions)
            pressures[high] += [value[0] for name, _, value in p.measurements if name == "blood pressure"]
    assert abs(np.mean(pressures[True]) - np.mean(pressures[False]) - told["systolic"]["hypertension"]) < 2
    kinds = Counter(p.signatures[0].kind if p.signatures else "none" for p in everybody)
    assert 0.55 < kinds["consent"] / 6000 < 0.75 and kinds["refusal"] > 200 and kinds["none"] > 1000


def test_nothing_happens_before_birth_or_after_today(people):
    for patient in people["site_b"]:
        days = [*patient.visits, *patient.images, *(c.since for c in patient.conditions)]
        days += [day for _, day, _ in patient.measurements] + [s.day for s in patient.signatures]
        assert all(patient.born < day <= DAY for day in days)
        assert list(patient.visits) == sorted(patient.visits)


def test_consents_fit_together(people):
    made = [
        (r, r["id"]) for p in people["site_a"][:500] for r in resources(p, "site_a") if r["resourceType"] == "Consent"
    ]
    assert len(made) > 300 and audit.of_consents(made, mii_policies()) == []


def conforming(library, profiles_asked, one):
    """Answers of the checker about resources whose profile is among those asked about."""
    check = checker.Checker(library)
    found = Counter()
    for patient in one:
        for resource in resources(patient, "site_a"):
            (profile,) = resource["meta"]["profile"]
            if profile.startswith(profiles_asked):
                for verdict in checker.check_resource(check, resource, profile):
                    found[profile.rpartition("/")[2], verdict.answer] += 1
    return found


def test_conform_to_the_eye_studys_profiles(people):
    library = profiles.gather(packages.named(["embedded"]))
    found = conforming(library, "https://fhir.avatarlib.example/", people["site_a"][:60])
    assert sum(found.values()) > 300 and {answer for _, answer in found} == {"conforms"}, found


@pytest.mark.mirror
def test_conform_to_the_published_profiles(people, mirror):
    library = profiles.gather(packages.named(["fhir_packages"]))
    found = conforming(library, "https://www.medizininformatik-initiative.de/", people["site_a"][:60])
    kinds = {kind for kind, _ in found}
    assert kinds >= {PROFILES[key].rpartition("/")[2] for key in ("Patient", "Encounter", "Condition", "Laboratory")}
    conforms = sum(count for (_, answer), count in found.items() if answer == "conforms")
    assert conforms / sum(found.values()) >= 0.99, found
