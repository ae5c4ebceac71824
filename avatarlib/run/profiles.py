"""Profiles: the same notebooks with other sizes or other inputs, one YAML file each in `notebooks/profiles/`."""

from dataclasses import dataclass

from avatarlib.errors import InputError
from avatarlib.run.source import Source
from avatarlib.run.store import notebooks, project_root


@dataclass(frozen=True)
class Profile:
    """A profile: values by notebook and parameter name, and limits in minutes for a cell and a whole notebook."""

    name: str
    values: dict[str, dict]
    cell_minutes: float
    notebook_minutes: float


def read(name: str) -> Profile:
    """Return the profile `name` (laptop, smoke, real, gpu, …); one that `extends` another changes only what it names.

    Raises
    ------
    InputError
        Where there is no such file, or it names a notebook or a limit that does not exist.
    """
    import yaml

    path = project_root() / "notebooks" / "profiles" / f"{name}.yml"
    known = sorted(found.stem for found in path.parent.glob("*.yml"))
    if name not in known:
        raise InputError(f"there is no profile {name!r}; there are: {', '.join(known)}")
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    limits = values.pop("limits", {})
    base = read(values.pop("extends")) if "extends" in values else Profile("", {}, 10, 30)
    unknown = sorted({*values} - {*notebooks()}) + sorted({*limits} - {"cell_minutes", "notebook_minutes"})
    if unknown or not all(isinstance(part, dict) for part in values.values()):
        what = ", ".join(unknown) or "a value"
        raise InputError(f"{path}: {what} is neither a notebook with its parameters nor a limit")
    merged = base.values | {notebook: base.values.get(notebook, {}) | own for notebook, own in values.items()}
    cell = limits.get("cell_minutes", base.cell_minutes)
    return Profile(name, merged, cell, limits.get("notebook_minutes", base.notebook_minutes))


def changes(source: Source, profile: Profile, given: dict) -> dict:
    """Return the parameters of `source` whose value differs from the notebook's own, by `profile` and then by `given`.

    Raises
    ------
    InputError
        Where a name is no parameter of the notebook, or a value has another type than the notebook's.
    """
    out = {}
    for origin, values in ((f"profile {profile.name}", profile.values.get(source.name, {})), ("-p", given)):
        for name, value in values.items():
            if name not in source.parameters:
                known = ", ".join(source.parameters)
                raise InputError(f"{origin}: {source.name} has no parameter {name!r}; it has: {known}")
            if not _fits(value, source.parameters[name]):
                own = source.parameters[name]
                raise InputError(f"{origin}: {name} of {source.name} is like {own!r}, which {value!r} is not")
            out[name] = value
    return {name: value for name, value in out.items() if value != source.parameters[name]}


def parse_given(texts: list[str]) -> dict:
    """Return `NAME=VALUE` texts as a dict, values read as YAML.

    Examples
    --------
    >>> parse_given(["N=3", "SIDE=left", "ALPHAS=[0.1, 0.05]"])
    {'N': 3, 'SIDE': 'left', 'ALPHAS': [0.1, 0.05]}
    """
    import yaml

    out = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise InputError(f"-p {text}: write NAME=VALUE")
        out[name] = yaml.safe_load(value)
    return out


def _fits(value, own) -> bool:
    if own is None or value is None:
        return True
    if isinstance(own, bool) or isinstance(value, bool):
        return isinstance(own, bool) and isinstance(value, bool)
    if isinstance(own, float):
        return isinstance(value, int | float)
    if isinstance(own, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(own))
