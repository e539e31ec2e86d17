"""What a rule gets, and what it gives."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import form

LESSON, SOLUTION, LAB = "lesson", "solution", "lab"
IGNORED = ("nbval-ignore-output", "nbval-skip")
"""Tags that take a cell's output out of nbval's comparison."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as STYLE.md says. `cell` counts all cells from 1; None is the whole notebook."""

    notebook: str
    rule: str
    cell: int | None
    what: str

    def __str__(self) -> str:
        """Returns the sentence that a writer reads."""
        where = f", cell {self.cell}" if self.cell else ""
        return f"{self.notebook}{where}: {self.what} [{self.rule}]"


@dataclass(frozen=True)
class Cell:
    """A cell and its number, from 1."""

    number: int
    node: NotebookNode

    @property
    def source(self) -> str:
        """What is written in it."""
        return self.node.source

    @property
    def is_code(self) -> bool:
        """A code cell that is not empty."""
        return self.node.cell_type == "code" and bool(self.source.strip())

    @property
    def is_text(self) -> bool:
        """A Markdown cell."""
        return self.node.cell_type == "markdown"

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return form.tags(self.node)

    @property
    def outputs(self) -> list[NotebookNode]:
        """Its outputs; none for text."""
        return self.node.get("outputs", [])

    @property
    def compared(self) -> bool:
        """Whether nbval compares its outputs."""
        return not set(self.tags) & set(IGNORED)

    @functools.cached_property
    def prose(self) -> str:
        """Its Markdown without fenced code, whose lines are blanked, so that line numbers stay."""
        return re.sub(
            r"^(```|~~~).*?^\1[^\n]*$", lambda found: "\n" * found[0].count("\n"), self.source, flags=re.M | re.S
        )


@dataclass(frozen=True)
class Notebook:
    """A notebook and where it is. `kind` is `lesson`, `solution` or `lab`."""

    path: Path
    cells: list[Cell]
    node: NotebookNode
    kind: str = LESSON

    @classmethod
    def read(cls, path: Path, kind: str = LESSON) -> Notebook:
        """Reads a notebook from its file."""
        return cls.of(form.read(path), path, kind)

    @classmethod
    def of(cls, node: NotebookNode, path: Path, kind: str = LESSON) -> Notebook:
        """Makes one of a notebook that is already read."""
        return cls(path, [Cell(number, cell) for number, cell in enumerate(node.cells, start=1)], node, kind)

    @property
    def code(self) -> list[Cell]:
        """The code cells that are not empty."""
        return [cell for cell in self.cells if cell.is_code]

    @property
    def text(self) -> list[Cell]:
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.is_text]


Found = Iterator[tuple[Cell | None, str]]
Rule = Callable[[Notebook], Found]
RULES: dict[str, Rule] = {}
_KINDS: dict[str, tuple[str, ...]] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Enters a function among the rules, for the kinds of notebooks that it is about; for all when none is given."""

    def enter(function: Rule) -> Rule:
        RULES[function.__name__] = function
        _KINDS[function.__name__] = kinds or (LESSON, SOLUTION, LAB)
        return function

    return enter


def check(notebook: Notebook, name: str = "", only: str | None = None) -> list[Finding]:
    """Returns what in a notebook is not as STYLE.md says.

    Args:
        notebook: the notebook.
        name: what findings call it; its path when left out.
        only: one rule instead of all that are about this kind of notebook.
    """
    chosen = [only] if only else [rule for rule in RULES if notebook.kind in _KINDS[rule]]
    found: dict[tuple[str, int | None, str], list[str]] = {}
    for rule in chosen:
        for cell, what in RULES[rule](notebook):
            # The same fault many times in one cell is told once, with its first example.
            found.setdefault((rule, cell.number if cell else None, what.split("(")[0].split(":")[0]), []).append(what)
    findings = [
        Finding(
            name or str(notebook.path), rule, cell, whats[0] + (f" (and {len(whats) - 1} more)" if whats[1:] else "")
        )
        for (rule, cell, _), whats in found.items()
    ]
    return sorted(findings, key=lambda finding: finding.cell or 0)
