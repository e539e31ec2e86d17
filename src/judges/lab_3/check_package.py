"""Judges the student's package by what stands in its files; none of them is run for that."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import sys
from pathlib import Path

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from judges.shared import workspace_files

MODULES = ("config", "features", "model", "pipeline")
ENTRIES = (
    ("features", "preprocessing_fn", "Transform calls"),
    ("model", "run_fn", "the Trainer calls"),
    ("pipeline", "create_components", "every engine calls"),
    ("pipeline", "create_pipeline", "this lab and Airflow call"),
)
NAMES = tuple(name for _, name, _ in ENTRIES)
MOST_FILES, MOST_LETTERS = 20, 200_000


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
    package = workspace_files.inside(lab, f"{FOLDER}/{NAME}")
    found = sorted(path.stem for path in package.glob("*.py")) if package.is_dir() else []
    missing = [name for name in MODULES if name not in found]
    if missing:
        listed = ", ".join(f"`{NAME}/{name}.py`" for name in missing)
        raise checks.Wrong(f'There is no {listed} yet. The last line of a cell, `lab.save("{missing[0]}")`, writes it.')
    if len(found) > MOST_FILES:
        raise checks.Wrong(f"`{NAME}` holds {len(found)} files; {MOST_FILES} are plenty.")
    return found


def _parsed(lab: checks.Lab, name: str) -> ast.Module:
    content = workspace_files.text(lab, f"{FOLDER}/{NAME}/{name}.py")
    if len(content) > MOST_LETTERS:
        raise checks.Wrong(f"`{NAME}/{name}.py` is longer than {MOST_LETTERS:,} letters.")
    try:
        return ast.parse(content, filename=f"{NAME}/{name}.py")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise checks.Wrong(f"`{NAME}/{name}.py` is no Python: {str(error)[:120]}") from error


def _entries(trees: dict[str, ast.Module]) -> list[str]:
    """The functions that others call, with the one argument that they give."""
    told = []
    for module, name, who in ENTRIES:
        function = _function(trees, module, name)
        if isinstance(function, str):
            told.append(function or f"`{NAME}/{module}.py` defines no function `{name}`, which {who}.")
        elif not _takes_one(function.args):
            told.append(f"`{name}` in `{NAME}/{module}.py` has to be called with one argument, and with no more.")
        elif not _uses(function):
            told.append(f"`{name}` in `{NAME}/{module}.py` never looks at what it is given: what can it do then?")
    if "Config" not in _bound(trees["config"]):
        told.append(f"`{NAME}/config.py` defines no `Config`.")
    return told


def _function(
    trees: dict[str, ast.Module], module: str, name: str, most: int = 5
) -> ast.FunctionDef | ast.Lambda | str:
    """A function of the package, where it is defined; or what is wrong with it, empty where there is none."""
    for part in reversed(trees[module].body if module in trees and most else []):
        if isinstance(part, ast.FunctionDef) and part.name == name:
            return part
        if isinstance(part, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in part.targets):
            if isinstance(part.value, ast.Lambda):
                return part.value
            if isinstance(part.value, ast.Name):
                return _function(trees, module, part.value.id, most - 1)
        if isinstance(part, ast.ImportFrom):
            top, _, inner = _target(part).partition(".")
            if top == NAME and part.names[0].name == "*" and (found := _function(trees, inner, name, most - 1)):
                return found
            for alias in part.names:
                if (alias.asname or alias.name) != name:
                    continue
                if top != NAME:
                    return (
                        f"`{NAME}/{module}.py` takes `{name}` from `{_target(part)[:40]}`. What features, model and pipeline are made of may come from "
                        "there; these functions are yours to write."
                    )
                return _function(trees, inner, alias.name, most - 1)
    return ""


def _target(part: ast.ImportFrom) -> str:
    """The full name of the module that something is imported from."""
    return f"{NAME}.{part.module or ''}".rstrip(".") if part.level else part.module or ""


def _takes_one(given: ast.arguments) -> bool:
    places = [*given.posonlyargs, *given.args]
    needed = len(places) - len(given.defaults)
    keywords = sum(default is None for default in given.kw_defaults)
    return needed <= 1 and (bool(places) or given.vararg is not None) and not keywords


def _uses(function: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether a function reads its first argument."""
    given = [*function.args.posonlyargs, *function.args.args]
    first = given[0] if given else function.args.vararg
    return any(
        isinstance(part, ast.Name) and part.id == first.arg and isinstance(part.ctx, ast.Load)
        for part in ast.walk(function)
    )


def _complete(trees: dict[str, ast.Module]) -> list[str]:
    """Names that a file uses and that nothing in it defines, and imports that find nothing."""
    told = []
    for module, tree in trees.items():
        bound = _bound(tree) | set(dir(builtins)) | {"__file__", "__path__", "__class__"}
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
            elif top == "flights" and (gone := _not_in_flights(target, names)):
                told.append(f"`{NAME}/{module}.py` imports `{gone[:60]}`, which `flights` does not have.")
            continue
        inner = rest.partition(".")[0]
        own = _bound(trees["__init__"]) if "__init__" in trees else set()
        wanted = [inner] if inner else [name for name in names if name != "*" and name not in own]
        gone = [name for name in wanted if name not in trees]
        if gone:
            told.append(f"`{NAME}/{module}.py` imports `{NAME}.{gone[0][:40]}`, and there is no such file.")
        elif inner and (gone := [name for name in names if name not in _bound(trees[inner]) and name != "*"]):
            told.append(f"`{NAME}/{module}.py` imports `{gone[0][:40]}` from `{NAME}.{inner}`, which has no such name.")
    return told


