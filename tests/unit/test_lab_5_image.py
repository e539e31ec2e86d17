"""Lab 5, task 1: a package that an image can hold is judged by its files."""

from __future__ import annotations

import lab_five
import pytest

from course.labs.lab_5 import install_package, notebook

pytestmark = pytest.mark.xdist_group("lab-5")


@pytest.fixture
def lab(tmp_path):
    return lab_five.lab(tmp_path)


def test_nothing_gets_nothing(lab):
    points, told = lab_five.evaluate(lab, "image")
    assert points == 0
    assert "no file `package/pyproject.toml`" in told
    assert "`lab.build()` was not called yet, or its last call failed" in told
    assert "no file `package/Dockerfile`" in told


RIGHT = {
    "as the solution": {},
    "a dynamic version, another builder": {
        "project": '[build-system]\nrequires=["hatchling"]\nbuild-backend="hatchling.build"\n'
        '[project]\nname="delay"\ndynamic=["version"]\nrequires-python="~=3.11"\n'
    },
    "a base by argument": {
        "dockerfile": lab_five.DOCKERFILE.replace("FROM mlops-course:latest", "ARG BASE=mlops-course\nFROM ${BASE}")
    },
    "a base in a registry, lines that go on": {
        "dockerfile": "FROM registry.example.org/team/mlops-course@sha256:0123\nUSER 0\nADD . /src\nRUN cd /src \\\n"
        "  && /opt/course/bin/python -m pip install \\\n  --no-deps . \\\n  && rm -rf /src\nUSER 1000\n"
    },
    "found by a path, as the image's own user": {
        "dockerfile": "FROM mlops-course:2\nCOPY my_flights /opt/package/my_flights\nENV PYTHONPATH=/opt/package\n"
    },
    "uv": {
        "dockerfile": "# syntax=docker/dockerfile:1\nfrom mlops-course:1\nuser root\ncopy ./ /p/\n"
        'run ["uv", "pip", "install", "--no-deps", "/p"]\nuser 1000:1000\n'
    },
    "copied to where Python looks": {
        "dockerfile": "FROM mlops-course:1\nCOPY my_flights /opt/course/lib/python3.11/site-packages/my_flights\n"
    },
    "copied to where Python looks, by a variable": {
        "dockerfile": "FROM mlops-course:1\nCOPY my_flights/ ${VENV}/lib/python3.11/site-packages/my_flights/\n"
    },
    "mounted": {
        "dockerfile": "FROM mlops-course:1\nUSER root\n"
        "RUN --mount=type=bind,target=/package,rw pip install --no-deps --no-build-isolation /package\nUSER 1000\n"
    },
    "a folder of work": {
        "dockerfile": 'FROM mlops-course:1\nUSER root\nWORKDIR /package\nCOPY pyproject.toml .\nCOPY ["my_flights", "./my_flights/"]\n'
        "RUN <<END\nset -e\npip install --no-deps .\nEND\nWORKDIR /course\nUSER 1000\n"
    },
    "a stage of its own for the package": {
        "dockerfile": "FROM mlops-course:1 AS build\nCOPY . /p\nRUN pip wheel --no-deps -w /tmp/wheels /p\nFROM mlops-course:1\n"
        "COPY --from=build /tmp/wheels /wheels\nUSER root\nRUN pip install --no-deps /wheels/*.whl\nUSER 1000\n"
    },
    "a stage that goes on from another": {
        "dockerfile": "FROM mlops-course:1 AS base\nUSER root\nFROM base\nCOPY my_flight[s] /p/my_flights\nCOPY *.toml /p/\n"
        "RUN pip install --no-cache-dir --no-deps -e /p\nUSER 1000\n"
    },
}


@pytest.mark.parametrize("what", RIGHT)
def test_right_package_passes(lab, what):
    lab_five.write_package(lab, **RIGHT[what])
    assert lab_five.evaluate(lab, "image") == (5, "")


def project(before, after):
    return {"project": lab_five.PROJECT.replace(before, after)}


def docker_of(*lines):
    return {"dockerfile": "".join(f"{line}\n" for line in ("FROM mlops-course:1", *lines, "USER 1000:1000"))}


def docker(before, after):
    return {"dockerfile": lab_five.DOCKERFILE.replace(before, after)}


