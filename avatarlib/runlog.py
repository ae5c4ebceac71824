"""What a notebook writes and loads: figures, tables, arrays and metrics, the same bytes for the same run.

Artifacts of notebook NN_name go to `results/<profile>/NN_name/`. The runner (`python -m avatarlib.run`) names the
profile and a folder that it moves into place when the notebook is through; in JupyterLab, without the runner, the
profile is `lab` and what is not found in `results/lab/` is loaded from `results/laptop/`.
"""

import base64
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from avatarlib import figures, seeds
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import Cohort
from avatarlib.manifests import guard_write
from avatarlib.run.store import NOTEBOOK_NAME, file_sha256, output_checksums, results_root, write_json

ARTIFACT_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
FLOAT_FORMAT = "%.9g"  # nine digits hold every float32 and hide the last bits in which two processors may differ


def start(name: str, *, seed: int) -> "Run":
    """Begin a notebook's run, and give matplotlib the common look.

    Parameters
    ----------
    name
        The notebook's name without its ending, such as "04_eye_cohort".
    seed
        Non-negative integer from which everything random in the notebook comes.

    Raises
    ------
    InputError
        Where the name is not that of the notebook which the runner executes.
    """
    expected = os.environ.get("AVATAR_NOTEBOOK", name)
    if not NOTEBOOK_NAME.fullmatch(name) or name != expected:
        raise InputError(f"runlog.start got {name!r} in notebook {expected!r}: give the notebook's own NN_name")
    profile = os.environ.get("AVATAR_PROFILE", "lab")
    given = os.environ.get("AVATAR_OUTPUT")
    folder = Path(given) if given else results_root() / profile / name
    if not given:  # interactive: nobody moves a finished folder into place, so an older run is cleared first
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    figures.use_style()
    return Run(name, int(seed), profile, folder)


