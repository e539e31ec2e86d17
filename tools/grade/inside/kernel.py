"""The kernel that a submission is executed in: Jupyter's own, which in a check cell hands out the answers instead of checking them.

A request that carries `course_answers` in its metadata, a name and an expression for each answer, is answered with their values as
data. What this needs was imported before the student's first line. A student who bends it bends his own answers, which
he may as well write down: there is nothing in here to win.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from course.checks.answers import NotPlain, plain
from warm.loading import quickly

IMPORTS = "COURSE_IMPORTS"
"""Environment variable: what is imported at once, a third faster than by a cell."""
ASKED, ANSWERED = "course_answers", "course_answered"

_eval, _compile = eval, compile
_encode = json.JSONEncoder(allow_nan=False).encode


class Kernel(IPythonKernel):
    """The kernel."""

    async def do_execute(self, code: str, silent: bool, *args: Any, cell_meta: Any = None, **kwargs: Any) -> Any:
        """Executes a cell, or reads the answers of a check cell."""
        asked = (cell_meta or {}).get(ASKED)
        if asked is None:
            return await super().do_execute(code, silent, *args, cell_meta=cell_meta, **kwargs)
        try:
            found = _encode({name: answer(expression, self.shell.user_ns) for name, expression in asked.items()})
        except Exception:  # what reads answers was changed by the notebook: there are none, and the next cell is run
            found = "{}"
        return {
            "status": "ok",
            "execution_count": self.execution_count,
            "payload": [],
            "user_expressions": {},
            ANSWERED: found,
        }


def answer(expression: str, names: dict[str, Any]) -> dict[str, Any]:
    """The value of an expression as data, `{"value": ...}`, or why there is none, `{"error": sentence}`."""
    try:
        return {"value": plain(_eval(_compile(expression, "<check cell>", "eval"), names))}
    except NotPlain as error:
        return {"error": str(error)}
    except NameError as error:
        return {"error": f"there is no such variable ({error})"}
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__} where it was read"}


class App(IPKernelApp):
    """The program."""

    kernel_class = Kernel


if __name__ == "__main__":
    # The student's folder, where Jupyter has it: after all that is Python's, and here after all that is the course's.
    first = next(place for place, folder in enumerate(sys.path) if folder.endswith("-packages"))
    sys.path.insert(first, "")
    with quickly():
        for name in os.environ.get(IMPORTS, "").split():
            importlib.import_module(name)
    App.launch_instance()
