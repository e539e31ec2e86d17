"""Each rule of style catches what it is there for: a sample that keeps all rules is broken, one thing at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import sample_lesson

from tools.notebooks import form, style


@pytest.fixture
def sample():
    return sample_lesson.with_outputs()


def findings(node: nbformat.NotebookNode, tmp_path: Path, kind: str = "lesson", name: str = "90-sample.ipynb"):
    """Checks a notebook that lies in a file, as the committed ones do."""
    path = tmp_path / name
    form.write(node, path)
    return style.check(style.Notebook.read(path, kind), "sample")


def code(node, number):
    """Returns the code cell with this number, from 1."""
    return [cell for cell in node.cells if cell.cell_type == "code"][number - 1]


def replace(cell_number: int, old: str, new: str) -> Callable:
    def breaks(node):
        cell = node.cells[cell_number - 1]
        assert old in cell.source, "the test breaks nothing"
        cell.source = cell.source.replace(old, new)

    return breaks


def code_source(number: int, source: str) -> Callable:
    return lambda node: code(node, number).update(source=source)


def output_text(text: str, name: str = "stdout") -> Callable:
    return lambda node: code(node, 3).outputs[0].update(text=text, name=name)


def add_text(markdown: str) -> Callable:
    return lambda node: node.cells.insert(5, nbformat.v4.new_markdown_cell(markdown))


def add_output(**data: str) -> Callable:
    made = nbformat.v4.new_output("display_data", data={kind.replace("_", "/"): text for kind, text in data.items()})
    return lambda node: code(node, 3).outputs.append(made)


def tag(number: int, *tags: str) -> Callable:
    return lambda node: code(node, number).metadata.update(tags=list(tags))


def slide_type(cell_number: int, kind: str) -> Callable:
    return lambda node: node.cells[cell_number - 1].metadata.update(slideshow={"slide_type": kind})


def drop_last(count: int) -> Callable:
    return lambda node: node.cells.__delitem__(slice(-count, None))


def three_code_cells(node):
    node.cells[5:5] = [nbformat.v4.new_code_cell(f"{n}", execution_count=1) for n in range(3)]


def ignore_all_but_one(node):
    for number in (3, 4, 5):
        code(node, number).metadata.tags = [*form.tags(code(node, number)), "nbval-ignore-output"]


LAST = 26
BROKEN = [
    # rule, what is broken, words that the message must have
    ("opening_cell", replace(1, "# 90 Sample", "# Sample"), "`# 90 Title`"),
    ("opening_cell", replace(1, "A lesson that exists only in tests.", ""), "what the lesson is for"),
    ("opening_cell", replace(1, "**Time**", "Time"), "**Time**"),
    ("opening_cell", replace(1, "- draw their delays;\n", ""), "3 to 5"),
    ("opening_cell", lambda node: node.cells.pop(0), "opening cell"),
    ("closing_cells", drop_last(1), "it ends with: Summary 2, Summary 3, Summary 4, Summary 5"),
    ("closing_cells", replace(LAST, "## Next", "## Afterwards"), "## Next"),
    ("closing_cells", replace(LAST, "- Delays were drawn.\n", ""), "a line for each of the 3"),
    ("closing_cells", replace(LAST, "<summary>Which error?</summary>", ""), "question 3"),
    ("closing_cells", replace(LAST, "Three, as the output says.", ""), "question 1"),
    ("closing_cells", replace(LAST, "A division by zero, which was meant.\n\n</details>", ""), "opens 3 <details>"),
    ("closing_cells", replace(LAST, "- no author, no year.", ""), "Sources"),
    ("closing_cells", lambda node: node.cells.append(nbformat.v4.new_code_cell("1")), "no code may come after"),
    ("plain_words", add_text("A file that Nobody reads."), "'Nobody'"),
    ("plain_words", code_source(3, "print(1)  # whoever asks"), "'whoever'"),
    ("plain_words", add_text("It is simply so."), "'simply'"),
    ("rhythm", add_text("A line.\n\n" * 41), "reaches 42 lines"),
    ("rhythm", add_text("x" * 120 * 41), "lines without code"),
    ("rhythm", three_code_cells, "3 in a row"),
    ("callouts", add_text("> A quote of somebody."), "**In production**"),
    ("callouts", add_text("Prose.\n\n> **Tip** Do it."), "**Note**"),
    ("alt_text", add_text("![](../data/x.png)"), "no alt text"),
    ("alt_text", add_text("![Figure of the delays](x.png)"), "not what it shows"),
    ("alt_text", add_text('<img src="x.png" alt="delays">'), "does not say"),
    ("alt_text", lambda node: code(node, 4).outputs[0].metadata.clear(), "course.show"),
    ("alt_text", add_output(text_html='<img src="data:image/png;base64,AA==">'), "no alt text"),
    ("alt_text", add_output(text_html="<svg viewBox='0 0 1 1'></svg>"), "aria-label"),
    ("formulas", add_text("It costs $3 a flight,\nand cost $4."), "'$3 a flight"),
    ("links", add_text("[next](no-such-lesson.ipynb)"), "no-such-lesson.ipynb"),
    ("links", add_text("[itself](90-sample.ipynb#no-such-idea)"), "a heading that is not there"),
    ("links", add_text("[itself](#idea-1)"), "(Idea-1 is)"),
    ("set_up_cells", replace(2, '"90-sample"', '"91-other"'), 'course.begin("90-sample")'),
    ("set_up_cells", tag(2), "tagged `parameters`"),
    ("set_up_cells", tag(3, "parameters"), "and this is another"),
    ("set_up_cells", code_source(2, "delays = list(range(3))"), "papermill could not replace it"),
    ("known_tags", tag(3, "nbval_ignore_output"), "'nbval_ignore_output'"),
    ("known_tags", code_source(3, "# NBVAL_IGNORE_OUTPUT\nprint(1)"), "NBVAL_IGNORE_OUTPUT"),
    ("length", code_source(3, "print(1)\n" * 26), "26 lines of code"),
    ("length", lambda node: [code(node, n).update(source=f"print({n})\n" * 16) for n in (3, 4)], "2 of 6 code cells"),
    ("no_shell", code_source(3, "x = 1\n!pip install x"), "line 2"),
    ("no_shell", code_source(3, "%pip install x"), "line 1"),
    ("no_shell", code_source(3, "%%bash\nls"), "line 1"),
    ("no_shell", code_source(3, "files = !ls"), "line 1"),
    ("no_shell", code_source(3, "import os\n\nos.system('ls')"), "shell"),
    ("no_star_import", code_source(3, "from math import *"), "imports * from math"),
    ("no_star_import", code_source(3, "print('a'"), "not valid Python"),
    ("no_closing_semicolon", code_source(3, "sum(delays);"), "ends with `;`"),
    ("committed_form", lambda node: code(node, 3).metadata.update(collapsed=True), "metadata collapsed"),
    ("executed", lambda node: code(node, 3).update(execution_count=None), "not executed when it was saved: cell 6"),
    (
        "executed",
        lambda node: [cell.update(outputs=[]) for cell in node.cells if "outputs" in cell],
        "no output at all",
    ),
    ("errors_are_meant", tag(5), "ZeroDivisionError"),
    ("errors_are_meant", lambda node: code(node, 5).update(outputs=[]), "raises nothing"),
    ("errors_are_meant", lambda node: code(node, 5).outputs[0].update(traceback=["a\nb", "c"]), "whole trace"),
    ("no_noise", output_text("careful\n", "stderr"), "stderr"),
    ("no_noise", output_text("WARNING:absl:no such thing\n"), "log line"),
    ("no_noise", output_text("ok\nI0000 00:00:17 cpu.cc:1] oneDNN\n"), "log line"),
    ("no_noise", add_output(text_plain="VBox(children=(IntSlider(value=0),))"), "course.explore"),
    ("no_machine_paths", output_text("saved in /home/ann/course/out\n"), "/home/ann"),
    ("no_machine_paths", output_text("/tmp/tmp1234/model\n"), "/tmp/"),
    ("no_machine_paths", output_text("C:\\Users\\ann\n"), "C:\\"),
    ("no_machine_paths", output_text("read from /mnt/data\n"), "/mnt/"),
    ("no_machine_paths", output_text("at file:///a/b\n"), "file://"),
    ("no_machine_paths", output_text(f"{Path(__file__).resolve().parents[2]}/data\n"), "path of one machine"),
    ("no_machine_paths", code_source(3, "open('/home/ann/x')"), "its code"),
    ("stable_outputs", output_text("run 2026-02-03\n"), "a date of running"),
    ("stable_outputs", output_text("at 12:03:55\n"), "a clock time"),
    ("stable_outputs", output_text("pushed 1767225600\n"), "a Unix time"),
    ("stable_outputs", output_text("took 3.2 s\n"), "a duration"),
    ("stable_outputs", output_text("12ms/step\n"), "a duration"),
    ("stable_outputs", add_output(text_plain="<a.B object at 0x7f4323ba3f90>"), "a memory address"),
    ("stable_outputs", output_text("6d1f1e6e-0c3a-4e51-9f57-0f2f0a3d8f11\n"), "a random id"),
    ("stable_outputs", output_text("in tmpab3_x9qz\n"), "a temporary file"),
    ("stable_outputs", output_text("pid 4711\n"), "a process id"),
    ("stable_outputs", output_text("http://127.0.0.1:43210\n"), "a port"),
    ("compared_share", ignore_all_but_one, "only 1 are compared"),
    ("deck", lambda node: node.cells.__delitem__(slice(19, 25)), "slides; 12 to 40"),
    ("deck", lambda node: node.cells.__setitem__(slice(4, 4), many_slides(30)), "slides; 12 to 40"),
    ("deck", slide_type(4, "slied"), "no deck can be made"),
    ("slide_cells", slide_type(5, "subslide"), "without a heading"),
    ("slide_cells", slide_type(6, "notes"), "code cannot be speaker notes"),
]


# A lesson in parts: cells 4 to 11 are part 1, of which 9 to 11 are its exercise; 12 to 19, 20 to 27; 28 closes.


def remove(first: int, last: int) -> Callable:
    return lambda node: node.cells.__delitem__(slice(first - 1, last))


def words(count: int) -> Callable:
    return add_text("word " * count)


BROKEN_PARTS = [
    ("parts", replace(4, "## Part 1: Idea 1", "## Idea 1"), "'Idea 1'"),
    ("parts", replace(12, "Part 2", "Part 3"), "this has 1, 3, 3"),
    ("parts", remove(20, 27), "this has 1, 2"),
    ("parts", remove(9, 11), "'Part 1: Idea 1' has to end in an exercise"),
    ("parts", lambda node: node.cells.insert(11, nbformat.v4.new_markdown_cell("One more word.")), "has to end in"),
    ("exercise_cells", lambda node: node.cells[9].metadata.pop("tags"), "give it the tag 'exercise'"),
    ("exercise_cells", remove(11, 11), "the cell after an exercise is its answer"),
    ("exercise_cells", replace(11, "```python", "```"), "the cell after an exercise is its answer"),
    ("exercise_cells", replace(11, "Answer</summary>", "Hint</summary>"), "the cell after an exercise is its answer"),
    ("exercise_cells", replace(10, "course.exercise(", "print("), "an exercise ends with its check"),
    ("exercise_cells", replace(10, '"late", late=late', '"late", late'), "names it and each answer"),
    ("exercise_cells", replace(10, "late = ...", "late = 1"), "holds `...`"),
    ("exercise_cells", replace(10, "late = ...", "late = "), "valid Python"),
    (
        "exercise_cells",
        replace(10, '"late", late', '"latest", late'),
        "no check of the exercise 'latest'; it has: late,",
    ),
    ("exercise_cells", replace(10, '"late", late', '"late", early'), "the check of 'late' takes late"),
    ("exercise_cells", replace(11, "limit = 15", "\n".join("abcd") + "\nlimit = 15"), "its answer has 6 lines"),
    ("exercise_cells", replace(11, "limit = 15  # minutes\n", "# minutes\n"), "its answer has 1 lines"),
    ("exercise_cells", replace(9, "### Exercise: ", "### "), "stands its task"),
    ("exercise_cells", slide_type(9, "notes"), "the task of an exercise starts a slide"),
    ("exercise_cells", slide_type(10, "skip"), "the task of an exercise starts a slide"),
    ("exercise_cells", slide_type(11, "-"), "has the slide type notes"),
    ("lesson_links", add_text("As lesson 08 shows."), "[lesson 08](08-evaluate.ipynb)"),
    ("lesson_links", add_text("Lessons [03](03-pipelines.ipynb) and\n08 show it."), "08-evaluate.ipynb"),
    ("lesson_links", add_text("Lab 2 asks it."), "[Lab 2](../labs/lab-2-model/lab-2-model.ipynb)"),
    ("lesson_links", add_text("[Lesson 08](03-pipelines.ipynb)"), "says lesson 08 leads to 03-pipelines.ipynb"),
    ("counted_time", replace(1, "11 minutes", "5 minutes"), "it says 5"),
    ("counted_time", words(130 * 10), "has to say 22 minutes"),
]
RIGHT_PARTS = [
    add_text(
        "[Lesson 08](08-evaluate.ipynb#What-you-learned) and lessons [03](03-pipelines.ipynb) and [08](08-evaluate.ipynb)."
    ),
    add_text(
        "`lesson 08`, and what lesson 77 will show; [lab 2](../labs/lab-2-model/lab-2-model.ipynb) asks it, 08 times."
    ),
    words(130),
]


@pytest.fixture
def in_parts(monkeypatch, tmp_path):
    """The sample lesson in parts, saved beside other lessons."""
    monkeypatch.setenv("COURSE_EXERCISES", "sample_exercises")
    for path in ("notebooks/03-pipelines.ipynb", "notebooks/08-evaluate.ipynb", "labs/lab-2-model/lab-2-model.ipynb"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        form.write(sample_lesson.source(), tmp_path / path)
    node = sample_lesson.in_parts()
    for number, cell in enumerate((cell for cell in node.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", text="3 flights\n")]
    return node


def findings_in_parts(node, tmp_path):
    return [
        found
        for found in findings(node, tmp_path / "notebooks")
        if found.rule not in ("committed_form", "errors_are_meant")
    ]


def test_sample_in_parts_keeps_all_rules(in_parts, tmp_path):
    assert [str(finding) for finding in findings_in_parts(in_parts, tmp_path)] == []


@pytest.mark.parametrize(
    ("rule", "breaks", "words"), BROKEN_PARTS, ids=[f"{n}-{case[0]}" for n, case in enumerate(BROKEN_PARTS)]
)
def test_rule_of_parts_catches(rule, breaks, words, in_parts, tmp_path):
    breaks(in_parts)
    found = [finding.what for finding in findings_in_parts(in_parts, tmp_path) if finding.rule == rule]
    assert any(words in what for what in found), found


@pytest.mark.parametrize("change", RIGHT_PARTS, ids=range(len(RIGHT_PARTS)))
def test_rules_of_parts_leave_alone_what_is_right(change, in_parts, tmp_path):
    change(in_parts)
    assert [str(finding) for finding in findings_in_parts(in_parts, tmp_path)] == []


def test_lesson_that_is_not_in_parts_is_left_alone(sample, tmp_path):
    add_text("As lesson 08 shows.\n\n" + "word " * 1300)(sample)
    assert {finding.rule for finding in findings(sample, tmp_path)} <= {"rhythm", "committed_form"}


def many_slides(count: int):
    metadata = {"slideshow": {"slide_type": "slide"}}
    return [nbformat.v4.new_markdown_cell(f"## More {n}", metadata=copy.deepcopy(metadata)) for n in range(count)]


def test_sample_keeps_all_rules(sample, tmp_path):
    assert [str(finding) for finding in findings(sample, tmp_path)] == []


@pytest.mark.parametrize(("rule", "breaks", "words"), BROKEN, ids=[f"{n}-{case[0]}" for n, case in enumerate(BROKEN)])
def test_rule_catches(rule, breaks, words, sample, tmp_path):
    breaks(sample)
    found = [finding.what for finding in findings(sample, tmp_path) if finding.rule == rule]
    assert any(words in what for what in found), found


def test_every_rule_is_tested_here():
    elsewhere = {"parameters_cell", "no_outputs", *(rule for rule, _, _ in BROKEN_PARTS)}
    assert {rule for rule, _, _ in BROKEN} | elsewhere == set(style.RULES)


ALLOWED = [
    code_source(3, "%matplotlib inline\nprint(delays)  # !"),
    output_text("flight 1545 leaves at 05:15 on 2013-01-01 for /EWR\n"),
    output_text("AUC 0.65, late 13 %, 336776 flights, span 3\n"),
    output_text("https://example.org/home/page\n"),
    add_text("> **In production** this runs on Beam.\n> It costs more."),
    add_text("```\n> not a quote\n![](not-an-image)\n[x](nowhere)\n```"),
    add_text("[itself](90-sample.ipynb#Idea-1), [here](#Idea-2) and [a page](https://example.org)"),
    add_text("`[x](nowhere)`"),
    add_text("| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 50),
    add_text('<img src="https://example.org/x.png" alt="Three bars, the last one tall">'),
    lambda node: code(node, 3).metadata.update(tags=["nbval-ignore-output"]),
    output_text("data_root: /mnt/flights/data\n"),
]


@pytest.mark.parametrize("change", ALLOWED, ids=range(len(ALLOWED)))
def test_rules_leave_alone_what_is_right(change, sample, tmp_path):
    change(sample)
    found = [str(finding) for finding in findings(sample, tmp_path) if finding.rule != "committed_form"]
    assert found == []


def test_times_are_allowed_where_outputs_are_not_compared_but_paths_are_not(sample, tmp_path):
    code(sample, 3).outputs[0].text = "took 3.2 s in /home/ann/x\n"
    code(sample, 3).metadata.tags = ["nbval-ignore-output"]
    rules = {finding.rule for finding in findings(sample, tmp_path)}
    assert "stable_outputs" not in rules
    assert "no_machine_paths" in rules


def test_lab_has_parameters_and_no_outputs(sample, tmp_path):
    rules = {finding.rule for finding in findings(sample, tmp_path, "lab")}
    assert "no_outputs" in rules
    code(sample, 2).metadata.pop("tags")
    for cell in sample.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    assert {finding.rule for finding in findings(sample, tmp_path, "lab")} == {"parameters_cell"}
    code(sample, 2).metadata.tags = ["parameters"]
    assert findings(sample, tmp_path, "lab") == []


def test_finding_names_notebook_cell_and_rule():
    finding = style.Finding("notebooks/x.ipynb", "length", 7, "it has 30 lines of code")
    assert str(finding) == "notebooks/x.ipynb, cell 7: it has 30 lines of code [length]"
