"""`make project`: what it refuses, and that the copy is whole and spells no name but its own."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flights.columns import WATCHED
from tools.grade import box
from tools.project import start
from tools.project.__main__ import main
from warm import client

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
        "deploy",
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


def test_its_texts_and_the_box_of_grading_have_each_package_that_it_needs(root):
    packages = {path.name for path in (root / "src").iterdir() if (path / "__init__.py").is_file()}
    trees = [ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in start.SOURCE.rglob("*.py")]
    nodes = [node for tree in trees for node in tree]
    named = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    named += [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
    needed = packages & {name.split(".")[0] for name in named} | {"operation"}
    assert {"engines", "serving"} < needed
    for text in ("README.md.template", "pyproject.toml.template"):
        assert needed <= set(re.findall(r"`(\w+)`", (start.TEMPLATES / text).read_text(encoding="utf-8"))), text
    assert needed <= {path.name for path in box.shown_paths()}


def test_the_copy_is_watched_under_its_own_name(tmp_path):
    start.start("late_planes", tmp_path / "project")
    asked = "from late_planes.watch import PROJECT; import sys; print(PROJECT.name, PROJECT.costs.miss > 0, *PROJECT.slices); assert 'flights' not in sys.modules"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "project" / "src")}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["late_planes", "True", *WATCHED]


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
    """Neither in an import, where a copy would go on with the original's modules, nor in any text or comment, which would send its readers there."""
    found = []
    for path in sorted(start.SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.name}, line {getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "flights":
                found.append(f"{place}: from {node.module} import ...")
            if isinstance(node, ast.Import) and any(one.name.split(".")[0] == "flights" for one in node.names):
                found.append(f"{place}: import ...")
    for path in sorted(file for file in start.SOURCE.rglob("*") if file.suffix in (".py", ".pbtxt", ".json")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            named = re.findall(r"\bflights[.:/](\w+)", line)
            found += [f"{path.name}, line {number}: {line.strip()}" for name in named if name in MODULES | {"schema"}]
    assert not found, "\n".join(found)


TABLE = {"columns", "data", "features", "model", "rules", "month_rules", "config", "schedule", "feature_store"}
"""Modules of the pipeline that say what the table is; all others work on any."""


@pytest.mark.xdist_group("tfx")
def test_only_the_modules_that_say_what_the_table_is_hold_the_name_of_a_column():
    """As a text of its own, or in quotes within one: what a copy for another table would have to find and change."""
    from flights import columns, data, features
    from flights.model import PROBABILITY

    names = {*data.COLUMN_TYPES, *data.AFTERWARDS, *columns.DERIVED, *features.SCALED, PROBABILITY, columns.FILE}
    names |= {one(name) for one in (features.scaled, features.index) for name in names}
    found = []
    for path in sorted(start.SOURCE.rglob("*.py")):
        nodes = [] if path.stem in TABLE else list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        for node in nodes:
            if id(node) not in alone and isinstance(node, ast.Constant) and isinstance(node.value, str):
                quoted = re.findall(r"""['"](\w+)['"]""", node.value)
                wired = {*quoted, *re.split(r"[/ ]", node.value) * (columns.FILE in node.value), node.value} & names
                found += [f"{path.name}, line {node.lineno}: {name}" for name in sorted(wired)]
    assert not found, "\n".join(found)


def _rename_columns(package: Path) -> None:
    """Changes the name of every column, in the modules of `TABLE` and in the schema, and nothing else."""
    from flights.data import COLUMN_TYPES

    names = "|".join(COLUMN_TYPES)
    for path in [package / f"{name}.py" for name in TABLE - {"schedule"}]:  # "month" is a length of time there
        path.write_text(re.sub(rf'"({names})"', r'"its_\1"', path.read_text()).replace('"flights.csv"', '"rows.csv"'))
    schema = package / "schema/schema.pbtxt"
    text = re.sub(rf'(name|domain): "({names})"', r'\1: "its_\2"', schema.read_text())
    tags = re.compile(rf"\b({names})\b(?! of )")  # "weekday of" and "every day of" are words of rules
    schema.write_text(re.sub(r'tag: ".*?"', lambda tag: tags.sub(r"its_\1", tag[0]), text))


PROGRAM = """
import importlib.abc, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("flights", "course"):
            raise ImportError(f"{name} was asked for")

def main(arguments):
    assert not {"flights", "course"} & set(sys.modules)
    sys.meta_path.insert(0, Refuse())
    sys.path.insert(0, "src")
    from late_planes.cli import main
    return main(arguments)
"""


@pytest.mark.slow
@pytest.mark.xdist_group("warm")
@pytest.mark.skipif(not client.FORKS, reason="processes that have loaded TensorFlow fork on Linux only")
@pytest.mark.parametrize(
    "search",
    [pytest.param(["--tune", "--tuner-trials", "1"], id="after a search", marks=pytest.mark.long), []],
)
def test_the_copy_under_another_name_and_with_other_columns_runs_to_a_pushed_model(
    tmp_path, root, warm_kernels, search
):
    """In a process that knows the original by no name; the search asks for columns as well."""
    start.start("late_planes", tmp_path / "project")
    _rename_columns(tmp_path / "project/src/late_planes")
    rows = tmp_path / "data/span-01/rows.csv"
    rows.parent.mkdir(parents=True)
    header, _, rest = (root / "data/flights/span-01/flights.csv").read_text().partition("\n")
    rows.write_text(",".join(f"its_{name}" for name in header.split(",")) + "\n" + rest)
    (tmp_path / "program.py").write_text(PROGRAM)
    # Whether the model is good is not asked here.
    options = [*search, "--train-epochs", "1", "--min-auc", "0", "--min-slice-auc", "0"]
    places = ["--data-root", str(tmp_path / "data"), "--output-root", "out"]
    with open(tmp_path / "said", "w") as said:
        process = warm_kernels.fork(
            "program",
            "main",
            ["run", *options, *places],
            files=(0, said.fileno(), said.fileno()),
            folder=tmp_path / "project",
            path=[str(tmp_path)],
        )
        status = process.wait(600)
    told = (tmp_path / "said").read_text()
    assert status == 0, told
    assert "Blessed and pushed: " in told.splitlines()[-1]
    version = Path(told.splitlines()[-1].removeprefix("Blessed and pushed: "))
    assert (tmp_path / "project" / version / "saved_model.pb").is_file()
