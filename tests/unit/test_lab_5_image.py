"""Lab 5, task 1: the package is installed elsewhere and its Dockerfile done; judged by what that leaves."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import lab_five
import pytest
import yaml

from course import checks
from course.labs.lab_5 import install_package, notebook
from course.trials import build_context, image
from judges.lab_5 import check_image, elsewhere
from judges.trial import Done, Ran

pytestmark = [pytest.mark.xdist_group("lab-5"), pytest.mark.slow]
TABLE = yaml.safe_load(Path(__file__).parents[1].joinpath("lab_5_dockerfiles.yaml").read_text())


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


def cases(kind):
    """Those in which pip does something are long, but for a few."""
    is_long = {name: "pip" in case["text"] and not case.get("quick") for name, case in TABLE[kind].items()}
    return [pytest.param(case, id=name, marks=[pytest.mark.long] * is_long[name]) for name, case in TABLE[kind].items()]


def done(lab, case, monkeypatch):
    """Points and message of a Dockerfile alone."""
    root = lab_five.write_package(lab, dockerfile=case["text"].replace("{base}", "FROM mlops-course:1\n"))
    for name, text in case.get("files", {}).items():
        (root / name).write_text(text)
    monkeypatch.chdir(lab.workspace)
    monkeypatch.setattr(image.Stage, "given", {})
    image.main([str(root), "told.json"])
    json.loads(Path("told.json").read_text())
    try:
        check_image._dockerfile(lab, elsewhere.Elsewhere(Ran(lab.workspace, [Done(0)])))
    except checks.Wrong as wrong:
        return wrong.points, wrong.message
    return 2, ""


@pytest.mark.parametrize("case", cases("right"))
def test_a_right_dockerfile_passes_in_any_form(lab, case, monkeypatch):
    assert done(lab, case, monkeypatch) == (2, "")


@pytest.mark.parametrize("case", cases("wrong"))
def test_a_wrong_dockerfile_is_told_by_what_it_does(lab, case, monkeypatch):
    points, message = done(lab, case, monkeypatch)
    assert case["told"] in message
    assert points == case["points"]
    assert str(lab.workspace) not in message


# From TestMatches of moby/patternmatcher.
SEEN = [
    (["**"], "dir/file", True),
    (["**/"], "file", True),
    (["**/**"], "dir/file", True),
    (["**/dir"], "dir/file", True),
    (["**/dir2/*"], "dir/dir2/file", True),
    (["**file"], "dir/dir/file", True),
    (["**/file*.txt"], "dir/dir/file.txt", True),
    (["**/**/*.txt2"], "dir/dir/file.txt", False),
    (["a**/*.txt"], "a/dir/dir/file.txt", True),
    (["a/*.txt"], "a/dir/file.txt", False),
    (["a/*.txt**"], "a/file.txt", True),
    (["a[^b-d]e"], "aze", True),
    (["a[b-d]e"], "aae", False),
    (["abc.def"], "abcZdef", False),
    (["abc?def"], "abcZdef", True),
    (["abc/**"], "abc", False),
    (["**/.foo"], "bar.foo", False),
    (["a(b)c/def"], "a(b)c/def", True),
    (["a\\*b"], "a*b", True),
    (["a*"], "ab/c", True),
    (["**", "!util/docker/web"], "util/docker/web/foo", False),
    (["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", True),
    (["*.go", "!fileutils.go"], "fileutils.go", False),
    (["# file", "", "/file "], "file", True),
    (["file"], "dir/file", False),
]


def test_a_build_does_not_see_what_dockerignore_leaves_out(tmp_path):
    for number, (lines, name, is_left_out) in enumerate(SEEN):
        source, target = tmp_path / f"{number}", tmp_path / f"{number}-seen"
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text("")
        (source / ".dockerignore").write_text("\n".join(lines))
        assert (name in build_context.send(source, target)) == is_left_out, lines
        assert (target / name).exists() != is_left_out, lines


def test_nothing_gets_nothing(lab):
    points, told = lab_five.evaluate(lab, "image")
    assert (points, "no file `package/pyproject.toml`" in told) == (0, True)
    root = lab_five.write_package(lab)
    (root / "Dockerfile").unlink()
    points, told = lab_five.evaluate(lab, "image")
    assert (points, "no file `package/Dockerfile`" in told) == (0, True)


def project(before, after):
    return lab_five.PROJECT.replace(before, after)


PROJECTS = {
    "as the solution": (lab_five.PROJECT, 5, ""),
    "another builder": (
        '[build-system]\nrequires=["hatchling"]\nbuild-backend="hatchling.build"\n'
        '[project]\nname="delay"\nversion="2"\nrequires-python="~=3.11"\n[tool.hatch.build]\npackages=["my_flights"]\n',
        5,
        "",
    ),
    "a version from the code": (
        project('version = "1.0.0"', 'dynamic = ["version"]')
        + 'dynamic.version = {attr = "my_flights.config.Config.__name__"}\n',
        2,
        "cannot be installed",
    ),
    "no TOML": (project("name =", "name"), 2, "is no TOML"),
    "no builder": (project('build-backend = "setuptools.build_meta"', ""), 4, "`build-backend`"),
    "no version": (project('version = "1.0.0"', 'dynamic = ["version"]'), 4, "no version"),
    "any newer Python": (project(">=3.11,<3.12", ">=3.11"), 4, "`requires-python`"),
    "no package": (project('"my_flights"', ""), 3, "has no `my_flights/__init__.py`"),
    "more than the package": (project('"my_flights"]', '"my_flights", "more"]'), 4, "also holds `more`"),
}
QUICK = ("as the solution", "no TOML")


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=[pytest.mark.long] * (name not in QUICK)) for name in PROJECTS]
)
def test_a_package_is_judged_by_what_pip_makes_of_it(lab, what):
    text, points, told = PROJECTS[what]
    root = lab_five.write_package(lab, text)
    if what == "as the solution":  # the same files as in the tests below, so that it is installed once for all of them
        shutil.copytree(lab_five.installed(), lab.workspace / "image")
    else:
        (root / "more").mkdir()
        (root / "more" / "__init__.py").write_text("")
        with contextlib.suppress(RuntimeError):
            install_package.install(root, lab.workspace / "image")
    found, message = lab_five.evaluate(lab, "image")
    assert told in message
    assert (found, bool(message)) == (points, points < 5), message


def old(image):
    (image / "my_flights" / "model.py").write_text("old\n")


def copied(image):
    shutil.rmtree(next(image.glob("*.dist-info")))


BUILT = {
    "an old file": (old, "`image/my_flights/model.py` is not what your package installs to now"),
    "a file that was added": (
        lambda image: (image.parent / "package/my_flights/more.py").write_text("x = 1\n"),
        "`image/my_flights/more.py` is not what",
    ),
    "copied by hand": (copied, "`image/my_flights-1.0.0.dist-info/"),
    "something else": (lambda image: (image / "more.py").write_text(""), "`image/more.py` is not what"),
    "nothing": (shutil.rmtree, "`lab.build()` was not called yet"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=[pytest.mark.long] * (name != "an old file")) for name in BUILT]
)
def test_what_was_built_is_held_against_what_the_package_installs_to(lab, what):
    spoil, told = BUILT[what]
    lab_five.write_package(lab)
    shutil.copytree(lab_five.installed(), lab.workspace / "image")
    spoil(lab.workspace / "image")
    points, message = lab_five.evaluate(lab, "image")
    assert (points, told in message) == (3, True), message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (project("name =", "name"), r"^package/pyproject.toml is no TOML: .*line 6.*'name \"my-flights\"'$"),
        ("[project", r"^package/pyproject.toml is no TOML: .*$"),
        (b"\xff", "^package/pyproject.toml is no TOML"),
        (None, "^There is no package/pyproject.toml"),
    ],
)
def test_a_project_that_cannot_be_read_is_told_by_its_line_and_leaves_no_image(lab, text, told):
    path = lab_five.write_package(lab) / "pyproject.toml"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RuntimeError, match=told) as raised:
        install_package.install(path.parent, lab.workspace / "image")
    assert "Traceback" not in str(raised.value)
    assert not (lab.workspace / "image").exists()


def test_a_text_is_mended_once_however_often_the_cell_runs(lab, monkeypatch):
    monkeypatch.setattr(notebook, "current", lambda: lab)
    notebook.write("mended/a.py", "x = 1\ny = 1\nz = 3\n")
    for _ in range(2):
        notebook.mend("mended/a.py", "z = 3", "z = 4")
        notebook.mend("mended/a.py", "x = 1\n", "x = 1\nw = 0\n")
        notebook.mend("mended/a.py", "y = 1\n", "")
    assert (lab.workspace / "mended" / "a.py").read_text() == "x = 1\nw = 0\nz = 4\n"
    with pytest.raises(ValueError, match="stands 3 times"):
        notebook.mend("mended/a.py", " = ", ": int = ")
    with pytest.raises(ValueError, match="stands 0 times"):
        notebook.mend("mended/a.py", "never", "nowhere")
    with pytest.raises(ValueError, match="leads out of the workspace"):
        notebook.write("../a.py", "")


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("limit = 15\n", "limit = 15", "limit = 1", "limit = 1\n"),
        ("a = f(x, y)\n", "f(x, y)", "x", "a = x\n"),
        ("z = 4\ny = 3\n", "y = 3", "z = 4", "z = 4\nz = 4\n"),
        ("f(x)\n", "f(x)", "g(f(x))", "g(f(x))\n"),
    ],
)
def test_a_text_is_mended_where_the_new_one_is_part_of_it_or_stands_elsewhere(
    lab, monkeypatch, before, old, new, after
):
    monkeypatch.setattr(notebook, "current", lambda: lab)
    notebook.write("mended/a.py", before)
    for _ in range(2):
        notebook.mend("mended/a.py", old, new)
        assert (lab.workspace / "mended" / "a.py").read_text() == after
