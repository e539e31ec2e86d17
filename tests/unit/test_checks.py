"""The rules about the repository catch what they are there for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.checks import files, import_cycles, project

# In pieces: this file is looked at, too.
INDEX = "py" + "pi.org"
MIRROR = "files.pythonho" + "sted.org"
HASH = "--hash=sha256:00"


@pytest.mark.parametrize(
    "line",
    [
        f"see https://{INDEX}/project/tfx",
        f"https://{MIRROR}/packages/x.whl",
        "registry=https:" + "//registry.npm" + "js.org/",
        "http://deb." + "debian.org/debian bookworm",
        "index-url" + " = https://packages.example.net/simple",
        "UV_DEFAULT_" + "INDEX=https://packages.example.net/simple",
        "pip install --extra-index-" + "url https://packages.example.net/simple tfx",
    ],
)
def test_server_of_packages_is_found(line):
    assert next(files.registries(f"first\n{line}\n")).startswith("line 2 names a server of packages")


@pytest.mark.parametrize(
    "line", ["https://www.tensorflow.org", "apt-get install g++", "--no-emit-index-url", "pip and conda", "debian.org"]
)
def test_other_names_are_not_servers_of_packages(line):
    assert list(files.registries(line)) == []


def test_folder_of_one_machine_is_found():
    root, home = Path("/srv/course"), Path("/home", "somebody")
    lines = [
        "cd /srv/course/notebooks",
        f"in {home}/.venv",
        "'/Users/" + "carla/x'",
        "/srv/courses",
        "src/srv/course",
        "/home/jovyan/work",
    ]
    found = list(files.machine_paths("\n".join(lines), root, home))
    assert [what.split()[1] for what in found] == ["1", "2", "3"]


@pytest.fixture
def repository(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("out/\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.md").write_text("x")
    (tmp_path / "a.md").write_text("# Title\n\n## A `code` heading, twice\n\n## A `code` heading, twice\n")
    return tmp_path


def test_files_are_those_that_git_would_keep(repository):
    (repository / "b.txt").write_bytes(b"\0binary")
    assert [path.name for path in files.tracked(repository)] == [".gitignore", "a.md", "b.txt"]
    assert [path.name for path in files.tracked(repository, ".md")] == ["a.md"]
    assert files.text_of(repository / "b.txt") is None


@pytest.mark.parametrize(
    ("link", "good"),
    [
        ("a.md", True),
        ("a.md#a-code-heading-twice", True),
        ("a.md#a-code-heading-twice-1", True),
        ("#here", True),
        ("/a.md", True),
        ("https://example.org/x", True),
        ("no.md", False),
        ("a.md#a-code-heading-twice-2", False),
        ("#there", False),
    ],
)
def test_links(repository, link, good):
    path = repository / "c.md"
    path.write_text(f"# Here\n\n[text]({link})\n\n`[code](nowhere)`\n\n```\n[code](nowhere)\n```\n")
    assert (list(files.broken_links(path, repository)) == []) is good


@pytest.mark.parametrize(
    "source",
    [
        "import course",
        "import course.views as v",
        "from course import show",
        "def f():\n    from course.views import x",
        "importlib.import_module('course.style')",
    ],
)
def test_forbidden_import_is_found(tmp_path, source):
    folder = tmp_path / "flights"
    (folder / "runners").mkdir(parents=True)
    (folder / "runners" / "a.py").write_text(f"import importlib\n{source}\n")
    assert list(project.forbidden_imports(folder, {"course"})) == ["flights/runners/a.py imports course"]


def test_allowed_imports_are_left_alone(tmp_path):
    folder = tmp_path / "flights"
    folder.mkdir()
    (folder / "a.py").write_text("from . import course\nfrom flights import data\ncourse_begin = 'course'\n")
    assert list(project.forbidden_imports(folder, {"course"})) == []


@pytest.mark.parametrize(
    ("there", "back", "is_circle"),
    [
        ("from made.deep import second", "from made import first", True),
        ("from made.deep.second import NAME", "import made.first", True),
        ("def late():\n    from .deep import second", "from ..first import NAME", True),
        ("from made import deep", "from .. import first", False),
        ("import made.deep.second", "import json", False),
        ("import made.deep.second", "if TYPE_CHECKING:\n    from made import first", False),
    ],
)
def test_modules_that_import_each_other_are_found(tmp_path, there, back, is_circle):
    package = tmp_path / "made"
    (package / "deep").mkdir(parents=True)
    for name, text in {"__init__": "", "first": there, "deep/__init__": "", "deep/second": back}.items():
        (package / f"{name}.py").write_text(f"{text}\n")
    found = import_cycles.import_cycle(package)
    assert set(found) == ({"made.first", "made.deep.second"} if is_circle else set())


PROJECT = '[project]\ndependencies = ["pytest>=8", "ruff"]\n'
LOCK = f"pytest==9.2.0 \\\n    {HASH}\nruff==0.17.6 ; sys_platform == 'linux' \\\n    {HASH} \\\n    {HASH}\n"


def test_lock_is_read():
    assert project.pins(LOCK) == {"pytest": ("9.2.0", None, 1), "ruff": ("0.17.6", "sys_platform == 'linux'", 2)}


@pytest.mark.parametrize(
    ("wanted", "lock", "words"),
    [
        ('[project]\ndependencies = ["pytest>=10"]\n', LOCK, "wants >=10"),
        ('[project]\ndependencies = ["feast"]\n', LOCK, "feast is in pyproject.toml"),
        (PROJECT, LOCK.replace(HASH, ""), "without a hash"),
    ],
)
def test_lock_that_is_behind_is_found(wanted, lock, words):
    assert any(words in fault for fault in project.lock_faults(wanted, lock))
    assert list(project.lock_faults(PROJECT, LOCK)) == []


def test_pin_that_nothing_needs_is_found():
    found = list(project.superfluous_pins(PROJECT, LOCK + f"numpy==1.0 \\\n    {HASH}\n"))
    assert found == ["the lock has numpy 1.0, which nothing needs: run make lock"]
    assert list(project.superfluous_pins(PROJECT, LOCK + f"pluggy==1.0 \\\n    {HASH}\n")) == []


def test_environment_that_is_not_the_locked_one_is_found():
    assert "numpy is" in next(project.other_versions(f"numpy==0.1 \\\n    {HASH}\n"))
    assert "missing here" in next(project.other_versions(f"no-such-package==0.1 \\\n    {HASH}\n"))
    assert list(project.other_versions(f"no-such-package==0.1 ; sys_platform == 'win32' \\\n    {HASH}\n")) == []


def test_targets_are_read_and_unknown_ones_found():
    targets = project.make_targets("PORT ?= 1\nX := 2\n.PHONY: lab\nlab: data ## open\n\tpython\ntest-fast:\n")
    assert targets == {"lab", "test-fast"}
    text = "run `make lab` or `UPGRADE=1 make grade`, `make sure`\n```\nmake test-fast   # quick\nmake deck\n```\nThey make tea."
    assert [fault.split("`")[1] for fault in project.unknown_targets(text, targets)] == [
        "make grade",
        "make sure",
        "make deck",
    ]