class Run:
    """One run of one notebook: the only way in which notebooks write and load. Made by `start`."""

    def __init__(self, name: str, seed: int, profile: str, folder: Path):
        self.name, self.seed, self.profile, self.folder = name, seed, profile, folder
        self._inputs: dict[str, str] = {}
        self._captions: dict[str, dict[str, str]] = {}
        self._evaluation_only = False

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return the generator that belongs to this notebook, its seed and `names`: equal names, equal numbers."""
        return seeds.generator(self.seed, self.name, *names)

    # -- writing ------------------------------------------------------------------------------------------------------

    def figure(self, fig, name: str, *, caption: str, alt: str, shows: Cohort | Iterable[Cohort] = ()) -> None:
        """Write `name`.png with its caption and alternative text, show it in the notebook and close it.

        Parameters
        ----------
        fig
            A matplotlib figure that answers one question.
        caption
            What to see in it.
        alt
            What it looks like, for readers who can't see it.
        shows
            The cohorts whose pictures are visible in the figure. If one of them may be used for evaluation only, the
            figure is neither written nor shown, and a line says so.
        """
        from IPython.display import Markdown, display
        from matplotlib import pyplot

        path = self._target(name, ".png")
        if not caption.strip() or not alt.strip():
            raise InputError(f"figure {name!r} needs a caption and an alternative text")
        if any(cohort.evaluation_only for cohort in _cohorts(shows)):
            pyplot.close(fig)
            display(Markdown(f"*Figure “{name}” is not shown: it contains pictures licensed for evaluation only.*"))
            return
        data = figures.png(fig)
        pyplot.close(fig)
        path.write_bytes(data)
        self._captions[name] = {"caption": caption, "alt": alt}
        write_json(self.folder / "figures.json", self._captions)
        picture = {"image/png": base64.b64encode(data).decode(), "text/plain": alt}
        display(picture, raw=True, metadata={"image/png": {"alt": alt}})
        display(Markdown(f"*{caption}*"))

    def table(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        """Write `name`.csv (UTF-8, nine significant digits) and return the frame, so that a cell's last line shows it.

        An index without a name is not written; one with a name becomes the first column.
        """
        out = frame.reset_index() if any(level is not None for level in frame.index.names) else frame
        out.to_csv(self._target(name, ".csv"), index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
        return frame

    def save(self, name: str, *, shows: Cohort | Iterable[Cohort] = (), **arrays: np.ndarray) -> None:
        """Write arrays to `name`.npz; `shows` names the cohorts whose pictures or fingerprints are among them.

        Raises
        ------
        InputError
            Where an array holds Python objects; write text columns with `table`.
        LicenceError
            Where pictures licensed for evaluation only would leave the results folder, which git ignores.
        """
        path = self._target(name, ".npz")
        arrays = {key: np.asarray(value) for key, value in arrays.items()}
        for key, value in arrays.items():
            if value.dtype.hasobject:
                raise InputError(f"array {key!r} of {name!r} holds Python objects: write it with run.table")
        for cohort in _cohorts(shows):
            guard_write(path, cohort)
            self._evaluation_only |= cohort.evaluation_only
        np.savez(path, **arrays)  # its entries carry a constant date, so equal arrays give equal bytes

    def save_cohort(self, name: str, cohort: Cohort) -> None:
        """Write a cohort as `name`.npz and `name`.csv (its table); `load_cohort` gives it back, licence included."""
        self.save(name, shows=cohort, images=cohort.images, evaluation_only=cohort.evaluation_only)
        self.table(cohort.table, name)

    def path(self, file_name: str) -> Path:
        """Return where a file (or folder) that is none of the above goes, such as "report.html"."""
        if Path(file_name).name != file_name or file_name.startswith("."):
            raise InputError(f"{file_name!r} is not a plain file name")
        return self.folder / file_name

    def finish(self, metrics: Mapping[str, float | int | bool | str]) -> pd.DataFrame:
        """Write metrics.json and the record of this run; return the metrics as a frame for display.

        Parameters
        ----------
        metrics
            Flat: name -> finite number, truth value or text.

        Raises
        ------
        InputError
            Where a value is something else.
        """
        plain = {key: _plain(key, value) for key, value in metrics.items()}
        write_json(self.folder / "metrics.json", plain)
        write_json(
            self.folder / "run.json",
            {
                "notebook": self.name,
                "profile": self.profile,
                "seed": self.seed,
                "inputs": self._inputs,
                "outputs": output_checksums(self.folder),
                "evaluation_only": self._evaluation_only,
            },
        )
        return pd.DataFrame({"value": list(plain.values())}, index=pd.Index(list(plain), name="metric"), dtype=object)

    # -- loading ------------------------------------------------------------------------------------------------------

    def load(self, notebook: str, name: str) -> dict[str, np.ndarray]:
        """Return the arrays that `notebook` saved as `name`.

        Raises
        ------
        InputError
            Where that result is missing; names the make target that makes it.
        """
        with np.load(self._source(notebook, name + ".npz"), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    def load_table(self, notebook: str, name: str) -> pd.DataFrame:
        """Return the table that `notebook` wrote as `name`; errors as `load`."""
        return pd.read_csv(self._source(notebook, name + ".csv"))

    def load_cohort(self, notebook: str, name: str) -> Cohort:
        """Return the cohort that `notebook` wrote with `save_cohort`, licence included; errors as `load`."""
        arrays = self.load(notebook, name)
        self._evaluation_only |= bool(arrays["evaluation_only"])
        return Cohort(arrays["images"], self.load_table(notebook, name), bool(arrays["evaluation_only"]))

    def load_metrics(self, notebook: str) -> dict[str, float | int | bool | str]:
        """Return the metrics with which `notebook` finished; errors as `load`."""
        return json.loads(self._source(notebook, "metrics.json").read_text(encoding="utf-8"))

    def load_path(self, notebook: str, file_name: str) -> Path:
        """Return the path of a file that `notebook` wrote, such as a figure; errors as `load`."""
        return self._source(notebook, file_name)

    def _source(self, notebook: str, file_name: str) -> Path:
        places = [self.profile, "laptop"] if self.profile == "lab" else [self.profile]
        for profile in places:
            path = results_root() / profile / notebook / file_name
            if path.is_file():
                self._inputs[f"{notebook}/{file_name}"] = file_sha256(path)
                return path
        folders = [results_root() / profile / notebook for profile in places]
        there = sorted(path.name for folder in folders if folder.is_dir() for path in folder.iterdir())
        if there:
            raise InputError(f"{notebook} wrote no {file_name}; it wrote: {', '.join(there)}")
        target = notebook if self.profile in ("lab", "laptop") else self.profile
        raise InputError(f"{self.name} needs {file_name} of {notebook}, which has no result: run `make {target}` first")

    def _target(self, name: str, ending: str) -> Path:
        if not ARTIFACT_NAME.fullmatch(name):
            raise InputError(f"{name!r} can't name an artifact: use small letters, digits and _")
        return self.folder / (name + ending)


def _cohorts(shows: Cohort | Iterable[Cohort]) -> Iterable[Cohort]:
    return [shows] if isinstance(shows, Cohort) else shows


def _plain(name: str, value) -> float | int | bool | str:
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | int | float | str):
        raise InputError(f"metric {name!r} is {type(value).__name__}: metrics are numbers, truth values or texts")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"metric {name!r} is {value}: give a finite number, or leave it out and say why")
    return value
