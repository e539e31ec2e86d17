"""Rules about the project: who imports whom, the lock, the words of `make`."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def imports(source: str) -> set[str]:
    """Returns the top-level packages that Python code imports, also those that it imports by name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            found |= {str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant)}
    return {name.split(".")[0] for name in found}


def forbidden_imports(folder: Path, forbidden: set[str]) -> Iterator[str]:
    """The modules of a folder import nothing of these packages."""
    for path in sorted(folder.rglob("*.py")):
        for name in sorted(imports(path.read_text(encoding="utf-8")) & forbidden):
            yield f"{path.relative_to(folder.parent)} imports {name}"


def pins(lock: str) -> dict[str, tuple[str, str | None, int]]:
    """Reads a lock (pip's requirements format).

    Returns:
        Name to (version, marker or None, number of hashes).
    """
    found = {}
    for entry in re.split(r"\n(?=\S)", lock.replace("\\\n", " ")):
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)\s*(?:;\s*(.*?))?(?=\s+--hash|\s*$)", entry, re.DOTALL)
        if match:
            marker = (match[3] or "").strip() or None
            found[canonicalize_name(match[1])] = (match[2], marker, entry.count("--hash="))
    return found


def applies(marker: str | None, extras: set[str] | None = None) -> bool:
    """Returns whether a marker holds on this machine."""
    if marker is None:
        return True
    requirement = Requirement(f"x; {marker}").marker
    assert requirement is not None
    return any(requirement.evaluate({**default_environment(), "extra": extra}) for extra in (extras or {""}) | {""})


def lock_faults(project: str, lock: str) -> Iterator[str]:
    """Each dependency of the project is in the lock, in a version that it allows; each pin has hashes."""
    pinned = pins(lock)
    for text in tomllib.loads(project)["project"]["dependencies"]:
        requirement = Requirement(text)
        pin = pinned.get(canonicalize_name(requirement.name))
        if pin is None:
            yield f"{requirement.name} is in pyproject.toml and not in the lock: run make lock"
        elif not requirement.specifier.contains(pin[0], prereleases=True):
            yield f"the lock has {requirement.name} {pin[0]}, pyproject.toml wants {requirement.specifier}: run make lock"
    for name, (version, _, hashes) in pinned.items():
        if not hashes:
            yield f"the lock has {name} {version} without a hash"


def superfluous_pins(project: str, lock: str) -> Iterator[str]:
    """Everything in the lock is needed by the project, directly or through what it needs, as far as it is installed here."""
    wanted = {
        (canonicalize_name(r.name), extra)
        for r in map(Requirement, tomllib.loads(project)["project"]["dependencies"])
        for extra in r.extras | {""}
    }
    seen: set[tuple[str, str]] = set()
    while wanted:
        name, extra = wanted.pop()
        seen.add((name, extra))
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, needs):
            if requirement.marker is None or requirement.marker.evaluate({**default_environment(), "extra": extra}):
                wanted |= {(canonicalize_name(requirement.name), more) for more in requirement.extras | {""}} - seen
    needed = {name for name, _ in seen}
    for name, (version, marker, _) in pins(lock).items():
        if applies(marker) and name not in needed:
            yield f"the lock has {name} {version}, which nothing needs: run make lock"


def other_versions(lock: str) -> Iterator[str]:
    """This environment is the one that is locked."""
    for name, (version, marker, _) in pins(lock).items():
        if not applies(marker):
            continue
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != version:
            yield f"{name} is {installed} here, and {version} in the lock: run make environment"


def make_targets(makefile: str) -> set[str]:
    """Returns the targets of a Makefile that somebody may type."""
    return set(re.findall(r"^([a-z][a-z0-9-]*)\s*:(?!=)", makefile, re.MULTILINE))


def unknown_targets(markdown: str, targets: set[str]) -> Iterator[str]:
    """Documents name only words that `make` knows."""
    code = re.findall(r"`([^`\n]+)`", markdown) + re.findall(r"^```.*?\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    for text in code:
        for word in re.findall(r"(?:^|&& |\b[A-Z_]+=\S+ )make ([a-z][a-z0-9-]*)", text, re.MULTILINE):
            if word not in targets:
                yield f"`make {word}` is not a target of the Makefile"
