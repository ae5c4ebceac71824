"""`avatar privacy check` from end to end."""

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from avatarlib import augment
from avatarlib.cli import main
from avatarlib.eyes import phantoms
from avatarlib.eyes.cohort import Cohort
from avatarlib.eyes.folder import save_imagefolder
from avatarlib.release.check import COLUMNS, FILES

PEOPLE = 12


def check(path, *more, originals="originals", candidates="candidates", out="out"):
    return main(
        ["privacy", "check", "--originals", str(path / originals), "--candidates", str(path / candidates)]
        + ["--out", str(path / out), *more]
    )


def read(path, out="out"):
    with open(path / out / "verdicts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return rows, json.loads((path / out / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Twelve persons' irises, and candidates of which the answer is known."""
    path = tmp_path_factory.mktemp("check")
    known = phantoms.cohort(PEOPLE, seed=3, size=(240, 320), captures=1)
    save_imagefolder(path / "originals", Cohort(known.images, known.table[["person", "side", "modality"]]))
    new = phantoms.cohort(3, seed=3, size=(240, 320), captures=1, first_person=500)
    candidates = path / "candidates"
    candidates.mkdir()
    pictures = {f"exact{i}.png": known.images[i] for i in range(2)}
    pictures |= {f"flip{i}.png": augment.mirror(known.images[i]) for i in range(2)}
    pictures |= {f"new{i}.png": image for i, image in enumerate(new.images)}
    for name, image in pictures.items():
        Image.fromarray(image).save(candidates / name)
    Image.fromarray(np.stack([new.images[0]] * 3, axis=2)).save(candidates / "new0.png")
    (candidates / "=cmd.png").write_bytes(b"no image")
    (candidates / "<script>\n.png").write_bytes(b"no image")
    Image.new("L", (1, 1)).save(candidates / "tiny.png")
    names = ["new5.png", "exact1.png", "tiny.png", "=cmd.png", "flip0.png", "new0.png", "exact0.png", "flip1.png"]
    names += ["new1.png", "new2.png", "new3.png", "new4.png", "<script>\n.png"]
    pd.DataFrame({"file_name": names}).to_csv(candidates / "metadata.csv", index=False)
    assert check(path) == 1
    return path, names


def test_verdicts(place):
    path, names = place
    rows, report = read(path)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["file_name"].lstrip("'") for row in rows] == [n.replace("\n", "\\x0a") for n in names]
    for row, name in zip(rows, names, strict=True):
        expected = "flagged" if name[:4] in ("exac", "flip") else "pass" if name.startswith("new") else "not_judgeable"
        assert (name, row["verdict"]) == (name, expected)
        assert row["flagged"] == ("false" if expected == "pass" else "true")
        assert (row["reason"] == "") == (expected == "pass")
        if expected == "flagged":
            assert int(row["nearest_original"]) == int(name[-5]) + 1 and float(row["score"]) < 0.01
        if expected == "not_judgeable":
            assert row["distance"] == row["score"] == row["nearest_original"] == ""
        else:
            assert float(row["score"]) == pytest.approx(float(row["distance"]) / float(row["scale"]), rel=1e-4)
    assert report["candidates"] == {"pass": 6, "flagged": 4, "not_judgeable": 3} and not report["vacuous"]
    assert report["fingerprint"] == "fused" and report["k"] == 5 and 0 < report["tau"] < 1
    assert report["per_person"]["recall"] < 0.95 and report["per_person"]["tau"] >= report["tau"]


