"""Make the environment: check the machine, create .venv, install the locked versions. Standard library only.

Runs with the machine's own Python, even one that is too old, to say so; `make setup` calls it. May be interrupted and
called again: the stamp that says "done" is written last, and without it everything is installed anew.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
BUILDER = "Cython==3.3.1"  # mappy is published as source alone; once it is built, nothing needs this
GIGABYTES = {"cpu": 2.5, "cuda": 9.0}  # measured: 2.1 for cpu; cuda as the sizes of its wheels say


class SetupError(Exception):
    """The machine lacks something; one line says what and how to get it."""


def main(arguments: list[str] | None = None) -> int:
    """Set up, or collect a wheelhouse; return the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m avatarlib.run.install", description="Create the environment.")
    parser.add_argument("--venv", type=Path, default=Path(".venv"))
    parser.add_argument("--device", choices=sorted(GIGABYTES), default="cpu")
    parser.add_argument("--cpu-index", required=True, help="package index that holds CPU builds of torch")
    parser.add_argument("--wheelhouse", type=Path, help="install from this folder, without network")
    parser.add_argument("--collect", type=Path, help="put every wheel into this folder instead of installing it")
    options = parser.parse_args(arguments)
    try:
        check_machine(sys.version_info[:2], importlib.util.find_spec)
        with _alone(Path(".setup")):
            install(options.venv, options.device, options.cpu_index, options.wheelhouse)
            if options.collect:
                collect(options.venv, options.device, options.cpu_index, options.collect)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd[:6]))
        print(f"error: set-up stopped in `{command} …`: see above, then call make again", file=sys.stderr)
        return 3
    return 0


def check_machine(version, find_module) -> None:
    """Raise SetupError where Python is too old or can't make environments.

    Parameters
    ----------
    version
        (major, minor) of the running Python.
    find_module
        Function from a module's name to something that is None where the module is missing.
    """
    wanted = ".".join(map(str, OLDEST_PYTHON))
    if tuple(version) < OLDEST_PYTHON:
        found = ".".join(map(str, version))
        raise SetupError(f"Python {found} is too old, {wanted} or newer is needed: make PYTHON=/path/to/python{wanted}")
    missing = [name for name in ("venv", "ensurepip") if find_module(name) is None]
    if missing:
        raise SetupError(f"Python lacks its module {missing[0]}: on Debian or Ubuntu, `apt install python3-venv`")


def check_compiler(find_program) -> None:
    """Raise SetupError where no C compiler is found; `find_program` is a function like `shutil.which`.

    Examples
    --------
    >>> check_compiler(lambda name: "/usr/bin/gcc" if name == "gcc" else None)
    """
    if not any(find_program(name) for name in ("cc", "gcc", "clang")):
        raise SetupError(
            "no C compiler is found, and mappy is built from source: on Debian or Ubuntu, "
            "`apt install build-essential zlib1g-dev`; or `make all WHEELHOUSE=DIR` with wheels made elsewhere"
        )


def check_disk(free_bytes: int, device: str) -> None:
    """Raise SetupError where less is free than the environment takes.

    Examples
    --------
    >>> check_disk(10 * 10**9, "cpu")
    """
    if free_bytes < GIGABYTES[device] * 1e9:
        raise SetupError(
            f"the environment takes about {GIGABYTES[device]} GB on disk, but {free_bytes / 1e9:.1f} GB are free here"
        )


