"""A lab whose checks crash, hang, eat memory and have trials run, as an answer asks for; and what never ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from course import checks
from judges.trial import Step, Trial


def _do(lab: checks.Lab, way: str) -> None:
    if way == "crash":
        os.kill(os.getpid(), 9)
    elif way == "hang":
        time.sleep(60)
    elif way == "eat":
        bytearray(2**40)
    elif way == "wrong":
        raise checks.Wrong("No.")
    elif way == "try":
        assert lab.run(Trial("x", {}, [Step("none", seconds=9)])).steps[0].status == 0


for _name in ("one", "two", "three"):
    checks.task(_name, points=1)(_do)


def never(*given: object) -> Iterator[dict]:
    """Work that is never done."""
    while True:
        time.sleep(1)
    yield {}


def measure(text: str, ask: object) -> Iterator[dict]:
    """How long a text is."""
    yield {"letters": len(text)}
