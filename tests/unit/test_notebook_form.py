"""The committed form of notebooks: nothing of the run stays, and what differs from the form is named."""

from __future__ import annotations

import os

import nbformat
import pytest
import sample_lesson
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.notebooks import form
from warm import kernels


def normalised(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return form.normalise(new_notebook(cells=list(cells)))


def test_form_is_valid_and_doing_it_twice_changes_nothing():
    once = sample_lesson.with_outputs()
    nbformat.validate(once)
    assert form.dumps(form.normalise(once)) == form.dumps(once)
    assert (once.nbformat, once.nbformat_minor, once.metadata.kernelspec.name) == (4, 5, "mlops-course")


def test_kernel_says_of_its_language_what_the_form_holds():
    """JupyterLab writes it into each notebook that is opened: a patch release of Python must not be part of it."""
    manager, client = start_new_kernel(kernel_name=form.KERNEL, env=os.environ | {kernels.OFF: "no"})
    try:
        said = client.kernel_info(reply=True, timeout=60)["content"]["language_info"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert said == form.NOTEBOOK_METADATA["language_info"]
    assert said["version"] == "3.11"


def test_ids_follow_from_the_source_and_are_unique():
    first, again, other = normalised(new_code_cell("1"), new_code_cell("1"), new_code_cell("2")).cells
    assert len({first.id, again.id, other.id}) == 3
    assert normalised(new_code_cell("1")).cells[0].id == first.id
    assert normalised(new_markdown_cell("1")).cells[0].id != first.id


def test_metadata_of_the_run_go_and_those_of_the_course_stay():
    cell = new_code_cell("1", execution_count=9, metadata={"execution": {"iopub.busy": "x"}, "tags": ["parameters"]})
    cell.metadata.update(
        papermill={"duration": 1.2}, slideshow={"slide_type": "skip"}, nbgrader={"grade": True}, collapsed=True
    )
    assert set(normalised(cell).cells[0].metadata) == {"tags", "slideshow", "nbgrader"}
    empty = new_code_cell("1", metadata={"tags": [], "slideshow": {"slide_type": ""}})
    assert normalised(empty).cells[0].metadata == {}


def test_counts_are_those_of_a_fresh_run():
    cells = [
        new_code_cell("1", execution_count=7),
        new_code_cell(""),
        new_code_cell("2", execution_count=12),
        new_code_cell("3"),
    ]
    cells[2].outputs = [new_output("execute_result", data={"text/plain": "2"}, execution_count=12)]
    made = normalised(*cells)
    assert [cell.execution_count for cell in made.cells] == [1, None, 2, None]
    assert made.cells[2].outputs[0].execution_count == 2


def test_cells_of_papermill_go():
    injected = new_code_cell("n = 1", metadata={"tags": ["injected-parameters"]})
    assert [cell.source for cell in normalised(new_code_cell("n = 2"), injected).cells] == ["n = 2"]


def test_widget_views_go_and_what_stands_beside_them_stays():
    view = {form.WIDGET_VIEW: {"model_id": "abc"}}
    cell = new_code_cell("slider", execution_count=1)
    cell.outputs = [
        new_output("display_data", data=view),
        new_output("display_data", data={**view, "text/html": "<p>"}),
    ]
    assert [dict(output.data) for output in normalised(cell).cells[0].outputs] == [{"text/html": "<p>"}]


def test_streams_are_joined_and_overwritten_lines_go():
    cell = new_code_cell("loop", execution_count=1)
    texts = ["10 %\r", "100 %\n", "done\n"]
    cell.outputs = [new_output("stream", name="stdout", text=text) for text in texts]
    assert [output.text for output in normalised(cell).cells[0].outputs] == ["100 %\ndone\n"]


def test_error_keeps_its_last_line():
    cell = new_code_cell("1 / 0", execution_count=1)
    trace = ["----", 'File "/home/ann/x.py"', "\x1b[31mZeroDivisionError\x1b[0m: division by zero"]
    cell.outputs = [new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=trace)]
    assert normalised(cell).cells[0].outputs[0].traceback == ["\x1b[31mZeroDivisionError\x1b[39m: division by zero"]


def test_file_in_the_form_has_no_differences(tmp_path):
    path = tmp_path / "a.ipynb"
    form.write(sample_lesson.with_outputs(), path)
    assert form.differences(path) == []
    assert path.read_text().endswith("}\n")


def changed(path, change):
    node = form.read(path)
    change(node)
    path.write_text(form.dumps(node))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda node: node.metadata.update(widgets={}), "metadata"),
        (lambda node: node.metadata.kernelspec.update(name="python3"), "the kernel mlops-course"),
        (lambda node: node.update(nbformat_minor=4), "not 4.5"),
        (lambda node: node.cells[1].update(source="x = 1"), "cell 2: the id does not follow from the source"),
        (lambda node: node.cells[1].update(execution_count=5), "cell 2: its execution count is 5, not 1"),
        (lambda node: node.cells[1].metadata.update(scrolled=True), "cell 2: metadata scrolled"),
        (lambda node: node.cells[9].outputs[0].data.update({form.WIDGET_VIEW: {}}), "cell 10: its outputs"),
        (lambda node: node.cells[1].metadata.update(tags=["injected-parameters"]), "papermill added"),
    ],
)
def test_difference_is_named(change, words, tmp_path):
    path = tmp_path / "a.ipynb"
    form.write(sample_lesson.with_outputs(), path)
    changed(path, change)
    found = form.differences(path)
    assert any(words in what for what in found), found


def test_json_written_otherwise_is_a_difference(tmp_path):
    path = tmp_path / "a.ipynb"
    form.write(sample_lesson.with_outputs(), path)
    path.write_text(path.read_text().rstrip("\n"))
    assert "JSON" in form.differences(path)[0]


def test_write_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("old")
    monkeypatch.setattr(form, "dumps", lambda notebook: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        form.write(sample_lesson.source(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_is_no_notebook_is_named(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"a\.ipynb is no notebook"):
        form.read(path)
