"""JupyterLab as a person uses it: started as `make lab` does, a lesson opened, run by the menu, read, its controls moved."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "tools/setup/jupyter_lab_config.py"

_CELLS = """
const panel = [...document.querySelectorAll('.jp-NotebookPanel')].find(panel => panel.checkVisibility());
if (!panel) return null;
const cells = [...panel.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell => ({
  code: cell.classList.contains('jp-CodeCell'),
  prompt: cell.querySelector('.jp-InputPrompt')?.textContent.trim() ?? '',
  text: [...cell.querySelectorAll('.jp-OutputArea-output')].map(output => output.innerText).join('\\n'),
  error: cell.querySelector('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"], .jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]')?.innerText ?? '',
  images: [...cell.querySelectorAll('.jp-OutputArea-output img')].map(image => image.alt),
}));
const kernel = panel.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status ?? '';
const dialog = document.querySelector('.jp-Dialog')?.innerText ?? '';
return {cells, kernel, dialog};
"""
_CELL = """
const panel = [...document.querySelectorAll('.jp-NotebookPanel')].find(panel => panel.checkVisibility());
return panel.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]];
"""
_KERNEL = """
const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
"""
_IMAGES = "return [...arguments[0].querySelectorAll('.jp-OutputArea-output img')].map(image => image.src);"


@dataclass
class Lab:
    """A running JupyterLab.

    Attributes:
        url: of the server, without the token.
        token: without which it answers nothing.
        folder: what it shows: a copy of the course.
        log: the file of its messages.
        pid: its process.
    """

    url: str
    token: str
    folder: Path
    log: Path
    pid: int = 0


@dataclass
class Cell:
    """A cell as the page shows it.

    Attributes:
        code: it is a code cell.
        prompt: `[3]:`, `[ ]:` before it ran, `[*]:` while it runs.
        text: what its outputs say.
        error: what an error or the error stream says, "" when nothing failed.
        images: alt texts of the images in its outputs.
    """

    code: bool
    prompt: str
    text: str
    error: str
    images: list[str]


@contextmanager
def course_copy(notebooks: Path = ROOT / "notebooks", outputs: bool = False) -> Iterator[Path]:
    """A copy of the course in which lessons can be run and saved; it goes with the `with` block.

    Args:
        notebooks: the folder of the lessons.
        outputs: keep the stored outputs. Without them, what is seen was made by this run.
    """
    with tempfile.TemporaryDirectory(prefix="course-lab-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "course"
        shutil.copytree(notebooks, folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        for part in ("data", "deploy", "docs"):  # what lessons read, and the pictures that they show
            (folder / part).symlink_to(ROOT / part)
        for path in [] if outputs else sorted((folder / "notebooks").glob("*.ipynb")):
            clear(path)
        yield folder


def clear(path: Path) -> None:
    """Takes the outputs and the numbers of the cells out of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)


