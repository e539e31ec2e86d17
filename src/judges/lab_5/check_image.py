"""Task 1 of lab 5: the package is installed elsewhere, and its Dockerfile done; judged by what pip, and that, have left."""

from __future__ import annotations

import email
import re
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_3.package import FOLDER, NAME
from course.labs.lab_5.install_package import IMAGE
from judges.lab_5 import elsewhere
from judges.shared import workspace_files

BASE = "mlops-course"
MODULES = ("config.py", "features.py", "model.py", "pipeline.py")
MOST_FILES = 500


def judge_image(lab: checks.Lab) -> None:
    """One point for what pip makes of the metadata, two for what is installed, two for the Dockerfile.

    Raises:
        checks.Wrong: something of it is missing.
    """
    for name in ("pyproject.toml", "Dockerfile"):
        workspace_files.text(lab, f"{FOLDER}/{name}", f"It lies in the folder `{FOLDER}`, beside `{NAME}`.")
    found = elsewhere.image(lab)
    problems, points = [], 0.0
    for worth, judge in ((1, _metadata), (2, _installed), (2, _dockerfile)):
        try:
            judge(lab, found)
            points += worth
        except checks.Wrong as wrong:
            problems.append(wrong.message)
            points += wrong.points
    if problems:
        raise checks.Wrong("\n".join(dict.fromkeys(problems)), points=points)


def _fresh(found: elsewhere.Elsewhere) -> Path:
    if told := found.failure(1):
        raise checks.Wrong(f"Your package cannot be installed: {told}")
    return found.ran.folder / elsewhere.IMAGE


def _metadata(lab: checks.Lab, found: elsewhere.Elsewhere) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    paths = sorted(_fresh(found).glob("*.dist-info/METADATA"))
    said = email.message_from_bytes(paths[0].read_bytes()[:100_000]) if paths else {}
    if "build-backend" not in workspace_files.text(lab, f"{FOLDER}/pyproject.toml"):
        raise checks.Wrong("`pyproject.toml` does not say what builds the package: `[build-system]`, `build-backend`.")
    if str(said.get("Name")) in ("None", "UNKNOWN"):
        raise checks.Wrong("What pip has installed has no name: `[project]`, `name` in `pyproject.toml`.")
    if said.get("Version") in (None, "0.0.0"):
        raise checks.Wrong(
            "What pip has installed has no version. Of an image that runs at night you want to know which."
        )
    try:
        wanted = SpecifierSet(str(said.get("Requires-Python", "")))
    except InvalidSpecifier:
        wanted = SpecifierSet("")
    if not str(wanted) or "3.11.9" not in wanted or "3.9.0" in wanted or "4.0" in wanted:
        raise checks.Wrong(
            f"What pip has installed says that it runs on Python {str(wanted) or 'of any version'} (`requires-python`). It has to admit 3.11, which TFX and Kubeflow are "
            "installed with, and no version that they do not run on (3.9, 4.0)."
        )


def _installed(lab: checks.Lab, found: elsewhere.Elsewhere) -> None:
    image = workspace_files.inside(lab, IMAGE)
    if not image.is_dir():
        raise checks.Wrong(f"There is no folder `{IMAGE}`: `lab.build()` was not called yet, or its last call failed.")
    fresh, built = _files(_fresh(found)), _files(image)
    if lacking := _lacking(lab, _fresh(found) / NAME):
        raise checks.Wrong(
            f"Installed elsewhere, your package has no `{NAME}/{lacking}`. Which packages and files does `pyproject.toml` tell the build to take?"
        )
    if other := sorted(name for name in fresh.keys() | built.keys() if fresh.get(name) != built.get(name)):
        raise checks.Wrong(
            f"`{IMAGE}/{other[0][:60]}` is not what your package installs to now: changed since the last `lab.build()`? Call it again."
        )
    strange = {name.partition("/")[0] for name in fresh} - {NAME, "bin"}
    if strange := sorted(name for name in strange if not name.endswith(".dist-info")):
        raise checks.Wrong(
            f"`{IMAGE}` also holds `{strange[0][:40]}`, which is not your package. What does the build take along?",
            points=1,
        )


