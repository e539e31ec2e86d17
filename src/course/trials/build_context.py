"""What a build of an image sees of a folder: all but what `.dockerignore` leaves out.

Its patterns are read as moby/patternmatcher reads them (`ignorefile.ReadAll`, `Pattern.compile`, `MatchesOrParentMatches`), from the top of the folder on; not as those of a
`.gitignore`, which are found at any depth. A pattern that Docker refuses, such as one bracket, matches nothing here.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

NAMES = ("Dockerfile.dockerignore", ".dockerignore")
"""The first that is there counts."""
_PART = re.compile(r"\*\*/?|\\.|\[\^?[^]]+\]|.", re.DOTALL)


def send(source: Path, target: Path) -> list[str]:
    """Copies what is seen of a folder, with the modes that Git would give: those of a student's folder are no matter of the Dockerfile.

    Returns:
        The files and folders that are left out, as paths in the folder.
    """
    patterns, left_out = list(_patterns(source)), []
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        there = target / name
        if _is_left_out(name, patterns):
            left_out.append(name)
        elif path.is_dir() and not path.is_symlink():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, there, follow_symlinks=False)
            if not path.is_symlink():
                there.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    return left_out


def _patterns(folder: Path) -> Iterator[tuple[bool, re.Pattern[str]]]:
    """Of each line: whether it leaves out, and what."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    for line in path.read_text(encoding="utf-8-sig").splitlines() if path else ():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        leaves_out = not pattern.startswith("!")
        pattern = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        yield leaves_out, re.compile(_expression(pattern), re.DOTALL)


def _expression(pattern: str) -> str:
    """As a regular expression."""
    parts, made = _PART.findall(pattern), ""
    for number, part in enumerate(parts):
        if part.startswith("**"):
            is_end_of_a_name = number == 0 and part == "**" and not set(pattern[2:]) & set("*?[\\")
            made += ".*" if number == len(parts) - 1 or is_end_of_a_name else "(?:.*/)?"
        elif part in "*?":
            made += "[^/]*" if part == "*" else "[^/]"
        else:
            made += part if part[0] == "[" and len(part) > 1 else re.escape(part[-1])
    return made


def _is_left_out(name: str, patterns: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """What the last pattern says that names it, or a folder that it is in."""
    steps = name.split("/")
    names = ["/".join(steps[:number]) for number in range(1, len(steps) + 1)]
    is_left_out = False
    for leaves_out, expression in patterns:
        if leaves_out != is_left_out and any(map(expression.fullmatch, names)):
            is_left_out = leaves_out
    return is_left_out
