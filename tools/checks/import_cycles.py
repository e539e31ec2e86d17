"""Circles of imports: modules that import each other can be read, tested and moved only together."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path


def import_cycle(*packages: Path) -> list[str]:
    """A circle of imports among the modules of some packages, the first of it again at its end; empty if there is none.

    Imports within functions count: they hide a circle and do not break it. What only a type checker imports does not count.

    Args:
        packages: their folders.
    """
    files = {_name(path, package.parent): path for package in packages for path in package.rglob("*.py")}
    graph = {name: {*_imported(name, path, set(files))} - {name} for name, path in files.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def _name(path: Path, root: Path) -> str:
    """The full name of a module."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(name: str, path: Path, known: set[str]) -> Iterator[str]:
    """Those of the known modules that a module imports. A name that is imported from a package is that of a module, where there is one."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in _at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from known & {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            found = [f"{start}.{alias.name}" for alias in node.names]
            yield from known & {module if module in known else start for module in found}


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All below a node but what stands under `if TYPE_CHECKING:`."""
    yield node
    if isinstance(node, ast.If) and any("TYPE_CHECKING" in vars(one).values() for one in ast.walk(node.test)):
        return
    for child in ast.iter_child_nodes(node):
        yield from _at_run_time(child)
