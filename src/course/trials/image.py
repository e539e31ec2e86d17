"""Does what a Dockerfile says, without Docker: a step of a trial.

    main([CONTEXT, TOLD])

CONTEXT is the folder beside which `COPY` finds files. Each stage becomes a folder in which `/opt/course` is an environment of its own with the libraries of this one, as in the
course's image. What a `RUN` says is run by a shell, which has pip, Python and the commands in `COMMANDS`, but no network, and for which that folder is `/`.
What has come of it goes to the file TOLD, as JSON:

    base, user      the image that the last stage begins with, and the user at its end
    package         the folder in which Python finds the package then, in the folder of the step; empty: it does not
    hidden          what of the package the user cannot read, and its mode
    left_out        what `.dockerignore` keeps from the build
    others          what else is in the libraries of the image that was not there before
    stopped, said   the instruction that failed, and its last words
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from course.trials import build_context

ENVIRONMENT, USERS = "opt/course", ("tmp", "course", "home")
"""What belongs to root in the course's image, and the folders that the user may write: see `deploy/image/Dockerfile`."""
FOLDERS = ("course/src", "home/student", "opt", "root", "srv", "tmp", "usr/local", "usr/src", "var")
COMMANDS = "sh bash env cat cp dirname basename echo find grep head ls ln mkdir mv printf pwd rm rmdir sed sort tail tar test touch true tr xargs"
STAND_INS = "apt-get apt useradd groupadd adduser ldconfig"
"""Commands that say that they have worked, and do nothing: this machine's users and packages are not the image's."""
PIP = {
    "CONFIG_FILE": os.devnull,
    "NO_INDEX": "1",
    "FIND_LINKS": "",
    "NO_CACHE_DIR": "1",
    "DISABLE_PIP_VERSION_CHECK": "1",
    "NO_BUILD_ISOLATION": "0",
}
"""What pip reads: nothing comes from elsewhere, and what builds the package is what is installed here (0 means that, strangely)."""
CHMOD = """for one; do shift; [ -L "$one" ] || set -- "$@" "$one"; done
{0} "$@" 2>/dev/null
for one; do [ ! -e "$one" ] || {0} -R u+rwX "$one"; done"""
CHOWN = """deep=
for one; do case "$one" in -R|--recursive) deep=-R;; root*|0*) exit 0;; esac; done
for one; do [ -L "$one" ] || [ ! -e "$one" ] || {0} $deep o=u "$one"; done"""
"""All files are of the user that runs this, who stands for root: what a mode says of others is what the user of the image may. No link is followed: it may lead out."""
SECONDS = 120
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_ROOT = re.compile(r"""(?<![^\s=:,;&|()<>"'`\[])/(?!/|dev/null\b|bin/(?:ba)?sh\b)""")
"""The slash of a path from the root on, where a word or the value of an option begins."""


class StopError(RuntimeError):
    """An instruction fails: the one that is done, or the one before that `at` names."""

    def __init__(self, message: str, at: str = "") -> None:
        """Args: message: why; at: the instruction before."""
        super().__init__(message)
        self.at = at


def main(arguments: list[str]) -> None:
    """Does it."""
    context, told = map(Path, arguments)
    os.umask(0o022)
    found: dict[str, Any] = {
        "base": "",
        "user": "",
        "package": "",
        "others": [],
        "said": "",
        "stopped": ".dockerignore",
    }
    stages: list[Stage] = []
    try:
        seen = Path.cwd().resolve() / "stages" / "context"
        found["left_out"] = build_context.send(context, seen)
        for found["stopped"], name, rest, body in instructions((context / "Dockerfile").read_text(encoding="utf-8")):
            if name == "FROM":
                stages.append(Stage(rest, seen, stages))
            elif stages:
                stages[-1].do(name, rest, body)
            elif name == "ARG":
                Stage.given.update([_pair(rest)])
            found |= {"base": stages[-1].base, "user": stages[-1].user} if stages else {}
        found |= (
            {"package": stages[-1].package(), "hidden": stages[-1].hidden(), "others": stages[-1].others()}
            if stages
            else {}
        )
        found["stopped"] = ""
    except (StopError, OSError, ValueError, TypeError, shutil.Error, re.error, subprocess.SubprocessError) as error:
        found["stopped"] = getattr(error, "at", "") or found["stopped"]
        found["said"] = re.sub(r"[^\s'\"`]*/stages/\d+", "", str(error)) or type(error).__name__
    told.write_text(json.dumps(found), encoding="utf-8")


