"""What notebooks write and load."""

import json

import numpy as np
import pandas as pd
import pytest

from avatarlib import figures, runlog
from avatarlib.errors import InputError, LicenceError
from avatarlib.eyes.cohort import Cohort


@pytest.fixture
def results(tmp_path, monkeypatch):
    for name in ("AVATAR_PROFILE", "AVATAR_NOTEBOOK", "AVATAR_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AVATAR_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def cohort(evaluation_only: bool) -> Cohort:
    images = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)
    return Cohort(images, pd.DataFrame({"person": [1, 2, 3], "modality": "iris"}), evaluation_only)


def test_the_same_run_gives_the_same_bytes(results):
    def everything() -> dict[str, bytes]:
        run = runlog.start("04_x", seed=7)
        run.save("numbers", x=run.rng("x").normal(size=5))
        run.table(pd.DataFrame({"a": run.rng("a").normal(size=3), "b": ["x", "y", "z"]}), "rows")
        fig, ax = figures.new()
        ax.plot(run.rng("line").normal(size=9))
        run.figure(fig, "line", caption="A line.", alt="A line that goes up and down.")
        run.finish({"n": 5})
        return {path.name: path.read_bytes() for path in (results / "lab" / "04_x").iterdir()}

    first = everything()
    assert sorted(first) == ["figures.json", "line.png", "metrics.json", "numbers.npz", "rows.csv", "run.json"]
    assert first == everything()
    assert b"Software" not in first["line.png"]


def test_child_generators_differ_by_name_and_notebook(results):
    one, other = runlog.start("04_x", seed=7), runlog.start("05_y", seed=7)
    draws = {float(rng.normal()) for rng in (one.rng("a"), one.rng("b"), other.rng("a"))}
    assert len(draws) == 3 and float(one.rng("a").normal()) in draws


def test_what_is_loaded_is_what_was_saved_and_is_recorded(results):
    up = runlog.start("04_x", seed=1)
    up.save_cohort("eyes", cohort(False))
    up.finish({"a": np.float32(0.5), "b": np.True_, "c": "text", "d": np.int64(3)})
    run = runlog.start("05_y", seed=1)
    eyes = run.load_cohort("04_x", "eyes")
    assert np.array_equal(eyes.images, cohort(False).images) and not eyes.evaluation_only
    assert run.load_metrics("04_x") == {"a": 0.5, "b": True, "c": "text", "d": 3}
    run.finish({})
    record = json.loads((results / "lab/05_y/run.json").read_text())
    assert sorted(record["inputs"]) == ["04_x/eyes.csv", "04_x/eyes.npz", "04_x/metrics.json"]


def test_the_lab_falls_back_to_laptop_results(results, monkeypatch):
    monkeypatch.setenv("AVATAR_PROFILE", "laptop")
    runlog.start("04_x", seed=1).save("numbers", x=np.ones(2))
    monkeypatch.delenv("AVATAR_PROFILE")
    assert runlog.start("05_y", seed=1).load("04_x", "numbers")["x"].tolist() == [1, 1]


def test_a_missing_result_names_the_make_target(results, monkeypatch):
    with pytest.raises(InputError, match=r"needs cohort.npz of 04_x, which has no result: run `make 04_x` first"):
        runlog.start("05_y", seed=1).load("04_x", "cohort")
    monkeypatch.setenv("AVATAR_PROFILE", "smoke")
    with pytest.raises(InputError, match="run `make smoke` first"):
        runlog.start("05_y", seed=1).load("04_x", "cohort")
    runlog.start("04_x", seed=1).save("numbers", x=np.ones(2))
    with pytest.raises(InputError, match=r"04_x wrote no cohort.npz; it wrote: numbers.npz"):
        runlog.start("05_y", seed=1).load("04_x", "cohort")


def test_a_picture_for_evaluation_only_is_neither_written_nor_shown(results, monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *things, **more: shown.extend(things))
    run = runlog.start("04_x", seed=1)
    real = cohort(True)
    run.figure(figures.gallery(real.images), "eyes", caption="Eyes.", alt="Three eyes.", shows=[cohort(False), real])
    assert not list((results / "lab" / "04_x").iterdir())
    assert len(shown) == 1 and "evaluation only" in shown[0].data
    run.figure(figures.gallery(real.images), "eyes", caption="Eyes.", alt="Three eyes.", shows=cohort(False))
    assert (results / "lab/04_x/eyes.png").is_file() and "image/png" in shown[1]


def test_evaluation_only_arrays_stay_below_results_and_keep_their_licence(results, tmp_path, monkeypatch):
    run = runlog.start("04_x", seed=1)
    run.save_cohort("eyes", cohort(True))
    run.finish({})
    assert json.loads((results / "lab/04_x/run.json").read_text())["evaluation_only"] is True
    later = runlog.start("05_y", seed=1)
    assert later.load_cohort("04_x", "eyes").evaluation_only
    later.finish({})
    assert json.loads((results / "lab/05_y/run.json").read_text())["evaluation_only"] is True
    monkeypatch.setenv("AVATAR_OUTPUT", str(tmp_path / "elsewhere"))
    with pytest.raises(LicenceError, match="for evaluation only"):
        runlog.start("06_z", seed=1).save_cohort("eyes", cohort(True))
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("value", [float("nan"), None, [1], np.ones(2)])
def test_a_metric_is_a_plain_finite_value(results, value):
    with pytest.raises(InputError, match="metric 'bad'"):
        runlog.start("04_x", seed=1).finish({"bad": value})


def test_wrong_names_are_refused(results, monkeypatch):
    run = runlog.start("04_x", seed=1)
    for name in ("../up", "Über", ""):
        with pytest.raises(InputError, match="can't name an artifact"):
            run.save(name, x=np.ones(1))
    with pytest.raises(InputError, match="not a plain file name"):
        run.path("a/b.html")
    with pytest.raises(InputError, match="Python objects"):
        run.save("texts", x=np.array(["a", None], dtype=object))
    monkeypatch.setenv("AVATAR_NOTEBOOK", "05_y")
    with pytest.raises(InputError, match="notebook '05_y'"):
        runlog.start("04_x", seed=1)


def test_a_figure_needs_words(results):
    fig, _ = figures.new()
    with pytest.raises(InputError, match="needs a caption and an alternative text"):
        runlog.start("04_x", seed=1).figure(fig, "empty", caption="A line.", alt=" ")
