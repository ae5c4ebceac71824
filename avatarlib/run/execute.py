"""Execute one notebook with papermill: fixed environment, limits, progress, and a result that is whole or not there."""

import contextlib
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from avatarlib.errors import AvatarError, InputError
from avatarlib.run import expected, freshness, numerics, profiles, publish, source, store
from avatarlib.run.profiles import Profile
from avatarlib.run.source import Source

INPUT_ERRORS = ("InputError", "LicenceError", "InputAbsent")
VERSIONS = ("numpy", "pandas", "scipy", "scikit-learn", "numba", "opencv-python-headless", "torch", "matplotlib")


class RunFailed(AvatarError):
    """A notebook did not come to its end."""

    def __init__(self, message: str, *, state: str = "failed", exit_code: int = 3):
        super().__init__(message)
        self.state, self.exit_code = state, exit_code


def run(name: str, profile_name: str, given: dict, *, force: bool = False, compare: bool = True) -> int:
    """Bring the result of notebook `name` up to date; return 0, or 1 where its metrics are not the expected ones.

    Parameters
    ----------
    name, profile_name
        Such as "04_eye_cohort" and "laptop".
    given
        Parameters that override the profile's; the executed copy of such a run is not published.
    force
        Run even where the result is fresh.
    compare
        Compare the laptop profile's metrics with `expected/`.

    Raises
    ------
    InputError
        Where a name or a value is wrong, or a notebook that it builds on has no result.
    RunFailed
        Where the notebook did not come to its end.
    """
    nb, profile = source.read(name), profiles.read(profile_name)
    changed = profiles.changes(nb, profile, given)
    if profile_name == "gpu":
        _require_cuda()
    locks = freshness.state_file(profile_name, name).parent
    with contextlib.ExitStack() as held:
        wait = f"{name}: waits for another run of it to end"
        held.enter_context(store.locked(locks / f"{name}.lock", on_wait=lambda: _say(wait)))
        for upstream in nb.loads:  # so that nobody swaps a folder while this notebook reads from it
            held.enter_context(store.locked(locks / f"{upstream}.lock", shared=True))
            if not (freshness.result_folder(profile_name, upstream) / "run.json").is_file():
                target = upstream if profile_name in ("laptop", "lab") else profile_name
                raise InputError(f"{name} needs the result of {upstream}: run `make {target}` first")
        if force or freshness.reasons(nb, profile, changed):
            _execute(nb, profile, changed)
        else:
            _say(f"{name} ({profile_name}): fresh")
            copy = freshness.result_folder(profile_name, name) / ".executed.ipynb"
            publish.restamp(copy, freshness.source_key(nb))
        return _conclude(nb, profile, compare and not given, publishing=not given)


