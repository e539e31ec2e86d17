"""Cells of a notebook that become files."""

from __future__ import annotations

import ast


def current() -> str:
    """The id of the cell that runs, where its front end says it (JupyterLab does); otherwise empty."""
    from IPython import get_ipython

    shell = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", ""))


def join(parts: dict[str, str], source: str, cell: str = "") -> str:
    """Enters a cell among the parts of a file, and returns the file.

    A cell takes the place of what it was before, and of other cells whose definitions it has, all of them. Otherwise it comes last.

    Args:
        parts: the cells so far, each by its id or, without one, by its text; this one is entered.
        source: the cell.
        cell: its id.

    Raises:
        ValueError: it defines anew something of another cell, which defines more: that would be lost.
    """
    source = source.strip("\n")
    mine = names(source)
    others = [key for key, part in parts.items() if key != cell and mine & names(part)]
    defined = set().union(*(names(parts[key]) for key in others))
    if lost := sorted(defined - mine):
        raise ValueError(
            f"this cell defines {', '.join(sorted(mine & defined))} again, and would take the place of a cell that defines {', '.join(lost)}, too. "
            "Choose another name, change that other cell, or define all of it here."
        )
    key = cell or source
    replaced = [one for one in parts if one in (key, *others)]
    entered: dict[str, str] = {}
    for one, part in parts.items():
        if one in replaced[:1]:
            entered[key] = source
        elif one not in replaced:
            entered[one] = part
    entered.setdefault(key, source)
    parts.clear()
    parts.update(entered)
    return "\n\n\n".join(part.rstrip() for part in parts.values()) + "\n"


def names(source: str) -> set[str]:
    """What a cell defines at its top: functions, classes and values; neither what it imports nor what it adds to (`X |= ...`)."""
    found = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            stored = (node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
            found |= {node.id for node in stored if isinstance(node.ctx, ast.Store)}
    return found
