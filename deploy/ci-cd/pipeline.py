"""The pipelines of a team, run by a bare git repository. `bare.sh` puts this file there; git's hooks call it, and so do cron and people.

    python pipeline.py pre-receive         # change: a push that fails a step is declined, and the reason is told
    python pipeline.py post-receive        # train, and release what was registered
    python pipeline.py train [REASON]      # the same, by the calendar or by hand
    python pipeline.py release VERSION
    python pipeline.py rollback REASON

A pipeline is the scripts in `deploy/ci-cd/steps/NAME` of the commit that it is about, in the order of their names: those that the workflows run.
Needs nothing but Python. What is set up is in the repository's configuration: `git config --get-regexp ^cicd`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

STEPS = Path("deploy/ci-cd/steps")
BRANCH = "refs/heads/main"
"""What is pushed to it is trained and released."""

NOTHING = "0" * 40
"""The commit of a branch that is not there."""

LAST_LINES = 20
"""Of a step that failed."""


class Declined(RuntimeError):
    """A step has failed; the message has its last lines."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """What was set up.

    Attributes:
        repository: the bare one.
        work: folder of checked out trees, logs, and the link `current` to the code that is in service.
        environment: variables of the steps.
    """

    repository: Path
    work: Path
    environment: dict[str, str]

    @classmethod
    def of(cls, repository: Path) -> Setting:
        """Reads it.

        Raises:
            ValueError: `bare.sh` has not set this repository up.
        """
        work = _git(repository, "config", "cicd.work", fails=True).strip()
        if not work:
            raise ValueError(f"{repository} is not set up. Run deploy/ci-cd/bare.sh {repository}.")
        lines = _git(repository, "config", "--get-regexp", r"^cicd\..*\.value$", fails=True).splitlines()
        given = dict(line.split(" ", 1) for line in lines)
        # A hook has variables of git's own, which would have every git within a step work on this repository.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return cls(repository, Path(work), kept | {key.split(".")[1]: value for key, value in given.items()})


def pre_receive(setting: Setting, refs: Sequence[str]) -> None:
    """Tries each pushed commit, in a folder of its own.

    Args:
        setting: what was set up.
        refs: lines of git: the old commit, the new one, the name.

    Raises:
        Declined: a step has failed.
    """
    for line in refs:
        _, new, name = line.split()
        if new == NOTHING or not name.startswith("refs/heads/"):
            continue
        tree = Path(tempfile.mkdtemp(prefix=f"{new[:7]}-", dir=_made(setting.work / "changes")))
        try:
            _check_out(setting, new, tree)
            _run(setting, "change", new, tree)
        finally:
            shutil.rmtree(tree, ignore_errors=True)


def post_receive(setting: Setting, refs: Sequence[str]) -> None:
    """Trains and releases what was merged. Of pushes that come meanwhile, the newest does it for those before."""
    for line in refs:
        _, new, name = line.split()
        if new != NOTHING and name == BRANCH:
            train(setting, new, f"merge of {new[:7]}")


def train(setting: Setting, commit: str, reason: str) -> None:
    """Trains with the code of a commit, and releases what was registered. Then `current` is that code.

    Raises:
        Declined: a step has failed; what was in service still is.
    """
    with _alone(setting, f"{reason or 'the calendar'}, process {os.getpid()}"):
        if (newest := _head(setting)) != commit:
            _say(f"{commit[:7]}: {newest[:7]} was pushed meanwhile, and is trained and released instead.")
            return
        tree = _made(setting.work / "releases" / f"{commit[:12]}-{time.time_ns()}")
        try:
            _check_out(setting, commit, tree)
            version = _run(setting, "train", commit, tree, REASON=reason).get("version", "")
            if not version:
                _say("No new version was registered: nothing to release. What is in service stays.")
                shutil.rmtree(tree)
                return
            _run(setting, "release", commit, tree, VERSION=version)
        except BaseException:
            shutil.rmtree(tree, ignore_errors=True)
            raise
        _link(setting.work / "current", tree)
        _say(f"Released: version {version} with the code of {commit[:7]}.")


def by_hand(setting: Setting, name: str, **given: str) -> None:
    """Runs one pipeline with the newest code.

    Raises:
        Declined: a step has failed.
    """
    commit = _head(setting)
    tree = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_made(setting.work / "changes")))
    try:
        _check_out(setting, commit, tree)
        _run(setting, name, commit, tree, **given)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _run(setting: Setting, name: str, commit: str, tree: Path, **given: str) -> dict[str, str]:
    """Runs the steps of a pipeline in order, up to one that fails; gives what they have written to `GITHUB_OUTPUT`, as on the code host."""
    steps = sorted((tree / STEPS / name).glob("*.sh"))
    if not steps:
        raise Declined(f"{commit[:7]} has no steps in {STEPS / name}.")
    log = _made(setting.work / "logs") / f"{name}-{commit[:7]}-{time.time_ns()}.log"
    outputs = log.with_suffix(".outputs")
    outputs.touch()
    variables = setting.environment | given | {"GITHUB_OUTPUT": str(outputs)}
    _say(f"{name} of {commit[:7]}")
    for step in steps:
        start = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as said:
            status = subprocess.run(
                [step], cwd=tree, env=variables, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            ).returncode
        lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
        if status:
            last = "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
            raise Declined(f"{name}: {step.name} failed ({status}).\n{last}\n  The whole of it: {log}")
        # What training and release have found is the news; of checks, that they passed.
        last = "" if name == "change" else "".join(f"\n    {line}" for line in lines[-LAST_LINES:])
        _say(f"  {step.name}: passed{last}")
    found = [line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines()]
    outputs.unlink()
    return {key: value for key, value in found}


def _check_out(setting: Setting, commit: str, tree: Path) -> None:
    """Writes all files of a commit, which may still be in git's quarantine: so with the hook's own variables of git."""
    with tempfile.TemporaryDirectory() as scratch:
        index = os.environ | {"GIT_INDEX_FILE": f"{scratch}/index"}
        _git(setting.repository, f"--work-tree={tree}", "checkout", "--force", "--quiet", commit, "--", ".", env=index)


def _head(setting: Setting) -> str:
    return _git(setting.repository, "rev-parse", "--verify", BRANCH).strip()


@contextlib.contextmanager
def _alone(setting: Setting, who: str) -> Iterator[None]:
    """One at a time trains and releases; the next is told for what it waits. The lock ends with its process."""
    with open(_made(setting.work) / "lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            _say(f"Waits for another to be trained and released: {lock.read().strip()}.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(who)
        lock.flush()
        yield


def _link(link: Path, target: Path) -> None:
    """Turns a link in one step, so that it leads to one whole tree at each moment."""
    beside = link.with_name(f"{link.name}.next")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)


def _git(repository: Path, *arguments: str, fails: bool = False, env: dict[str, str] | None = None) -> str:
    command = ["git", f"--git-dir={repository}", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode and not fails:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _say(text: str) -> None:
    """To who has pushed; whether or not that client is still there, the work goes on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str]) -> int:
    """Does what was asked for; returns the exit status."""
    command, *rest = arguments or [""]
    # A hook is told by git; cron and people call the file where bare.sh has put it.
    repository = Path(os.environ.get("GIT_DIR", Path(__file__).resolve().parents[1])).absolute()
    try:
        setting = Setting.of(repository)
        match command, rest:
            case "pre-receive", []:
                pre_receive(setting, sys.stdin.read().splitlines())
            case "post-receive", []:
                post_receive(setting, sys.stdin.read().splitlines())
            case "train", [] | [_]:
                train(setting, _head(setting), *(rest or [""]))
            case "release", [version]:
                with _alone(setting, f"release of version {version} by hand, process {os.getpid()}"):
                    by_hand(setting, "release", VERSION=version)
            case "rollback", [reason]:  # waits for none: haste may be needed, and the registry has a lock of its own
                by_hand(setting, "rollback", REASON=reason)
            case _:
                raise ValueError(__doc__ or "")
    except (Declined, ValueError) as error:
        kept = "The push is declined." if command == "pre-receive" else "What was in service before still is."
        _say(f"{error}\n{kept}" if isinstance(error, Declined) else str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