WRONG = {
    "no TOML": (project("name =", "name"), 4, "is no TOML"),
    "no builder": (project('build-backend = "setuptools.build_meta"', ""), 4, "`build-backend`"),
    "no version": (project('version = "1.0.0"', ""), 4, "no version"),
    "no Python": (project('requires-python = ">=3.11,<3.12"', ""), 4, "`requires-python`"),
    "any newer Python": (project(">=3.11,<3.12", ">=3.11"), 4, "`requires-python`"),
    "an older Python": (project(">=3.11,<3.12", ">=3.8,<4"), 4, "`requires-python`"),
    "a bare Python as base": (docker("mlops-course:latest", "python:3.11-slim"), 3, "`python:3.11-slim`"),
    "a base of a like name": (docker("mlops-course:latest", "mlops-course-base:1"), 3, "Only the course's image"),
    "no copy": (docker("COPY", "# COPY"), 3, "copies nothing"),
    "copied and not installed": (docker("RUN pip", "# RUN pip"), 3, "never installs"),
    "installed before it is copied": (
        {"dockerfile": "FROM mlops-course:1\nUSER root\nRUN pip install --no-deps /p\nCOPY . /p\nUSER 1000\n"},
        3,
        "before it is copied",
    ),
    "with dependencies": (docker(" --no-deps", ""), 4, "locked versions"),
    "installed by who may not": (docker("USER root\n", ""), 4, "belongs to root"),
    "left as root": (docker("USER 1000:1000", ""), 4, "the user is `root`"),
    "root by number": (docker("USER 1000:1000", "USER 0:0"), 4, "the user is `0:0`"),
    "a user by name": (docker("USER 1000:1000", "USER student"), 4, "by a number"),
    "the code without its project": (
        docker_of("COPY my_flights /package", "USER root", "RUN pip install --no-deps /package"),
        3,
        "finds no `pyproject.toml` there",
    ),
    "the folder without its project": (
        docker_of("COPY my_flights /package/my_flights", "USER root", "RUN cd /package && pip install --no-deps ."),
        3,
        "finds no `pyproject.toml` there",
    ),
    "what is in the folder, beside the project": (
        docker_of("COPY pyproject.toml my_flights /package/", "USER root", "RUN pip install --no-deps /package"),
        3,
        "and not the folder itself",
    ),
    "installed from another folder": (
        docker_of("COPY . /package", "USER root", "RUN pip install --no-deps /source"),
        3,
        "`/source` in the image",
    ),
    "from an index": (
        docker_of("COPY . /package", "USER root", "RUN pip install --no-deps my-flights"),
        3,
        "asks an index",
    ),
    "copied where Python looks, without its folder": (
        docker_of("COPY my_flights /opt/course/lib/python3.11/site-packages/"),
        3,
        "to no folder that Python looks into",
    ),
    "a path that Python looks into, and nothing there": (
        docker_of("COPY my_flights /opt/package", "ENV PYTHONPATH=/opt"),
        3,
        "to no folder that Python looks into",
    ),
    "mounted to be read": (
        docker_of("USER root", "RUN --mount=type=bind,target=/package pip install --no-deps /package"),
        3,
        "can only be read",
    ),
    "something that is not there": (docker("COPY my_flights", "COPY my_flight"), 3, "no such file or folder beside it"),
}


ODD = (
    'RUN\nCOPY\nENV\nENV =\nUSER\nWORKDIR\nRUN [\nCOPY ["a\nRUN --mount=type=bind,target pip install /x\nRUN "\nRUN sh -c\nRUN pip install\n',
    "ADD [1, 2]\n",
    "COPY {} []\n",
    "COPY ../x /p\n",
    "COPY my_flights[ /p\n",
    'RUN [""]\n',
    "RUN a\0b\n",
    "RUN <<EOF\npip install",
)


@pytest.mark.parametrize("lines", ODD)
def test_a_dockerfile_that_is_none_is_told(lab, lines):
    lab_five.write_package(lab, dockerfile=f"FROM mlops-course:1\n{lines}")
    points, message = lab_five.evaluate(lab, "image")
    assert points == 3
    assert message.startswith(("Your `Dockerfile` ", "The `pip install` of your `Dockerfile` "))


@pytest.mark.parametrize("what", WRONG)
def test_wrong_package_is_told(lab, what):
    change, points, told = WRONG[what]
    lab_five.write_package(lab, **change)
    given, message = lab_five.evaluate(lab, "image")
    assert told in message
    assert given == points


INSTALLED = {
    "an old file": (
        lambda root: (root / "my_flights" / "model.py").write_text("old\n"),
        3,
        "changed since the last `lab.build()`? Call it again",
    ),
    "a file that was added": (
        lambda root: (root.parent / "package" / "my_flights" / "more.py").write_text("x = 1\n"),
        3,
        "changed since the last `lab.build()`? Call it again",
    ),
    "a file that did not come along": (
        lambda root: (root / "my_flights" / "model.py").unlink(),
        3,
        "lacks `my_flights",
    ),
    "copied by hand": (lambda root: (root / "my_flights-1.0.0.dist-info" / "METADATA").unlink(), 3, "`.dist-info`"),
    "something else": (lambda root: (root / "tests").mkdir(), 4, "`tests`"),
}


@pytest.mark.parametrize("what", INSTALLED)
def test_wrong_image_is_told(lab, what):
    spoil, points, told = INSTALLED[what]
    lab_five.write_package(lab)
    spoil(lab.workspace / "image")
    given, message = lab_five.evaluate(lab, "image")
    assert told in message
    assert given == points


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            lab_five.PROJECT.replace("name =", "name"),
            r"^package/pyproject.toml is no TOML: .*line 6.*'name \"my-flights\"'$",
        ),
        ("[project", r"^package/pyproject.toml is no TOML: .*$"),
        (b"\xff", "^package/pyproject.toml is no TOML"),
        (None, "^There is no package/pyproject.toml"),
    ],
)
def test_a_project_that_cannot_be_read_is_told_by_its_line_and_leaves_no_image(lab, text, told):
    root = lab_five.write_package(lab)
    path = root / "pyproject.toml"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RuntimeError, match=told) as raised:
        install_package.install(root, lab.workspace / "image")
    assert "Traceback" not in str(raised.value)
    assert not (lab.workspace / "image").exists()


@pytest.mark.slow
def test_pip_installs_what_the_checks_ask_for_and_says_why_it_cannot(lab):
    root = lab_five.write_package(lab)
    install_package.install(root, lab.workspace / "image")
    assert lab_five.evaluate(lab, "image") == (5, "")
    assert sorted(path.name for path in root.iterdir()) == ["Dockerfile", "my_flights", "pyproject.toml"]
    (root / "other").mkdir()
    (root / "pyproject.toml").write_text(lab_five.PROJECT.replace('packages = ["my_flights"]', ""))
    with pytest.raises(RuntimeError, match=r"(?s)could not install.*Multiple top-level packages"):
        install_package.install(root, lab.workspace / "image")


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