def _not_in_flights(target: str, names: list[str]) -> str:
    """The first that `flights` lacks, by the text of its files: to import them would load TensorFlow."""
    spec = importlib.util.find_spec("flights")
    place = Path(spec.submodule_search_locations[0], *target.split(".")[1:])
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not path.is_file():
        return "" if place.is_dir() else target
    bound = _bound(ast.parse(path.read_text(encoding="utf-8")))
    if bound & {"*", "__getattr__"}:
        return ""
    found = (name for name in names if name != "*" and not name.startswith("__") and name not in bound)
    lacking = (name for name in found if not (place / name).is_dir() and not (place / f"{name}.py").is_file())
    return next((f"{target}.{name}" for name in lacking), "")


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
            found.append((_target(part), [alias.name for alias in part.names]))
        elif isinstance(part, ast.Call) and part.args and isinstance(part.args[0], ast.Constant):
            called = getattr(part.func, "attr", getattr(part.func, "id", ""))
            target = part.args[0].value
            if called in ("__import__", "import_module") and isinstance(target, str) and target[:1] not in ("", "."):
                found.append((target, []))
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
        elif isinstance(part, ast.MatchMapping) and part.rest:
            found.add(part.rest)
    return found


PLACE = re.compile(
    r"(file://)?(/[\w.-]+){2,}|(file://)?/(home|Users|root|tmp|mnt|content)\b|~[/\\]|\.\.[/\\]|[A-Za-z]:[\\/](?!/)"
)
"""How a path of one machine begins: absolute, from somebody's home, or from a folder that the process happens to be in."""
HERE = {
    ("Path", "cwd"),
    ("Path", "home"),
    ("os", "getcwd"),
    ("os", "environ"),
    ("os", "getenv"),
    ("socket", "gethostname"),
    ("platform", "node"),
    ("sys", "argv"),
    ("path", "expanduser"),
    ("os.path", "expanduser"),
    ("Path", "expanduser"),
    ("getpass", "getuser"),
    ("tempfile", "gettempdir"),
    ("tempfile", "mkdtemp"),
    ("tempfile", "TemporaryDirectory"),
}


def _places(trees: dict[str, ast.Module]) -> list[str]:
    """Paths of one machine, and questions to the machine where it is."""
    told = []
    for module, tree in trees.items():
        prose = {
            id(part.value)
            for part in ast.walk(tree)
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
        }
        real = {
            alias.asname: alias.name
            for part in ast.walk(tree)
            if isinstance(part, ast.Import)
            for alias in part.names
            if alias.asname
        }
        # What TensorFlow is told about its own log says nothing about the machine.
        quiet = {
            id(part.value)
            for part in ast.walk(tree)
            if isinstance(part, ast.Subscript)
            and isinstance(part.ctx, ast.Store)
            and isinstance(part.slice, ast.Constant)
            and str(part.slice.value).startswith("TF_")
        }
        for part in ast.walk(tree):
            text = part.value if isinstance(part, ast.Constant) and id(part) not in prose else None
            if isinstance(text, str) and (PLACE.match(text) or "lab-3-pipeline" in text):
                told.append(
                    f"`{NAME}/{module}.py` names a place of one machine: {text[:60]!r}. Whoever runs the pipeline says where "
                    "data and output are, by the configuration."
                )
            base = getattr(part, "value", None)
            name = getattr(base, "id", getattr(base, "attr", ""))
            asked = [(real.get(name, name), getattr(part, "attr", ""))] if id(part) not in quiet else []
            if isinstance(part, ast.Attribute) and part.attr == "expanduser":
                asked = [("Path", "expanduser")]
            if isinstance(part, ast.ImportFrom):
                asked = [(part.module, alias.name) for alias in part.names]
            for question in HERE.intersection(asked):
                told.append(
                    f"`{NAME}/{module}.py` asks the machine (`{'.'.join(question)}`). On another one it gets another answer: "
                    "take what you need from the configuration."
                )
    return told


STRANGE = {"course", "IPython", "ipykernel", "ipywidgets", "__main__"}


def _alone(trees: dict[str, ast.Module]) -> list[str]:
    """What the package may not need, and what it may not leave to the course's package."""
    told = []
    for module, tree in trees.items():
        strange = {target.partition(".")[0] for target, _ in _imports(tree)} & STRANGE
        if strange:
            told.append(
                f"`{NAME}/{module}.py` imports `{min(strange)}`, which is there for notebooks. Who runs the pipeline at night has none."
            )
        if taken := sorted(_of_flights(tree) & set(NAMES)):
            told.append(f"`{NAME}/{module}.py` calls `{taken[0]}` of `flights`: what it does is yours to write.")
    return told


def _of_flights(tree: ast.Module) -> set[str]:
    """Names that a file takes from the course's package, imported or by its modules."""
    found, modules = set(), set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            modules |= {alias.asname or "flights" for alias in part.names if alias.name.partition(".")[0] == "flights"}
        elif isinstance(part, ast.ImportFrom) and _target(part).partition(".")[0] == "flights":
            found |= {alias.name for alias in part.names}
            modules |= {alias.asname or alias.name for alias in part.names}
    for part in ast.walk(tree):
        if isinstance(part, ast.Attribute):
            base = part.value
            while isinstance(base, ast.Attribute):
                base = base.value
            found |= {part.attr} if isinstance(base, ast.Name) and base.id in modules else set()
    return found
