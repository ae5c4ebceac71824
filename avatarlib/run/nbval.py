"""Run the quick executed copies again with nbval: every output must come out as it is committed."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from avatarlib.run import execute, source, store

QUICK_SECONDS = 60


def check() -> int:
    """Check each executed copy that takes under a minute (`benchmarks/notebooks.json` says); 0 where all are equal.

    What a copy loads is made by the copies checked before it, in a folder that is thrown away; failing that, it is
    taken from `results/laptop/`; where neither has it, the copy is named as not checked.
    """
    times = store.read_json(store.project_root() / "benchmarks" / "notebooks.json") or {}
    bad = checked = 0
    with tempfile.TemporaryDirectory(prefix="avatar-nbval-") as scratch:
        laptop = Path(scratch) / "laptop"
        for name in store.notebooks():
            seconds = times.get(name, {}).get("seconds", {}).get("median")
            if seconds is None or seconds > QUICK_SECONDS:
                takes = "an unknown time" if seconds is None else f"{seconds:.0f} s"
                print(f"nbval: {name} not checked: it takes {takes}")
                continue
            absent = [upstream for upstream in source.read(name).loads if not _bring(upstream, laptop)]
            if absent:
                print(f"nbval: {name} not checked: no result of {', '.join(absent)}; `make {absent[0]}` makes it")
                continue
            bad += check_copy(store.project_root() / "executed" / f"{name}.ipynb", laptop / name) != 0
            checked += 1
    print(f"nbval: {checked - bad} of {checked} executed copies give their outputs again")
    return 1 if bad else 0


def check_copy(copy: Path, output: Path) -> int:
    """Run one executed copy with nbval, its artifacts going to `output`; return pytest's exit code."""
    output.mkdir(parents=True)
    with execute.runtime_folder() as runtime:
        fixed = execute.environment("laptop", copy.stem, output, runtime)
        fixed["AVATAR_RESULTS"] = str(output.parents[1])
        command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", str(copy)]
        return subprocess.run(command, env=fixed, cwd=store.project_root(), check=False).returncode


def _bring(upstream: str, laptop: Path) -> bool:
    made, kept = laptop / upstream, store.results_root() / "laptop" / upstream
    if not (made / "run.json").is_file() and (kept / "run.json").is_file():
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(kept, made)
    return (made / "run.json").is_file()
