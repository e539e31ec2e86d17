"""The table of lessons follows from the lessons."""

from __future__ import annotations

import nbformat
import pytest
import sample_lesson

from tools.docs import readme
from tools.notebooks import form


@pytest.fixture
def course(tmp_path):
    """A course with one lesson and a README without its table."""
    (tmp_path / "notebooks").mkdir()
    form.write(sample_lesson.source(), tmp_path / "notebooks" / "90-sample.ipynb")
    (tmp_path / "README.md").write_text(f"# Course\n\n{readme.START}\nold\n{readme.END}\n\nMore.\n")
    return tmp_path


def test_table_is_written_between_the_marks_and_only_once(course):
    assert readme.renew(course) is True
    text = (course / "README.md").read_text()
    assert "| [90 Sample](notebooks/90-sample.ipynb) | A lesson that exists only in tests. | 1 minute |" in text
    assert text.startswith("# Course\n\n")
    assert text.endswith("\n\nMore.\n")
    assert "old" not in text
    assert readme.renew(course) is False


def test_check_writes_nothing(course):
    before = (course / "README.md").read_text()
    assert readme.renew(course, write=False) is True
    assert (course / "README.md").read_text() == before


def test_labs_come_after_lessons(course):
    (course / "labs" / "lab-1").mkdir(parents=True)
    cell = nbformat.v4.new_markdown_cell(
        "# Lab 1: Data\n\nBuild a [schema](../x.md) | or two.\n\n**Time**: 90 minutes. Or more."
    )
    form.write(nbformat.v4.new_notebook(cells=[cell]), course / "labs" / "lab-1" / "lab-1.ipynb")
    lines = readme.table(course).splitlines()
    assert lines[0].startswith("| Lesson |")
    assert r"| [Lab 1: Data](labs/lab-1/lab-1.ipynb) | Build a schema \| or two. | 90 minutes |" in lines


def test_time_keeps_its_numbers(course):
    path = course / "notebooks" / "90-sample.ipynb"
    node = form.read(path)
    node.cells[0].source = node.cells[0].source.replace("1 minute.", "about 1.5 hours. Mostly reading.")
    form.write(node, path)
    assert readme.entry(path, course).time == "about 1.5 hours"


@pytest.mark.parametrize("lost", ["# 90 Sample", "A lesson that exists only in tests.", "**Time**: 1 minute."])
def test_first_cell_that_lacks_something_is_named(course, lost):
    path = course / "notebooks" / "90-sample.ipynb"
    node = form.read(path)
    node.cells[0].source = node.cells[0].source.replace(lost, "").strip()
    form.write(node, path)
    with pytest.raises(readme.NotReadable, match="90-sample"):
        readme.renew(course)


def test_readme_without_marks_is_named(course):
    (course / "README.md").write_text("# Course\n")
    with pytest.raises(readme.NotReadable, match="README"):
        readme.renew(course)
