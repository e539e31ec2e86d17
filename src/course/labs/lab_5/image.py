"""The image: a package is installed into a folder as a Dockerfile's `RUN pip install` would, and judged by its files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from course import checks
from course.labs.lab_2 import files
from course.labs.lab_3.package import FOLDER, NAME, forget

IMAGE = "image"
"""Folder with what pip installs: the packages that the image would have beside those of the course's image."""
BASE = "mlops-course"


def importable(workspace: Path) -> None:
    """Lets the notebook import the package as its files are now."""
    root = str(workspace / FOLDER)
    sys.path[:] = [root, *(path for path in sys.path if path != root)]
    forget()


def install(package: Path, target: Path) -> None:
    """Installs a package into an empty folder, without what it depends on, and without the internet.

    Raises:
        RuntimeError: pip cannot; the message ends with its last words.
    """
    for folder in (target, package / "build", *package.glob("*.egg-info")):
        shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet"]
    command += ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=package.parent)
    for folder in (package / "build", *package.glob("*.egg-info")):
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise RuntimeError("pip could not install the package:\n" + _told(done.stdout + done.stderr))


def _told(printed: str) -> str:
    """What pip, or the builder that it started, says first of an error."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if re.match(r"(?:[\w.]*error)\b[: ]", line, re.IGNORECASE)]
    first = next((number for number in starts if "subprocess" not in lines[number]), 0)
    if any(line.startswith("Traceback") for line in lines[first : first + 3]):
        return lines[-1]
    return "\n".join(lines[first : first + 8])


def judge_image(lab: checks.Lab) -> None:
    """One point for the metadata, two for what is installed, two for the Dockerfile.

    Raises:
        checks.Wrong: something of it is missing.
    """
    problems, points = [], 0.0
    for worth, judge in ((1, _project), (2, _installed), (2, _dockerfile)):
        try:
            judge(lab)
            points += worth
        except checks.Wrong as wrong:
            problems.append(wrong.message)
            points += wrong.points
    if problems:
        raise checks.Wrong("\n".join(problems), points=points)


def _project(lab: checks.Lab) -> None:
    text = files.text(lab, f"{FOLDER}/pyproject.toml", "It lies beside the folder `my_flights`.")
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
    image = files._inside(lab, IMAGE)
    if not image.is_dir():
        raise checks.Wrong(f"There is no folder `{IMAGE}`: `lab.build()` installs the package there.")
    if not list(image.glob("*.dist-info/METADATA")):
        raise checks.Wrong(f"`{IMAGE}` holds no `.dist-info`: pip has not installed anything there.")
    theirs, ours = _python_files(lab, f"{FOLDER}/{NAME}"), _python_files(lab, f"{IMAGE}/{NAME}")
    if missing := sorted(set(theirs) - set(ours)):
        raise checks.Wrong(
            f"`{IMAGE}` lacks `{NAME}/{missing[0]}`: which packages does `pyproject.toml` tell the build to take?"
        )
    if stale := sorted(name for name in theirs if theirs[name] != ours[name]):
        raise checks.Wrong(
            f"`{NAME}/{stale[0]}` is another in `{IMAGE}` than in your package: run `lab.build()` again."
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
    root = files._inside(lab, folder)
    found = sorted(path for path in root.rglob("*.py") if path.is_file())[:200]
    return {str(path.relative_to(root)): files.text(lab, f"{folder}/{path.relative_to(root)}") for path in found}


# --- The Dockerfile -----------------------------------------------------------------------------------------------

NUMBER = re.compile(r"(\d+)(:\d+)?")


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: (name in capitals, rest), with arguments (`ARG`) that have a value put in."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", text)
    text = re.sub(r"\\[ \t]*\n", " ", text)
    found, known = [], {}
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        for argument, value in known.items():
            rest = rest.replace(f"${{{argument}}}", value).replace(f"${argument}", value)
        if name.upper() == "ARG" and "=" in rest:
            argument, _, value = rest.strip().partition("=")
            known[argument] = value.strip("\"'")
        if name:
            found.append((name.upper(), rest.strip()))
    return found


def _dockerfile(lab: checks.Lab) -> None:
    found = instructions(files.text(lab, f"{FOLDER}/Dockerfile", "It lies beside `pyproject.toml`."))
    bases = [rest.split() for name, rest in found if name == "FROM"]
    if not bases:
        raise checks.Wrong("Your `Dockerfile` has no `FROM`: which image does it start from?")
    last = [part for part in bases[-1] if not part.startswith("--")]
    if not last or not re.fullmatch(rf"(?:.*/)?{BASE}(?:[:@].+)?", last[0]):
        raise checks.Wrong(
            f"Your `Dockerfile` starts from `{' '.join(last)[:60]}`. Only the course's image, `{BASE}`, has TFX and `flights` as "
            "they are locked."
        )
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    _brought(found[start:])
    users = [rest.split()[0] for name, rest in found[start:] if name == "USER" and rest]
    if users and (not (number := NUMBER.fullmatch(users[-1])) or int(number[1]) == 0):
        raise checks.Wrong(
            f"At the end of your `Dockerfile` the user is `{users[-1][:30]}`. A step must not run as root, and Kubernetes can only "
            "tell by a number: which one does the course's image use?",
            points=1,
        )


def _brought(found: list[tuple[str, str]]) -> None:
    """The package is copied and installed, by a user who may; or copied to where Python looks."""
    copies = [number for number, (name, _) in enumerate(found) if name in ("COPY", "ADD")]
    if not copies:
        raise checks.Wrong("Your `Dockerfile` copies nothing into the image (`COPY`): how does the package get there?")
    installs = [number for number, (name, rest) in enumerate(found) if name == "RUN" and _installs(rest)]
    paths = [rest for name, rest in found if name == "ENV" and "PYTHONPATH" in rest]
    if not installs:
        if paths and any(NAME in found[number][1] or found[number][1].startswith(". ") for number in copies):
            return
        raise checks.Wrong(
            "Your `Dockerfile` never installs the package: `RUN`, and the command that `lab.build()` runs."
        )
    if installs[-1] < copies[0]:
        raise checks.Wrong("Your `Dockerfile` installs the package before it is copied into the image.")
    rest = found[installs[-1]][1]
    if "--no-deps" not in rest:
        raise checks.Wrong(
            "The `pip install` of your `Dockerfile` may replace the locked versions in the image by others: which option leaves "
            "dependencies alone?",
            points=1,
        )
    before = [value for name, value in found[: installs[-1]] if name == "USER"]
    if not before or before[-1].split(":")[0] not in ("root", "0"):
        raise checks.Wrong(
            "The environment in the course's image belongs to root, and the image's user is not root: your `RUN` could not write "
            "there. Switch the user for it, and back.",
            points=1,
        )


def _installs(command: str) -> bool:
    try:
        words = shlex.split(command.replace("[", " ").replace("]", " ").replace(",", " "))
    except ValueError:
        words = command.split()
    return "install" in words and any(word.rsplit("/", 1)[-1] in ("pip", "pip3", "uv") for word in words)