@contextmanager
def start(folder: Path, seconds: float = 180) -> Iterator[Lab]:
    """Starts JupyterLab on a folder, as `make lab` does, but on a free port and with settings of its own.

    Whatever happens inside the `with` block, the server and its kernels end with it.

    Args:
        folder: what it shows, see `course_copy`.
        seconds: how long it may take to answer.
    """
    private = folder.parent
    token = secrets.token_hex(16)
    lab = Lab("", token, folder, private / "lab.log")
    # The page's own objects can be asked then; and a port that is chosen when it is taken is not another process's by then.
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"]
    command += [f"--config={CONFIG}"] if CONFIG.is_file() else []
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
    command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    environment = os.environ | {
        "COURSE_OUT": str(private / "out"),
        "JUPYTER_DATA_DIR": str(private / "share"),
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
    }
    with open(lab.log, "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        lab.pid = process.pid
        try:
            _wait_for_answer(lab, process, private / "runtime", seconds)
            yield lab
        finally:
            _end(process)


def open_lesson(chrome: webdriver.Chrome, lab: Lab, name: str, seconds: float = 300) -> None:
    """Opens a notebook and waits until its kernel is ready. `name` is without `.ipynb`, and without `notebooks/` for a lesson.

    The first kernel may have to wait until TFX is imported. The page is asked, and not the server: in the turn of its event loop in which
    a kernel begins, Jupyter Server 2.21 answers with 500 and logs a traceback (seen by others: jupyter-server/enterprise_gateway#1395).
    """
    path = name if "/" in name else f"notebooks/{name}"
    chrome.get(f"{lab.url}/lab/tree/{path}.ipynb?reset&token={lab.token}")  # reset: no tabs of before

    def ready() -> bool:
        page = chrome.execute_script(_CELLS)
        shown = bool(page) and bool(page["cells"]) and page["kernel"] == "idle"
        return shown and chrome.execute_script(_KERNEL)  # what is shown is "idle" before there is a kernel

    _wait(chrome, ready, seconds, f"{name} did not open with a kernel that is ready")


def save(chrome: webdriver.Chrome, file: Path, seconds: float = 60) -> None:
    """Saves the open notebook by the menu, as the autosave does by itself, and waits until its file was written, to its end."""
    before = file.stat().st_mtime_ns
    choose(chrome, "File", "Save Notebook")

    def written() -> bool:
        if file.stat().st_mtime_ns == before:
            return False
        try:
            json.loads(file.read_bytes())
        except ValueError:  # Jupyter empties the file first
            return False
        return True

    _wait(chrome, written, seconds, f"{file.name} was not saved")


def close_kernels(lab: Lab) -> None:
    """Shuts down all kernels, so that one lesson's memory is free before the next one opens."""
    for kernel in ask(lab, "api/kernels"):
        ask(lab, f"api/kernels/{kernel['id']}", method="DELETE")


def run_all(chrome: webdriver.Chrome, seconds: float = 600) -> list[Cell]:
    """Runs all cells by the menu (Run, Run All Cells), waits until the last one is done, and returns them.

    Cells after one that fails are not run, as in JupyterLab; that is seen by their prompts and by `error`.

    Raises:
        TimeoutException: the kernel was still at it after `seconds`.
    """
    choose(chrome, "Run", "Run All Cells")
    try:
        _wait(chrome, lambda: any(cell.prompt not in ("", "[ ]:") for cell in cells(chrome)), 15, "no cell began")
    except TimeoutException:
        # A kernel that connects in this very moment drops what it was sent. A person chooses it once more, too.
        choose(chrome, "Run", "Run All Cells")

    looks: list[Any] = [None]

    def done() -> bool:
        looks.append(page := chrome.execute_script(_CELLS))
        prompts = [cell["prompt"] for cell in page["cells"] if cell["code"]]
        ran = any(prompt.strip("[]: ").isdigit() for prompt in prompts)
        # Twice the same: a cell's number comes on another channel than what it shows, which may be late.
        return ran and page["kernel"] == "idle" and not any("*" in one for one in prompts) and page == looks[-2]

    _wait(chrome, done, seconds, "the cells were still running")
    return cells(chrome)


def cells(chrome: webdriver.Chrome) -> list[Cell]:
    """Returns the cells of the open notebook."""
    return [Cell(**cell) for cell in chrome.execute_script(_CELLS)["cells"]]


def failures(lab: Lab, name: str, seen: list[Cell]) -> list[str]:
    """Returns what went wrong in a lesson that was run: cells that failed or did not run. Errors that are meant are none."""
    notebook = nbformat.read(lab.folder / "notebooks" / f"{name}.ipynb", as_version=4)
    assert len(notebook.cells) == len(seen), f"{len(notebook.cells)} cells in the file, {len(seen)} on the page"
    found = []
    for number, (cell, shown) in enumerate(zip(notebook.cells, seen, strict=True), start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if not shown.prompt.strip("[]: ").isdigit():
            found.append(f"cell {number} did not run: its prompt is {shown.prompt!r}")
        if shown.error and "raises-exception" not in cell.metadata.get("tags", []):
            found.append(f"cell {number} shows an error: {shown.error.strip()[-300:]}")
    return found


def choose(chrome: webdriver.Chrome, menu: str, item: str) -> None:
    """Chooses an item of the main menu with the mouse."""
    _click(chrome, f"//ul[contains(@class, 'lm-MenuBar-content')]/li[normalize-space()='{menu}']")
    _click(chrome, f"//li[contains(@class, 'lm-Menu-item')][.//div[normalize-space()='{item}']]")


@contextmanager
def presented(chrome: webdriver.Chrome, seconds: float = 60) -> Iterator[None]:
    """Presents the open notebook live, by the toolbar's button; inside the `with` block the page is that of the slides."""
    chrome.find_element(By.CSS_SELECTOR, "[data-jp-item-name=RISE-button] jp-button").click()
    frame = "iframe[src*='/rise/']"
    WebDriverWait(chrome, seconds).until(lambda page: page.find_elements(By.CSS_SELECTOR, frame), "no slides appear")
    chrome.switch_to.frame(chrome.find_element(By.CSS_SELECTOR, frame))
    try:
        ready = "return document.querySelector('.reveal.ready section.present') !== null"
        WebDriverWait(chrome, seconds).until(lambda page: page.execute_script(ready), "the slides do not start")
        yield
    finally:
        chrome.switch_to.default_content()


def run_on_slide(chrome: webdriver.Chrome, seconds: float = 60) -> None:
    """Runs the first code cell of the slide that is presented, with Shift+Enter, and waits until it is done."""
    cell = "document.querySelector('section.present:not(.stack) .jp-CodeCell"
    WebDriverWait(chrome, seconds).until(
        lambda page: page.execute_script(f"return {cell}.jp-mod-active') !== null"), "the slide selects no code cell"
    )
    ActionChains(chrome).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    prompt = f"return {cell} .jp-InputPrompt').textContent"
    WebDriverWait(chrome, seconds).until(
        lambda page: page.execute_script(prompt).strip("[]: ").isdigit(), "the slide's code did not run"
    )


def move_control(chrome: webdriver.Chrome, cell: int, key: str, control: int = 0, seconds: float = 30) -> None:
    """Presses a key on a control of a cell's output (a slider, a choice) and waits until its figure is another one.

    Args:
        chrome: the browser, with a notebook that was run.
        cell: index of the cell, from 0.
        key: of `selenium.webdriver.common.keys.Keys`.
        control: which one, from 0, in the order of the tab key.
        seconds: how long the figure may take.

    Raises:
        TimeoutException: the figure did not change.
    """
    controls = _in_output(chrome, cell, ".jupyter-widgets [role=slider], .jupyter-widgets select")
    element = chrome.execute_script(_CELL, cell)
    before = chrome.execute_script(_IMAGES, element)
    assert before, f"cell {cell + 1} shows no figure"
    controls[control].send_keys(key)
    _wait(chrome, lambda: chrome.execute_script(_IMAGES, element) != before, seconds, "the figure was still the same")


def control_value(chrome: webdriver.Chrome, cell: int, control: int = 0) -> str:
    """Returns the value that a slider shows beside itself."""
    return _in_output(chrome, cell, ".jupyter-widgets .widget-readout")[control].text


def _in_output(chrome: webdriver.Chrome, cell: int, selector: str, seconds: float = 30) -> list[WebElement]:
    """Elements of a cell's output. Controls are drawn a while after the cell is done: waits for them."""

    def found() -> list[WebElement]:
        return chrome.execute_script(_CELL, cell).find_elements(By.CSS_SELECTOR, selector)

    _wait(chrome, found, seconds, f"cell {cell + 1} shows no control")
    return found()


def ask(lab: Lab, path: str, method: str = "GET") -> Any:
    """Returns the server's answer to a question of its REST interface."""
    head = {"Authorization": f"token {lab.token}"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{lab.url}/{path}", headers=head, method=method), timeout=30
    ) as answer:
        return json.loads(answer.read() or "null")


def processes(lab: Lab) -> list[psutil.Process]:
    """Returns the server, what it has started, and its kernels."""
    server = psutil.Process(lab.pid)
    return [server, *server.children(recursive=True), *forked_kernels(lab)]


def forked_kernels(lab: Lab) -> list[psutil.Process]:
    """Returns the kernels that work in the server's folder and were forked by a warm process."""
    found = []
    for process in psutil.process_iter():
        try:
            if "warm.server" in process.cmdline() and Path(process.cwd()).is_relative_to(lab.folder):
                found.append(process)
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


def _click(chrome: webdriver.Chrome, path: str) -> None:
    def clicked() -> bool:
        try:
            found = next((one for one in chrome.find_elements(By.XPATH, path) if one.is_displayed()), None)
            if found:
                found.click()
        except (StaleElementReferenceException, ElementClickInterceptedException):  # the page is being drawn
            return False
        return found is not None

    _wait(chrome, clicked, 60, f"there is nothing to click at {path}")


def _wait(chrome: webdriver.Chrome, condition: Callable[[], Any], seconds: float, message: str) -> None:
    """Waits for a condition; when it does not come, says what the page shows."""
    try:
        WebDriverWait(chrome, seconds, poll_frequency=0.5).until(lambda _: condition())
    except TimeoutException:
        page = chrome.execute_script(_CELLS) or {"cells": [], "kernel": "no notebook is shown", "dialog": ""}
        prompts = " ".join(cell["prompt"] for cell in page["cells"] if cell["code"])
        state = f"kernel: {page['kernel']}; dialog: {page['dialog'] or 'none'}; prompts: {prompts}"
        raise TimeoutException(f"after {seconds:g} s {message} ({state})") from None


def _wait_for_answer(lab: Lab, process: subprocess.Popen[bytes], runtime: Path, seconds: float) -> None:
    """Waits until the server answers, at the address that it has written to its folder."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{_tail(lab.log)}")
        try:
            lab.url = json.loads((runtime / f"jpserver-{process.pid}.json").read_text())["url"].rstrip("/")
            ask(lab, "api/status")
            return
        except (OSError, ValueError):  # not there, not whole, or no answer yet
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not answer within {seconds:g} s:\n{_tail(lab.log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the server to end, with its kernels; kills what is left of them after 20 seconds."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    _, alive = psutil.wait_procs(family, timeout=5)
    for child in alive:
        child.kill()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
