"""Labs are made from solutions: nothing of a solution is left in them, and faults in a solution are named."""

from __future__ import annotations

import ast
import json

import nbformat
import pytest
import sample_lab

from tools.labs import generate, source
from tools.notebooks import form


@pytest.fixture(autouse=True)
def _sample_lab(monkeypatch):
    monkeypatch.setenv("COURSE_LABS", "sample_lab")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sample lab, generated; its folder."""
    top = tmp_path_factory.mktemp("course")
    write(sample_lab.source(), top)
    (top / "solutions" / sample_lab.NAME / "table.csv").write_text("a,b\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_LABS", "sample_lab")
        generate.generate(top / "solutions", top / "labs", top / "out")
    return top


def write(node, top):
    path = top / "solutions" / sample_lab.NAME / f"{sample_lab.NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    form.write(node, path)
    return path


@pytest.fixture
def lab(made):
    return form.read(made / "labs" / sample_lab.NAME / f"{sample_lab.NAME}.ipynb")


def test_no_line_of_a_solution_is_in_the_lab(made, lab):
    text = json.dumps(lab)
    lines = [line for line in source.solution_lines(sample_lab.source()) if source.tells(line)]
    assert len(lines) == 5
    assert not [line for line in lines if json.dumps(line)[1:-1] in text]
    assert "SOLUTION" not in text


def test_every_cell_of_the_lab_parses_and_shows_nothing(lab):
    for cell in lab.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert cell.outputs == []
            assert cell.execution_count is None


def test_hints_criteria_and_check_cells_stay(lab):
    text = "\n".join(cell.source for cell in lab.cells)
    assert "<details><summary>Hint</summary>" in text
    assert "Accepted when `TOTAL`" in text
    assert [cell.task for cell in source.check_cells(lab)] == ["sum", "words", "report"]
    assert sum(cell.points for cell in source.check_cells(lab)) == sample_lab.POINTS


def test_stub_stands_in_for_the_solution(lab):
    answers = [cell.source for cell in lab.cells if source.marks(cell).get("solution")]
    assert answers[0] == "TOTAL = ...\n# Your code here\npass"
    assert "def write(folder, total):\n    # Your code here\n    pass\n" in answers[2]


def test_check_cells_cannot_be_edited_in_jupyterlab(lab):
    for cell in source.check_cells(lab):
        assert lab.cells[cell.index].metadata.editable is False
        assert lab.cells[cell.index].metadata.deletable is False


def test_lab_is_in_the_committed_form(made):
    assert form.differences(made / "labs" / sample_lab.NAME / f"{sample_lab.NAME}.ipynb") == []


def test_other_files_of_the_lab_come_along(made):
    assert (made / "labs" / sample_lab.NAME / "table.csv").read_text() == "a,b\n"


def test_gradebook_is_not_in_the_tree(made):
    assert sorted(path.name for path in made.iterdir()) == ["labs", "solutions"]
    assert [path.name for path in made.rglob("gradebook.db")] == []


def test_same_bytes_again_and_work_is_kept(made, capsys):
    path = made / "labs" / sample_lab.NAME / f"{sample_lab.NAME}.ipynb"
    before = path.read_bytes()
    node = form.read(path)
    node.cells[1].execution_count = 1
    form.write(node, path)
    worked = path.read_bytes()
    stale = made / "labs" / "lab-0-gone" / "lab-0-gone.ipynb"
    stale.parent.mkdir()
    stale.write_bytes(before)
    generate.generate(made / "solutions", made / "labs", made / "out")
    assert path.read_bytes() == before
    assert not stale.exists()
    assert [kept.read_bytes() for kept in (made / "out" / "kept").iterdir()] == [worked]
    assert "had been worked in" in capsys.readouterr().out
    __import__("shutil").rmtree(made / "out")


def cell_of(node, name):
    return next(cell for cell in node.cells if source.marks(cell).get("grade_id") == name)


def _unbalanced(node):
    cell_of(node, "sum").source += "\n### BEGIN SOLUTION\nx = 1"


def _lone_end(node):
    cell_of(node, "sum").source = "### END SOLUTION"


def _unmarked(node):
    node.cells[1].source += "\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION"


def _hidden(node):
    cell_of(node, "check-sum").source += "\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"


def _points(node):
    cell_of(node, "check-sum").metadata.nbgrader.points = 5


def _answers(node):
    cell_of(node, "check-sum").source = 'checks.check("sum", sum=TOTAL)'


def _task(node):
    cell_of(node, "check-sum").source = 'checks.check("product", total=TOTAL)'


def _two_lines(node):
    cell_of(node, "check-sum").source = 'x = 1\nchecks.check("sum", total=TOTAL)'


def _twice(node):
    cell_of(node, "check-words").metadata.nbgrader.grade_id = "check-sum"


def _unlocked(node):
    cell_of(node, "check-sum").metadata.nbgrader.locked = False


def _uncounted(node):
    cell_of(node, "check-sum").metadata.pop("nbgrader")


def _missing(node):
    node.cells.remove(cell_of(node, "check-words"))


def _leak(node):
    node.cells[4].source += "\nFor instance `TOTAL = sum(NUMBERS)`."


def _given_away(node):
    cell_of(
        node, "words"
    ).source = 'WORDS = ["span", "split"]\n### BEGIN SOLUTION\nWORDS = ["span", "split"]\n### END SOLUTION'


def _begin(node):
    node.cells[3].source = node.cells[3].source.replace("lab-0-sums", "lab-0-other")


def _student(node):
    node.cells[2].source = 'NAME = "x"'


def _end(node):
    node.cells.pop()


def _syntax(node):
    node.cells[1].source = "from course import"


def _old_marks(node):
    cell_of(node, "sum").metadata.nbgrader = nbformat.from_dict({"grade_id": "sum", "solution": True})


def _text(node):
    node.cells[4].metadata["nbgrader"] = nbformat.from_dict(
        {"grade": True, "solution": True, "locked": False, "points": 2, "grade_id": "essay", "schema_version": 3}
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_unbalanced, "cell 6: ### BEGIN SOLUTION without its partner"),
        (_lone_end, "cell 6: ### END SOLUTION without its partner"),
        (_unmarked, "cell 2: it holds a solution, but is not marked as a solution cell"),
        (_hidden, "cell 7: '### BEGIN HIDDEN TESTS' is no marker that is used here"),
        (_points, "cell 7: it gives 5 points, the task 'sum' is worth 2"),
        (_answers, "cell 7: task 'sum' takes total; it is given sum"),
        (_task, "cell 7: the lab's module has no task 'product'; it has: sum, words, report"),
        (_two_lines, "cell 7: a check cell is one call and nothing else"),
        (_twice, "cell 10: the grade id 'check-sum' is that of cell 7 already"),
        (_unlocked, "cell 7: a check cell is locked"),
        (_uncounted, "cell 7: it calls checks.check, but is not marked as a check cell"),
        (_missing, "task 'words' has 0 check cells; it needs one"),
        (_leak, "cell 5: it holds a line of a solution, which would be handed out: 'TOTAL = sum(NUMBERS)'"),
        (_given_away, "cell 9: it holds a line of a solution"),
        (_begin, 'one cell has to begin the lab: checks.begin("lab-0-sums", STUDENT)'),
        (_student, "has to set STUDENT"),
        (_end, "its last code cell has to be checks.progress()"),
        (_syntax, "cell 2: it is not valid Python"),
        (_old_marks, "cell 6: its nbgrader metadata need"),
        (_text, "cell 5: only code cells are answered and graded"),
    ],
)
def test_fault_of_a_solution_is_named_with_its_cell(change, told, tmp_path):
    node = sample_lab.source()
    change(node)
    found = source.problems(write(form.normalise(node), tmp_path))
    assert any(told in line for line in found), found
    assert all(f"{sample_lab.NAME}.ipynb" in line for line in found)


def test_solution_with_a_fault_makes_no_labs(tmp_path):
    node = sample_lab.source()
    _points(node)
    write(node, tmp_path)
    with pytest.raises(source.SourceError, match="cell 7"):
        generate.generate(tmp_path / "solutions", tmp_path / "labs", tmp_path / "out")
    assert not (tmp_path / "labs").exists()


def test_sample_lab_is_in_order(tmp_path):
    assert source.problems(write(sample_lab.source(), tmp_path)) == []


def test_score_is_read_as_nbgrader_reads_it():
    node = sample_lab.source()
    assert source.score(node) == (0, 6)
    cell_of(node, "check-sum").outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "1.5"})]
    assert source.score(node) == (1.5, 6)
