"""Lessons opened in the real JupyterLab and run as a person does it: by the menu, and the controls by keyboard."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError

import listening
import nbformat
import psutil
import pytest
from browsing import chromium, lab
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tools.decks.build import ROOT
from tools.notebooks import form
from warm.client import FORKS

PICTURES = ROOT / "out/reports/screens/lab"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def chrome() -> Iterator[webdriver.Chrome]:
    if chromium.missing():
        pytest.skip(chromium.missing())
    with chromium.open_browser(1400, 1000) as browser:
        yield browser


OPENED = ("notebooks/02-plan", "labs/lab-1-data/lab-1-data", "solutions/lab-1-data/lab-1-data")
*_, SOLUTION = OPENED


@dataclass
class Opened:
    """A server in which a lesson, a lab and a solution were opened and saved, and the lesson presented; their pages and files then, and what it logged."""

    server: lab.Lab
    pages: dict[str, str]
    saved: dict[str, bytes]
    logged: str


@pytest.fixture(scope="module")
def opened(chrome: webdriver.Chrome, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """JupyterLab on a copy of the course, started for all tests of this file. What no test asks for is not opened."""
    asked = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    with lab.course_copy(outputs=True) as folder, lab.start(folder) as running:
        for part in ("labs", "solutions"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        pages = {}
        for name in [one for one in OPENED if one != SOLUTION or one in asked]:
            lab.open_lesson(chrome, running, name)
            pages[name] = chrome.find_element("tag name", "body").text
            lab.save(chrome, folder / f"{name}.ipynb")
            with lab.presented(chrome) if name == OPENED[0] else contextlib.nullcontext():
                pass
        # Kernels are closed later: one that is interrupted while it answers logs that.
        saved = {name: (folder / f"{name}.ipynb").read_bytes() for name in pages}
        yield Opened(running, pages, saved, running.log.read_text())


@pytest.fixture(scope="module")
def server(opened: Opened) -> lab.Lab:
    """The same, the outputs taken out of the lessons: what is seen was made here. Lesson 02 learns from a fifth of its flights, which takes less."""
    lab.close_kernels(opened.server)
    for path in (opened.server.folder / "notebooks").glob("*.ipynb"):
        lab.clear(path)
    plan = opened.server.folder / "notebooks/02-plan.ipynb"
    whole = plan.read_text(encoding="utf-8")
    assert whole.count("flights_per_month = 2000") == 1
    plan.write_text(whole.replace("flights_per_month = 2000", "flights_per_month = 400"), encoding="utf-8")
    return opened.server


@pytest.fixture
def jupyter(server: lab.Lab) -> Iterator[lab.Lab]:
    """The server, without a kernel of the test before."""
    yield server
    lab.close_kernels(server)


@pytest.mark.parametrize("name", [*OPENED[:2], pytest.param(SOLUTION, marks=pytest.mark.long)], ids=str)
def test_notebook_that_was_only_opened_stays_as_it_is_committed(opened: Opened, name: str) -> None:
    """Whatever patch release of Python runs here: its version is none of what the file holds."""
    assert opened.saved[name] == (ROOT / f"{name}.ipynb").read_bytes()


def test_start_an_opened_lesson_and_live_slides_log_nothing(opened: Opened) -> None:
    assert opened.logged == ""


def test_extensions_of_nbgrader_are_off(opened: Opened) -> None:
    """Validate would run a lab in a second kernel; Formgrader asks for a course of nbgrader's own."""
    words = opened.pages[OPENED[1]]
    assert "Run" in words
    assert [word for word in ("Validate", "Nbgrader", "Create Assignment") if word in words] == []
    for address in ("formgrader", "assignments", "courses", "nbgrader_version"):
        with pytest.raises(HTTPError, match="404"):
            lab.ask(opened.server, address)


def run(chrome: webdriver.Chrome, server: lab.Lab, name: str) -> list[lab.Cell]:
    """Opens a lesson, runs it, takes its picture, and returns its cells; nothing may have failed."""
    lab.open_lesson(chrome, server, name)
    try:
        seen = lab.run_all(chrome)
        assert lab.failures(server, name, seen) == []
    finally:
        chromium.screenshot(chrome, PICTURES / f"{name}.png")
    return seen


@pytest.mark.long
def test_first_lesson_runs_and_ends_with_a_prediction(chrome: webdriver.Chrome, jupyter: lab.Lab) -> None:
    seen = run(chrome, jupyter, "00-first-pipeline")
    text = "\n".join(cell.text for cell in seen)
    assert re.search(r"late with a probability of \d{1,2} ?%", text), "no prediction is shown"
    at = interactive_cell(jupyter, "00-first-pipeline")
    lab.move_control(chrome, at, Keys.ARROW_LEFT)  # one hour earlier
    chromium.screenshot(chrome, PICTURES / "00-first-pipeline-prediction.png")


def test_a_threshold_is_moved_by_keyboard_and_the_figure_follows(chrome: webdriver.Chrome, jupyter: lab.Lab) -> None:
    seen = run(chrome, jupyter, "02-plan")
    if FORKS:
        assert lab.forked_kernels(jupyter), "the kernel has imported TFX by itself"
    assert listening.to_others(listening.of([jupyter.pid])) == []
    at = interactive_cell(jupyter, "02-plan")
    assert seen[at].images, "there is no figure under the controls"
    before = lab.control_value(chrome, at)
    lab.move_control(chrome, at, Keys.ARROW_RIGHT)
    chromium.screenshot(chrome, PICTURES / "02-plan-threshold.png")
    assert float(lab.control_value(chrome, at)) > float(before)
    file = jupyter.folder / "notebooks/02-plan.ipynb"
    lab.save(chrome, file)
    assert form.read(file).metadata == form.NOTEBOOK_METADATA, "the state of the controls does not go into the file"


