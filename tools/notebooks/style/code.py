"""Rules about code cells."""

from __future__ import annotations

import ast
import re

from tools.notebooks.style.base import LAB, LESSON, SOLUTION, Cell, Found, Notebook, rule

WANTED_LINES, MOST_LINES = 15, 25
LONG_SHARE = 0.25
"""Share of code cells that may have more than the wanted lines."""
TAGS = {"parameters", "raises-exception", "nbval-ignore-output", "nbval-skip", "hide-input", "exercise"}

_SHELL = re.compile(r"^\s*(!|%%?(pip|conda|mamba|uv|sh|bash|script|sx|system|cmd)\b|(\w+\s*=\s*)!)", re.MULTILINE)
_COMMENT_MARKER = re.compile(r"^\s*#+\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", re.MULTILINE)


@rule(LESSON)
def set_up_cells(notebook: Notebook) -> Found:
    """First code cell: `course.begin` with the notebook's own name. Second: tagged `parameters`."""
    if len(notebook.code) < 2:
        yield None, "it has to have two code cells at least: set-up, and parameters"
        return
    first = notebook.code[0]
    name = notebook.path.stem
    if not re.search(rf"""course\.begin\(\s*["']{re.escape(name)}["']\s*\)""", first.source):
        yield first, f'the first code cell has to call course.begin("{name}"), with the name of the file'
    yield from _parameters(notebook, notebook.code[1], "the second code cell")


@rule(SOLUTION, LAB)
def parameters_cell(notebook: Notebook) -> Found:
    """Labs have a cell of parameters too, so that tests can run them small."""
    tagged = [cell for cell in notebook.code if "parameters" in cell.tags]
    yield from _parameters(notebook, tagged[0] if tagged else None, "a code cell")


@rule()
def known_tags(notebook: Notebook) -> Found:
    """A tag that is misspelt does nothing, and nobody notices."""
    for cell in notebook.cells:
        for tag in sorted(set(cell.tags) - TAGS):
            yield cell, f"nothing here knows the tag {tag!r}; known are {', '.join(sorted(TAGS))}"
        if cell.is_code and (found := _COMMENT_MARKER.search(cell.source)):
            yield cell, f"say it with a tag instead of the comment {found[1]}, which readers would have to read"


@rule(LESSON, SOLUTION)
def length(notebook: Notebook) -> Found:
    """Code cells have up to 15 lines, 25 at most."""
    sizes = [(cell, len(cell.source.strip().splitlines())) for cell in notebook.code]
    for cell, lines in sizes:
        if lines > MOST_LINES:
            yield (
                cell,
                f"it has {lines} lines of code, {MOST_LINES} at most: split it, or import what is not the lesson",
            )
    long = [cell.number for cell, lines in sizes if lines > WANTED_LINES]
    if long and len(long) > LONG_SHARE * len(sizes):
        yield (
            None,
            f"{len(long)} of {len(sizes)} code cells have more than {WANTED_LINES} lines (cells {', '.join(map(str, long))})",
        )


@rule()
def no_shell(notebook: Notebook) -> Found:
    """No `!pip`, no shell: it does something else on each machine, and says nothing when it fails."""
    for cell in notebook.code:
        found = _SHELL.search(cell.source)
        if found:
            line = cell.source[: found.end()].count("\n") + 1
            yield cell, f"line {line} runs a shell or an installer: {cell.source.splitlines()[line - 1].strip()[:60]!r}"
        elif re.search(r"\bos\.system\(|get_ipython\(\)\.(system|getoutput)\(", cell.source):
            yield cell, "it runs a shell"


@rule()
def no_star_import(notebook: Notebook) -> Found:
    """No `import *`: a reader could not tell where a name comes from."""
    for cell in notebook.code:
        tree = _tree(cell)
        if tree is None:
            if "raises-exception" not in cell.tags:
                yield cell, "it is not valid Python"
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                yield cell, f"line {node.lineno} imports * from {node.module}: import the names that are used"


@rule()
def no_closing_semicolon(notebook: Notebook) -> Found:
    """A `;` hides a cell's last value in JupyterLab, and does not under nbval: the comparison would fail."""
    for cell in notebook.code:
        if re.search(r";\s*(#.*)?$", cell.source.rstrip()):
            yield cell, "it ends with `;`, which nbval does not heed: assign the value to `_` instead"


def _parameters(notebook: Notebook, cell: Cell | None, which: str) -> Found:
    tagged = [other for other in notebook.code if "parameters" in other.tags]
    if cell is None or "parameters" not in cell.tags:
        yield cell, f"{which} has to be tagged `parameters` (JupyterLab: the gears, Cell Tags)"
        return
    for other in tagged[1:]:
        yield other, "a notebook has one cell tagged `parameters`, and this is another"
    tree = _tree(cell)
    for node in tree.body if tree else []:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not _literal(node.value):
            yield cell, f"line {node.lineno} is not `name = value` with a plain value: papermill could not replace it"


def _literal(node: ast.expr | None) -> bool:
    try:
        ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError):
        return False
    return True


def _tree(cell: Cell) -> ast.Module | None:
    """Returns a cell's syntax tree (magics become comments), or None when it is not Python."""
    if cell.source.lstrip().startswith("%%"):
        return ast.Module(body=[], type_ignores=[])
    try:
        return ast.parse(re.sub(r"^(\s*)[%!]", r"\1pass  # ", cell.source, flags=re.MULTILINE))
    except SyntaxError:
        return None
