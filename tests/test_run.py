"""The runner, on small notebooks made for these tests, in a project of their own."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avatarlib.errors import InputError
from avatarlib.run import store

PACKAGE_PARENT = Path(__file__).resolve().parents[1]
FIRST = [
    "import numpy as np\nfrom avatarlib import runlog",
    "N = 3  # people\nSEED = 1",
    'run = runlog.start("04_first", seed=SEED)\nx = run.rng("x").normal(size=N)\nprint("mean", float(x.mean()))',
    'run.save("x", x=x)\nrun.finish({"n": N, "mean": float(x.mean())})',
]
SECOND = [
    "from avatarlib import runlog",
    "SEED = 1",
    'run = runlog.start("05_second", seed=SEED)\nx = run.load("04_first", "x")["x"]',
    'run.finish({"largest": float(x.max())})',
]

EYES = [
    "import numpy as np\nimport pandas as pd\nfrom avatarlib import runlog\nfrom avatarlib.eyes.cohort import Cohort",
    "SEED = 1",
    'run = runlog.start("07_eyes", seed=SEED)\ntable = pd.DataFrame({"person": ["a"], "modality": ["iris"]})\n'
    'run.save_cohort("eyes", Cohort(np.zeros((1, 4, 4), np.uint8), table, bool(SEED - 1)))',
    "run.finish({})",
]


def write_notebook(root: Path, name: str, cells: list[str], text: str = "about") -> None:
    tags = [{"tags": ["parameters"]} if "SEED =" in cell else {} for cell in cells]
    code = [
        {"cell_type": "code", "id": f"c{i}", "metadata": tag, "source": cell, "outputs": [], "execution_count": None}
        for i, (cell, tag) in enumerate(zip(cells, tags, strict=True))
    ]
    about = {"cell_type": "markdown", "id": "about", "metadata": {}, "source": f"# {text}"}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [about, *code]}
    (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks" / "profiles").mkdir(parents=True)
    (root / "notebooks" / "profiles" / "laptop.yml").write_text("limits: {cell_minutes: 0.03, notebook_minutes: 1}\n")
    (root / "notebooks" / "profiles" / "smoke.yml").write_text("04_first: {N: 2}\n")
    (root / "notebooks" / "profiles" / "gpu.yml").write_text("")
    (root / "requirements.lock").write_text("numpy==1\n")
    write_notebook(root, "04_first", FIRST)
    write_notebook(root, "05_second", SECOND)
    return root


def start(project: Path, *words: str) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AVATAR_")} | {"AVATAR_ROOT": str(project)}
    command = [sys.executable, "-m", "avatarlib.run", *words]
    return subprocess.Popen(
        command, cwd=PACKAGE_PARENT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def call(project: Path, *words: str) -> tuple[int, str]:
    process = start(project, *words)
    text, _ = process.communicate(timeout=60)
    return process.returncode, text


def everything(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): store.file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_run_from_nothing_to_fresh_and_why_it_is_stale(project):
    code, text = call(project, "05_second")
    assert code == 2 and "needs the result of 04_first: run `make 04_first`" in text
    code, text = call(project, "04_first")
    assert code == 0 and "04_first (laptop): starts, 4 code cells" in text and "done in" in text
    record = json.loads((project / "results/laptop/04_first/run.json").read_text())
    assert record["parameters"] == {"N": 3, "SEED": 1} and record["peak_memory_bytes"] > 1e7 and record["seed"] == 1
    assert set(record["outputs"]) == {"metrics.json", "x.npz"}
    copy = (project / "executed/04_first.ipynb").read_bytes()
    stamp = json.loads(copy)["metadata"]["avatar"]
    assert stamp["outputs"] == record["outputs"] and b"papermill" not in copy and b"T0" not in copy

    assert call(project, "05_second")[0] == 0
    assert call(project, "04_first")[1].startswith("04_first (laptop): fresh\n")
    assert call(project, "04_first", "--force")[0] == 0
    assert (project / "executed/04_first.ipynb").read_bytes() == copy  # a second run gives the same bytes

    write_notebook(project, "04_first", FIRST, text="only the prose changed")
    assert "fresh" in call(project, "04_first", "--why")[1]
    write_notebook(project, "04_first", [*FIRST[:3], FIRST[3].replace("N,", "N + 0,")])
    assert "code cells has changed" in call(project, "04_first", "--why")[1]
    write_notebook(project, "04_first", FIRST)
    (project / "requirements.lock").write_text("numpy==2\n")
    assert "file requirements.lock has changed" in call(project, "04_first", "--why")[1]
    (project / "requirements.lock").write_text("numpy==1\n")
    assert "parameter N is 4, was 3" in call(project, "04_first", "--why", "-p", "N=4")[1]
    (project / "results/laptop/04_first/x.npz").write_bytes(b"damaged")
    assert "its output x.npz is not what it wrote" in call(project, "04_first", "--why")[1]
    assert "05_second" in call(project, "status")[1]


def test_a_change_upstream_that_changes_no_input_stamps_the_copy_anew(project):
    copy = project / "executed/05_second.ipynb"
    assert call(project, "04_first")[0] == call(project, "05_second")[0] == 0
    before = copy.read_bytes()
    write_notebook(project, "04_first", [*FIRST[:3], FIRST[3].replace("N,", "N + 0,")])
    assert call(project, "04_first")[0] == 0
    assert "05_second (laptop): fresh" in call(project, "05_second")[1]
    stamped = copy.read_bytes()
    assert stamped != before
    assert call(project, "05_second", "--force")[0] == 0
    assert copy.read_bytes() == stamped


def test_real_data_are_published_where_there_are_some_and_their_licence_allows_it(project):
    profile = project / "notebooks/profiles/real.yml"
    try:
        write_notebook(project, "07_eyes", EYES)
        profile.write_text("04_first: {N: 4}\n07_eyes: {SEED: 2}\n")
        for name in ("04_first", "05_second", "07_eyes"):
            code, text = call(project, name, "--profile", "real")
            assert code == 0, text
        assert [path.name for path in (project / "executed/real").iterdir()] == ["04_first.ipynb"]
        assert "N = 4" in (project / "executed/real/04_first.ipynb").read_text()
    finally:
        profile.unlink()
        (project / "notebooks/07_eyes.ipynb").unlink()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["04_first", "-p", "PEOPLE=4"], "04_first has no parameter 'PEOPLE'; it has: N, SEED"),
        (["04_first", "-p", "N=many"], "N of 04_first is like 3, which 'many' is not"),
        (["04_first", "--profile", "tiny"], "there is no profile 'tiny'; there are: gpu, laptop, smoke"),
        (["09_none"], "there is no notebook"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(project, words, message):
    code, text = call(project, *words)
    assert code == 2 and message in text and len(text.splitlines()) == 1


def test_a_profile_that_names_an_unknown_notebook_or_parameter(project):
    profile = project / "notebooks" / "profiles" / "smoke.yml"
    profile.write_text("04_first: {PEOPLE: 2}\n")
    assert call(project, "04_first", "--profile", "smoke")[0] == 2
    profile.write_text("03_first: {N: 2}\n")
    code, text = call(project, "04_first", "--profile", "smoke")
    assert code == 2 and "03_first is neither a notebook" in text
    profile.write_text("04_first: {N: 2}\n")


def test_a_profile_extends_another(project, monkeypatch):
    from avatarlib.run import profiles

    monkeypatch.setenv("AVATAR_ROOT", str(project))
    folder = project / "notebooks" / "profiles"
    (folder / "base.yml").write_text("limits: {cell_minutes: 4}\n04_first: {N: 5, SEED: 2}\n05_second: {SEED: 3}\n")
    (folder / "more.yml").write_text("extends: base\n04_first: {N: 6}\n")
    more = profiles.read("more")
    assert more.values == {"04_first": {"N": 6, "SEED": 2}, "05_second": {"SEED": 3}} and more.cell_minutes == 4
    for name in ("base", "more"):
        (folder / f"{name}.yml").unlink()


def test_checksums_cover_what_lies_in_folders(tmp_path):
    (tmp_path / "check").mkdir()
    (tmp_path / "check" / "a.csv").write_text("1")
    for name in ("table.csv", "run.json", ".executed.ipynb"):
        (tmp_path / name).write_text("x")
    before = store.output_checksums(tmp_path)
    assert list(before) == ["check/", "table.csv"]
    (tmp_path / "check" / "a.csv").rename(tmp_path / "check" / "b.csv")
    assert store.output_checksums(tmp_path)["check/"] != before["check/"]


def test_gpu_without_cuda_stops(project):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    code, text = call(project, "04_first", "--profile", "gpu")
    assert code == 2 and "no CUDA device" in text


@pytest.mark.parametrize(
    ("cell", "code", "message"),
    [
        ("1 / 0", 3, "code cell 2 (`1 / 0`): ZeroDivisionError: division by zero"),
        ("import os\nos.kill(os.getpid(), 9)", 3, "the kernel died (killed? out of memory?)"),
        ("import time\ntime.sleep(30)", 3, "over the limit of 0.03 minutes for one cell"),
        (
            'from avatarlib.errors import InputAbsent\nraise InputAbsent("not run: input absent: eyes")',
            2,
            "input absent: eyes",
        ),
        ("x = 1", 3, "ended without run.finish"),
    ],
)
def test_a_failure_names_cell_error_and_log_and_leaves_no_result(project, cell, code, message):
    write_notebook(project, "08_fails", ["SEED = 1", cell, "pass"])
    got, text = call(project, "08_fails")
    assert got == code and message in text and str(project / "results/laptop/.state/08_fails.log") in text
    assert not (project / "results/laptop/08_fails").exists() and not list(project.glob("results/laptop/.new-*"))
    assert ("not run: input absent" if code == 2 else "failed") in call(project, "status")[1]
    (project / "notebooks/08_fails.ipynb").unlink()


def kernel_of(runner: int) -> int | None:
    """The runner's kernel, or none: any of the processes may end while it is looked for."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{runner}/task/{runner}/children").read_text().split():
            if b"ipykernel" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the kernel through /proc")
