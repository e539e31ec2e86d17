"""A team of one: a clone of a small project, and the bare repository that it pushes to, whose hooks are the pipelines of `deploy/ci-cd`.

    team = Team(workspace / "team", "../data/flights")
    pushed = team.push("A first model")
    print(*pushed.lines, sep="\n")

Git is asked as on a command line. It reads no settings but those of the two repositories, and all of it lies in one folder.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent / "project"
PIPELINES = Path(__file__).parents[3] / "deploy" / "ci-cd"
NO_COPY = shutil.ignore_patterns("__pycache__", ".*_cache")

DATE = "2013-03-01T12:00:00+0000"
"""Of all commits, so that they are the same in each run."""

NOT_KEPT = ("GIT_", "FORCE_COLOR", "CLICOLOR")
"""How variables begin that a command does not get: git's own, and those by which a notebook's kernel asks for colours."""

_STEP = re.compile(r"(\w+): (\S+)\.sh failed")


@dataclass(frozen=True)
class Push:
    """What came of a push.

    Attributes:
        taken: whether the branch has moved.
        lines: what the hooks have told.
    """

    taken: bool
    lines: list[str]

    @property
    def failed(self) -> str:
        """The pipeline and the step that failed, such as `change: 3-types`; empty where none did."""
        found = [f"{one[1]}: {one[2]}" for line in self.lines if (one := _STEP.search(line))]
        return found[0] if found else ""

    @property
    def reason(self) -> list[str]:
        """What the failed step said, without pytest's rulers."""
        after = itertools.dropwhile(lambda line: not _STEP.search(line), self.lines)
        said = itertools.takewhile(lambda line: line.startswith("    "), itertools.islice(after, 1, None))
        return [line.strip() for line in said if not re.search(r"====|\[100%\]", line)]


class Team:
    """A clone, and the bare repository `team.git` beside it."""

    def __init__(self, folder: str | Path, data_root: str | Path) -> None:
        """Sets both up; the first commit is still to be made.

        Args:
            folder: that is written to; it must not be there.
            data_root: the months of flights that the pipelines work on.

        Raises:
            RuntimeError: there is no git, or it refuses.
        """
        self.folder = Path(folder).absolute()
        self.clone, self.bare = self.folder / "clone", self.folder / "team.git"
        if not shutil.which("git"):
            raise RuntimeError("This lesson pushes to a repository of git, and there is no git: install it.")
        shutil.copytree(PROJECT, self.clone, ignore=NO_COPY)
        shutil.copytree(PIPELINES, self.clone / "deploy" / "ci-cd", ignore=NO_COPY)
        (self.clone / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
        data = str(Path(data_root).absolute())
        settings = {"PYTHON": sys.executable, "SAMPLE_ROOT": data, "DATA_ROOT": data}
        self._require("git", "-c", "init.defaultBranch=main", "init", "--quiet")
        self._require("bash", "deploy/ci-cd/bare.sh", str(self.bare), **settings)
        self._commits: list[str] = []

    def edit(self, file: str, was: str, becomes: str) -> None:
        """Changes a file of the clone.

        Raises:
            ValueError: the file does not have `was`.
        """
        path = self.clone / file
        text = path.read_text(encoding="utf-8")
        if was not in text:
            raise ValueError(f"{file} has no {was!r}.")
        path.write_text(text.replace(was, becomes), encoding="utf-8")

    def push(self, message: str) -> Push:
        """Commits all that has changed, and pushes it to `main`."""
        self._require("git", "add", "--all")
        self._require("git", "commit", "--quiet", "--allow-empty", "--message", message)
        self._commits.append(self._require("git", "rev-parse", "HEAD").strip())
        done = self._run("git", "push", str(self.bare), "HEAD:main")
        told = [line.removeprefix("remote:") for line in done.stdout.splitlines() if line.startswith("remote:")]
        return Push(not done.returncode, [self._shown(line) for line in told if line.strip()])

    def undo(self) -> None:
        """Takes the latest commit out of the clone: after a push that was declined."""
        self._require("git", "reset", "--quiet", "--hard", "HEAD~1")

    def log(self) -> list[str]:
        """What `main` of the bare repository consists of, the oldest first."""
        return self._require("git", f"--git-dir={self.bare}", "log", "--reverse", "--format=%s", "main").splitlines()

    def _shown(self, line: str) -> str:
        """The same in each run: commits by their order, no folder of this machine, no seconds."""
        for number, commit in enumerate(self._commits, 1):
            line = line.replace(commit[:7], f"commit {number}")
        line = line.replace(f"{self.folder}/", "").replace("\x1b[K", "")
        return re.sub(r"-\d{10,}\.log", ".log", re.sub(r" in \d+\.\d+s", "", line)).removeprefix(" ").rstrip()

    def _require(self, *command: str, **variables: str) -> str:
        done = self._run(*command, **variables)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout.strip()}")
        return done.stdout

    def _run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        told = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", "COLUMNS": "110"}
        told |= {"NO_COLOR": "1", "TERM": "dumb"}
        # Else most seconds of a push are imports of pytest's plugins that the project does not use, and mypy's second look at Python itself.
        told |= {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "MYPY_CACHE_DIR": os.environ.get("MYPY_CACHE_DIR", f"{self.folder}/mypy"),
        }
        for role in ("AUTHOR", "COMMITTER"):
            told |= {f"GIT_{role}_NAME": "Ann", f"GIT_{role}_EMAIL": "ann@example.org", f"GIT_{role}_DATE": DATE}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_KEPT)}
        return subprocess.run(
            command,
            cwd=self.clone,
            env=kept | told | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
