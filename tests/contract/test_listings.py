"""What says which module of a folder does what names each module, and none that is gone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("folder", ["", "views"])
def test_readme_of_course_has_each_module(root, folder):
    course = root / "src" / "course"
    named = set(re.findall(r"`(\w+)\.py`", (course / "README.md").read_text(encoding="utf-8")))
    assert modules(course / folder) - named == set(), "modules without a line in the README"
    assert named - {path.stem for path in course.rglob("*.py")} == set(), "lines of modules that are not there"


@pytest.mark.parametrize("lab", ["lab_1", "lab_2", "lab_3", "lab_4", "lab_5", "lab_6"])
def test_package_of_a_lab_has_a_line_for_each_module(root, lab):
    folder = root / "src" / "judges" / lab
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert set(re.findall(r"^    (\w+): ", said, re.MULTILINE)) == modules(folder)
