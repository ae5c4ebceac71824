"""Set-up: versions agree, the machine is checked, the graph in the Makefile is what the notebooks load."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from avatarlib.run import install, publish, source, store

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
NOTEBOOKS = store.notebooks()


def _lock() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in (line.split("==") for line in lines)}


def test_environment_yml_agrees_with_the_lock():
    yaml = pytest.importorskip("yaml")
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert listed[0] == "python=3.11"
    conda = [line.split("=") for line in listed[1:] if isinstance(line, str)]
    pip = [line.split("==") for line in listed[-1]["pip"] if not line.startswith("-e")]
    lock = _lock() | {"pytorch-cpu": _lock()["torch"]}
    assert len(conda) + len(pip) > 20
    for name, version in [*conda, *pip]:
        assert lock[re.sub(r"[-_.]+", "-", name.lower())] == version, name


def test_the_lock_holds_no_cuda_and_nothing_unwanted():
    names = set(_lock())
    assert not {name for name in names if name.startswith(("nvidia", "cuda", "triton"))}
    assert not names & {"torchvision", "timm"}
    assert "+" not in "".join(_lock().values())


def test_every_import_is_locked():
    owners = importlib.metadata.packages_distributions()
    files = [*ROOT.glob("avatarlib/**/*.py"), *ROOT.glob("tests/*.py")]
    trees = [ast.parse(path.read_text()) for path in files] + [t for nb in NOTEBOOKS for t in source.read(nb).trees]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    own = {"avatarlib", *(path.stem for path in ROOT.glob("tests/*.py"))}
    for name in sorted({name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - own):
        assert {re.sub(r"[-_.]+", "-", owner.lower()) for owner in owners.get(name, [])} & set(_lock()), name


def test_the_one_host_is_named_once():
    hosts = re.findall(r"https?://[\w.]+", MAKEFILE)
    assert hosts == ["https://download.pytorch.org"]


def test_edges_in_the_makefile_are_what_the_notebooks_load():
    found = re.findall(r"^(\d\d_\w+):((?: \d\d_\w+)+)$", MAKEFILE, re.MULTILINE)
    edges = {name: sorted(upstream.split()) for name, upstream in found}
    assert edges == {name: source.read(name).loads for name in NOTEBOOKS if source.read(name).loads}


def test_help_lists_every_target():
    phony = re.search(r"^\.PHONY: (.*) \$\(NOTEBOOKS\)$", MAKEFILE, re.MULTILINE).group(1).split()
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not [target for target in phony if not re.search(rf"^  make {target} +\S", text, re.MULTILINE)]
    assert all(name in text for name in NOTEBOOKS)


def test_clean_says_what_it_removes():
    text = subprocess.run(
        ["make", "--no-print-directory", "-n", "clean"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for word in re.search(r"rm -rf (.*)", text).group(1).split():
        assert word in text.splitlines()[0]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_outputs_and_has_expected_metrics(name):
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]]
    assert "".join(notebook["cells"][0]["source"]).startswith(f"# {name[:2]} · ")
    assert (ROOT / "expected" / f"{name}.json").is_file()


def test_executed_copies_come_from_the_present_sources():
    assert publish.stale_copies() == []


def test_import_is_quick():
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import avatarlib"], check=True, cwd=ROOT)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.2


@pytest.mark.parametrize(
    ("version", "missing", "message"),
    [((3, 10), None, "Python 3.10 is too old"), ((3, 12), "venv", "lacks its module venv"), ((3, 11), None, None)],
)
def test_the_machine_is_checked_first(version, missing, message):
    def find(name):
        return None if name == missing else "found"

    if message is None:
        install.check_machine(version, find)
    else:
        with pytest.raises(install.SetupError, match=message):
            install.check_machine(version, find)


def test_too_little_disk_names_both_sizes():
    with pytest.raises(install.SetupError, match=r"takes about 2.5 GB on disk, but 1.0 GB are free"):
        install.check_disk(10**9, "cpu")


def test_a_missing_compiler_is_named_before_anything_is_installed():
    install.check_compiler(lambda name: f"/usr/bin/{name}" if name == "clang" else None)
    with pytest.raises(install.SetupError, match="no C compiler is found, and mappy is built from source"):
        install.check_compiler(lambda name: None)


@pytest.mark.parametrize(("requires", "answer"), [(["nvidia-cudnn-cu13==9.1; sys_platform == 'linux'"], 1), ([], 0)])
def test_a_cuda_build_is_told_from_a_cpu_build(requires, answer):
    assert install.needs_cuda({"install": [{"metadata": {"requires_dist": requires}}]}) == bool(answer)


def test_an_empty_wheelhouse_is_one_clear_line(tmp_path):
    command = [sys.executable, "-m", "avatarlib.run.install", "--venv", tmp_path / "venv", "--cpu-index", "none"]
    done = subprocess.run([*command, "--wheelhouse", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "holds no wheels" in done.stderr and not (tmp_path / "venv").exists()