def install(venv: Path, device: str, cpu_index: str, wheelhouse: Path | None) -> None:
    """Bring the environment in `venv` up to date with requirements.lock; at once where it already is."""
    key = _key(device)
    stamp = venv / "installed"
    if stamp.is_file() and stamp.read_text() == key:
        return
    check_disk(shutil.disk_usage(".").free, device)
    if wheelhouse is not None and not list(wheelhouse.glob("*.whl")):
        raise SetupError(f"WHEELHOUSE={wheelhouse} holds no wheels: `make wheelhouse`, where there is a network, does")
    if wheelhouse is None:
        check_compiler(shutil.which)
    versions = locked()
    print(f"set-up: {len(versions)} packages into {venv}, about {GIGABYTES[device]} GB on disk; minutes", flush=True)
    python = venv / "bin" / "python"
    # Always from nothing: an interrupted pip can leave a package that looks installed. Downloads are in pip's cache.
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True, env=_environment())
    source = ["--no-index", "--find-links", wheelhouse.resolve()] if wheelhouse else []
    _pip(python, "install", *source, *(f"{name}=={versions[name]}" for name in ("pip", "setuptools")))
    torch = torch_source(python, device, cpu_index) if not wheelhouse else source
    alone = [] if device == "cuda" else ["--no-deps"]  # a CUDA build brings its libraries, which the lock does not name
    _pip(python, "install", *alone, *torch, f"torch=={versions['torch']}")
    with _builder(python, needed=not wheelhouse):
        _pip(python, "install", "--no-deps", "--no-build-isolation", *source, "-r", "requirements.lock")
    _pip(python, "install", "--no-deps", "--no-build-isolation", "--no-index", "-e", ".")
    _pip(python, "check")
    stamp.write_text(key)


def collect(venv: Path, device: str, cpu_index: str, folder: Path) -> None:
    """Put the wheel of every locked package into `folder`; what is published as source alone is built."""
    python = venv / "bin" / "python"
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    _pip(python, *wheel, *torch_source(python, device, cpu_index), f"torch=={locked()['torch']}")
    rest = [f"{name}=={version}" for name, version in locked().items() if name != "torch"]
    with _builder(python, needed=True):
        _pip(python, *wheel, *rest)
    print(f"{len(list(folder.glob('*.whl')))} wheels in {folder}: `make all WHEELHOUSE={folder}` needs no network")


def locked() -> dict[str, str]:
    """Return package name -> version from requirements.lock."""
    lines = [line.split("#")[0].strip() for line in Path("requirements.lock").read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def torch_source(python: Path, device: str, cpu_index: str) -> list[str]:
    """Return pip's options for torch: none where its default index has what `device` needs, else the CPU index.

    Asks pip for the metadata only: a build whose requirements name CUDA packages would bring gigabytes of them.
    """
    if device == "cuda" or platform.system() != "Linux":
        return []
    ask = ["install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed", "--report", "-"]
    command = [python, "-m", "pip", *ask, f"torch=={locked()['torch']}"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=_environment())
    if answer.returncode:
        raise SetupError("pip finds no torch: is there a network? Without one, `make all WHEELHOUSE=DIR`")
    return ["--index-url", cpu_index] if needs_cuda(json.loads(answer.stdout)) else []


def needs_cuda(report: dict) -> bool:
    """Say whether the one package of a pip installation report requires CUDA packages.

    Examples
    --------
    >>> needs_cuda({"install": [{"metadata": {"requires_dist": ["sympy>=1.13", "nvidia-cudnn-cu13==9.1"]}}]})
    True
    """
    (package,) = report["install"]
    return any(name.lower().startswith(("nvidia", "cuda")) for name in package["metadata"].get("requires_dist", []))


def _key(device: str) -> str:
    files = [Path("requirements.lock").read_bytes(), Path("pyproject.toml").read_bytes()]
    text = b"\0".join([*files, device.encode(), str(Path.cwd()).encode(), sys.version.encode()])
    return hashlib.sha256(text).hexdigest()


def _pip(python: Path, *words) -> None:
    print(f"set-up: pip {' '.join(map(str, words[:1] + words[1:][-1:]))}", flush=True)
    command = [python, "-m", "pip", *words[:1], "--disable-pip-version-check", *words[1:]]
    quiet = [] if words[0] == "check" else ["--quiet", "--quiet"]
    subprocess.run([*command[:4], *quiet, *command[4:]], check=True, env=_environment())


@contextlib.contextmanager
def _builder(python: Path, needed: bool):
    """Have `BUILDER` in the environment for a while, which ends up with what the lock names and no more."""
    if needed:
        _pip(python, "install", BUILDER)
    try:
        yield
    finally:
        if needed:
            _pip(python, "uninstall", "--yes", BUILDER.partition("==")[0])


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


class _alone:
    """Only one set-up at a time in this folder: two makes that start together wait for each other."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self.file = open(folder / "install.lock", "w")

    def __enter__(self):
        import fcntl

        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *error):
        self.file.close()


if __name__ == "__main__":
    sys.exit(main())
