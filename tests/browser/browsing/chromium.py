"""Headless Chromium through Selenium. It always ends with the `with` block that opened it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRIVERS = ("chromedriver", "chromium.chromedriver")
QUIET = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def programs() -> tuple[str | None, str | None]:
    """Returns the paths of the browser and of its driver, None for what this machine does not have."""
    return _first(BROWSERS), _first(DRIVERS)


def missing() -> str:
    """Returns why no browser test can run here and what to install, or "" when all is there."""
    browser, driver = programs()
    if not browser:
        return "there is no Chromium: install the package chromium (macOS: Google Chrome) to run the browser tests"
    if not driver:
        return "there is no chromedriver: install the package chromium-driver (Ubuntu: chromium-chromedriver, macOS: chromedriver)"
    return ""


@contextmanager
def open_browser(width: int = 1280, height: int = 720, wait_for_load: bool = True) -> Iterator[webdriver.Chrome]:
    """Opens Chromium with a fresh profile; closes it in any case.

    Args:
        width: of the page, in pixels.
        height: of the page, in pixels.
        wait_for_load: commands wait until a page has loaded. A window that a script writes, such as reveal.js's speaker
            view, never says that it has.
    """
    browser, driver = programs()
    with tempfile.TemporaryDirectory(prefix="course-browser-", ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(browser)
        options.page_load_strategy = "normal" if wait_for_load else "none"
        for flag in (*QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # Chromium's sandbox does not start for root
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = webdriver.Chrome(options=options, service=Service(executable_path=driver))
        try:
            chrome.set_page_load_timeout(60)
            chrome.set_script_timeout(60)
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            yield chrome
        finally:
            chrome.quit()


def forget(chrome: webdriver.Chrome) -> None:
    """Empties the logs, so that what comes next is of the next page only."""
    chrome.get_log("browser")
    chrome.get_log("performance")


def requests(chrome: webdriver.Chrome) -> list[str]:
    """Returns the addresses that were asked for since the last look, without data: URLs."""
    events = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    addresses = [
        event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
    ]
    return [address for address in addresses if not address.startswith(("data:", "blob:", "chrome:"))]


def complaints(chrome: webdriver.Chrome) -> list[str]:
    """Returns the errors in the console since the last look."""
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def screenshot(chrome: webdriver.Chrome, file: Path) -> Path:
    """Stores a picture of the page and returns its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    chrome.save_screenshot(str(file))
    return file


def _first(names: tuple[str, ...]) -> str | None:
    return next((path for path in map(shutil.which, names) if path), None)
