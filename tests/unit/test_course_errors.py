"""An error that is meant shows its message; any other shows where it comes from. Asked of a real kernel, which needs no TFX and is no fork."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from jupyter_client.manager import start_new_kernel

from warm import kernels

CODE = "def deep():\n    raise ValueError('no column colour')\n\ndeep()"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A client of a kernel in which a lesson has begun."""
    manager, client = start_new_kernel(kernel_name="mlops-course", env=os.environ | {kernels.OFF: "no"})
    try:
        _run(client, f"import os; os.environ['COURSE_OUT'] = {str(tmp_path_factory.mktemp('out'))!r}")
        _run(client, "import course; course.begin('90-errors')")
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _run(client: object, code: str, tags: tuple[str, ...] = ()) -> list[str]:
    """Runs code as a cell with these tags; returns the lines of its error's trace."""
    message = client.session.msg(
        "execute_request", {"code": code, "stop_on_error": not tags}, metadata={"tags": list(tags)}
    )
    client.shell_channel.send(message)
    trace: list[str] = []
    while True:
        reply = client.get_iopub_msg(timeout=30)
        if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if reply["msg_type"] == "error":
            trace = reply["content"]["traceback"]
        if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            return "\n".join(trace).splitlines()


def test_meant_error_shows_its_message_only(kernel: object) -> None:
    trace = _run(kernel, CODE, ("raises-exception",))
    assert "no column colour" in trace[-1]
    assert len(trace) <= 3
    assert "deep()" not in "".join(trace)


def test_other_errors_show_where_they_come_from(kernel: object) -> None:
    assert len(_run(kernel, CODE)) > 5


def test_syntax_error_shows_its_line(kernel: object) -> None:
    assert any("^" in line for line in _run(kernel, "1 +* 2", ("raises-exception",)))
