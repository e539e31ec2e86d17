"""A team's clone, and the bare repository that it pushes to: for tests of `deploy/ci-cd`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAND_IN = ROOT / "tests" / "stand_in"

TEST = """from tiny import model


def test_the_model_is_better_than_chance():
    assert model.QUALITY > 0.5
"""


class Team:
    """Of a project that is made by `make`, or of one whose commands are stand-ins (`tests/stand_in`)."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.clone, self.bare, self.work = folder / "clone", folder / "team.git", folder / "team.git.work"
        self.output = self.work / "out"
        self.make()
        self.run("git", "init", "--quiet", "-b", "main")
        self.set_up(**variables)

    def set_up(self, **variables: str) -> None:
        """Sets the bare repository up, with these variables of the steps beside those from before."""
        said = self.run("bash", "deploy/ci-cd/bare.sh", str(self.bare), PYTHON=sys.executable, **variables)
        assert not said.returncode, said.stdout

    def make(self) -> None:
        """The files of the clone."""
        shutil.copytree(STAND_IN, self.clone, ignore=shutil.ignore_patterns("__pycache__"))
        (self.clone / "tests").mkdir()
        (self.clone / "tests" / "test_tiny.py").write_text(TEST)
        settings = (ROOT / "tools/project/templates/pyproject.toml.template").read_text()
        (self.clone / "pyproject.toml").write_text(settings.replace("@NAME@", "tiny").replace("@DASHED@", "tiny"))
        shutil.copytree(
            ROOT / "deploy/ci-cd", self.clone / "deploy/ci-cd", ignore=shutil.ignore_patterns("__pycache__")
        )

    def only(self, *steps: str) -> None:
        """Leaves but some checks of a change, for a test of what comes after them."""
        for script in (self.clone / "deploy/ci-cd/steps/change").iterdir():
            if script.name not in steps:
                script.unlink()

    def change(self, file: str, was: str, becomes: str) -> None:
        """Edits a file."""
        path = self.clone / file
        assert was in path.read_text(), f"{file} has no {was!r}"
        path.write_text(path.read_text().replace(was, becomes))

    def commit(self, why: str) -> str:
        """Commits all, and gives the commit."""
        self.run("git", "add", "--all")
        done = self.run("git", "commit", "--quiet", "--allow-empty", "--message", why)
        assert not done.returncode, done.stdout
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def push(self, *options: str, to: str = "main") -> subprocess.CompletedProcess[str]:
        """Pushes what is committed, and gives what the hooks have told."""
        return self.run("git", "push", *options, str(self.bare), f"HEAD:refs/heads/{to}")

    def begin_push(self) -> subprocess.Popen[str]:
        """Begins to."""
        return subprocess.Popen(
            ["git", "push", self.bare, "HEAD:main"],
            cwd=self.clone,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def by_hand(self, *what: str) -> str:
        """Runs a pipeline as cron or a person does; what it tells."""
        return self.run(sys.executable, str(self.bare / "ci-cd/pipeline.py"), *what).stdout

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.clone,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        told = {"GIT_CONFIG_GLOBAL": os.devnull, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            told |= {f"GIT_{role}_NAME": "a member of the team", f"GIT_{role}_EMAIL": "team@example.org"}
        return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | told

    @property
    def served(self) -> list[str]:
        """The champions of the stand-in so far, the newest last."""
        file = self.output / "champions"
        return file.read_text().split() if file.exists() else []

    @property
    def head(self) -> str:
        """The commit of main in the bare repository; nothing where there is none."""
        found = self.run("git", f"--git-dir={self.bare}", "rev-parse", "--quiet", "--verify", "main")
        return found.stdout.strip()

    @property
    def current(self) -> str:
        """The name of the tree in service, which begins with its commit."""
        return Path(os.readlink(self.work / "current")).name
