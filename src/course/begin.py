"""The first line of every lesson: `workspace = course.begin("NN-name")`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from course import errors, formatters, progress, quiet, style

_MADE_HERE = ".made-by-course"


def begin(lesson: str) -> Path:
    """Prepares the notebook: quiet logs, house style, views of TFX's objects, a progress bar, an empty folder.

    Args:
        lesson: name of the notebook without its ending, such as `00-first-pipeline`.

    Returns:
        Absolute path of an existing, empty folder of this lesson's own, `$COURSE_OUT/lessons/<lesson>`. `COURSE_OUT` is
        `out/` of the repository unless the environment says otherwise. What an earlier run left there is removed.

    Raises:
        ValueError: the name is not one that a folder can safely have.
        FileExistsError: the folder holds files that `begin` did not make room for.
    """
    quiet.logs()
    style.use()
    formatters.register()
    errors.register()
    progress.register()
    return fresh_workspace(lesson)


def fresh_workspace(lesson: str) -> Path:
    """Empties and returns the lesson's folder. Removes only a folder that this function made before.

    The mark that says so lies beside the folder, so that the folder itself is empty. A symbolic link in its place is
    removed, never followed.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", lesson):
        raise ValueError(f"{lesson!r} cannot name a folder. Use the notebook's name, such as '00-first-pipeline'.")
    folder = output_root() / "lessons" / lesson
    mark = folder.parent / _MADE_HERE / lesson
    if folder.is_symlink():
        folder.unlink()
    elif mark.exists():
        shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} holds files that course.begin did not put there. Move them away, or set COURSE_OUT."
        )
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    folder.mkdir(exist_ok=True)
    return folder


def output_root() -> Path:
    """Where everything that runs writes: `$COURSE_OUT`, else `out/` in the repository, else `out/` in the current folder."""
    chosen = os.environ.get("COURSE_OUT")
    if chosen:
        return Path(chosen).expanduser().resolve()
    repository = Path(__file__).resolve().parents[2]
    base = repository if (repository / "pyproject.toml").exists() else Path.cwd()
    return (base / "out").resolve()
