"""A Dockerfile, read as far as that goes without Docker: what is where in the image, and whether pip or Python finds the package there."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from course import checks
from course.labs.lab_2 import files
from course.labs.lab_3.package import FOLDER, NAME

BASE = "mlops-course"
BASE_FOLDER, BASE_USER, BASE_VARIABLES = "/course", "1000:1000", {"VENV": "/opt/course"}
"""What the course's image sets: `deploy/image/Dockerfile`."""
LIBRARIES = ("/opt/course/lib/python3.11/site-packages", "/opt/course/lib64/python3.11/site-packages", "/course/src")
"""Where Python looks in the course's image."""
THERE = {
    "/",
    "/opt",
    "/tmp",
    "/srv",
    "/home",
    "/root",
    "/usr",
    "/usr/local",
    "/var",
    "/opt/course",
    "/course",
    *LIBRARIES,
}
PROJECTS = ("pyproject.toml", "setup.py")
MOST_FILES = 1000

NUMBER = re.compile(r"(\d+)(:\d+)?")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: (name in capitals, rest), with variables (`ARG`, `ENV`) that have a value put in."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", text)
    text = re.sub(r"\\[ \t]*\n", " ", text)
    found, known, lines = [], dict(BASE_VARIABLES), iter(text.splitlines())
    for line in lines:
        name, _, rest = line.strip().partition(" ")
        name, rest = name.upper(), _filled(rest.strip(), known)
        if name == "ARG" and "=" in rest:
            variable, _, value = rest.partition("=")
            known[variable] = value.strip("\"'")
        if name == "ENV":
            known |= _variables(rest)
        if name in ("RUN", "COPY", "ADD") and (opened := _HEREDOC.search(rest)):
            rest += "".join(f"\n{_filled(one, known)}" for one in _until(lines, opened[1]))
        if name:
            found.append((name, rest))
    return found


def _filled(text: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[3] or match[0]), text)


def _variables(rest: str) -> dict[str, str]:
    """What an `ENV` sets, in either of its forms."""
    if "=" not in rest.split(" ", 1)[0]:
        name, _, value = rest.partition(" ")
        return {name: value.strip()}
    return dict(word.split("=", 1) for word in _split(rest) if "=" in word)


