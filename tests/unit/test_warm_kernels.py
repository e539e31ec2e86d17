"""Kernels that are forked: Jupyter starts, interrupts, restarts and ends them as it does any other."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from warm import client, kernels

pytestmark = [
    pytest.mark.skipif(not client.FORKS, reason="processes that have loaded TensorFlow fork on Linux only"),
    pytest.mark.xdist_group("warm-kernels"),
]

PATIENCE = 60  # seconds, on a machine with much to do


@pytest.fixture(scope="module", autouse=True)
def _few_imports(root, tmp_path_factory):
    """A server of these tests' own, which is there in a second: what it is to import is not what is tested here."""
    few = ("ipykernel.kernelapp", "pandas", "matplotlib_inline.backend_inline", "absl.logging")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "IMPORTED", few)
        patch.setattr(kernels, "LINGER", 0.0)
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("servers")))
        patch.delenv("OMP_WAIT_POLICY", raising=False)  # the kernel has its own
        held = kernels.server(os.environ | json.loads((root / "tools/setup/kernel.json").read_text())["env"])
        yield
        held.end()


class Kernel:
    """A kernel of the course's specification, and a client of it."""

    def __init__(self, root: Path, folder: Path) -> None:
        (folder / "mlops-course").mkdir(parents=True)
        spec = json.loads((root / "tools/setup/kernel.json").read_text())
        spec["argv"][0] = sys.executable
        (folder / "mlops-course" / "kernel.json").write_text(json.dumps(spec))
        specs = KernelSpecManager(kernel_dirs=[str(folder)], ensure_native_kernel=False)
        self.manager = KernelManager(kernel_name="mlops-course", kernel_spec_manager=specs)
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    @property
    def process(self) -> object:
        return self.manager.provisioner.process

    def printed(self, code: str) -> str:
        found = []
        self.client.execute_interactive(
            code,
            timeout=PATIENCE,
            output_hook=lambda message: found.append(message["content"].get("text") or str(message["content"])),
        )
        return "".join(words for words in found if "execution_state" not in words and "execution_count" not in words)

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(root, tmp_path) -> Iterator[Kernel]:
    found = Kernel(root, tmp_path / "kernels")
    yield found
    found.end()


def test_a_kernel_is_forked_and_is_like_any_other(kernel):
    assert isinstance(kernel.process, client.Fork)
    code = """
    import os, sys, __main__
    print("pandas" in sys.modules, "tensorflow" in sys.modules, os.environ["TF_ENABLE_ONEDNN_OPTS"], os.environ["OMP_WAIT_POLICY"], sys.argv[0], __main__.__name__, os.getpgid(0) == os.getpid())
    """
    assert kernel.printed(code) == "True False 0 passive ipykernel_launcher __main__ True\n"


def test_what_a_notebook_starts_may_have_forks_of_the_same_process(kernel):
    """A step of a pipeline that Airflow runs for a lesson need not import TFX a second time."""
    said = kernel.printed("import os\nfrom warm import client\nprint(client.Warm.told().path, os.getppid())")
    assert said == f"{kernel.manager.provisioner._warm.path} {parent_of(kernel.process.pid)}\n"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_libraries_know_that_they_are_in_a_notebook(kernel):
    """Each of these looks at its import, in the process that forks, where it is."""
    code = """
    import logging, absl.logging, matplotlib, pandas as pd
    print(pd.get_option("display.max_columns"), matplotlib.get_backend())
    logging.warning("seen")
    absl.logging.error("seen too")
    """
    said = kernel.printed(code)
    assert "20 module://matplotlib_inline.backend_inline\n" in said
    assert "WARNING:root:seen\n" in said
    assert "seen too\n" in said


def test_a_figure_that_a_cell_draws_is_shown_at_its_end(kernel):
    assert "image/png" in kernel.printed("import matplotlib.pyplot as plt; plt.plot([1, 2]); None")


def test_a_cell_is_interrupted_and_the_kernel_goes_on(kernel):
    # Otherwise the kernel throws away what is asked in the moment after an error, as it would the cells of "Run All".
    asked = kernel.client.execute("import time; print('begun', flush=True); time.sleep(600)", stop_on_error=False)
    while kernel.client.get_iopub_msg(timeout=PATIENCE)["content"].get("text") != "begun\n":
        pass
    kernel.manager.interrupt_kernel()
    while (reply := kernel.client.get_shell_msg(timeout=PATIENCE))["parent_header"]["msg_id"] != asked:
        pass
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert kernel.printed("print(1 + 1)") == "2\n"


def test_a_restarted_kernel_has_forgotten_everything_and_reads_what_was_edited(kernel, tmp_path):
    (tmp_path / "edited.py").write_text("SAYS = 'first'")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import edited; print(edited.SAYS)"
    assert kernel.printed(code) == "first\n"
    (tmp_path / "edited.py").write_text("SAYS = 'and now another'")
    before = kernel.process.pid
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(timeout=PATIENCE)
    assert kernel.process.pid != before
    assert kernel.printed(code) == "and now another\n"


@pytest.mark.parametrize("code", ["import os; os._exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_kernel_that_dies_is_seen_to_be_dead(kernel, code):
    kernel.client.execute(code)
    end = time.monotonic() + PATIENCE
    while kernel.manager.is_alive():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_kernel_ends_when_it_is_shut_down(kernel):
    pid = kernel.process.pid
    kernel.manager.shutdown_kernel()
    assert not Path(f"/proc/{pid}").exists()


def test_where_no_process_can_be_forked_the_kernel_starts_as_jupyter_does_it(root, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "IMPORTED", ("no_such_module",))
    own = Kernel(root, tmp_path / "kernels")
    assert not isinstance(own.process, client.Fork)
    assert own.printed("print(1 + 1)") == "2\n"
    own.end()


def test_a_kernel_is_not_forked_where_the_reader_does_not_want_it(root, tmp_path, monkeypatch):
    monkeypatch.setenv(kernels.OFF, "no")
    own = Kernel(root, tmp_path / "kernels")
    assert not isinstance(own.process, client.Fork)
    own.end()
