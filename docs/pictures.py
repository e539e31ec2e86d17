"""Makes the pictures of the README and of lessons 09 and 13 again: `.venv/bin/python docs/pictures.py` (`prometheus`, for one of them).

`images/pipeline.png` is the figure of `course.figures`; `images/lesson.png` is lesson 00 as JupyterLab shows it; `images/browser.png` is the page of
`deploy/browser` with a model of January's sample; `images/prometheus.png` is Prometheus' page of alerts, when that model has served July and its server
has gone (a quarter of an hour, since a rule about quality holds for ten minutes before it fires).
"""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from course import figures
from operation import monitoring
from serving import process

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "docs" / "images"
LESSON = "00-first-pipeline"
FIGURE = ".jp-Notebook .jp-RenderedImage img"
"""The picture of the lesson is taken around its first figure."""
SERVER = 8501
"""The port that the alert names: the usual one."""

sys.path.insert(0, str(REPOSITORY / "tests" / "browser"))
from browsing import chromium, lab  # noqa: E402 (what the browser tests open JupyterLab with)


def main() -> None:
    """Writes the pictures, or those that the arguments name."""
    IMAGES.mkdir(exist_ok=True)
    makers = {
        "pipeline": draw_pipeline,
        "lesson": photograph_lesson,
        "browser": photograph_page,
        "prometheus": photograph_alerts,
    }
    for name in sys.argv[1:] or makers:
        target = IMAGES / f"{name}.png"
        makers[name](target)
        print(f"{target.relative_to(REPOSITORY)}: {target.stat().st_size / 1e3:.0f} kB")


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


def photograph_alerts(target: Path) -> None:
    """Serves July with a model of January, watches it, ends the server, and keeps what Prometheus shows when both alerts fire."""
    flights = Path(sys.executable).with_name("flights")
    rows = pd.read_csv(REPOSITORY / "data" / "flights" / "span-07" / "flights.csv").drop(columns="late")
    asked = [{name: one for name, one in row.items() if one is not None} for row in json.loads(_json(rows))]
    with tempfile.TemporaryDirectory() as folder:
        output, own = Path(folder) / "output", ["--output-root", f"{folder}/output"]
        subprocess.run([flights, "run", *own], cwd=REPOSITORY, check=True)
        log = output / "requests.jsonl"
        with process.start("flights.serving:PROJECT", output / "serving", log=log, port=SERVER) as server:
            for first in range(0, len(asked), 100):
                server.ask(asked[first : first + 100])
            _watch_and_photograph(flights, own, output, server, target)
    _shrink(target)


def _watch_and_photograph(flights: Path, own: list[str], output: Path, server: process.Server, target: Path) -> None:
    metrics = [output / name for name in monitoring.FILES]
    files, folder = REPOSITORY / "deploy" / "monitoring", output.parent / "prometheus"
    with monitoring.start(files, folder, metrics, serving=[f"127.0.0.1:{SERVER}"], alertmanager_port=0) as running:
        subprocess.run([flights, "watch", "7", *own], cwd=REPOSITORY, check=True)
        server.process.kill()
        firing = 'count(ALERTS{alertstate="firing",alertname=~"ServerIsDown|ProbabilitiesMeanSomethingElse"}) == 2'
        while not running.ask("query", query=firing)["result"]:
            time.sleep(5)
        with chromium.open_browser(1000, 840) as chrome:
            chrome.get(running.prometheus)
            chrome.find_element(By.LINK_TEXT, "Alerts").click()  # Debian's Prometheus has its pages elsewhere
            WebDriverWait(chrome, 60).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".alert-danger"))
            chrome.save_screenshot(str(target))


def _json(rows: pd.DataFrame) -> str:
    return rows.convert_dtypes().to_json(orient="records")


def _shrink(path: Path) -> None:
    """Fewer colours: a third of the bytes, and nobody sees a difference."""
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
