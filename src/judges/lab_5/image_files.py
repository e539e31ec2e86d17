"""What is where in an image, followed through the instructions of its Dockerfile without Docker, and whether pip or Python finds the package there."""

from __future__ import annotations

import dataclasses
import fnmatch
import posixpath
import re
from collections.abc import Iterator

from course.labs.lab_3.package import NAME
from judges.lab_5.dockerfile_instructions import HEREDOC, commands_of, installed_by, variables_of, words_of

BASE_FOLDER, BASE_USER = "/course", "1000:1000"
"""What the course's image sets: `deploy/image/Dockerfile`."""
LIBRARIES = ("/opt/course/lib/python3.11/site-packages", "/opt/course/lib64/python3.11/site-packages", "/course/src")
"""Where Python looks in the course's image."""
THERE = {
    *["/", "/opt", "/tmp", "/srv", "/home", "/root", "/usr", "/usr/local", "/var", "/opt/course", "/course"],
    *LIBRARIES,
}
"""Folders that are in the image before."""
PROJECTS = ("pyproject.toml", "setup.py")
HARMLESS = frozenset(
    ["apt-get", "chmod", "chown", "echo", "export", "find", "ls", "pip", "pip3", "rm", "set", "test", "true", "useradd"]
)
"""Commands that put no file of the package anywhere."""


@dataclasses.dataclass
class Install:
    """A `pip install` in a `RUN`.

    Attributes:
        words: of its command.
        target: what it installs, as it is written.
        user: who runs it.
        problem: why pip would not find the package there; empty: it would.
    """

    words: list[str]
    target: str
    user: str
    problem: str