def interactive_cell(server: lab.Lab, name: str) -> int:
    """Index of the first cell of a lesson that shows controls."""
    notebook = nbformat.read(server.folder / "notebooks" / f"{name}.ipynb", as_version=4)
    found = [number for number, cell in enumerate(notebook.cells) if "course.explore(" in cell.source]
    assert found, f"{name} has no interactive view"
    return found[0]


def test_a_lesson_that_fails_is_seen_to_fail(chrome: webdriver.Chrome, jupyter: lab.Lab) -> None:
    """Proof that the two tests above can fail, and that an error which is meant is no failure."""
    meant = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    rest = [nbformat.v4.new_code_cell(source) for source in ("print('before')", "undefined", "print('after')")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 99 Broken"), meant, *rest])
    notebook.metadata.kernelspec = {"display_name": "MLOps course", "language": "python", "name": "mlops-course"}
    nbformat.write(notebook, jupyter.folder / "notebooks/99-broken.ipynb")
    lab.open_lesson(chrome, jupyter, "99-broken")
    seen = lab.run_all(chrome)
    assert seen[2].text.strip() == "before"
    found = lab.failures(jupyter, "99-broken", seen)
    assert [line.split(" ")[1] for line in found] == ["4", "5"], found
    assert "NameError" in found[0]
    assert "did not run" in found[1]


def test_committed_lessons_are_not_touched(server: lab.Lab) -> None:
    """The server works on a copy: its folder is none of the repository's, and only what lessons read leads there."""
    notebooks = server.folder / "notebooks"
    assert not notebooks.is_symlink()
    assert ROOT not in notebooks.resolve().parents
    assert sorted(path.name for path in server.folder.rglob("*") if path.is_symlink()) == ["data", "deploy", "docs"]


@pytest.mark.long
def test_server_and_kernels_end_when_a_test_fails(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    processes: list[psutil.Process] = []

    def fails_in_the_lab() -> None:
        with lab.course_copy(tmp_path / "notebooks") as folder, lab.start(folder) as running:
            lab.ask(running, "api/kernels", method="POST")
            processes.extend(lab.processes(running))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fails_in_the_lab()
    assert len(processes) >= 2, "a server and a kernel"
    _, alive = psutil.wait_procs(processes, timeout=60)  # a kernel is killed when its server's connection has closed
    assert not alive


def test_live_slides_run_code_and_have_their_controls(chrome: webdriver.Chrome, jupyter: lab.Lab) -> None:
    """jupyterlab-rise, as a teacher uses it: the toolbar's button, the space bar, Shift+Enter, a slider."""
    draw = "def draw(share=0.5):\n    figure = plt.figure(figsize=(4, 2))\n    plt.bar([0], [share])\n    return figure"
    explore = (
        f"import course, matplotlib.pyplot as plt\n{draw}\ncourse.explore(draw, alt='a bar', share=(0.0, 1.0, 0.1))"
    )
    cells = [
        nbformat.v4.new_markdown_cell("# 98 Live", metadata={"slideshow": {"slide_type": "slide"}}),
        nbformat.v4.new_code_cell(explore, metadata={"slideshow": {"slide_type": "slide"}}),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"display_name": "MLOps course", "language": "python", "name": "mlops-course"}
    nbformat.write(notebook, jupyter.folder / "notebooks/98-live.ipynb")
    lab.open_lesson(chrome, jupyter, "98-live")
    chromium.forget(chrome)
    with lab.presented(chrome):
        ActionChains(chrome).send_keys(Keys.SPACE).perform()
        lab.run_on_slide(chrome)
        lab.move_control(chrome, 1, Keys.ARROW_RIGHT)
        assert lab.control_value(chrome, 1) == "0.6"
    chromium.screenshot(chrome, PICTURES / "live-slides.png")
    outside = [address for address in chromium.requests(chrome) if not address.startswith(jupyter.url)]
    assert outside == [], "live slides load nothing from the internet"


@pytest.mark.long
def test_tensorboard_shows_curves_in_a_lesson(chrome: webdriver.Chrome, jupyter: lab.Lab) -> None:
    """The server that a lesson starts, in its frame, without the internet; it ends with the kernel."""
    write = """from tensorboard.summary import Writer
writer = Writer("logs/train")
for epoch in range(5):
    writer.add_scalar("epoch_auc", 0.6 + epoch / 100, epoch)
writer.close()"""
    show = "from course.board import Board\nboard = Board({'first': 'logs'})\nboard"
    cells = [nbformat.v4.new_markdown_cell("# 97 Board"), *map(nbformat.v4.new_code_cell, (write, show))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"display_name": "MLOps course", "language": "python", "name": "mlops-course"}
    nbformat.write(notebook, jupyter.folder / "notebooks/97-board.ipynb")
    chromium.forget(chrome)
    run(chrome, jupyter, "97-board")
    frame = WebDriverWait(chrome, 30).until(lambda page: page.find_element("css selector", "iframe[title=TensorBoard]"))
    address = frame.get_attribute("src")
    chrome.switch_to.frame(frame)
    try:
        WebDriverWait(chrome, 60).until(lambda page: "epoch_auc" in page.find_element("tag name", "body").text)
    finally:
        chrome.switch_to.default_content()
        chromium.screenshot(chrome, PICTURES / "97-board.png")
    outside = [found for found in chromium.requests(chrome) if not found.startswith((jupyter.url, address))]
    assert outside == [], "TensorBoard loads nothing from the internet"
    assert listening.to_others(listening.of([jupyter.pid])) == []
