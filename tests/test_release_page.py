"""The report page: numbers as written, everything from data escaped."""

import math

import numpy as np
import pandas as pd
import pytest

from avatarlib.cone.calibration import share
from avatarlib.cone.score import Scores
from avatarlib.release.page import LISTED, number, page, percent

ONE = Scores(np.array([0]), np.array([0.5]), np.array([1.0]), np.array([0.5]))


def report(**changes):
    few = share(np.array([True, False]))
    return {
        "headline": "1 of 2 candidates pass <b>",
        "schema": "s/1",
        "vacuous": False,
        "person_column": True,
        "candidates": {"pass": 1, "flagged": 1, "not_judgeable": 0},
        "originals": {"images": 9, "not_judgeable": 0},
        "persons": {"learn": 3, "calibrate": 2, "test": 2, "new": 2},
        "modality": "iris",
        "fingerprint": "fused",
        "recall": 0.95,
        "tau": 0.7,
        "k": 5,
        "b": 1.0,
        "seed": 0,
        "per_image": {
            "tau": 0.7,
            "calibration_images": 40,
            "smallest_reachable_alpha": 0.02,
            "test_images_caught": few,
        },
        "per_person": {
            "held_out_images_flagged": {"hits": 1, "n": 20, "share": 0.05, "interval": [0.001, 0.25]},
            "tau": None,
            "recall": 0.8,
            "alpha": 0.2,
            "asked_recall_reached": False,
            "calibration_persons": 4,
            "test_persons_covered": few,
        },
        "false_alarms": {
            "tau_held_out": 0.69,
            "images_flagged": few,
            "images_not_judgeable": few,
            "persons_with_a_flagged_image": few,
        },
        "guarantee": {"per_image": "a", "per_person": "b", "assumes": "c"},
        "notes": {"originals": ["<script>alert(1)</script>"], "candidates": []},
        "checksums": {"originals": "0"},
        "versions": {"numpy": "2"},
    } | changes


def verdicts(n=1):
    row = {"verdict": "flagged", "nearest_original": 3, "score": 0.5, "reason": "<img src=x onerror=alert(1)>"}
    return pd.DataFrame([row] * n + [row | {"verdict": "pass"}])


def test_text_from_data_is_escaped():
    html = page(report(), verdicts(), {"candidates": ONE}, ["<i>said</i>"])
    assert "<script>" not in html and "<img src=x" not in html and "<i>said" not in html and "pass <b>" not in html
    assert "&lt;script&gt;" in html and "&lt;i&gt;said" in html


def test_first_line_holds_the_headline():
    html = page(report(headline="VACUOUS: nothing", vacuous=True, tau=None), verdicts(), {"candidates": ONE})
    assert "VACUOUS: nothing" in html.splitlines()[0] and "must not be used" in html


def test_smallest_reachable_alpha_is_stated():
    assert "smallest reachable α = 0.200" in page(report(), verdicts(), {"candidates": ONE})


def test_long_lists_are_cut_and_say_so():
    html = page(report(), verdicts(LISTED + 7), {"candidates": ONE})
    assert "7 more in verdicts.csv" in html


def test_same_input_same_bytes():
    assert page(report(), verdicts(), {"candidates": ONE}) == page(report(), verdicts(), {"candidates": ONE})


@pytest.mark.parametrize(
    "hits, n, text", [(0, 4, "0.0 % (0 of 4; 95 % interval 0.0–60.2 %)"), (0, 0, "not measured (n = 0)")]
)
def test_percent(hits, n, text):
    assert percent(share(np.arange(n) < hits)) == text


def test_infinite_threshold_is_spelled_out():
    assert number(None).startswith("∞") and number(0.5) == "0.500" and math.isfinite(float(number(0.25)))