class Image:
    """What is known of the image while its instructions are read one by one."""

    def __init__(self, context: list[str], is_setuptools: bool) -> None:
        """Args: context: the files that `COPY` can bring, from its folder on; is_setuptools: what builds the package writes beside it."""
        self.context, self.is_setuptools = context, is_setuptools
        self.files: set[str] = set()
        self.folders, self.unknown = set(THERE), []
        self.folder, self.user, self.paths = BASE_FOLDER, BASE_USER, []
        self.installs: list[Install] = []
        self.lost: list[str] = []
        self.is_copied = False

    def read(self, name: str, rest: str) -> None:
        """Follows an instruction."""
        if name in ("COPY", "ADD"):
            self._copy(rest)
        elif name == "WORKDIR":
            self.folder = self.at(rest)
            self.folders.add(self.folder)
        elif name == "USER" and rest:
            self.user = rest.split()[0]
        elif name == "ENV" and (paths := variables_of(rest).get("PYTHONPATH")):
            self.paths += [self.at(path) for path in paths.split(":") if path and "$" not in path]
        elif name == "RUN":
            self._run(rest)

    def at(self, place: str, folder: str = "") -> str:
        """A place in the image, from its root on."""
        return "/" + posixpath.normpath(posixpath.join(folder or self.folder, place)).lstrip("/")

    def may_hold(self, place: str) -> bool:
        """Whether something that cannot be followed may have put anything at a place."""
        return any(is_within(place, one) or is_within(one, place) for one in self.unknown)

    def finds(self) -> bool:
        """Whether Python finds the package by itself; `python -m`, which starts each step, looks into the folder of work too."""
        roots = [*LIBRARIES, *self.paths, self.folder]
        named = [one for one in self.unknown if one != "/"]
        return any(
            f"{posixpath.join(root, NAME)}/__init__.py" in self.files
            or any(is_within(one, root) or is_within(root, one) for one in named)
            for root in roots
        )

    def misses(self, place: str) -> str:
        """What pip does not find at a place; empty where it finds a project with the package, or may."""
        if self.may_hold(place):
            return ""
        if not any(posixpath.join(place, one) in self.files for one in PROJECTS):
            return (
                f"`pip install` in your `Dockerfile` looks for the package at `{place[:60]}` in the image, and finds no `pyproject.toml` "
                "there: what has to be beside the code for pip to install it?"
            )
        if not any(is_within(one, place) and one.endswith(f"/{NAME}/__init__.py") for one in self.files):
            return (
                f"`pip install` in your `Dockerfile` finds no folder `{NAME}` in `{place[:60]}` in the image: of a folder, `COPY` brings "
                "what is in it, and not the folder itself."
            )
        return ""

    def _copy(self, rest: str) -> None:
        self.is_copied = True
        words = words_of(rest.partition("\n")[0])
        options = [word for word in words if word.startswith("--")]
        words = [word for word in words if not word.startswith("--")]
        if len(words) < 2:
            return
        *sources, place = words
        many = place.endswith("/") or len(sources) > 1
        if any(option.startswith(("--from", "--parents", "--exclude")) for option in options):
            self.unknown.append(self.at(place))
            return
        for source in sources:
            self._bring(source, place, many)

    def _bring(self, source: str, place: str, many: bool = False) -> None:
        """One source of a `COPY`, or of a mount: a file, or what is in a folder."""
        target = self.at(place)
        if "://" in source or "$" in source + place or re.search(r"\.(tar|tgz|zip|whl)\b", source):
            self.unknown.append(target)
            return
        is_folder = (
            many or target in self.folders or any(is_within(one, target) and one != target for one in self.files)
        )
        if opened := HEREDOC.match(source):
            self.files.add(posixpath.join(target, opened[1]) if is_folder else target)
            return
        found = list(_matching(source, self.context))
        if not found:
            self.lost.append(source)
        for path, inner in found:
            if inner:
                self.files.add(posixpath.join(target, inner))
            else:
                self.files.add(posixpath.join(target, posixpath.basename(path)) if is_folder else target)

    def _run(self, rest: str) -> None:
        mounts = [
            dict(part.partition("=")[::2] for part in one.split(",")) for one in re.findall(r"--mount=(\S+)", rest)
        ]
        command = re.sub(r"^(?:--\S+\s+)+", "", rest)
        before, unknown, read_only = set(self.files), len(self.unknown), []
        for mount in mounts:
            target = mount.get("target") or mount.get("dst") or mount.get("destination")
            if mount.get("type", "bind") != "bind" or not target:
                continue
            self.is_copied = True
            if "from" in mount:
                self.unknown.append(self.at(target))
            else:
                self._bring(mount.get("source") or mount.get("src") or ".", target)
            if not ({"rw", "readwrite"} & set(mount)) or "false" in (mount.get("rw"), mount.get("readwrite")):
                read_only.append(self.at(target))
        mounted, opaque = self.files - before, self.unknown[unknown:]
        first, folder = len(self.installs), self.folder
        for words in commands_of(command):
            folder = self._command(words, folder)
        for one in self.installs[first:] if self.is_setuptools else ():
            if not one.problem and any(is_within(self.at(one.target, folder), place) for place in read_only):
                one.problem = (
                    "What your `RUN` mounts can only be read, and setuptools writes beside the package while it builds: which option of the "
                    "mount lets it?"
                )
        # What is mounted is there for this instruction alone.
        self.files -= mounted
        self.unknown = [one for one in self.unknown if one not in opaque]

    def _command(self, words: list[str], folder: str) -> str:
        """Follows a command of a shell; returns the folder in which the next one works."""
        name = posixpath.basename(words[0])
        if name == "cd" and len(words) > 1:
            return self.at(words[1], folder)
        if name == "mkdir":
            self.folders |= {self.at(word, folder) for word in words[1:] if not word.startswith("-")}
        elif (target := installed_by(words)) is not None:
            self.installs.append(Install(words, target, self.user, self._problem(target, folder)))
        elif name not in HARMLESS or ">" in words:
            self.unknown.append("/")  # it may move files, or make some
            places = [self.at(word, folder) for word in words[1:] if "/" in word]
            self.unknown += [one for one in places if any(is_within(one, root) for root in (*LIBRARIES, *self.paths))]
        return folder

    def _problem(self, target: str, folder: str) -> str:
        if not target:
            return "The `pip install` of your `Dockerfile` names nothing to install."
        if re.search(r"[$*?]|://|\.(whl|zip|gz)$", target):
            return ""
        if "/" not in target and not target.startswith("."):
            return (
                f"`pip install {target[:40]}` in your `Dockerfile` asks an index of packages for that name. Your package is in the image: name "
                "its folder, by a path."
            )
        return self.misses(self.at(target, folder))


def is_within(path: str, folder: str) -> bool:
    """Whether a path is that of a folder, or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _matching(source: str, context: list[str]) -> Iterator[tuple[str, str]]:
    """The files that a source of `COPY` stands for: each with its path inside of the folder that was named, if one was."""
    wanted = posixpath.normpath(source.lstrip("/") or ".")
    if wanted == ".":
        yield from ((path, path) for path in context)
        return
    parts = wanted.split("/")
    for path in context:
        has = path.split("/")
        if len(has) >= len(parts) and all(
            fnmatch.fnmatchcase(one, part) for one, part in zip(has, parts, strict=False)
        ):
            yield path, "/".join(has[len(parts) :])
