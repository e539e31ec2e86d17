"""Rules about outputs: there, meant, stable, compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import execute, form
from tools.notebooks.style.base import LAB, LESSON, SOLUTION, Found, Notebook, rule

COMPARED_SHARE = 0.7

_BEFORE = r"(?<![\w.:/~-])"
MACHINE_PATHS = [
    # /mnt/flights is where every container of the compiled pipeline finds its volume, and /mnt/models KServe's, on whatever machine.
    rf"{_BEFORE}/(?:home|root|Users|tmp|private|mnt(?!/(?:flights|models)\b)|workspaces?|content)/[\w.~-]",
    rf"{_BEFORE}/var/folders/",
    r"\bfile:///?[\w.~-]",
    r"\b[A-Z]:\\[\w.~-]",
]
UNSTABLE = {
    "a date of running": r"\b20(?:1[4-9]|[2-9]\d)-(?:0\d|1[0-2])-[0-3]\d\b",
    "a clock time": r"\b[0-2]?\d:[0-5]\d:[0-5]\d\b",
    "a Unix time": r"\b1[6-9]\d{8}(?:\d{3}|\d{6})?\b",
    "a duration": r"\b\d+(?:\.\d+)? ?(?:ms|µs|us|ns)(?:/step)?\b|\b\d+\.\d+ ?(?:s|sec|secs|seconds)\b"
    r"|\b(?:in|took|after) \d+ ?(?:s|sec|secs|seconds|minutes|min)\b",
    "a memory address": r"\b0x[0-9a-fA-F]{6,}\b",
    "a random id": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    "the name of a temporary file": r"\btmp(?=[a-z0-9_]*[0-9_])[a-z0-9_]{8}\b",
    "a process id": r"\b(?:pid|PID)\b[ =:]+\d+",
    "a port": r"\b(?:127\.0\.0\.1|localhost):\d+",
}
NOISE = r"^(?:(?:WARNING|INFO|ERROR|DEBUG)[: ]|[IWEF]\d{4} \d\d:\d\d|.{0,40}\b(?:absl|tensorflow|apache_beam|root) - (?:INFO|WARNING))"
_WIDGET = re.compile(
    r"^(?:interactive|VBox|HBox|Box|Tab|Accordion|Output|HTML|Label|Button|Dropdown|Image|\w+(?:Slider|Text|Progress|box|Buttons))\("
)


@rule(LESSON, SOLUTION)
def committed_form(notebook: Notebook) -> Found:
    """The file is as `tools.notebooks save` writes it."""
    if notebook.path.exists():
        for what in form.differences(notebook.path):
            yield None, f"{what}; python -m tools.notebooks save {execute.shown(notebook.path)}"


@rule(LESSON, SOLUTION)
def executed(notebook: Notebook) -> Found:
    """Each code cell was executed. nbval would not compare one that was not."""
    missing = [cell.number for cell in notebook.code if cell.node.get("execution_count") is None]
    if missing:
        yield None, f"not executed when it was saved: cell {', '.join(map(str, missing))}"
    if notebook.code and not any(cell.outputs for cell in notebook.code):
        yield None, "it shows no output at all"


@rule(LAB)
def no_outputs(notebook: Notebook) -> Found:
    """A lab is handed out without outputs: they would give solutions away."""
    for cell in notebook.code:
        if cell.outputs:
            yield cell, "a lab is committed without outputs; make it again with `make labs`"


@rule()
def errors_are_meant(notebook: Notebook) -> Found:
    """An error is in a cell tagged `raises-exception`, and shows its last line; such a cell has an error."""
    for cell in notebook.code:
        errors = [output for output in cell.outputs if output.output_type == "error"]
        meant = "raises-exception" in cell.tags
        if errors and not meant:
            yield (
                cell,
                f"it ended with {errors[0].ename}: mend it, or tag it `raises-exception` when the error is the point",
            )
        if meant and not errors and cell.node.get("execution_count") is not None:
            yield (
                cell,
                "it is tagged `raises-exception`, and raises nothing: the tag would hide an error that comes later",
            )
        for error in errors:
            if len("\n".join(error.get("traceback", [])).splitlines()) > 1 + error.evalue.count("\n"):
                yield cell, "its error shows the whole trace; save keeps the last line"


@rule()
def no_noise(notebook: Notebook) -> Found:
    """What the reader sees is meant: no logs, no warnings, no widget without its kernel."""
    for cell in notebook.code:
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                yield (
                    cell,
                    f"it writes to stderr ({output.text.strip()[:60]!r}): quiet what is not meant, print what is",
                )
            for text in _texts(output):
                if found := re.search(NOISE, text, re.MULTILINE):
                    line = text[found.start() :].splitlines()[0]
                    yield cell, f"its output holds a log line: {line[:60]!r}"
            plain = output.get("data", {})
            if set(plain) == {"text/plain"} and _WIDGET.match(plain["text/plain"]):
                yield (
                    cell,
                    "it shows a widget, which is nothing without a kernel: use course.explore, which leaves a figure",
                )


@rule()
def no_machine_paths(notebook: Notebook) -> Found:
    """Neither code nor outputs name a folder of one machine."""
    own = [re.escape(str(path)) for path in (execute.ROOT, Path.home()) if len(path.parts) > 2]
    pattern = re.compile("|".join([*MACHINE_PATHS, *(rf"{_BEFORE}{path}\b" for path in own)]))
    for cell in notebook.code:
        if found := pattern.search(cell.source):
            yield cell, f"its code names a path of one machine: {_around(cell.source, found)!r}"
        for output in cell.outputs:
            for text in _texts(output):
                if found := pattern.search(text):
                    yield (
                        cell,
                        f"its output names a path of one machine: {_around(text, found)!r}; show it relative, or only its name",
                    )


@rule(LESSON, SOLUTION)
def stable_outputs(notebook: Notebook) -> Found:
    """Compared outputs hold nothing that differs from run to run."""
    for cell in notebook.code:
        if not cell.compared:
            continue
        for output in cell.outputs:
            for text in _texts(output):
                for what, pattern in UNSTABLE.items():
                    if found := re.search(pattern, text):
                        yield (
                            cell,
                            f"its output holds {what} ({_around(text, found)!r}): leave it out, or tag the cell nbval-ignore-output",
                        )


@rule(LESSON, SOLUTION)
def compared_share(notebook: Notebook) -> Found:
    """At least 70 % of the code cells that show something are compared."""
    showing = [cell for cell in notebook.code if cell.outputs]
    ignored = [cell for cell in showing if not cell.compared]
    if showing and len(showing) - len(ignored) < COMPARED_SHARE * len(showing):
        cells = ", ".join(str(cell.number) for cell in ignored)
        yield (
            None,
            f"of {len(showing)} cells that show something only {len(showing) - len(ignored)} are compared "
            f"(at least {COMPARED_SHARE:.0%}); not compared: cells {cells}",
        )


def _texts(output: NotebookNode) -> Iterator[str]:
    """Yields what of an output can be read, without pictures."""
    if output.output_type == "stream":
        yield output.text
    elif output.output_type == "error":
        yield f"{output.ename}: {output.evalue}"
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            # What a reader does not see (styles, embedded pictures) is no part of the text.
            yield re.sub(r"<style\b.*?</style>|data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+", "", content, flags=re.DOTALL)
    for about in output.get("metadata", {}).values():
        if isinstance(about, dict) and isinstance(about.get("alt"), str):
            yield about["alt"]


def _around(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 20) : found.end() + 30].strip()