def environment(profile: str, name: str, output: Path, runtime: Path) -> dict[str, str]:
    """Return the environment in which the kernel starts: this one, with everything fixed that could move a result.

    Parameters
    ----------
    profile, name
        Of the notebook.
    output
        The folder that `runlog` writes to.
    runtime
        A short path, new for each run: two kernels that start at once share no socket and no history.
    """
    caches = store.project_root() / ".setup"
    return os.environ | {
        **numerics.environment(),
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(store.PACKAGE.parent),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(caches / "matplotlib"),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "XDG_CACHE_HOME": str(caches / "cache"),
        "IPYTHONDIR": str(runtime / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_CONFIG_DIR": str(runtime / "config"),
        "JUPYTER_DATA_DIR": str(runtime / "data"),
        "AVATAR_PROFILE": profile,
        "AVATAR_NOTEBOOK": name,
        "AVATAR_OUTPUT": str(output),
    }


@contextlib.contextmanager
def runtime_folder():
    """Yield a new folder with a short path (a socket's may have 100 characters); removes those of dead runs."""
    base = Path(tempfile.gettempdir())
    base = base if len(str(base)) < 60 else Path("/tmp")
    stem = f"avatar-{os.getuid()}"
    for leftover in base.glob(f"{stem}-*-*"):
        if not Path(f"/proc/{leftover.name.split('-')[2]}").exists() and Path("/proc/self").exists():
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{stem}-{os.getpid()}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _execute(nb: Source, profile: Profile, changed: dict) -> None:
    place = freshness.result_folder(profile.name, nb.name)
    state = freshness.state_file(profile.name, nb.name)
    # before it runs: an edit meanwhile makes the result stale
    parts, source_key = freshness.parts(nb, profile, changed), freshness.source_key(nb)
    output = store.scratch_folder(place)
    log = state.with_suffix(".log")
    began = time.monotonic()
    _say(f"{nb.name} ({profile.name}): starts, {len(nb.cells)} code cells")
    try:
        with runtime_folder() as runtime, open(log, "w", encoding="utf-8") as log_file:
            os.environ.update(environment(profile.name, nb.name, output, runtime))
            _papermill(nb, profile, changed, output / ".executed.ipynb", runtime, log_file)
        record = store.read_json(output / "run.json")
        if record is None:
            raise RunFailed(f"{nb.name} ended without run.finish(metrics)")
        seconds = time.monotonic() - began
        record |= {"parts": parts, "key": freshness.key(parts), "outputs": store.output_checksums(output)}
        record |= {"parameters": nb.parameters | changed} | _circumstances(seconds)
        publish.clean(output / ".executed.ipynb", source_key, record["outputs"])
        store.write_json(output / "run.json", record)
        store.swap_in(output, place)
        state.unlink(missing_ok=True)
    except RunFailed as failure:
        partial = state.with_suffix(".ipynb")
        if (output / ".executed.ipynb").is_file():
            (output / ".executed.ipynb").replace(partial)
        _append(log, str(failure))
        store.write_json(state, {"state": failure.state, "message": str(failure), "log": str(log)})
        raise RunFailed(
            f"{failure}\n{nb.name}: log {log}, notebook up to there {partial}",
            state=failure.state, exit_code=failure.exit_code,
        ) from None  # fmt: skip
    finally:
        shutil.rmtree(output, ignore_errors=True)
    _say(f"{nb.name} ({profile.name}): done in {seconds:.0f} s")


def _papermill(nb: Source, profile: Profile, changed: dict, copy: Path, runtime: Path, log) -> None:
    import logging

    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it would say is in the report below
    notebooks = store.project_root() / "notebooks"
    deadline = time.monotonic() + 60 * profile.notebook_minutes
    total, done, at = len(nb.cells), 0, {"number": 0, "line": ""}

    def limit(cell) -> float:
        return max(1.0, min(60 * profile.cell_minutes, deadline - time.monotonic()))

    def begin(cell, cell_index):
        if cell.cell_type == "code":
            at.update(number=at["number"] + ("injected-parameters" not in cell.metadata.get("tags", ())))
            at.update(line=cell.source.strip().partition("\n")[0])

    def complete(cell, cell_index):
        nonlocal done
        before, done = done, min(done + 1, total)
        if before * 10 // total != done * 10 // total and done < total:
            _say(f"{nb.name} ({profile.name}): {100 * done // total} % of its cells")

    def report(what: str, **options) -> RunFailed:
        return RunFailed(f"{nb.name}: code cell {at['number']} (`{at['line']}`): {what}", **options)

    sockets = Config({"KernelManager": {"transport": "ipc", "ip": str(runtime / "k")}})
    try:
        papermill.execute_notebook(
            str(notebooks / f"{nb.name}.ipynb"),
            str(copy),
            parameters=changed,
            kernel_name="python3",
            cwd=str(notebooks),
            progress_bar=False,
            stdout_file=log,
            stderr_file=log,
            config=sockets,
            timeout_func=limit,
            on_cell_start=begin,
            on_cell_complete=complete,
            coalesce_streams=True,
        )
    except papermill.PapermillExecutionError as error:
        log.write("\n".join(error.traceback) + "\n")
        if error.ename == "InputAbsent":
            raise RunFailed(f"{nb.name}: {error.evalue}", state="not run: input absent", exit_code=2) from None
        code = 2 if error.ename in INPUT_ERRORS else 3
        raise report(f"{error.ename}: {error.evalue}", exit_code=code) from None
    except DeadKernelError:
        raise report("the kernel died (killed? out of memory?)") from None
    except RuntimeError as error:
        raise RunFailed(f"{nb.name}: the kernel did not start: {error}") from None
    except CellTimeoutError:
        whole = time.monotonic() >= deadline - 1
        minutes = profile.notebook_minutes if whole else profile.cell_minutes
        raise report(f"over the limit of {minutes:g} minutes for {'the notebook' if whole else 'one cell'}") from None


def _conclude(nb: Source, profile: Profile, compare: bool, publishing: bool) -> int:
    if profile.name not in publish.PUBLISHED:
        return 0
    compare &= profile.name == "laptop"
    if compare and not expected.file(nb.name).is_file():
        _say(f"{nb.name}: there is no expected/{nb.name}.json to compare with; `make expected` writes it")
    elif compare:
        rows = expected.differences(nb.name, freshness.result_folder("laptop", nb.name))
        if rows:
            _say(f"{nb.name}: its metrics are not those of expected/{nb.name}.json (`make expected` accepts them):")
            _say(expected.as_text(rows))
            return 1
    if publishing and store.results_root() == store.project_root() / "results":
        publish.publish(nb.name, profile.name)
    return 0


def _circumstances(seconds: float) -> dict:
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    versions = {}
    for package in VERSIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "seconds": round(seconds, 2),
        "peak_memory_bytes": peak,
        "git": _git(),
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _git() -> dict[str, str | bool] | None:
    def ask(*words: str) -> str:
        command = ["git", "-C", str(store.project_root()), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"revision": ask("rev-parse", "HEAD"), "changed": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _require_cuda() -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("profile gpu: torch sees no CUDA device; where there is one, `make setup DEVICE=cuda` first")


def _append(log: Path, text: str) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.write(text + "\n")


def _say(text: str) -> None:
    print(text, flush=True)
