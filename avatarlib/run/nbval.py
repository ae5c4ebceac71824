"""Run the quick executed copies again with nbval: every output must come out as it is committed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from avatarlib.run import execute, freshness, profiles, source, store

QUICK_SECONDS = 60


def check() -> int:
    """Check each executed copy that takes under a minute (`benchmarks/notebooks.json` says); 0 where all are equal.

    What a copy loads comes from the copies checked before it, else from `results/laptop/` where that is fresh, else it
    is made in the folder in which all this happens and which is thrown away.
    """
    times = store.read_json(store.project_root() / "benchmarks" / "notebooks.json") or {}
    bad = checked = 0
    with tempfile.TemporaryDirectory(prefix="avatar-nbval-") as scratch:
        laptop = Path(scratch) / "laptop"
        laptop.mkdir()
        for name in source.in_order():
            seconds = times.get(name, {}).get("seconds", {}).get("median")
            if seconds is None or seconds > QUICK_SECONDS:
                takes = "an unknown time" if seconds is None else f"{seconds:.0f} s"
                print(f"nbval: {name} not checked: it takes {takes}", flush=True)
                continue
            for upstream in source.read(name).loads:
                _bring(upstream, laptop)
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


def _bring(name: str, laptop: Path) -> None:
    """See to it that `laptop` holds the result of notebook `name`."""
    if (laptop / name).exists():
        return
    nb, profile = source.read(name), profiles.read("laptop")
    if not freshness.reasons(nb, profile, profiles.changes(nb, profile, {})):
        (laptop / name).symlink_to(freshness.result_folder("laptop", name))
        return
    for upstream in nb.loads:
        _bring(upstream, laptop)
    command = [sys.executable, "-m", "avatarlib.run", name, "--no-compare"]
    subprocess.run(command, env=os.environ | {"AVATAR_RESULTS": str(laptop.parent)}, check=True)
