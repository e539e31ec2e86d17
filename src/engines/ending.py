"""How a command ends that a signal or an error ends: with a sentence, and with the exit status that a shell expects."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ENGINES = Path(__file__).parent


class Stopped(KeyboardInterrupt):
    """A signal asked for the end. A KeyboardInterrupt: libraries let it pass, and so clean up."""


_asked: list[int] = []
"""The signal that has asked for the end, if one has."""


def stopped_by() -> signal.Signals | None:
    """The signal that has asked for the end, also where a library has made another error of Stopped."""
    return signal.Signals(_asked[0]) if _asked else None


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it, SIGINT (Ctrl-C), SIGTERM and SIGHUP raise Stopped once; when one comes again, the process ends at once."""

    def ask(number: int, _: FrameType | None) -> None:
        if _asked:
            os._exit(128 + number)
        _asked.append(number)
        logging.disable()  # Beam and TFX would log it as an error of the step that they were in, with its traceback
        raise Stopped

    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield
        return
    # What is ignored, as by `nohup`, stays ignored.
    before = {number: signal.signal(number, ask) for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        if (
            not _asked
        ):  # otherwise the process is about to end, and a second Ctrl-C must not be answered with a traceback
            for number, handler in before.items():
                signal.signal(number, handler)


def words(error: BaseException, log: Path, node: str = "", package: str = "") -> str:
    """An error in a few lines. What is not meant for people by itself has its traceback in a file, which is named.

    Meant for people are the errors of the engines and of the project's package, and those that their own code, or Python outside of any component,
    raises.

    Args:
        error: that ended a run.
        log: the file for the traceback.
        node: the component that it ended.
        package: the project's, by its name.
    """
    if _is_meant(error, node, package):
        return str(error)
    whole = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(whole, encoding="utf-8")
    except OSError:
        return whole
    said = f"{type(error).__name__}: {error}".strip().splitlines()
    place = _place(error)
    shortened = [*said[:1], *(line for line in said[-2:] if line not in said[:1])] if len(said) > 3 else said
    return "\n".join(
        [f"{node or 'The run'} failed{place} (the whole traceback: {log}):", *(line[:500] for line in shortened)]
    )


def _is_meant(error: BaseException, node: str, package: str) -> bool:
    if type(error).__module__.split(".")[0] in (__name__.split(".")[0], package):
        return True
    if not isinstance(error, (ValueError, OSError, RuntimeError)):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return (
        not node or isinstance(error, OSError) or any(one in Path(frames[-1].filename).parents for one in _own(package))
    )


def _own(package: str) -> list[Path]:
    """The folders of the engines and of a package that was imported."""
    found = getattr(sys.modules.get(package), "__path__", [])
    return [ENGINES, *map(Path, found)]


def _place(error: BaseException) -> str:
    """The last line of the traceback that is neither a library's nor Python's: most likely the one to change."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not path.is_relative_to(sys.base_prefix) and not {"site-packages", "lib"} & set(path.parts):
            return f" in {path.name}, line {frame.lineno}"
    return ""
