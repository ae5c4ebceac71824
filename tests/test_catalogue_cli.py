"""`avatar catalogue` from end to end: what it prints and how it exits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from avatarlib.cli import main

ENTRY = (Path(__file__).parent / "made-up-eyes.yml").read_text(encoding="utf-8")
INTERNAL = """\
identifier: hidden-study
title: Hidden study
holder: Institute of Made-up Things
field: audiology
modality: audiometry
recorded: "Audiograms."
technical: {answer: not stated, reason: "Nothing is said.", evidence: not checked}
organisational: {answer: unsuitable, reason: "Nobody may share it.", evidence: [e1]}
decides: {answer: "A committee.", evidence: [e1]}
use_cases: [hearing-acoustics]
instead: [made-up-eyes]
limits: []
evidence:
  e1: {document: "Report", words: "the committee decides", at: "page 1"}
"""


@pytest.fixture
def avatar(tmp_path, capsys, write_entry):
    """Runs the command on a catalogue of one open and one internal source; returns code, output and errors."""
    folder = write_entry(tmp_path / "entries").parent
    write_entry(folder / "internal", INTERNAL, "hidden-study.yml")

    def run(action, *arguments):
        code = main(["catalogue", action, *arguments, "--catalogue", str(folder)])
        said = capsys.readouterr()
        return code, said.out, said.err

    run.folder = folder
    return run


def test_list(avatar):
    code, out, _ = avatar("list")
    assert code == 0 and len(out.splitlines()) == 2
    assert out.splitlines()[1].split() == "made-up-eyes V1 open 2313 CC-BY-4.0 fundus Made-up Eyes".split()
    code, out, _ = avatar("list", "--internal")
    assert code == 0 and "Hidden study (hidden-study), not open" in out and "made-up-eyes" in out


def test_show(avatar):
    code, out, _ = avatar("show", "made-up-eyes")
    assert code == 0 and "“licensed under CC BY 4.0”" in out and "sex labels   unclear [not checked]" in out
    assert "relevance    2 of 3, the organ or modality of a use case. Fundus. [e1]" in out
    assert avatar("show", "hidden-study")[1].startswith("Hidden study")
    code, out, err = avatar("show", "made-up-eye")
    assert (code, out) == (2, "") and "did you mean made-up-eyes?" in err


def test_search(avatar):
    assert avatar("search", "nobody", "--mode", "open", "--terms", "3", "--side", "yes")[0] == 0
    assert avatar("search", "--use-case", "eye-synthesis", "--scenario", "diabetic-retinopathy-screening")[0] == 0
    assert avatar("search", "nobody", "--mode", "gone") == (1, "no source fits\n", "")
    code, _, err = avatar("search", "--mode", "opne")
    assert code == 2 and "mode is 'opne'; it must be one of open, registration" in err
    with pytest.raises(SystemExit) as exit_:
        avatar("search", "--terms", "4")
    assert exit_.value.code == 2


def test_check_offline(avatar):
    assert avatar("check", "--offline")[:2] == (0, "1 entries and 1 that are not open are well formed\n")
    assert avatar("check", "--offline", "made-up-eyes")[:2] == (0, "made-up-eyes\tV1\tok\n")
    assert avatar("check", "--offline", str(avatar.folder / "made-up-eyes.yml"))[0] == 0
    assert avatar("check", "--offline", "nothing.yml")[0] == 2


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("answer: unsuitable", "answer: perhaps"), "organisational.answer: must be"),
        (("[e1]", "not checked"), "needs evidence: cite it, or write not stated"),
        (("decides: ", "decided: "), "unknown key"),
        (("[hearing-acoustics]", "[hearing]"), "is not one of"),
        (("[made-up-eyes]", "[other]"), "no source is called 'other'"),
        (("[e1]", "[e2]"), "which evidence does not hold"),
    ],
)
def test_a_wrong_internal_entry(avatar, pair, message, write_entry):
    write_entry(avatar.folder / "internal", INTERNAL.replace(*pair, 1), "hidden-study.yml")
    code, out, err = avatar("list", "--internal")
    assert (code, out) == (2, "") and message in err and "hidden-study.yml" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("action", [["list"], ["search", "x"], ["check", "--offline"], ["show", "made-up-eyes"]])
def test_one_wrong_entry_stops_every_action(avatar, action, write_entry):
    write_entry(avatar.folder, ENTRY.replace("grade: 2", "grade: 7", 1))
    code, out, err = avatar(*action)
    assert (code, out) == (2, "") and "made-up-eyes.yml, line 17: criteria.relevance.grade" in err


def test_a_reader_who_leaves_is_no_failure(avatar):
    """As in `avatar catalogue show NAME | head -1`."""
    command = [sys.executable, "-m", "avatarlib.cli", "catalogue", "show", "made-up-eyes", "--catalogue", avatar.folder]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
