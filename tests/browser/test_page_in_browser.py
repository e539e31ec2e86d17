"""The model in a web page: LiteRT in headless Chromium says what LiteRT in Python says, and asks nobody.

The model has random weights; that the pushed model of a pipeline and its exported form agree, `tests/pipeline` shows.
"""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import random_model
from browsing import chromium
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from flights import data

FLIGHTS = 300


@pytest.fixture(scope="module")
def page(tmp_path_factory, root) -> Path:
    """The folder of the page, with a model."""
    if chromium.missing():
        pytest.skip(chromium.missing())
    if not (root / ".tools/browser/lib/.complete").is_file():
        pytest.skip("LiteRT for browsers is not there: `bash deploy/browser/fetch.sh` fetches it (needs npm)")
    folder = tmp_path_factory.mktemp("page")
    subprocess.run(["bash", "deploy/browser/build.sh", folder], cwd=root, check=True)
    from flights import export

    version = random_model.push(tmp_path_factory.mktemp("serving") / "7", random_model.network())
    model = export.convert(version)
    export.write_model(folder / "model", model, export.describe(version, model))
    return folder


@pytest.fixture(scope="module")
def address(page) -> Iterator[str]:
    """Of the page, handed out by Python's own web server, as `make browser-page` does."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(page))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def open_page(chrome: webdriver.Chrome, address: str) -> str:
    """Returns `ready`, or `failed`."""
    chromium.forget(chrome)
    chrome.get(address)
    return WebDriverWait(chrome, 60).until(lambda one: one.execute_script("return document.body.dataset.state"))


@pytest.fixture
def opened(chrome, address) -> webdriver.Chrome:
    assert open_page(chrome, address) == "ready"
    return chrome


@pytest.fixture(scope="module")
def device(page):
    from flights.on_device import OnDevice

    return OnDevice(page / "model")


def shown(chrome: webdriver.Chrome) -> float:
    """The probability in the page."""
    return float(chrome.find_element(By.ID, "result").get_dom_attribute("data-probability"))


def test_flights_of_a_month_are_predicted_as_in_python(opened, device, root):
    flights = data.read_table(data.month_path(root / "data/flights", 12)).to_pylist()[:FLIGHTS]
    said = opened.execute_async_script(
        """const [flights, done] = arguments;
        (async () => { const said = []; for (const one of flights) said.push(await model.predict(one)); return said; })()
            .then(done, (error) => done(String(error)));""",
        flights,
    )
    assert said == pytest.approx(device.predict(flights), abs=1e-6)
    assert np.std(said) > 0.05


def test_form_is_the_flight_that_is_predicted(opened, device):
    flight = {"origin": "EWR", "dest": "ORD", "carrier": "UA", "weekday": 5, "sched_dep_time": 1745, "distance": 719}
    weather = {"temp": 68, "dewp": 64, "humid": 87, "wind_speed": 15, "precip": 0.1, "visib": 3}
    assert shown(opened) == pytest.approx(device.predict([flight | weather])[0], abs=1e-6)

    Select(opened.find_element(By.NAME, "dest")).select_by_visible_text("another one")
    Select(opened.find_element(By.NAME, "weekday")).select_by_visible_text("Monday")
    opened.find_element(By.NAME, "temp").clear()
    seats = opened.find_element(By.NAME, "seats")
    seats.send_keys("200\n")
    changed = flight | weather | {"dest": "HNL", "weekday": 1, "temp": None, "seats": 200}
    WebDriverWait(opened, 10).until(lambda _: shown(opened) == pytest.approx(device.predict([changed])[0], abs=1e-6))
    percent = opened.find_element(By.CSS_SELECTOR, "#result strong").text
    assert percent == f"{100 * shown(opened):.0f} %"


@pytest.mark.parametrize(("name", "value"), [("distance", ""), ("humid", "300"), ("sched_dep_time", "")])
def test_flight_that_the_contract_refuses_is_not_predicted(opened, name, value):
    before = shown(opened)
    field = opened.find_element(By.NAME, name)
    opened.execute_script("arguments[0].value = arguments[1]", field, value)
    opened.find_element(By.NAME, "weekday").send_keys("Monday")
    opened.find_element(By.TAG_NAME, "button").click()
    assert field == opened.switch_to.active_element  # the browser says there what is wrong
    assert shown(opened) == before


def test_page_asks_nobody_else_and_loads_one_webassembly(opened, address):
    asked = chromium.requests(opened)
    assert asked
    assert [one for one in asked if not one.startswith(address)] == []
    assert len([one for one in asked if one.endswith(".wasm")]) == 1
    kinds = opened.execute_async_script(
        "fetch('litert/wasm/litert_wasm_internal.wasm', {method: 'HEAD'}).then((one) => arguments[0](one.headers.get('Content-Type')))"
    )
    assert kinds == "application/wasm"


def test_page_says_which_model_it_has(opened, page):
    assert "version 7" in opened.find_element(By.ID, "version").text
    described = json.loads((page / "model/model.json").read_text())
    fields = {field.get_dom_attribute("name") for field in opened.find_elements(By.CSS_SELECTOR, "input, select")}
    assert fields == {one["column"] for one in described["inputs"]}


def test_every_field_has_a_label_and_the_answer_is_announced(opened):
    fields = opened.find_elements(By.CSS_SELECTOR, "input, select")
    assert all(opened.execute_script("return arguments[0].labels.length", field) == 1 for field in fields)
    assert opened.find_element(By.ID, "result").aria_role == "status"
    assert opened.execute_script("return document.documentElement.lang") == "en"


def test_page_without_a_model_says_what_to_do(chrome, address, page):
    (page / "model").rename(page / "away")
    try:
        assert open_page(chrome, address) == "failed"
        said = chrome.find_element(By.ID, "version").text
        assert "model/model.json: 404" in said
        assert "flights export --to litert" in said
    finally:
        (page / "away").rename(page / "model")
