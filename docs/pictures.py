"""Makes the pictures of the README and of lesson 09 again: `.venv/bin/python docs/pictures.py`.

`images/pipeline.png` is the figure of `course.figures`; `images/lesson.png` is lesson 00 as JupyterLab shows it; `images/browser.png` is the page of
`deploy/browser` with a model of January's sample.
"""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from course import figures

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs" / "images"
LESSON = "00-first-pipeline"
FIGURE = ".jp-Notebook .jp-RenderedImage img"
"""The picture of the lesson is taken around its first figure."""

sys.path.insert(0, str(REPOSITORY / "tests" / "browser"))
from browsing import chromium, lab  # noqa: E402 (what the browser tests open JupyterLab with)


def main() -> None:
    """Writes the pictures."""
    IMAGES.mkdir(exist_ok=True)
    draw_pipeline(IMAGES / "pipeline.png")
    photograph_lesson(IMAGES / "lesson.png")
    photograph_page(IMAGES / "browser.png")
    for path in sorted(IMAGES.glob("*.png")):
        print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size / 1e3:.0f} kB")


def draw_pipeline(target: Path) -> None:
    """Writes the figure of the pipeline."""
    figures.pipeline_dag().savefig(target, dpi=150)
    _shrink(target)


def photograph_lesson(target: Path) -> None:
    """Opens a copy of the lesson, with its stored outputs, in a JupyterLab of its own, and keeps what the window shows."""
    with (
        lab.course_copy(outputs=True) as folder,
        lab.start(folder) as server,
        chromium.open_browser(1400, 900) as chrome,
    ):
        lab.open_lesson(chrome, server, LESSON)
        figure = WebDriverWait(chrome, 60).until(lambda page: page.find_elements(By.CSS_SELECTOR, FIGURE))[0]
        chrome.execute_script("arguments[0].scrollIntoView({block: 'end'})", figure)
        time.sleep(3)  # the page settles
        chrome.save_screenshot(str(target))
    _shrink(target)


def photograph_page(target: Path) -> None:
    """Trains a model, puts it into the page, and keeps what the window shows of it."""
    flights = Path(sys.executable).with_name("flights")
    with tempfile.TemporaryDirectory() as folder:
        for command in (["run"], ["export", "--to", "litert", "--folder", f"{folder}/page/model"]):
            subprocess.run([flights, *command, "--output-root", f"{folder}/output"], cwd=REPOSITORY, check=True)
        subprocess.run(["bash", "deploy/browser/build.sh", f"{folder}/page"], cwd=REPOSITORY, check=True)
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=f"{folder}/page")
        with (
            http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
            chromium.open_browser(1000, 840) as chrome,
        ):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            chrome.get(f"http://127.0.0.1:{server.server_port}/")
            WebDriverWait(chrome, 60).until(lambda page: page.find_elements(By.CSS_SELECTOR, "[data-state=ready]"))
            chrome.save_screenshot(str(target))
            server.shutdown()
    _shrink(target)


def _shrink(path: Path) -> None:
    """Fewer colours: a third of the bytes, and nobody sees a difference."""
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