def test_killed_at_ten_random_moments_nothing_is_half_written_and_the_next_run_completes(project):
    slow = [cell.replace("04_first", "06_slow") for cell in FIRST]
    slow[3:3] = ["import time\nrun.save('half', x=x)\ntime.sleep(0.5)"]
    write_notebook(project, "06_slow", slow)
    began = time.monotonic()
    assert call(project, "06_slow")[0] == 0
    lasts = time.monotonic() - began
    folder, rng = project / "results/laptop/06_slow", random.Random(6)
    outputs = store.output_checksums(folder)
    killed = []
    while len(killed) < 10 or (len(killed) < 40 and not {"runner", "kernel"} <= set(killed)):
        process = start(project, "06_slow", "--force")
        time.sleep(rng.uniform(0, lasts))
        kernel = kernel_of(process.pid) if len(killed) % 2 else None
        with contextlib.suppress(ProcessLookupError):  # it ended between the look and the kill
            os.kill(kernel or process.pid, signal.SIGKILL)
        text, _ = process.communicate(timeout=60)
        killed.append({0: "too late", 3: "kernel", -9: "runner"}[process.returncode])
        assert killed[-1] in ("too late", "kernel" if kernel else "runner"), text
        assert store.output_checksums(folder) == outputs
        assert json.loads((folder / "run.json").read_text())["outputs"] == outputs
        json.loads((project / "executed/06_slow.ipynb").read_text())
    assert {"runner", "kernel"} <= set(killed)
    assert call(project, "06_slow", "--force")[0] == 0
    assert not list(project.glob("results/laptop/.new-*"))
    assert store.output_checksums(folder) == outputs


