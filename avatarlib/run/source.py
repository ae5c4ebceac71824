"""Read a notebook without executing it: code, parameters, what it loads, which avatarlib modules it imports."""

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from avatarlib.errors import InputError
from avatarlib.run.store import NOTEBOOK_NAME, PACKAGE, notebooks, project_root


@dataclass(frozen=True)
class Source:
    """A notebook as it stands in `notebooks/`: its name and the source of its code cells, in order."""

    name: str
    cells: tuple[str, ...]
    parameter_cell: str

    @cached_property
    def trees(self) -> list[ast.Module]:
        """The syntax trees of the code cells."""
        return [_parse(cell, f"{self.name}, code cell {number}") for number, cell in enumerate(self.cells, 1)]

    @cached_property
    def parameters(self) -> dict:
        """Name -> laptop value, from the cell tagged `parameters`; it may hold nothing but literals."""
        found = {}
        for node in _parse(self.parameter_cell, f"{self.name}, parameters cell").body:
            try:
                (target,) = node.targets
                found[target.id] = ast.literal_eval(node.value)
            except (AttributeError, ValueError):
                text = ast.unparse(node)
                raise InputError(f"{self.name}, parameters cell: `{text}` is not NAME = literal value") from None
        return found

    @cached_property
    def loads(self) -> list[str]:
        """The notebooks whose results this one loads, sorted: the first argument of each `run.load…` call."""
        found = set()
        for node in (node for tree in self.trees for node in ast.walk(tree)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            if not (isinstance(owner, ast.Name) and owner.id == "run" and node.func.attr.startswith("load")):
                continue
            first = node.args[0] if node.args else None
            if not (isinstance(first, ast.Constant) and NOTEBOOK_NAME.fullmatch(str(first.value))):
                raise InputError(f"{self.name}: `{ast.unparse(node)}` must name the notebook as literal text")
            found.add(first.value)
        return sorted(found)

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Name -> file of every avatarlib module that the notebook imports, directly or through another."""
        return imported_modules(self.trees)


def read(name: str) -> Source:
    """Return the notebook `name` ("04_eye_cohort").

    Raises
    ------
    InputError
        Where there is no such notebook, it is not JSON, or it has not exactly one cell tagged `parameters`.
    """
    path = project_root() / "notebooks" / f"{name}.ipynb"
    if not path.is_file():
        raise InputError(f"there is no notebook {path}: `make status` lists all")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        texts = ["".join(cell["source"]) for cell in code]
        tags = [cell["metadata"].get("tags", ()) for cell in code]
        tagged = [text for text, tagged in zip(texts, tags, strict=True) if "parameters" in tagged]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a notebook ({type(error).__name__}: {error})") from None
    if len(tagged) != 1:
        raise InputError(f"{path} has {len(tagged)} cells tagged `parameters`; it needs exactly one")
    return Source(name, tuple(texts), tagged[0])


def in_order() -> list[str]:
    """Return the names of all notebooks, each after those that it loads."""
    import graphlib

    return list(graphlib.TopologicalSorter({name: read(name).loads for name in notebooks()}).static_order())


def imported_modules(trees: Iterable[ast.Module], package: Path = PACKAGE) -> dict[str, Path]:
    """Return name -> file of the modules below `package` that `trees` import, transitively, inside functions too."""
    found: dict[str, Path] = {}
    waiting = [name for tree in trees for name in _imports(tree, package.name, within="")]
    while waiting:
        name = waiting.pop()
        path = _file(name, package)
        if path is None or name in found:
            continue
        found[name] = path
        inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += _imports(_parse(path.read_text(encoding="utf-8"), str(path)), package.name, within=inside)
    return dict(sorted(found.items()))


def _imports(tree: ast.Module, package: str, within: str) -> set[str]:
    """Dotted names that an import statement may load: `from a.b import c` gives a, a.b and a.b.c."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = within.split(".")[: len(within.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    ours = [name.split(".") for name in names if name.split(".")[0] == package]
    return {".".join(parts[:length]) for parts in ours for length in range(1, len(parts) + 1)}


def _file(name: str, package: Path) -> Path | None:
    base = package.parent.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _parse(text: str, where: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"{where}: {error.msg} in line {error.lineno} (plain Python only, no % or ! lines)") from None