def instructions(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Each instruction: as it begins, its name, what follows, and the lines of its here-document."""
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        while line.rstrip().endswith("\\"):
            following = next(lines, "")
            line = line.rstrip()[:-1] + " " + ("\\" if following.lstrip().startswith("#") else following)
        name, _, rest = line.strip().partition(" ")
        opened = re.search(r"<<-?[\"']?(\w+)", rest) if name.upper() in ("RUN", "COPY", "ADD") else None
        end = opened[1] if opened else ""
        body = "".join(f"{one}\n" for one in iter(lambda end=end: next(lines, end).strip("\t"), end)) if end else ""
        yield line.strip()[:100], name.upper(), rest.strip(), body


class Stage:
    """A stage, as far as its instructions are done.

    Attributes:
        given: what `ARG` says before the first stage.
        root: the folder that is `/` in it.
        base: the image that it begins with.
        path_line: the instruction that has set `PATH`; empty: none.
        user, folder, variables, shell: as the instructions set them.
    """

    given: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, rest: str, context: Path, before: list[Stage]) -> None:
        """Begins with what `FROM` names: another stage, or an image, which is taken for the course's."""
        words = [_filled(word, Stage.given) for word in rest.split() if not word.startswith("--")]
        if not words:
            raise StopError("FROM names no image")
        self.name = words[2] if len(words) == 3 else str(len(before))
        self.context, self.before = context, before[:]
        if onto := self._stage(words[0]):
            self.__dict__ |= {
                name: getattr(onto, name) for name in ("root", "base", "user", "folder", "owned", "shell", "path_line")
            }
            self.variables = dict(onto.variables)
            return
        self.base, self.user, self.owned, self.path_line = words[0], "1000:1000", list(USERS), ""
        self.shell = [shutil.which("dash") or "/bin/sh", "-c"]  # `/bin/sh` of the image is dash; that of a Mac is not.
        self.root = Path.cwd().resolve() / "stages" / str(len(before))
        for folder in FOLDERS:
            (self.root / folder).mkdir(0o700 if folder == "root" else 0o755, parents=True)
        self.folder = self.root / "course"
        python = self.root / ENVIRONMENT / "bin"
        venv.create(self.root / ENVIRONMENT, symlinks=True)
        for name in ("pip", "pip3"):
            _command(python / name, f'exec {python}/python -m pip "$@"')
        there = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n{self.root}/course/src\n"
        (self.libraries / "course.pth").write_text(there)
        commands = self.root.parent / "commands"
        commands.mkdir(exist_ok=True)
        for name in STAND_INS.split():
            _command(commands / name, "exit 0")
        for name, line in (("chmod", CHMOD), ("chown", CHOWN)):
            _command(commands / name, f"{line.format(shutil.which('chmod'))}\nexit 0")
        for name in COMMANDS.split():
            if (real := shutil.which(name)) and not (commands / name).exists():
                (commands / name).symlink_to(real)
        own = {"VENV": f"{self.root}/{ENVIRONMENT}", "HOME": f"{self.root}/root", "PATH": f"{python}:{commands}"}
        self.variables = {f"PIP_{name}": value for name, value in PIP.items()} | own

    @property
    def libraries(self) -> Path:
        """Where pip installs to."""
        return next((self.root / ENVIRONMENT).glob("lib/python*/site-packages"))

    def _stage(self, name: str) -> Stage | None:
        return next((one for number, one in enumerate(self.before) if name in (one.name, str(number))), None)

    def do(self, name: str, rest: str, body: str) -> None:
        """Does an instruction.

        Raises:
            StopError: it fails.
        """
        if name in ("COPY", "ADD"):
            self._copy(rest, body)
        elif name == "WORKDIR":
            self.folder = self._at(rest)
            self.folder.mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            self.user = _filled(rest, self.variables)
        elif name == "ARG" and "=" not in rest:
            self.variables |= {rest: Stage.given[rest]} if rest in Stage.given else {}
        elif name in ("ENV", "ARG"):
            pairs = map(_pair, _words(rest)) if "=" in rest.split(" ", 1)[0] else [tuple(f"{rest} ".split(" ", 1))]
            given = {key: _filled(self._rooted(value.strip()), self.variables) for key, value in pairs}
            self.variables |= given
            self.path_line = f"{name} {rest}"[:100] if "PATH" in given else self.path_line
        elif name == "SHELL":
            self.shell = [self._rooted(word) for word in _listed(rest) or []]
            if not self.shell:
                raise StopError("SHELL wants a list in JSON")
        elif name == "RUN":
            self._run(rest, body)

    def _rooted(self, text: str) -> str:
        """A text in which each path from the root on is one from the folder of this stage on."""
        return _ROOT.sub(lambda _: f"{self.root}/", text.replace("file:///", f"file://{self.root}/"))

    def _at(self, place: str) -> Path:
        place = _filled(place.strip("\"'"), self.variables)
        if not place.startswith(f"{self.root}/"):
            place = str(self.root / place.lstrip("/") if place.startswith("/") else self.folder / place)
        return Path(os.path.normpath(place))

    def _copy(self, rest: str, body: str) -> None:
        words = _words(rest)
        options = dict(_pair(word.lstrip("-")) for word in words if word.startswith("--"))
        *sources, place = [word for word in words if not word.startswith("--")]
        target = self._at(place)
        if "from" in options and not self._stage(options["from"]):
            raise StopError(f"{options['from']}: this image is not here")
        context = self._stage(options["from"]).root if "from" in options else self.context
        self.owned += [target.relative_to(self.root).as_posix()] if options.get("chown", "root")[:1] not in "r0" else []
        copied = []
        is_folder = place.endswith("/") or len(sources) > 1 or target.is_dir()
        for source in sources:
            if source.startswith("<<"):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(body)
                copied.append(target)
                continue
            wanted = os.path.normpath(_filled(source, self.variables).lstrip("/"))
            found = [context] if wanted == "." else sorted(context.glob(wanted)) if not wanted.startswith("..") else []
            if not found:
                raise StopError(f"{source}: there is no such file or folder beside the Dockerfile")
            for path in found:
                copied += _bring(path, target, is_folder or len(found) > 1)
        if "chmod" in options:
            self._do(["chmod", options["chmod"], *map(str, copied)])
        if options.get("chown", "root")[:1] not in "r0":
            self._give(copied)

    def _run(self, rest: str, body: str) -> None:
        mounted, read_only = [], []
        for one in re.findall(r"--mount=(\S+)", rest):
            mount = dict(map(_pair, one.split(",")))
            target = mount.get("target") or mount.get("dst") or mount.get("destination")
            if mount.get("type", "bind") == "bind" and target:
                _bring(
                    self.context / (mount.get("source") or mount.get("src") or "."), self._at(target), is_folder=False
                )
                is_free = any(mount.get(name, "false") != "false" for name in ("rw", "readwrite"))
                (mounted if is_free else read_only).append(self._at(target).relative_to(self.root).as_posix())
        before, rest = _listing(self.root), re.sub(r"^(?:--\S+\s+)+", "", rest)
        if listed := _listed(rest):
            command = [self._rooted(word) for word in listed]
        else:
            end = re.search(r"<<-?[\"']?(\w+)", rest)[1] if body else ""
            command = [*self.shell, self._rooted(body if rest.startswith("<<") else f"{rest}\n{body}{end}")]
        done = self._do(command)
        if done.returncode:
            self._finds_python()
            lines = [line for line in done.stdout.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
            raise StopError("\n".join([line for line in lines if "rror" in line][:2] or lines[-1:]))
        changed = sorted(path for path, _ in _listing(self.root) ^ before)
        if any(_is_below(path, read_only) for path in changed):
            raise StopError(
                "what is mounted can only be read, and setuptools writes beside the package while it builds"
            )
        denied = [path for path in changed if not _is_below(path, [*self.owned, *mounted])]
        if denied and self.user.split(":")[0] not in ("root", "0"):
            raise StopError(f"Permission denied: /{denied[0]} belongs to root, and the user is {self.user}")
        if self.user.split(":")[0] not in ("root", "0"):
            self._give([self.root / path for path in changed])
        for target in (*mounted, *read_only):
            shutil.rmtree(self.root / target)

    def _do(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        said = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        env = {**self.variables, "PATH": f"{self.variables['PATH']}:{self.root.parent / 'commands'}"}
        return subprocess.run(command, cwd=self.folder, env=env, timeout=SECONDS, check=False, **said)

    def _finds_python(self) -> None:
        """Python is found by `PATH`.

        Raises:
            StopError: it is not, since an instruction has set `PATH`.
        """
        path = self.variables["PATH"]
        if not shutil.which("python", path=path):
            shown = path.replace(str(self.root), "").replace(str(self.root.parent), "")
            told = f"`PATH` is `{shown}` from there on, and no Python is found by it. Keep what it was: `ENV PATH=...:$PATH`"
            raise StopError(told, self.path_line)

    def package(self) -> str:
        """Where Python finds the package, in the folder of the step."""
        self._finds_python()
        done = self._do(["python", "-c", "import my_flights as found; print(found.__path__[0])"])
        path = Path(done.stdout.strip()) if not done.returncode else Path("/")
        top = self.root.parents[1]
        return path.relative_to(top).as_posix() if path.is_relative_to(top) else ""

    def _give(self, paths: list[Path]) -> None:
        """The user of the image may what root might: the files belong to that user, and the folders that are made for them."""
        owned = {above for path in paths for above in (path, *path.parents)}
        for path in owned:
            name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""
            if path.exists() and not path.is_symlink() and _is_below(name, self.owned):
                mode = path.stat().st_mode & 0o777
                path.chmod(mode | mode >> 6 & 0o7)

    def hidden(self) -> str:
        """What the user at the end cannot read of what Python finds the package by: its place in the image, and its mode; empty: nothing."""
        user, _, group = self.user.partition(":")
        place = Path.cwd() / (self.package() or ".")
        if user in ("root", "0") or self.root not in place.parents:
            return ""
        code = [path for path in place.rglob("*") if "__pycache__" not in path.parts]
        links = [*self.libraries.glob("*.pth"), *self.libraries.glob("__editable__*")]
        above = [path for start in (place, place.resolve(), self.libraries) for path in start.parents]
        for path in sorted({*code, *links, *above, place, self.libraries}):
            # Python lists the folder of a package, and the one it lies in; those above are only passed.
            wanted = 4 if path.is_file() else 1 if path in above and path != place.parent else 5
            if (
                self.root in path.parents
                and path.stat().st_mode >> (3 if group in ("0", "root") else 0) & wanted != wanted
            ):
                return f"/{path.relative_to(self.root).as_posix()} ({stat.filemode(path.stat().st_mode)})"
        return ""

    def others(self) -> list[str]:
        """What is new in the libraries, but for the package."""
        names = [path.name for path in self.libraries.iterdir() if path.is_dir()]
        return sorted(name for name in names if not re.match(r"__|my_flights|.*\.dist-info$", name))


def _bring(source: Path, target: Path, is_folder: bool) -> list[Path]:
    """Copies a file, or what is in a folder, as `COPY` does; returns where to."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return [target / path.relative_to(source) for path in source.rglob("*")]
    target = target / source.name if is_folder else target
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    return [target]


def _listing(folder: Path) -> set[tuple[str, int]]:
    """The files below a folder, each with the time of its last change; nothing of Python's compiled files."""
    found = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file() and not path.is_symlink())
    return {(path.relative_to(folder).as_posix(), path.stat().st_mtime_ns) for path in found}


def _is_below(path: str, folders: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{one}/") for one in folders)


def _command(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value.strip("\"'")


def _words(rest: str) -> list[str]:
    options, after = re.fullmatch(r"((?:--\S+\s+)*)(.*)", rest, re.DOTALL).groups()
    if listed := _listed(after):
        return [*options.split(), *listed]
    return re.findall(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*')+", rest)


def _listed(rest: str) -> list[str]:
    """The words of a list in JSON; none where it is no such list, and Docker takes the line as it stands.

    Raises:
        StopError: something in the list is no text.
    """
    try:
        found = json.loads(rest) if rest.startswith("[") else []
    except (ValueError, RecursionError):
        return []
    if not all(isinstance(word, str) for word in found):
        raise StopError("what is in the list has to be text, in quotation marks")
    return found


def _filled(text: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[3] or match[0]), text)
