"""Copies `src/flights` under another name, and the pipelines of `deploy/ci-cd`: the files as they are, for none of them spells the name of the package."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "flights"
CI_CD = Path("deploy") / "ci-cd"
TEMPLATES = Path(__file__).parent / "templates"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


class ProjectFault(ValueError):
    """The project cannot be made; the message says what to change."""


def start(name: str, folder: Path) -> None:
    """Makes the folder of a project, whole or not at all.

    Args:
        name: of its package.
        folder: that does not exist yet, or is empty.

    Raises:
        ProjectFault: the name cannot be a package's, or is taken; or there is something in the folder.
        OSError: the folder cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ProjectFault(f"NAME={name}: small letters, digits and _, the first a letter, as in my_project.")
    if name in sys.stdlib_module_names or find_spec(name):
        raise ProjectFault(f"NAME={name}: there is a package of this name already. Choose another.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectFault(f"FOLDER={folder}: there is something in it. Name a new folder.")
    beside = folder.absolute().with_name(f"{folder.absolute().name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(SOURCE, beside / "src" / name, ignore=LEFT_OUT)
    shutil.copytree(ROOT / CI_CD, beside / CI_CD, ignore=LEFT_OUT)
    for template in sorted(TEMPLATES.rglob("*.template")):
        target = beside / template.relative_to(TEMPLATES).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = template.read_text(encoding="utf-8").replace("@NAME@", name).replace("@DASHED@", name.replace("_", "-"))
        target.write_text(text, encoding="utf-8")
    (beside / "gitignore").rename(beside / ".gitignore")
    shutil.copyfile(ROOT / "LICENSE", beside / "LICENSE")
    if folder.exists():
        folder.rmdir()
    beside.replace(folder.absolute())
