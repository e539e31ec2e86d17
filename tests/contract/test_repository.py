"""The repository keeps its own promises: formatting, dependencies, links, names that no file may hold, the words of `make`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.checks import files, import_cycles, project
from tools.docs import readme


@pytest.fixture(scope="module")
def texts(root) -> dict[str, str]:
    """The text of each tracked file, by its path."""
    found = {str(path.relative_to(root)): files.text_of(path) for path in files.tracked(root)}
    assert len(found) > 50, "git lists hardly any files"
    return {name: text for name, text in found.items() if text is not None}


def none(faults) -> None:
    faults = list(faults)
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def run(root: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        pytest.fail(f"{' '.join(command[2:])}\n{done.stdout}{done.stderr}", pytrace=False)


def test_code_and_notebooks_keep_the_rules_of_ruff(root):
    run(root, sys.executable, "-m", "ruff", "check", ".")


def test_code_and_notebooks_are_formatted(root):
    run(root, sys.executable, "-m", "ruff", "format", "--check", ".")


def test_flights_never_imports_course(root):
    assert list((root / "src" / "flights").rglob("*.py")), "src/flights has moved: this test checks nothing"
    none(project.forbidden_imports(root / "src" / "flights", {"course", "tools", "tests"}))


@pytest.mark.parametrize("package", ["engines", "serving", "operation"])
def test_engines_serving_and_operation_know_no_project(root, package):
    """They run, serve and watch any TFX pipeline: no flight, nothing of the course, not even in a comment."""
    folder = root / "src" / package
    assert list(folder.rglob("*.py")), f"src/{package} has moved: this test checks nothing"
    none(project.forbidden_imports(folder, {"flights", "course", "tools", "tests"}))
    none(
        f"{path.relative_to(root)}, line {number}: {line.strip()}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "flight" in line.lower()
    )


def test_one_process_forks_for_all_who_need_tfx(root):
    """What evaluates submissions forks as well, each time after the same imports: it is another thing."""
    forks = re.compile(r"\bos\.fork\(|\bforkserver\b")
    found = {
        path.relative_to(root).as_posix()
        for folder in ("src", "tools")
        for path in (root / folder).rglob("*.py")
        if forks.search(re.sub(r'"[^"\n]*"', "", path.read_text(encoding="utf-8")))
    }
    assert "src/warm/server.py" in found
    none(sorted(name for name in found if not name.startswith(("src/warm/", "tools/grade/"))))


def test_the_warm_process_has_nothing_of_a_project(root):
    """What it has imported is what its forks have: an edited file would not be read."""
    none(project.forbidden_imports(root / "src" / "warm", {"flights", "engines", "course", "tools", "tests"}))
    for path in (root / "src" / "warm").glob("*.py"):
        assert not re.search(r'"(flights|course)\b', path.read_text(encoding="utf-8")), path


def test_course_does_not_import_the_tools(root):
    none(project.forbidden_imports(root / "src" / "course", {"tools", "tests"}))


def test_no_modules_import_each_other(root):
    packages = [path for path in (root / "src").iterdir() if path.is_dir()]
    assert {"course", "engines", "flights", "operation", "serving", "warm"} <= {path.name for path in packages}
    none([" imports ".join(found)] if (found := import_cycles.import_cycle(*packages, root / "tools")) else [])


def test_no_file_names_a_server_of_packages(texts):
    none(f"{name}: {fault}" for name, text in texts.items() for fault in files.registries(text))


def test_no_file_names_a_folder_of_one_machine(texts, root):
    none(f"{name}: {fault}" for name, text in texts.items() for fault in files.machine_paths(text, root, Path.home()))


def test_links_of_documents_lead_somewhere(root):
    documents = files.tracked(root, ".md")
    assert root / "README.md" in documents
    none(f"{path.relative_to(root)}: {fault}" for path in documents for fault in files.broken_links(path, root))


def test_images_of_documents_have_alt_text(root):
    from tools.notebooks.style.text import weak_alt

    for path in files.tracked(root, ".md"):
        for alt in re.findall(r"!\[([^\]]*)\]\(", path.read_text(encoding="utf-8")):
            assert weak_alt(alt) is None, f"{path.relative_to(root)}: an image {weak_alt(alt)}"


def test_table_of_lessons_is_up_to_date(root):
    assert readme.renew(root, write=False) is False, "run: make readme"


def test_lock_is_that_of_the_project(root):
    wanted, lock = (root / "pyproject.toml").read_text(), (root / "requirements" / "course.txt").read_text()
    assert len(project.pins(lock)) > 200, "the lock cannot be read"
    none(project.lock_faults(wanted, lock))
    none(project.superfluous_pins(wanted, lock))


def test_lock_of_the_installer_has_what_is_asked_for(root):
    pinned = project.pins((root / "requirements" / "tools.txt").read_text())
    asked = re.findall(r"^([\w-]+)", (root / "requirements" / "tools.in").read_text(), re.MULTILINE)
    assert asked
    assert set(asked) <= set(pinned)
    assert all(hashes for _, _, hashes in pinned.values())


def test_environment_is_the_one_that_is_locked(root):
    none(project.other_versions((root / "requirements" / "course.txt").read_text()))


def test_conda_environment_uses_the_lock(root):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    assert [entry for entry in environment["dependencies"] if not isinstance(entry, str)] == [], (
        "pip would resolve anew"
    )
    command = "python -m pip install --no-deps -r requirements/course.txt"
    assert f"#   {command}\n" in (root / "environment.yml").read_text()
    assert f"\n{command}\n" in (root / "README.md").read_text()


def test_make_help_has_a_line_for_each_target(root):
    targets = project.make_targets((root / "Makefile").read_text())
    assert {"lab", "test", "test-fast", "data", "decks", "bench", "clean"} <= targets
    printed = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True, timeout=30).stdout
    lines = {match[1]: match[2] for match in re.finditer(r"^\s*make ([a-z-]+) +(\S.*)$", printed, re.MULTILINE)}
    assert set(lines) == targets


def test_documents_name_only_targets_that_exist(root):
    targets = project.make_targets((root / "Makefile").read_text())
    if not any((root / "solutions").rglob("*.ipynb")):
        targets |= {"labs", "grade"}  # come with the first lab; documents may say so before
    documents = files.tracked(root, ".md")
    none(
        f"{path.relative_to(root)}: {fault}"
        for path in documents
        for fault in project.unknown_targets(path.read_text(encoding="utf-8"), targets)
    )


def test_continuous_integration_does_what_ci_run_does(root):
    assert (root / ".ci" / "run").stat().st_mode & 0o111, ".ci/run is not executable"
    script = (root / ".ci" / "run").read_text()
    assert "\nwhich=${1:-test}\n" in script
    assert '\n    make "$which"\n' in script
    workflow = yaml.safe_load((root / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    (step,) = [step for step in steps if ".ci/run" in step]
    assert re.fullmatch(r"\.ci/run \$\{\{ .*'schedule'.* && 'test-all' \|\| 'test' \}\}", step)


def test_shell_scripts_parse(root):
    scripts = [*files.tracked(root, ".sh"), root / ".ci" / "run"]
    for path in scripts:
        run(root, "bash", "-n", str(path))


def test_hooks_before_a_commit_load_nothing(root):
    hooks = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    assert [entry["repo"] for entry in hooks] == ["local"]
    entries = {hook["id"]: hook["entry"] for hook in hooks[0]["hooks"]}
    assert all(entry.startswith(".venv/bin/python -m ") for entry in entries.values())
    assert {"ruff-format", "ruff-check", "notebook-form"} <= set(entries)


def test_table_of_the_bench_is_that_of_its_results(root):
    """Both are committed: a section that is measured anew must not make the table forget the others."""
    from tools.bench.__main__ import RESULTS, TABLE, table

    assert TABLE.read_text(encoding="utf-8") == table(json.loads(RESULTS.read_text(encoding="utf-8")))
