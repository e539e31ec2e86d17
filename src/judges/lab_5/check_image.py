"""Judges the package as an image would hold it, by its files: task 1 of lab 5."""

from __future__ import annotations

import tomllib
from typing import Any

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from course.labs.lab_5.install_package import IMAGE
from judges.lab_5 import check_dockerfile
from judges.shared import workspace_files


def judge_image(lab: checks.Lab) -> None:
    """One point for the metadata, two for what is installed, two for the Dockerfile.

    Raises:
        checks.Wrong: something of it is missing.
    """
    problems, points = [], 0.0
    for worth, judge in ((1, _project), (2, _installed), (2, check_dockerfile.judge)):
        try:
            judge(lab)
            points += worth
        except checks.Wrong as wrong:
            problems.append(wrong.message)
            points += wrong.points
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def _project(lab: checks.Lab) -> None:
    text = workspace_files.text(lab, f"{FOLDER}/pyproject.toml", "It lies beside the folder `my_flights`.")
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise checks.Wrong(f"`pyproject.toml` is no TOML: {str(error)[:120]}") from error
    project, build = found.get("project"), found.get("build-system")
    if not isinstance(build, dict) or not build.get("build-backend"):
        raise checks.Wrong("`pyproject.toml` does not say what builds the package: `[build-system]`, `build-backend`.")
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise checks.Wrong("`pyproject.toml` names no project: `[project]`, `name`.")
    if not project.get("version") and "version" not in (project.get("dynamic") or []):
        raise checks.Wrong("`pyproject.toml` gives no version. Of an image that runs at night you want to know which.")
    _python(project.get("requires-python"))


def _python(given: Any) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(given if isinstance(given, str) else "")
    except InvalidSpecifier as error:
        raise checks.Wrong("`requires-python` in `pyproject.toml` cannot be read: look at the course's own.") from error
    if not str(wanted) or "3.11.9" not in wanted or "3.9.0" in wanted or "4.0" in wanted:
        raise checks.Wrong(
            "`requires-python` in `pyproject.toml` has to admit Python 3.11, which TFX and Kubeflow are installed with, and no "
            "version that they do not run on (3.9, 4.0)."
        )


def _installed(lab: checks.Lab) -> None:
    image = workspace_files.inside(lab, IMAGE)
    if not image.is_dir():
        raise checks.Wrong(f"There is no folder `{IMAGE}`: `lab.build()` was not called yet, or its last call failed.")
    if not list(image.glob("*.dist-info/METADATA")):
        raise checks.Wrong(f"`{IMAGE}` holds no `.dist-info`: pip has not installed anything there.")
    theirs, ours = _python_files(lab, f"{FOLDER}/{NAME}"), _python_files(lab, f"{IMAGE}/{NAME}")
    if missing := sorted(set(theirs) - set(ours)):
        raise checks.Wrong(
            f"`{IMAGE}` lacks `{NAME}/{missing[0]}`: changed since the last `lab.build()`? Call it again. If the file does not come along "
            "then, which packages does `pyproject.toml` tell the build to take?"
        )
    if stale := sorted(name for name in theirs if theirs[name] != ours[name]):
        raise checks.Wrong(
            f"`{NAME}/{stale[0]}` is another in `{IMAGE}` than in your package: changed since the last `lab.build()`? Call it again."
        )
    for name in ("config.py", "features.py", "model.py", "pipeline.py"):
        if name not in ours:
            raise checks.Wrong(f"`{IMAGE}` has no `{NAME}/{name}`.")
    strange = [path.name for path in image.iterdir() if path.is_dir() and not _expected(path.name)]
    if strange:
        raise checks.Wrong(
            f"`{IMAGE}` also holds `{min(strange)[:40]}`, which is not your package. What does the build take along?",
            points=1,
        )


def _expected(name: str) -> bool:
    return name in (NAME, "bin", "__pycache__") or name.endswith(".dist-info")


def _python_files(lab: checks.Lab, folder: str) -> dict[str, str]:
    root = workspace_files.inside(lab, folder)
    found = sorted(path for path in root.rglob("*.py") if path.is_file())[:200]
    return {
        str(path.relative_to(root)): workspace_files.text(lab, f"{folder}/{path.relative_to(root)}") for path in found
    }