def test_two_at_once_run_it_once(project):
    write_notebook(project, "07_twice", [cell.replace("04_first", "07_twice") for cell in FIRST])
    both = [start(project, "07_twice"), start(project, "07_twice")]
    texts = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("starts" in text for text in texts) == 1 and sum("fresh" in text for text in texts) == 1


def test_metrics_against_expected_and_verify(project):
    assert call(project, "04_first")[0] == 0
    for name in ("06_slow", "07_twice", "05_second"):
        (project / "notebooks" / f"{name}.ipynb").unlink(missing_ok=True)
    (project / "expected").mkdir()
    assert call(project, "expected")[0] == 0
    wanted = json.loads((project / "expected/04_first.json").read_text())
    assert wanted["n"] == {"value": 3, "tolerance": 0}
    code, text = call(project, "verify")
    assert (code, text.splitlines()[-1]) == (0, "verify: 1 of 1 notebooks equal what is committed"), text

    wanted["n"]["value"] = 4
    wanted["gone"] = {"value": 1, "tolerance": 0}
    (project / "expected/04_first.json").write_text(json.dumps(wanted))
    code, text = call(project, "04_first")
    assert code == 1 and "gone" in text and "(missing)" in text
    assert call(project, "verify")[0] == 1
    wanted["n"]["tolerance"] = 1
    del wanted["gone"]
    (project / "expected/04_first.json").write_text(json.dumps(wanted))
    assert call(project, "04_first")[0] == 0


def test_a_changed_output_fails_nbval(project):
    from avatarlib.run import nbval

    copy = project / "executed" / "04_first.ipynb"
    assert nbval.check_copy(copy, project / "nbval/a/04_first") == 0
    copy.write_text(copy.read_text().replace("mean ", "mean 1"))
    assert nbval.check_copy(copy, project / "nbval/b/04_first") != 0


def test_text_is_written_whole_or_not_at_all_and_over_files_only(tmp_path):
    place, other = tmp_path / "page.html", tmp_path / "other"
    store.write_text(place, "old")
    other.write_text("kept")
    with pytest.raises(UnicodeEncodeError):
        store.write_text(place, "\ud800")
    (tmp_path / "link").symlink_to(other)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(InputError, match="is a link, a folder or a device"):
            store.write_text(tmp_path / name, "new")
    assert place.read_text() == "old" and other.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "other", "page.html", "pipe"]
