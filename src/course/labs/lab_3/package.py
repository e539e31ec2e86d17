"""The student's package: cells become its files, and its files are judged by what stands in them. None of them is run for that."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import linecache
import re
import shutil
import sys
from pathlib import Path

from course import checks
from course.labs.lab_2 import files
from course.labs.lab_2.notebook import _first_name

NAME, FOLDER = "my_flights", "package"
MODULES = ("config", "features", "model", "pipeline")
ENTRIES = {
    "features": ("preprocessing_fn", "Transform calls"),
    "model": ("run_fn", "the Trainer calls"),
    "pipeline": ("create_components", "every engine calls"),
}
CALL, MARKER = "lab.save(", re.compile(r"\s*### (BEGIN|END) ")
DOC = '"""Late flights: features, model and pipeline, to be run by any engine."""\n'

_PARTS: dict[Path, dict[str, str]] = {}
"""For each file, the cells that it is made of, each by the first name that it defines."""


def folder(workspace: Path) -> Path:
    """Where the package lies: the folder that holds `my_flights`."""
    return workspace / FOLDER


def begin(workspace: Path) -> None:
    """Makes the package, empty, and lets this process and those that it starts import it."""
    package = folder(workspace) / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(DOC, encoding="utf-8")
    sys.path[:] = [str(folder(workspace)), *(path for path in sys.path if path != str(folder(workspace)))]
    _PARTS.clear()
    forget()


def forget() -> None:
    """Lets the next import read the files anew."""
    for name in [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def save(name: str) -> str:
    """Stores the cell that calls it in the file `my_flights/NAME.py` of the workspace's package; returns the module's full name.

    Several cells may make up one file, in the order in which they were first run. A cell whose first definition has the name of another's
    takes the place of that one: so a cell can be run again, and a later cell can change what an earlier one has defined. The line of this
    call is left out.

    Raises:
        ValueError: the name cannot be that of a module.
        RuntimeError: it is not called in a cell of a notebook.
    """
    from course.checks.session import current

    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} cannot name a module: small letters, digits and _")
    lines = linecache.getlines(sys._getframe(1).f_code.co_filename)
    if not any(CALL in line for line in lines):
        raise RuntimeError("lab.save(...) stores the cell that it stands in: call it there, not in a function")
    path = folder(current().workspace) / NAME / f"{name}.py"
    source = "".join(line for line in lines if CALL not in line and not MARKER.match(line))
    if not path.exists():
        _PARTS.pop(path, None)
    path.write_text(join(_PARTS.setdefault(path, {}), source), encoding="utf-8")
    # Python takes a compiled file for fresh if size and second are the same.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)
    forget()
    return f"{NAME}.{name}"


def join(parts: dict[str, str], source: str) -> str:
    """Enters a cell among the parts of a file, and returns the file."""
    parts[_first_name(source)] = source.strip("\n")
    return "\n\n\n".join(part.rstrip() for part in parts.values()) + "\n"


def judge_package(lab: checks.Lab) -> None:
    """Two points for the entries; one each for files that lack nothing, name no place, and need nothing of the course.

    Raises:
        checks.Wrong: something is missing.
    """
    trees = {name: _parsed(lab, name) for name in _there(lab)}
    problems, points = [], 0.0
    for worth, judge in ((2, _entries), (1, _complete), (1, _places), (1, _alone)):
        told = judge(trees)
        problems += told[:3]
        points += 0 if told else worth
    if problems:
        # Files in which nothing stands name no place either.
        raise checks.Wrong("\n".join(problems), points=points if not _entries(trees) else 0)


def _there(lab: checks.Lab) -> list[str]:
    package = files._inside(lab, f"{FOLDER}/{NAME}")
    found = sorted(path.stem for path in package.glob("*.py")) if package.is_dir() else []
    missing = [name for name in MODULES if name not in found]
    if missing:
        listed = ", ".join(f"`{NAME}/{name}.py`" for name in missing)
        raise checks.Wrong(f'There is no {listed} yet. The last line of a cell, `lab.save("{missing[0]}")`, writes it.')
    return found[:50]


def _parsed(lab: checks.Lab, name: str) -> ast.Module:
    try:
        return ast.parse(files.text(lab, f"{FOLDER}/{NAME}/{name}.py"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise checks.Wrong(f"`{NAME}/{name}.py` is no Python: {str(error)[:120]}") from error


def _entries(trees: dict[str, ast.Module]) -> list[str]:
    """The functions that others call, with the one argument that they give."""
    told = []
    for module, (name, who) in ENTRIES.items():
        found = [
            part for part in trees[module].body if isinstance(part, ast.FunctionDef) and part.name == name
        ] or _imported(trees[module], name)
        if not found:
            told.append(f"`{NAME}/{module}.py` defines no function `{name}`, which {who}.")
        elif isinstance(found[-1], ast.FunctionDef) and not _takes_one(found[-1].args):
            told.append(f"`{name}` in `{NAME}/{module}.py` has to be called with one argument, and with no more.")
    if "Config" not in _bound(trees["config"]):
        told.append(f"`{NAME}/config.py` defines no `Config`.")
    return told


def _imported(tree: ast.Module, name: str) -> list[ast.AST]:
    return [
        part
        for part in tree.body
        if isinstance(part, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in part.names)
    ]


def _takes_one(given: ast.arguments) -> bool:
    places = [*given.posonlyargs, *given.args]
    needed = len(places) - len(given.defaults)
    keywords = sum(default is None for default in given.kw_defaults)
    return needed <= 1 and (bool(places) or given.vararg is not None) and not keywords


def _complete(trees: dict[str, ast.Module]) -> list[str]:
    """Names that a file uses and that nothing in it defines, and imports that find nothing."""
    told = []
    for module, tree in trees.items():
        bound = _bound(tree) | set(dir(builtins)) | {"__file__", "__path__"}
        used = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
        if "*" not in bound and (unknown := sorted(used - bound)):
            told.append(
                f"`{NAME}/{module}.py` uses `{unknown[0][:40]}` and neither imports nor defines it. In your notebook the name may be there; "
                "a new process has only what stands in the file."
            )
        told += _lost(module, tree, trees)
    return told


def _lost(module: str, tree: ast.Module, trees: dict[str, ast.Module]) -> list[str]:
    told = []
    for target, names in _imports(tree):
        top, _, rest = target.partition(".")
        if top != NAME:
            if not _exists(top):
                told.append(f"`{NAME}/{module}.py` imports `{top[:40]}`, and there is no such package.")
            continue
        inner = rest.partition(".")[0]
        wanted = [inner] if inner else [name for name in names if name != "*"]
        gone = [name for name in wanted if name not in trees]
        if gone:
            told.append(f"`{NAME}/{module}.py` imports `{NAME}.{gone[0][:40]}`, and there is no such file.")
        elif inner and (gone := [name for name in names if name not in _bound(trees[inner]) and name != "*"]):
            told.append(f"`{NAME}/{module}.py` imports `{gone[0][:40]}` from `{NAME}.{inner}`, which has no such name.")
    return told


def _exists(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return top in sys.modules


def _imports(tree: ast.Module) -> list[tuple[str, list[str]]]:
    """What a file imports, as a full name, and which names from it."""
    found = []
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            found += [(alias.name, []) for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            names = [alias.name for alias in part.names]
            target = part.module or ""
            found.append((f"{NAME}.{target}".rstrip(".") if part.level else target, names))
    return found


def _bound(tree: ast.Module) -> set[str]:
    """Every name that something in a file gives a value to, wherever."""
    found: set[str] = set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            found.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(part.name)
        elif isinstance(part, ast.arg):
            found.add(part.arg)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in part.names}
        elif isinstance(part, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and part.name:
            found.add(part.name)
    return found


PLACE = re.compile(r"(file://)?(/[\w.-]+){2,}|~[/\\]|[A-Za-z]:[\\/]")
HERE = {("Path", "cwd"), ("Path", "home"), ("os", "getcwd"), ("os", "environ"), ("os", "getenv")}


def _places(trees: dict[str, ast.Module]) -> list[str]:
    """Paths of one machine, and questions to the machine where it is."""
    told = []
    for module, tree in trees.items():
        prose = {
            id(part.value)
            for part in ast.walk(tree)
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
        }
        for part in ast.walk(tree):
            text = part.value if isinstance(part, ast.Constant) and id(part) not in prose else None
            if isinstance(text, str) and (PLACE.match(text) or "lab-3-pipeline" in text):
                told.append(
                    f"`{NAME}/{module}.py` names a place of one machine: {text[:60]!r}. Whoever runs the pipeline says where "
                    "data and output are, by the configuration."
                )
            asked = (getattr(getattr(part, "value", None), "id", ""), getattr(part, "attr", ""))
            if asked in HERE:
                told.append(
                    f"`{NAME}/{module}.py` asks the machine (`{'.'.join(asked)}`). On another one it gets another answer: "
                    "take what you need from the configuration."
                )
    return told


def _alone(trees: dict[str, ast.Module]) -> list[str]:
    """What the package may not need, and the configuration that it has to use."""
    told = []
    for module, tree in trees.items():
        strange = {target.partition(".")[0] for target, _ in _imports(tree)} & {"course", "IPython", "ipywidgets"}
        if strange:
            told.append(
                f"`{NAME}/{module}.py` imports `{min(strange)}`, which is there for notebooks. Who runs the pipeline at night has none."
            )
    function = next((part for part in trees["pipeline"].body if getattr(part, "name", "") == "create_components"), None)
    if isinstance(function, ast.FunctionDef) and function.args.args:
        name = function.args.args[0].arg
        uses = [part for part in ast.walk(function) if isinstance(part, ast.Name) and part.id == name]
        if not uses:
            told.append(f"`create_components` never looks at its `{name[:40]}`: what can a run change then?")
    return told
