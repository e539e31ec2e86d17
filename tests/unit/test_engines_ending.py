"""How a command ends that a signal or an error ends. TFX is a stand-in here, a package that is found before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engines import ending
from flights.data import DataError

TFX = """
import os, time

def wait():
    open(os.environ["READY"], "w").close()
    while True:  # a signal that comes right before a long sleep is heard after it only
        time.sleep(0.05)

os.write(2, b"cuInit: no device")
try:
    wait()
except KeyboardInterrupt:
    {answer}
"""
"""Says something, as TensorFlow does while it is imported, tells that it has begun, and never comes to its end."""

ANSWERS = {
    "lets it pass": "raise",
    # As C extensions do whose import is interrupted.
    "makes another error of it": "raise ImportError('numpy._core failed to import')",
    "swallows it": "wait()",
}


def heard() -> None:
    """In the new process: signals are not ignored, also where whoever runs these tests ignores them, as a shell does for a job with `&`."""
    for number in ending.SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path, root):
    """Starts `flights run` where TFX's import does as it is told, and returns once it has begun."""
    running: list[subprocess.Popen] = []

    def begin(answer: str) -> subprocess.Popen:
        (tmp_path / "tfx").mkdir()
        (tmp_path / "tfx/__init__.py").touch()
        (tmp_path / "tfx/v1.py").write_text(TFX.format(answer=answer))
        os.mkfifo(tmp_path / "ready")
        program = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom flights.cli import main\nsys.exit(main())"
        environment = os.environ | {"READY": str(tmp_path / "ready")}
        command = [
            sys.executable,
            "-c",
            program,
            "run",
            "--data-root",
            str(root / "data/flights"),
            "--output-root",
            "out",
        ]
        running.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                preexec_fn=heard,
            )
        )
        (tmp_path / "ready").read_text()  # returns when the other end was opened and closed
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("lets it pass", "SIGINT"),
        ("makes another error of it", "SIGTERM"),
        pytest.param("lets it pass", "SIGTERM", marks=pytest.mark.long),
        pytest.param("lets it pass", "SIGHUP", marks=pytest.mark.long),
        pytest.param("makes another error of it", "SIGINT", marks=pytest.mark.long),
        pytest.param("makes another error of it", "SIGHUP", marks=pytest.mark.long),
    ],
)
def test_signal_ends_a_run_with_one_line_and_the_status_that_a_shell_expects(answer, name, start):
    process = start(ANSWERS[answer])
    process.send_signal(getattr(signal, name))
    said, complaints = process.communicate(timeout=60)
    assert complaints == f"flights run: stopped by {name}. The next run puts in order what is left of it.\n"
    assert said == ""
    assert process.returncode == 128 + getattr(signal, name)


def test_second_signal_ends_at_once_what_does_not_hear_the_first(start, tmp_path):
    process = start(ANSWERS["swallows it"])
    process.send_signal(signal.SIGINT)
    (tmp_path / "ready").read_text()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130


def test_signal_that_is_ignored_as_by_nohup_stays_ignored():
    program = (
        "import os, signal\nfrom engines import ending\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with ending.stoppable():\n    os.kill(os.getpid(), signal.SIGHUP)\nprint('went on', ending.stopped_by())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "went on None\n", ended.stderr


def test_handlers_are_put_back_afterwards():
    before = [signal.getsignal(number) for number in ending.SIGNALS]
    with ending.stoppable():
        assert [signal.getsignal(number) for number in ending.SIGNALS] != before
    assert [signal.getsignal(number) for number in ending.SIGNALS] == before


# --- Errors -------------------------------------------------------------------------------------------------------


def caught(raise_it) -> Exception:
    try:
        raise_it()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def of_a_library() -> None:
    """Python's own json stands for any library."""
    import json

    json.loads("{")


def of_ours() -> None:
    raise DataError("span-01/flights.csv, line 3: broken")


def full_disk() -> None:
    raise OSError(28, "No space left on device", "out/artifacts/x")


@pytest.mark.parametrize(
    ("raise_it", "node"), [(of_ours, ""), (of_ours, "CsvExampleGen"), (full_disk, "Trainer"), (of_a_library, "")]
)
def test_what_is_meant_for_people_is_said_as_it_is(raise_it, node, tmp_path):
    error = caught(raise_it)
    assert ending.words(error, tmp_path / "failed.log", node, "flights") == str(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("raise_it", [of_a_library, lambda: {}["nothing"]])
def test_what_a_component_did_not_expect_is_told_with_its_place_and_the_traceback_is_in_a_file(raise_it, tmp_path):
    """The place is the last line that is no library's: in a component that somebody has written, theirs."""
    error, log = caught(raise_it), tmp_path / "out/failed.log"
    said = ending.words(error, log, "Trainer").splitlines()
    frame = next(line for line in reversed(log.read_text().splitlines()) if "test_engines_ending.py" in line)
    number = frame.split("line ")[1].split(",")[0]
    assert said[0] == f"Trainer failed in test_engines_ending.py, line {number} (the whole traceback: {log}):"
    assert said[1] == f"{type(error).__name__}: {error}"
    assert len(said) == 2
    assert log.read_text().startswith("Traceback (most recent call last):")


def test_long_message_is_shortened_to_its_first_line_and_its_last_two(tmp_path):
    error = type("Long", (Exception,), {})("\n".join(f"line {number} " + "x" * 1000 for number in range(100)))
    said = ending.words(error, tmp_path / "failed.log", "Transform").splitlines()
    assert [line.split(" x")[0] for line in said[1:]] == ["Long: line 0", "line 98", "line 99"]
    assert max(map(len, said)) <= 500
    assert "line 50" in (tmp_path / "failed.log").read_text()


def test_traceback_is_said_where_no_file_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    said = ending.words(caught(lambda: {}["nothing"]), Path(tmp_path / "file/failed.log"), "Trainer")
    assert said.startswith("Traceback")
    assert said.endswith("KeyError: 'nothing'\n")