def test_page_and_table_are_harmless(place):
    path, _ = place
    page = (path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page and "6 of 13 candidates pass" in page.splitlines()[0]
    assert "exact0" not in page, "the page names rows, not files"
    assert (path / "out" / "verdicts.csv").read_text(encoding="utf-8").count("\n") == 14


def test_twice_in_a_row_gives_the_same_bytes(place):
    path, _ = place
    before = {name: (path / "out" / name).read_bytes() for name in FILES}
    assert check(path) == 1
    assert {name: (path / "out" / name).read_bytes() for name in FILES} == before
    assert sorted(p.name for p in path.iterdir()) == ["candidates", "originals", "out"]


def test_all_pass_is_exit_0_and_too_few_persons_for_the_recall_is_vacuous(place, tmp_path, capsys):
    path, _ = place
    shutil.copytree(path / "originals", tmp_path / "originals")
    (tmp_path / "candidates").mkdir()
    shutil.copy(path / "candidates" / "new1.png", tmp_path / "candidates")
    assert check(tmp_path) == 0
    assert capsys.readouterr().out.startswith("1 of 1 candidates pass")
    table = pd.read_csv(tmp_path / "originals" / "metadata.csv").drop(columns="person")
    table.to_csv(tmp_path / "originals" / "metadata.csv", index=False)
    # Noise is no eye: what the threshold must catch is then as far away as a stranger.
    for i, name in enumerate(table.file_name):
        noise = np.random.default_rng(i).integers(0, 255, (60, 80)).astype(np.uint8)
        Image.fromarray(noise).resize((320, 240)).save(tmp_path / "originals" / name)
    assert check(tmp_path, "--recall", "0.99", out="second") == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("VACUOUS") and "No person column: every image counts as a person" in first
    assert first in json.loads((tmp_path / "second" / "report.json").read_text())["headline"]
    assert "VACUOUS" in (tmp_path / "second" / "report.json").read_text().splitlines()[0]
    assert "VACUOUS" in (tmp_path / "second" / "report.html").read_text().splitlines()[0]


def bad_calls(path):
    foreign = path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    (path / "named" / "report.html").mkdir(parents=True)
    return {
        "holds other files ('report.html')": ["--out", str(path / "named")],
        "holds other files": ["--out", str(foreign)],
        "is no folder that may be written to": ["--out", "/dev/null/out"],
        "is a mount point": ["--out", "/dev"],
        "lie in each other": ["--out", str(path / "candidates" / "out")],
        "strictly between 0 and 1": ["--recall", "1"],
        "not a regular expression": ["--persons-from-name", "("],
        "finds no person": ["--persons-from-name", "z(z)"],
        "1 persons": ["--persons-from-name", "(eye)"],
        "is not a folder": ["--candidates", str(path / "nowhere")],
        "must not be negative": ["--seed", "-1"],
    }


def test_wrong_calls_are_one_line_and_leave_nothing(place, tmp_path, capsys):
    path, _ = place
    for name in ("originals", "candidates"):
        shutil.copytree(path / name, tmp_path / name)
    for words, arguments in bad_calls(tmp_path).items():
        assert check(tmp_path, *arguments) == 2
        error = [line for line in capsys.readouterr().err.splitlines() if not line.endswith("…")]
        assert len(error) == 1 and words in error[0] and error[0].startswith("avatar: ")
    assert not (tmp_path / "out").exists() and not (tmp_path / "candidates" / "out").exists()
    assert (tmp_path / "foreign" / "thesis.txt").read_text() == "mine"


def test_originals_that_are_all_alike_are_one_line(place, tmp_path, capsys):
    path, _ = place
    for name in ("originals", "candidates"):
        shutil.copytree(path / name, tmp_path / name)
    for file in (tmp_path / "originals").glob("*.png"):
        Image.new("L", (320, 240)).save(file)
    assert check(tmp_path) == 2
    assert "originals look alike" in capsys.readouterr().err.splitlines()[-1] and not (tmp_path / "out").exists()


def test_a_recall_out_of_reach_is_vacuous_and_costs_no_memory(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("avatarlib.cone.judge.MOST_VERSIONS", 40)
    path, _ = place
    assert check(path, "--recall", "0.9999999", "--out", str(tmp_path / "out")) == 1
    assert capsys.readouterr().out.startswith("VACUOUS")


def test_a_write_that_fails_leaves_the_earlier_check(place, tmp_path, monkeypatch):

    path, _ = place
    shutil.copytree(path / "originals", tmp_path / "originals")
    (tmp_path / "candidates").mkdir()
    shutil.copy(path / "candidates" / "new1.png", tmp_path / "candidates")
    shutil.copytree(path / "out", tmp_path / "out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.rename", full)
    assert check(tmp_path) == 3
    assert (tmp_path / "out" / "verdicts.csv").read_bytes() == (path / "out" / "verdicts.csv").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["candidates", "originals", "out"]


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["privacy", "check", "--help"])
    assert stop.value.code == 0 and "exit codes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["privacy", "check"])
    assert stop.value.code == 2