def _files(folder: Path) -> dict[str, bytes]:
    """The files that pip has installed, by path; without those in which it notes place and time."""
    found = {}
    for path in sorted(folder.rglob("*"))[:MOST_FILES]:
        is_own = path.suffix == ".pyc" or path.name in ("RECORD", "direct_url.json", "WHEEL", "uv_cache.json")
        if path.is_file() and not path.is_symlink() and not is_own and path.stat().st_size < workspace_files.MOST_BYTES:
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def _lacking(lab: checks.Lab, folder: Path) -> str:
    """The first of the package's modules that is not in a folder as it is now; empty: all are."""
    theirs, ours = _files(workspace_files.inside(lab, f"{FOLDER}/{NAME}")), _files(folder)
    names = {name for name in theirs if name.endswith(".py")} | set(MODULES)
    return next((name for name in sorted(names) if theirs.get(name) is None or theirs[name] != ours.get(name)), "")


def _dockerfile(lab: checks.Lab, found: elsewhere.Elsewhere) -> None:
    said = found.said("told.json")
    told = {
        name: str(said.get(name) or "").replace("`", "'")[:600]
        for name in ("base", "user", "package", "hidden", "stopped", "said")
    }
    others = said.get("others")
    left_out = _left_out(said.get("left_out"))
    if not said:
        raise checks.Wrong(f"Your `Dockerfile` cannot be done: {found.failure(0) or 'it leaves nothing.'}")
    if not told["base"] and not told["stopped"]:
        raise checks.Wrong("Your `Dockerfile` has no `FROM`: which image does it start from?")
    if told["base"] and not re.fullmatch(rf"(?:.*/)?{BASE}(?:[:@].+)?", told["base"]):
        raise checks.Wrong(
            f"Your `Dockerfile` starts from `{told['base'][:60]}`. Only the course's image, `{BASE}`, has TFX and `flights` as they are locked."
        )
    if told["stopped"]:
        raise checks.Wrong(
            f"Your `Dockerfile`, done elsewhere, stops at `{told['stopped']}`: {told['said']}{left_out and '.' + left_out}"
        )
    if not told["package"] or not (found.ran.folder / told["package"]).resolve().is_relative_to(
        found.ran.folder.resolve()
    ):
        raise checks.Wrong(
            f"Your `Dockerfile`, done elsewhere, comes to its end, and Python then finds no `{NAME}` in the image. What does it copy (`COPY`), and "
            "which command installs it, as `lab.build()` does?{left_out}"
        )
    if lacking := _lacking(lab, found.ran.folder / told["package"]):
        raise checks.Wrong(
            f"The image of your `Dockerfile` has a `{NAME}` without `{lacking}` as it is in your package.{left_out}"
        )
    if told["hidden"]:
        raise checks.Wrong(
            f"The user at the end of your `Dockerfile`, `{told['user'][:30]}`, cannot read what Python finds the package by: `{told['hidden']}` belongs to "
            "another user. Others need `r` for a file, and `rx` for a folder."
        )
    problems = []
    if isinstance(others, list) and others:
        problems.append(
            f"Your `Dockerfile` also installs `{str(others[0])[:40]}`. One new version of a library, and what you have tested is not what runs."
        )
    number = re.fullmatch(r"(\d+)(:\d+)?", told["user"])
    if not number or int(number[1]) == 0:
        problems.append(
            f"At the end of your `Dockerfile` the user is `{told['user'][:30]}`. A step must not run as root, and Kubernetes can only tell by a "
            "number: which one does the course's image use?"
        )
    if problems:
        raise checks.Wrong("\n".join(problems), points=2.0 - len(problems))


def _left_out(names: Any) -> str:
    """A sentence about the first file of the package that `.dockerignore` keeps from the build; empty: none."""
    ours = re.compile(rf"pyproject\.toml|{NAME}(/.*)?")
    first = next((one for one in names if ours.fullmatch(str(one))), "") if isinstance(names, list) else ""
    return f" `.dockerignore` leaves out `{str(first)[:60].replace('`', '')}`." if first else ""
