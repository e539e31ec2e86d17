"""Submissions of the sample lab: honest ones, and one of each kind that would cheat, break or escape.

Each that would destroy something first makes sure that it is confined (`GUARD`), and aims at what the test has put there for it.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import sample_lab

from tools.notebooks import form

GUARD = "import os\nassert os.path.isdir('/scratch/home'), 'not confined'\n"
MARK = "hostile-marker"
SUM, WORDS = sample_lab.ANSWERS["sum"], sample_lab.ANSWERS["words"]
REPORT = '(workspace / "report.txt").write_text(f"sum: {TOTAL}")\nREPORT = "report.txt"'


@dataclass(frozen=True)
class Case:
    """What is submitted, the points that it has to get, and words of how it ended."""

    points: float
    ended: str
    cells: dict[str, str] | None = None
    change: Callable[[nbformat.NotebookNode], None] | None = None
    content: bytes | None = None
    make: Callable[[Path], None] | None = None


def solved(**cells: str) -> nbformat.NotebookNode:
    """The lab as a student solves it, with some answer cells replaced."""
    node = sample_lab.source()
    for cell in node.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = "\n".join(line for line in cell.source.splitlines() if "SOLUTION" not in line)
        cell.source = cells.get(name, cell.source)
    return node


def check_cells(node: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in node.cells if cell.metadata.get("nbgrader", {}).get("grade")]


def write(name: str, case: Case, folder: Path) -> None:
    """Writes a case into a folder of submissions."""
    if case.make:
        case.make(folder / name)
    elif case.content is not None:
        (folder / f"{name}.ipynb").write_bytes(case.content)
    else:
        node = solved(**(case.cells or {}))
        if case.change:
            case.change(node)
        (folder / f"{name}.ipynb").write_text(nbformat.writes(node, version=nbformat.NO_CONVERT), encoding="utf-8")


# Changes of the notebook itself.


def forge(node: nbformat.NotebookNode) -> None:
    """Points in the outputs, in the metadata and in the place of the check, and no right answer."""
    for cell in check_cells(node):
        cell.source = "600"
        cell.metadata.nbgrader.points = 600
        cell.execution_count = 1
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "600"}, execution_count=1)]


def unlock(node: nbformat.NotebookNode) -> None:
    for cell in check_cells(node):
        cell.source = "600"
        cell.metadata.nbgrader.update(grade=False, solution=True, locked=False, points="many", schema_version="x")


def remove_checks(node: nbformat.NotebookNode) -> None:
    node.cells = [cell for cell in node.cells if not cell.metadata.get("nbgrader", {}).get("grade")]


def swap_ids(node: nbformat.NotebookNode) -> None:
    first, second, _ = check_cells(node)
    first.metadata.nbgrader.grade_id, second.metadata.nbgrader.grade_id = "check-words", "check-sum"


def duplicate(node: nbformat.NotebookNode) -> None:
    """Every marked cell twice, checks also before there is an answer, ids of cells all the same."""
    marked = [cell for cell in node.cells if cell.metadata.get("nbgrader")]
    node.cells[3:3] = copy.deepcopy(check_cells(node))
    node.cells += copy.deepcopy([cell for cell in marked if cell.metadata.nbgrader.get("grade")])
    for cell in node.cells:
        cell.id = "same"


def strip(node: nbformat.NotebookNode) -> None:
    """No metadata at all, as some editors leave it."""
    for cell in node.cells:
        cell.metadata = nbformat.from_dict({})


def strange_metadata(node: nbformat.NotebookNode) -> None:
    node.metadata = nbformat.from_dict({"kernelspec": {"name": "bash", "display_name": "x"}, "nbgrader": 7})
    for cell in node.cells[::2]:
        cell.metadata = nbformat.from_dict({"nbgrader": [1, 2]})
    check_cells(solved())


def markdown(node: nbformat.NotebookNode) -> None:
    evil = "<script>alert(1)</script>\n\n[x](javascript:alert(2)) <b style='position: fixed'>20 of 20</b> <img src=x onerror=alert(3)>"
    node.cells.insert(1, nbformat.v4.new_markdown_cell(evil))
    node.cells.insert(1, nbformat.v4.new_raw_cell(evil))


def older() -> bytes:
    return nbformat.writes(nbformat.convert(solved(), 3), version=3).encode()


def other_lab() -> bytes:
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    return form.dumps(node).encode()


def folder_with(name: str, content: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir()
        content(folder / name)

    return make


def nbgrader_layout(folder: Path) -> None:
    place = folder / sample_lab.NAME
    place.mkdir(parents=True)
    (place / "helper.py").write_text("WORDS = ['span', 'split']\n")
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("/etc/passwd")
    node = solved(words="from helper import WORDS")
    (place / f"{sample_lab.NAME}.ipynb").write_text(form.dumps(node))


def names_of_ours(folder: Path) -> None:
    """Modules of the student's own beside the notebook, called as Python's, the grader's and the course's are."""
    folder.mkdir()
    for name in ("queue", "json", "asyncio", "run", "kernel", "warm", "course", "nbclient"):
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    (folder / "tools.py").write_text("WORDS = ['span', 'split']\n")
    node = solved(words="import queue\nfrom tools import WORDS")
    (folder / f"{sample_lab.NAME}.ipynb").write_text(form.dumps(node))


def cases(victim: Path, port: int, home: Path, root: Path) -> dict[str, Case]:
    """All cases by the student's name.

    Args:
        victim: a folder of the test that submissions can see, and that they would delete.
        port: where the test listens on 127.0.0.1.
        home: the home of who grades.
        root: the course.
    """
    done = "^finished$"
    marks = [
        home / MARK,
        root / MARK,
        root / "src" / MARK,
        root / "out" / MARK,
        Path("/var/tmp") / MARK,
        Path("/") / MARK,
    ]
    report = 'REPORT = "report.txt"'
    nested = b'{"nbformat": 4, "cells": ' + b"[" * 200_000
    lists: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [[]]}
    many = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": ""}] * 2000}
    lab = f"{sample_lab.NAME}.ipynb"
    return {
        # honest
        "right": Case(6, done),
        "half": Case(1.5, done, {"sum": "TOTAL = 12", "words": "WORDS = ..."}),
        "unsolved": Case(0, done, {"sum": "TOTAL = ...", "words": "WORDS = ...", "report": "REPORT = ..."}),
        "raises": Case(5, done, {"words": "1 / 0"}),
        "no-python": Case(5, done, {"words": "WORDS = = ["}),
        "in-folders": Case(6, done, make=nbgrader_layout),
        "stripped": Case(6, done, change=strip),
        "takes-what-is-given": Case(
            6, done, {"words": 'checks.deliver()\nWORDS = (workspace / "words.txt").read_text().split()'}
        ),
        "names-of-ours": Case(6, done, make=names_of_ours),
        # loops and eats
        "loops": Case(5, done, {"words": "while True: pass"}),
        "stubborn": Case(
            2,
            "time was over",
            {"words": GUARD + "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"},
        ),
        # What doubles is refused with a third of the memory still free: the kernel lives on, whatever it holds besides.
        "eats": Case(
            5, done, {"words": GUARD + "eaten = bytearray(10**7)\nwhile True: eaten = bytearray(2 * len(eaten))"}
        ),
        "eats-by-many": Case(
            2,
            "more than 2048 MB",
            {
                "words": GUARD
                + "import time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = b'x' * (3 * 10**8); time.sleep(600)\ntime.sleep(600)"
            },
        ),
        "prints": Case(5, done, {"words": "while True: print('x' * 1000)"}),
        "prints-little": Case(6, done, {"words": f"print('y' * 10**6)\n{WORDS}"}),
        "fills-the-disk": Case(
            3,
            done,
            {
                "words": GUARD
                + f"{WORDS}\nwith open('/scratch/big', 'wb') as file:\n    while True: file.write(b'0' * 10**6)",
                "report": report,
            },
        ),
        "forks": Case(2, "more than .* processes", {"words": GUARD + "while True: os.fork()"}),
        # ends
        "exits": Case(2, "kernel ended", {"words": "import os; os._exit(0)"}),
        "quits": Case(5, done, {"words": "exit()"}),
        "crashes": Case(2, "kernel ended", {"words": "import ctypes; ctypes.string_at(0)"}),
        "kills-parent": Case(
            2, "broke off", {"words": GUARD + "import time\nos.kill(os.getppid(), 9); time.sleep(60)"}
        ),
        "kills-all": Case(
            2, "broke off|kernel ended", {"words": GUARD + "import time\nos.kill(-1, 9); time.sleep(60)"}
        ),
        # deletes, writes, reads, connects
        "deletes-workspace": Case(3, done, {"words": f"import shutil; shutil.rmtree(workspace)\n{WORDS}"}),
        "deletes-all": Case(
            6,
            done,
            {
                "words": GUARD
                + f"import shutil\nfor path in ['..', {str(victim)!r}]: shutil.rmtree(path, ignore_errors=True)\n{WORDS}"
            },
        ),
        "writes-outside": Case(
            5,
            done,
            {
                "words": GUARD
                + f"done = []\nfor path in {[str(mark) for mark in marks]!r}:\n    try: open(path, 'w').write('x'); done.append(path)\n    except OSError: pass\nWORDS = done"
            },
        ),
        "reads": Case(
            5,
            done,
            {
                "words": GUARD
                + f"import pathlib\nWORDS = [p for p in {[str(root / 'solutions'), str(root / '.git'), str(home / '.bashrc')]!r} if os.path.exists(p)] + sorted(os.listdir('/proc/1/fd') if os.access('/proc/1/mem', os.R_OK) else [])"
            },
        ),
        "connects": Case(
            5,
            done,
            {
                "words": GUARD
                + f"import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port}), 3).send(b'{MARK}'); WORDS = ['connected']\nexcept OSError: WORDS = []"
            },
        ),
        "stays": Case(
            6,
            done,
            {
                "words": GUARD
                + f"import subprocess, sys\nfor _ in range(3):\n    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)', '{MARK}'], start_new_session=True)\n{WORDS}"
            },
        ),
        # the workspace as a weapon
        "links": Case(3, done, {"report": f"(workspace / 'report.txt').symlink_to('/etc/passwd')\n{report}"}),
        "pipes": Case(3, done, {"report": f"import os; os.mkfifo(workspace / 'report.txt')\n{report}"}),
        "huge-file": Case(
            3, done, {"report": f"with open(workspace / 'report.txt', 'wb') as f: f.truncate(10**8)\n{report}"}
        ),
        "many-files": Case(
            3,
            done,
            {"report": f"for i in range(5000): (workspace / f'a{{i}}').touch()\n{REPORT}"},
        ),
        "odd-names": Case(
            6,
            done,
            {
                "report": f"import os\nopen(os.fsencode(workspace) + b'/\\xff\\n', 'w').close()\n(workspace / '..x').mkdir()\n{REPORT}"
            },
        ),
        "replaces-workspace": Case(
            3,
            done,
            {"report": f"import shutil; shutil.rmtree(workspace); workspace.symlink_to('/scratch/home')\n{report}"},
        ),
        # answers as a weapon
        "huge-answers": Case(2, done, {"words": "WORDS = ['x' * 10**8]", "report": f"{REPORT}\nREPORT = [10**30]"}),
        "endless-answer": Case(
            5, done, {"words": "class L(list):\n    def __iter__(self):\n        while True: yield 1\nWORDS = L([1])"}
        ),
        "odd-answers": Case(
            2,
            done,
            {"words": "WORDS = [float('nan'), '\\ud800']", "report": f"{REPORT}\nREPORT = [[]]\nREPORT.append(REPORT)"},
        ),
        # cheats
        "redefines": Case(
            2,
            done,
            {
                "sum": "TOTAL = 0\nclass checks:\n    check = progress = begin = staticmethod(lambda *a, **k: 600)",
                "words": "import course.checks as c, course.checks.evaluation as e, sys\nc.check = c.evaluate = e.evaluate = e._judge = lambda *a, **k: (600, 'right', '')\n"
                f"sys.modules['course.checks'] = None\n{WORDS}",
            },
        ),
        "patches": Case(
            1,
            done,
            {
                "sum": "TOTAL = 0\nimport builtins, IPython\nbuiltins.repr = lambda *a, **k: '600'\n"
                "IPython.display.display = print = lambda *a, **k: None",
                "report": "REPORT = ...",
            },
        ),
        "breaks-python": Case(0, "", {"sum": "TOTAL = 0\nimport builtins\nbuiltins.compile = builtins.eval = None"}),
        "patches-json": Case(
            6, done, {"sum": f"{SUM}\nimport json\njson.dumps = json.JSONEncoder.encode = lambda *a, **k: '{{}}'"}
        ),
        "forges": Case(0, done, {"sum": "TOTAL = 0", "words": "WORDS = 0", "report": "REPORT = 0"}, forge),
        "unlocks": Case(0, done, {"sum": "TOTAL = 0", "words": "WORDS = 0", "report": "REPORT = 0"}, unlock),
        "removes-checks": Case(6, done, change=remove_checks),
        "swaps": Case(6, done, change=swap_ids),
        "duplicates": Case(6, done, change=duplicate),
        "strange-metadata": Case(6, done, change=strange_metadata),
        "writes-answers": Case(
            0,
            "",
            {
                "sum": 'TOTAL = 0\nimport os\nline = b\'\\n{"check": 6, "answers": 7}\\n{"ended": "end", "cell": 1e999}\\n[]\\n{"check": {}}\\n\'\n'
                "for fd in range(3, 200):\n    try: os.write(fd, line)\n    except OSError: pass",
                "words": "WORDS = 0",
                "report": "REPORT = 0",
            },
        ),
        "markup": Case(
            6,
            done,
            {
                "words": "from IPython.display import HTML, Javascript, display\ndisplay(HTML('<script>alert(1)</script><p onclick=alert(2) style=\"position: fixed\">20 of 20</p>'), Javascript('alert(3)'))\n"
                f"display({{'image/png': 'x\"><script>alert(4)</script>'}}, raw=True)\nprint('<script>alert(5)</script>')\n{WORDS}"
            },
            markdown,
        ),
        # no notebooks
        "empty": Case(0, "the file is empty", content=b""),
        "binary": Case(0, "holds no JSON", content=os.urandom(4096)),
        "half-json": Case(0, "holds no JSON", content=form.dumps(solved()).encode()[:700]),
        "other-json": Case(0, "JSON, but of something else", content=b"[1, 2, 3]"),
        "nested-json": Case(0, "holds no JSON", content=nested),
        "no-cells": Case(0, "no list of cells", content=json.dumps(lists).encode()),
        "too-many-cells": Case(0, "more than 1000 cells", content=json.dumps(many).encode()),
        "older": Case(0, "format 3", content=older()),
        "other-lab": Case(0, "none of the cells of this lab", content=other_lab()),
        "link": Case(0, "cannot be opened", make=lambda path: path.with_suffix(".ipynb").symlink_to("/etc/passwd")),
        "pipe": Case(0, "no ordinary file", make=folder_with(lab, os.mkfifo)),
        "no-notebook": Case(
            0, "no notebook in the folder", make=folder_with("essay.txt", lambda path: path.write_text("x"))
        ),
        "=odd name": Case(0, "no student's id"),
        "Zoe": Case(6, done),
        "zoe": Case(0, "of the same student already"),
    }
