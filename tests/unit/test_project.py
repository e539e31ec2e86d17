"""`make project`: what it refuses, and that the copy is whole and spells no name but its own."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.project import start
from tools.project.__main__ import main

MODULES = {path.stem for path in start.SOURCE.glob("*.py")} - {"__init__"}


def test_the_project_has_all_that_it_needs_and_neither_engines_nor_course(tmp_path, capsys):
    folder = tmp_path / "new" / "project"
    folder.parent.mkdir()
    assert main(["late_planes", str(folder)]) == 0
    assert "README.md says how to go on" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {
        ".gitignore",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src",
        "tests",
    }
    assert [path.name for path in (folder / "src").iterdir()] == ["late_planes"]
    copied = {path.relative_to(folder / "src/late_planes") for path in (folder / "src").rglob("*") if path.is_file()}
    source = {path.relative_to(start.SOURCE) for path in start.SOURCE.rglob("*") if path.is_file()}
    assert copied == {path for path in source if "__pycache__" not in path.parts}
    assert "@" not in (folder / "pyproject.toml").read_text()
    assert not list(folder.parent.glob("*.unfinished"))


@pytest.mark.parametrize("name", ["", "My_Project", "my-project", "1st", "class", "json", "flights", "../up", "a.b"])
def test_a_name_that_cannot_be_a_package_or_is_taken_is_refused(name, tmp_path, capsys):
    assert main([name, str(tmp_path / "project")]) == 1
    assert capsys.readouterr().err.startswith(f"make project: NAME={name}: ")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").write_text("work")
    assert main(["late_planes", str(tmp_path)]) == 1
    assert "there is something in it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_no_file_of_the_pipeline_spells_the_name_of_its_package():
    """Neither in an import nor in a text that is more than a docstring; a copy would go on with the original's modules."""
    found = []
    for path in sorted(start.SOURCE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        for node in nodes:
            place = f"{path.name}, line {getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "flights":
                found.append(f"{place}: from {node.module} import ...")
            if isinstance(node, ast.Import) and any(one.name.split(".")[0] == "flights" for one in node.names):
                found.append(f"{place}: import ...")
            if id(node) not in alone and isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = re.findall(r"\bflights[.:/](\w+)", node.value)
                found += [f"{place}: {node.value!r}" for name in named if name in MODULES | {"schema"}]
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_the_copy_under_another_name_runs_to_a_pushed_model(tmp_path, root):
    """In processes that know the original by no name."""
    start.start("late_planes", tmp_path / "project")
    program = (
        "import sys, importlib.abc\n"
        "class Refuse(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] in ('flights', 'course'): raise ImportError(f'{name} was asked for')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "sys.path.insert(0, 'src')\n"
        "from late_planes.cli import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "--data-root", str(root / "data/flights"), "--output-root", "out"],
        cwd=tmp_path / "project",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Blessed and pushed: " in done.stdout.splitlines()[-1]
    version = Path(done.stdout.splitlines()[-1].removeprefix("Blessed and pushed: "))
    assert (tmp_path / "project" / version / "saved_model.pb").is_file()
