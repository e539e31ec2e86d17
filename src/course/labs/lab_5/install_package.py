"""A package is installed into the folder `image`, as a Dockerfile's `RUN pip install` would do it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from course.labs.lab_3.package import FOLDER, forget

IMAGE = "image"
"""Folder with what pip installs: the packages that the image would have beside those of the course's image."""


def importable(workspace: Path) -> None:
    """Lets the notebook import the package as its files are now."""
    root = str(workspace / FOLDER)
    sys.path[:] = [root, *(path for path in sys.path if path != root)]
    forget()


def install(package: Path, target: Path) -> None:
    """Installs a package into an empty folder, without what it depends on, and without the internet.

    Raises:
        RuntimeError: there is no `pyproject.toml`, or pip cannot; the message ends with its last words.
    """
    for folder in (target, package / "build", *package.glob("*.egg-info")):
        shutil.rmtree(folder, ignore_errors=True)
    _readable(package / "pyproject.toml")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--quiet"]
    command += ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=package.parent)
    for folder in (package / "build", *package.glob("*.egg-info")):
        shutil.rmtree(folder, ignore_errors=True)
    if done.returncode:
        raise RuntimeError("pip could not install the package:\n" + _told(done.stdout + done.stderr))


def _readable(project: Path) -> None:
    """Says what is wrong with the file by itself: pip would say it below a traceback of its own."""
    shown = f"{project.parent.name}/{project.name}"
    try:
        tomllib.loads(project.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RuntimeError(f"There is no {shown}: without it pip cannot install the package.") from None
    except tomllib.TOMLDecodeError as error:
        raise RuntimeError(f"{shown} is no TOML: {error}{_line(project, str(error))}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise RuntimeError(f"{shown} is no TOML: {str(error)[:120]}") from None


def _line(project: Path, told: str) -> str:
    """The line of which an error tells."""
    number = re.search(r"at line (\d+)", told)
    return f": {project.read_text(encoding='utf-8').split(chr(10))[int(number[1]) - 1].strip()!r}" if number else ""


def _told(printed: str) -> str:
    """What pip, or the builder that it started, says first of an error."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    starts = [number for number, line in enumerate(lines) if re.match(r"(?:[\w.]*error)\b[: ]", line, re.IGNORECASE)]
    first = next((number for number in starts if "subprocess" not in lines[number]), 0)
    if any(line.startswith("Traceback") for line in lines[first : first + 3]):
        return lines[-1]
    return "\n".join(lines[first : first + 8])