def _until(lines: Iterator[str], end: str) -> Iterator[str]:
    for line in lines:
        if line.strip() == end:
            return
        yield line


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


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
        elif name == "ENV" and (paths := _variables(rest).get("PYTHONPATH")):
            self.paths += [self.at(path) for path in paths.split(":") if path and "$" not in path]
        elif name == "RUN":
            self._run(rest)

    def at(self, place: str, folder: str = "") -> str:
        """A place in the image, from its root on."""
        return "/" + posixpath.normpath(posixpath.join(folder or self.folder, place)).lstrip("/")

    def may_hold(self, place: str) -> bool:
        """Whether something that cannot be followed may have put anything at a place."""
        return any(_within(place, one) or _within(one, place) for one in self.unknown)

    def finds(self) -> bool:
        """Whether Python finds the package by itself; `python -m`, which starts each step, looks into the folder of work too."""
        roots = [*LIBRARIES, *self.paths, self.folder]
        named = [one for one in self.unknown if one != "/"]
        return any(
            f"{posixpath.join(root, NAME)}/__init__.py" in self.files
            or any(_within(one, root) or _within(root, one) for one in named)
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
        if not any(_within(one, place) and one.endswith(f"/{NAME}/__init__.py") for one in self.files):
            return (
                f"`pip install` in your `Dockerfile` finds no folder `{NAME}` in `{place[:60]}` in the image: of a folder, `COPY` brings "
                "what is in it, and not the folder itself."
            )
        return ""

    def _copy(self, rest: str) -> None:
        self.is_copied = True
        words = _listed(rest.partition("\n")[0])
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
        is_folder = many or target in self.folders or any(_within(one, target) and one != target for one in self.files)
        if opened := _HEREDOC.match(source):
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
        for words in _commands(command):
            folder = self._command(words, folder)
        for one in self.installs[first:] if self.is_setuptools else ():
            if not one.problem and any(_within(self.at(one.target, folder), place) for place in read_only):
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
        elif (target := _installed(words)) is not None:
            self.installs.append(Install(words, target, self.user, self._problem(target, folder)))
        elif name not in HARMLESS or ">" in words:
            self.unknown.append("/")  # it may move files, or make some
            places = [self.at(word, folder) for word in words[1:] if "/" in word]
            self.unknown += [one for one in places if any(_within(one, root) for root in (*LIBRARIES, *self.paths))]
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


HARMLESS = (
    "apt-get",
    "chmod",
    "chown",
    "echo",
    "export",
    "find",
    "ls",
    "pip",
    "pip3",
    "rm",
    "set",
    "test",
    "true",
    "useradd",
)
"""Commands that put no file of the package anywhere."""
_VALUED = [
    "-t",
    "--target",
    "-c",
    "--constraint",
    "-r",
    "--requirement",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--prefix",
    "--root",
    "--src",
    "--python",
    "-p",
    "--no-binary",
    "--only-binary",
    "--upgrade-strategy",
    "-C",
    "--config-settings",
    "--config-setting",
    "--progress-bar",
    "--cache-dir",
    "--timeout",
    "--retries",
    "--log",
    "--trusted-host",
    "--proxy",
    "--exists-action",
    "--use-feature",
    "--report",
    "--link-mode",
]
"""Options of `pip install` and `uv pip install` that are followed by a value."""


def _listed(rest: str) -> list[str]:
    """The words of an instruction, in either of its forms."""
    if rest.startswith("["):
        try:
            return [str(word) for word in json.loads(rest)]
        except (ValueError, TypeError):
            rest = re.sub(r"[\[\],]", " ", rest)
    return _split(rest)


def _commands(text: str) -> Iterator[list[str]]:
    """The commands of a `RUN`, each in words, in their order."""
    if text.startswith("["):
        commands = [_listed(text)]
    else:
        text = _HEREDOC.sub("", text)
        lexer = shlex.shlex(text.replace("\n", " ; "), posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        try:
            words = list(lexer)
        except ValueError:
            words = re.sub(r"(&&|\|\||;)", r" \1 ", text).split()
        commands = [[]]
        for word in words:
            if word in ("&&", "||", ";", "|", "&", "(", ")"):
                commands.append([])
            else:
                commands[-1].append(word)
    for words in commands:
        while words and re.fullmatch(r"\w+=.*|exec|sudo|env|then|do|\{", words[0]):
            words = words[1:]
        if (
            words
            and posixpath.basename(words[0]) in ("sh", "bash", "dash")
            and re.match(r"-\w*c", " ".join(words[1:2]))
        ):
            yield from _commands(" ".join(words[2:3]))
        elif words:
            yield words


def _installed(words: list[str]) -> str | None:
    """What a `pip install` installs, as it is written; None for any other command."""
    is_pip = any(re.fullmatch(r"pip[\d.]*|uv", posixpath.basename(word)) for word in words)
    if not is_pip or "install" not in words:
        return None
    targets, left = [], iter(words[words.index("install") + 1 :])
    for word in left:
        if word in _VALUED:
            next(left, None)
        elif not word.startswith("-"):
            targets.append(re.sub(r"\[.*\]$", "", word.rpartition("file://")[2]))
    return next((one for one in targets if "/" in one or one.startswith(".")), targets[0] if targets else "")


def _within(path: str, folder: str) -> bool:
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


# --- The judgement ------------------------------------------------------------------------------------------------


def judge(lab: checks.Lab) -> None:
    """The base, how the package gets into the image, and the user at the end.

    Raises:
        checks.Wrong: something of it is missing.
    """
    found = instructions(files.text(lab, f"{FOLDER}/Dockerfile", "It lies beside `pyproject.toml`."))
    bases = [rest.split() for name, rest in found if name == "FROM"]
    if not bases:
        raise checks.Wrong("Your `Dockerfile` has no `FROM`: which image does it start from?")
    base, last = _last_stage(found)
    if not re.fullmatch(rf"(?:.*/)?{BASE}(?:[:@].+)?", base):
        raise checks.Wrong(
            f"Your `Dockerfile` starts from `{base[:60]}`. Only the course's image, `{BASE}`, has TFX and `flights` as they are locked."
        )
    image = Image(*_context(lab))
    for name, rest in last:
        image.read(name, rest)
    _brought(image)
    if not (number := NUMBER.fullmatch(image.user)) or int(number[1]) == 0:
        raise checks.Wrong(
            f"At the end of your `Dockerfile` the user is `{image.user[:30]}`. A step must not run as root, and Kubernetes can only "
            "tell by a number: which one does the course's image use?",
            points=1,
        )


def _last_stage(found: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """What the last stage starts from, and its instructions; with those of a stage of this file that it goes on from."""
    stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    base, own = "", []
    for name, rest in found:
        if name != "FROM":
            own.append((name, rest))
            continue
        words = [word for word in rest.split() if not word.startswith("--")]
        base, own = stages.get(words[0], (words[0], [])) if words else ("", [])
        own = list(own)
        if len(words) == 3 and words[1].upper() == "AS":
            stages[words[2]] = (base, own)
    return base, own


def _context(lab: checks.Lab) -> tuple[list[str], bool]:
    """The files beside the Dockerfile, and whether setuptools builds them."""
    root = files._inside(lab, FOLDER)
    found = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()][:MOST_FILES]
    project = root / "pyproject.toml"
    text = files.text(lab, f"{FOLDER}/pyproject.toml") if project.is_file() else ""
    return [
        Path(path.relative_to(root)).as_posix() for path in found
    ], "setuptools" in text or "build-backend" not in text


def _brought(image: Image) -> None:
    """The package is copied and installed, by a user who may; or copied to where Python looks."""
    if image.lost:
        raise checks.Wrong(
            f"Your `Dockerfile` copies `{image.lost[0][:60]}`, and there is no such file or folder beside it, in `{FOLDER}`."
        )
    if not image.installs:
        if image.finds():
            return
        if not image.is_copied:
            raise checks.Wrong(
                "Your `Dockerfile` copies nothing into the image (`COPY`): how does the package get there?"
            )
        raise checks.Wrong(
            "Your `Dockerfile` never installs the package, and copies it to no folder that Python looks into: `RUN`, and the command "
            "that `lab.build()` runs."
        )
    good = [one for one in image.installs if not one.problem]
    chosen = (good or image.installs)[-1]
    if not image.is_copied:
        raise checks.Wrong("Your `Dockerfile` copies nothing into the image (`COPY`): how does the package get there?")
    if chosen.problem:
        is_late = "/" in chosen.target and not image.misses(image.at(chosen.target))
        raise checks.Wrong(
            "Your `Dockerfile` installs the package before it is copied into the image." if is_late else chosen.problem
        )
    if "--no-deps" not in chosen.words:
        raise checks.Wrong(
            "The `pip install` of your `Dockerfile` may replace the locked versions in the image by others: which option leaves "
            "dependencies alone?",
            points=1,
        )
    if chosen.user.split(":")[0] not in ("root", "0"):
        raise checks.Wrong(
            "The environment in the course's image belongs to root, and the image's user is not root: your `RUN` could not write "
            "there. Switch the user for it, and back.",
            points=1,
        )
