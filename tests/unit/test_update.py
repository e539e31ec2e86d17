"""`make update`: the newest lessons come, and nothing that the owner of a clone has written goes. Asked of real git repositories."""

from __future__ import annotations

from pathlib import Path

import pytest
import sample_lesson

from tools.notebooks import form
from tools.setup.update import CannotUpdate, git, update

LESSON = "notebooks/90-sample.ipynb"


class Repositories:
    """The course upstream, and a student's clone of it."""

    def __init__(self, folder: Path) -> None:
        self.upstream, self.clone = folder / "upstream", folder / "clone"
        (self.upstream / "notebooks").mkdir(parents=True)
        (self.upstream / "labs/lab-1").mkdir(parents=True)
        git(self.upstream, "init", "--quiet", "--initial-branch=main")
        notebook = sample_lesson.with_outputs()
        form.write(notebook, self.upstream / LESSON)
        form.write(notebook, self.upstream / "labs/lab-1/lab-1.ipynb")
        (self.upstream / "tool.py").write_text("old\n")
        (self.upstream / ".gitignore").write_text("/mine/\n")
        self.commit()
        git(folder, "clone", "--quiet", str(self.upstream), str(self.clone))

    def commit(self) -> None:
        git(self.upstream, "add", "--all")
        git(self.upstream, "commit", "--quiet", "--message=more")

    def publish(self, *paths: str) -> None:
        """A new version of files upstream."""
        for path in paths:
            file = self.upstream / path
            if path.endswith(".ipynb") and file.exists():
                _write(file, "new upstream")
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("new\n")
        self.commit()

    def status(self) -> str:
        return git(self.clone, "status", "--porcelain")


def _write(file: Path, text: str) -> None:
    notebook = form.read(file)
    notebook.cells[0].source += f"\n\n{text}"
    form.write(form.normalise(notebook), file)


def _run(file: Path) -> None:
    """What running a lesson changes: outputs, numbers of cells, and metadata that JupyterLab adds."""
    notebook = form.read(file)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1].outputs, code[1].execution_count = [], 77
    code[1].metadata["scrolled"] = True
    form.write(notebook, file)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Repositories(tmp_path)


def test_notes_are_kept_beside_the_new_lesson(course: Repositories) -> None:
    _write(course.clone / LESSON, "my note")
    _write(course.clone / "labs/lab-1/lab-1.ipynb", "my answer")
    course.publish(LESSON, "labs/lab-1/lab-1.ipynb")
    with pytest.raises(CannotUpdate, match="would be overwritten by merge"):
        git(course.clone, "pull", "--quiet")  # what `make update` is for
    said = update(course.clone)
    assert said[:2] == [
        "labs/lab-1/lab-1.ipynb is replaced; what you wrote is in mine/lab-1/lab-1.ipynb",
        "notebooks/90-sample.ipynb is replaced; what you wrote is in mine/90-sample.ipynb",
    ]
    assert "my note" in (course.clone / "mine/90-sample.ipynb").read_text()
    assert "my answer" in (course.clone / "mine/lab-1/lab-1.ipynb").read_text()
    assert "new upstream" in (course.clone / LESSON).read_text()
    assert course.status() == ""


def test_lesson_that_was_only_run_is_replaced(course: Repositories) -> None:
    _run(course.clone / LESSON)
    assert course.status() != ""
    course.publish(LESSON)
    assert update(course.clone) == ["The course is new: 1 files changed. `make lab` opens it."]
    assert "new upstream" in (course.clone / LESSON).read_text()
    assert not (course.clone / "mine").exists()


def test_what_is_not_new_upstream_stays_where_it_is(course: Repositories) -> None:
    _write(course.clone / LESSON, "my note")
    course.publish("tool.py")
    update(course.clone)
    assert "my note" in (course.clone / LESSON).read_text()
    assert (course.clone / "tool.py").read_text() == "new\n"


def test_second_update_keeps_both_notes(course: Repositories) -> None:
    for note in ("first note", "second note"):
        _write(course.clone / LESSON, note)
        course.publish(LESSON)
        update(course.clone)
    assert "first note" in (course.clone / "mine/90-sample.ipynb").read_text()
    assert "second note" in (course.clone / "mine/90-sample-2.ipynb").read_text()


@pytest.mark.parametrize("staged", [False, True])
def test_own_file_of_a_name_that_is_new_upstream_is_kept(course: Repositories, staged: bool) -> None:
    (course.clone / "notebooks/99-new.py").write_bytes(b"mine \xff\r\n")
    (course.clone / "tool.py").write_text("changed\n")
    if staged:
        git(course.clone, "add", "--all")
    course.publish("notebooks/99-new.py", "tool.py")
    update(course.clone)
    assert (course.clone / "mine/99-new.py").read_bytes() == b"mine \xff\r\n"
    assert (course.clone / "mine/tool.py").read_text() == "changed\n"
    assert (course.clone / "notebooks/99-new.py").read_text() == (course.clone / "tool.py").read_text() == "new\n"
    assert course.status() == ""


def test_file_that_was_deleted_or_is_no_notebook_any_more_does_not_stop_it(course: Repositories) -> None:
    (course.clone / "tool.py").unlink()
    (course.clone / LESSON).write_text("<<<<<<< half a merge")
    course.publish("tool.py", LESSON)
    update(course.clone)
    assert (course.clone / "mine/90-sample.ipynb").read_text() == "<<<<<<< half a merge"
    assert (course.clone / "tool.py").read_text() == "new\n"


def test_clone_with_commits_of_its_own_is_left_alone_and_told(course: Repositories) -> None:
    _write(course.clone / LESSON, "my note")
    git(course.clone, "commit", "--quiet", "--all", "--message=mine")
    _write(course.clone / LESSON, "not committed")
    course.publish(LESSON)
    with pytest.raises(CannotUpdate, match=r"commits of its own.*git merge origin/main"):
        update(course.clone)
    assert "not committed" in (course.clone / LESSON).read_text()


def test_nothing_new_changes_nothing(course: Repositories) -> None:
    _write(course.clone / LESSON, "my note")
    assert update(course.clone) == ["Nothing is new."]
    assert "my note" in (course.clone / LESSON).read_text()


def test_folder_that_is_no_clone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(CannotUpdate, match=r"cannot be fetched from where it was cloned \(fatal: not a git repository"):
        update(tmp_path)
