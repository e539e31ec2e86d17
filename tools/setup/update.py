"""Brings the newest lessons into a clone, and keeps what its owner has written into them: `make update`.

A lesson or lab that is new upstream and was written into here moves to `mine/`, which git ignores, before the new one takes its place. It
runs there as it did before: paths such as `../data` lead to the same place. One that was only run is replaced by the new one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import form

ROOT = Path(__file__).resolve().parents[2]
MINE = "mine"


class CannotUpdate(Exception):
    """The clone is in a state that its owner has to decide about. The message says what to do."""


def update(root: Path = ROOT) -> list[str]:
    """Brings the clone at `root` to what its branch follows, and returns what was done, a line each.

    Nothing of the clone changes before all that its owner has written is copied.

    Raises:
        CannotUpdate: there is nothing to follow, or the clone has commits of its own.
    """
    try:
        upstream = git(root, "rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}").strip()
        git(root, "fetch", "--quiet")
    except CannotUpdate as error:
        raise CannotUpdate(f"The course cannot be fetched from where it was cloned ({error}).") from None
    if not git(root, "rev-list", "--max-count=1", f"HEAD..{upstream}"):
        return ["Nothing is new."]
    if git(root, "rev-list", "--max-count=1", f"{upstream}..HEAD"):
        raise CannotUpdate(
            f"This clone has commits of its own, which only you can join with the new ones: git merge {upstream}"
        )
    new = _names(git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD", upstream))
    changed = sorted(
        {*_names(git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD")), *_untracked(root)} & {*new}
    )
    kept = {path: _keep(root, path) for path in changed if _is_written(root, path, upstream)}
    for path in changed:
        if git(root, "ls-tree", "HEAD", "--", path):
            git(root, "checkout", "--quiet", "HEAD", "--", path)
        else:
            git(root, "rm", "--quiet", "--cached", "--ignore-unmatch", "--", path)
            (root / path).unlink(missing_ok=True)
    git(root, "merge", "--quiet", "--ff-only", upstream)
    lines = [f"{path} is replaced; what you wrote is in {copy}" for path, copy in kept.items()]
    return [*lines, f"The course is new: {len(new)} files changed. `make lab` opens it."]


def git(root: Path, *arguments: str) -> str:
    """Returns what a git command prints.

    Raises:
        CannotUpdate: it failed; the message is git's own.
    """
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise CannotUpdate(os.fsdecode(done.stderr).strip())
    return os.fsdecode(done.stdout)


def _names(answer: str) -> list[str]:
    return [name for name in answer.split("\0") if name]


def _untracked(root: Path) -> set[str]:
    return set(_names(git(root, "ls-files", "--others", "--exclude-standard", "-z")))


def _is_written(root: Path, path: str, upstream: str) -> bool:
    """Whether a file has something of its owner's, which neither the old nor the new version of the course has."""
    file = root / path
    if not file.is_file():
        return False
    if path.endswith(".ipynb"):
        try:
            mine = _without_outputs(form.read(file))
            return all(mine != _without_outputs(form.parse(text, file)) for text in _versions(root, path, upstream))
        except ValueError:
            return True
    return all(file.read_bytes() != os.fsencode(text) for text in _versions(root, path, upstream))


def _versions(root: Path, path: str, upstream: str) -> list[str]:
    """The texts of a file in the course as it is here, and as it is upstream, where it has them."""
    found = []
    for version in ("HEAD", upstream):
        if git(root, "ls-tree", version, "--", path):
            found.append(git(root, "show", f"{version}:{path}"))
    return found


def _without_outputs(notebook: NotebookNode) -> str:
    """What its author writes in a notebook: the cells, their tags and slide types; not what comes of running it."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return form.dumps(form.normalise(notebook))


def _keep(root: Path, path: str) -> str:
    """Copies a file to `mine/`, under a name that is free there, and returns where it is."""
    folder, _, inside = path.partition("/")
    place = Path(MINE, inside if folder in ("notebooks", "labs", "solutions") else path)
    number = 1
    while (root / place).exists() and (root / place).read_bytes() != (root / path).read_bytes():
        number += 1
        place = place.with_name(f"{Path(path).stem}-{number}{place.suffix}")
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(root / path, root / place)
    return str(place)


if __name__ == "__main__":
    try:
        print("\n".join(update()))
    except (CannotUpdate, OSError) as reason:
        sys.exit(str(reason))
