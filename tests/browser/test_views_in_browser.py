"""The views of data in the real JupyterLab: each one with controls is moved by keyboard, and what it shows follows.

They run on data that are none of ours, the Chicago taxi trips that come with TFX, and on three of our months; the views of
models on an evaluation of made-up scores, and on trials and events that are written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from browsing import chromium, lab
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tools.decks.build import ROOT

PICTURES = ROOT / "out/reports/screens/views"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETUP = """
import course
folder = course.begin("97-views")
import tensorflow_data_validation as tfdv
import tfx.components.testdata as taxi
from pathlib import Path
from course import views
from flights import data
taxi = Path(taxi.__file__).parent
months = {name: data.read_month("../data/flights", number) for number, name in ((1, "January"), (4, "April"), (7, "July"))}
statistics = {name: tfdv.generate_statistics_from_dataframe(month) for name, month in months.items()}
contract = tfdv.infer_schema(statistics["January"])
tfdv.get_feature(contract, "temp").float_domain.max = 60
import sys
sys.path.insert(0, "TESTS")
import lineage_store
store, _ = lineage_store.make(folder / "lineage")
tfdv.get_feature(contract, "dest").distribution_constraints.min_domain_mass = 1
found = {name: tfdv.validate_statistics(one, contract) for name, one in statistics.items()}
"""

MODELS = """
import json
import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.proto import config_pb2
chance = np.random.default_rng(1)
rows = pd.DataFrame({"town": chance.choice(["A", "B", "C"], 600), "hour": chance.integers(5, 9, 600), "score": chance.random(600)})
rows["old"] = chance.random(600) / 2 + rows["score"] / 2
rows["label"] = (chance.random(600) < rows["score"]).astype(float)
config = text_format.Parse('''
  model_specs { name: "new" label_key: "label" prediction_key: "score" }
  model_specs { name: "old" label_key: "label" prediction_key: "old" is_baseline: true }
  slicing_specs {} slicing_specs { feature_keys: "town" } slicing_specs { feature_keys: "hour" }
  metrics_specs {
    model_names: ["new", "old"]
    metrics { class_name: "AUC" } metrics { class_name: "MeanPrediction" } metrics { class_name: "ExampleCount" }
    metrics { class_name: "ConfusionMatrixPlot" config: '"num_thresholds": 50' }
    metrics { class_name: "CalibrationPlot" config: '"num_buckets": 50' }
  }''', config_pb2.EvalConfig())
tfma.analyze_raw_data(rows, config, output_path=str(folder / "evaluation"))
evaluation = folder / "evaluation"
found_trials = [{"score": 0.7, "rate": 0.001, "kind": "relu"}, {"score": 0.6, "rate": 0.1, "kind": "tanh"}]
for split in ("train", "validation"):
    with tf.summary.create_file_writer(str(folder / "run" / split)).as_default():
        for epoch in range(5):
            tf.summary.scalar("epoch_loss", 1 / (1 + epoch), step=epoch)
"""

CELLS = {
    "choose split": "views.choose(taxi / 'statistics_gen', feature='fare')",
    "choose month": "views.choose(statistics, feature='temp')",
    "explore_schema": "views.explore_schema(contract, statistics, feature='temp')",
    "explore_anomalies": "views.explore_anomalies(found, months)",
    "explore_drift": "views.explore_drift(statistics, ['temp', 'carrier'])",
    "explore_slices": "views.explore_slices(evaluation, by='town')",
    "explore_thresholds": "views.explore_thresholds(evaluation, cost_miss=3)",
    "explore_trials": "views.explore_trials(found_trials)",
    "explore_lineage": "views.explore_lineage(store.path)",
    "explore_schema_diff": "views.explore_schema_diff({'inferred': tfdv.infer_schema(statistics['January']), 'ours': contract})",
    "statistics": "views.statistics(taxi / 'statistics_gen')",
    "compare": "views.compare(statistics['January'], statistics['July'], 'temp', names=('January', 'July'))",
    "compare category": "views.compare(statistics['January'], statistics['July'], 'dest', names=('January', 'July'))",
    "compare all": "views.compare(statistics['January'], statistics['July'], names=('January', 'July'))",
    "schema": "views.schema(taxi / 'schema_gen')",
    "anomalies": "views.anomalies(found['July'], months['July'])",
    "drift": "views.drift(statistics, ['temp', 'carrier', 'dest', 'humid'], 0.1)",
    "schema_diff": "views.schema_diff(taxi / 'schema_gen', contract)",
    "slices": "views.slices(evaluation, sort='-auc')",
    "slice_plot": "views.slice_plot(evaluation, minimum=0.7)",
    "against_baseline": "views.against_baseline(evaluation)",
    "thresholds": "views.thresholds(evaluation, cost_miss=3)",
    "calibration": "views.calibration(evaluation, 'town = A')",
    "trials": "views.trials(found_trials)",
    "learning_curves": "views.learning_curves(folder / 'run')",
}
"""What each cell of the notebook shows; those with controls come first."""

_SEEN = """
const panel = [...document.querySelectorAll('.jp-NotebookPanel')].find(panel => panel.checkVisibility());
const outputs = [...panel.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]].querySelectorAll('.jp-OutputArea-output')];
return outputs.filter(output => !output.querySelector('.jupyter-widgets'))
  .map(output => output.innerText + [...output.querySelectorAll('img')].map(image => image.src)).join('\\n');
"""
_WIDE = """
const panel = [...document.querySelectorAll('.jp-NotebookPanel')].find(panel => panel.checkVisibility());
const cell = panel.querySelectorAll('.jp-Notebook .jp-Cell')[arguments[0]];
return [...cell.querySelectorAll('.jp-OutputArea-output')].filter(one => one.scrollWidth > one.clientWidth + 1).length;
"""


@dataclass
class Notebook:
    """The notebook of all views, run in JupyterLab.

    Attributes:
        chrome: the browser that shows it.
        cells: its cells as the page shows them.
    """

    chrome: webdriver.Chrome
    cells: list[lab.Cell]

    def at(self, name: str) -> int:
        """Index of the cell of a view."""
        return 2 + list(CELLS).index(name)

    def seen(self, name: str) -> str:
        """What a view shows now: its texts and its pictures, without the controls."""
        return self.chrome.execute_script(_SEEN, self.at(name))

    def controls(self, name: str) -> list[WebElement]:
        """The controls of a view, in the order of the Tab key."""
        return lab._in_output(self.chrome, self.at(name), ".jupyter-widgets [role=slider], .jupyter-widgets select")

    def press(self, name: str, key: str, control: int, shows: str = "", hides: str = "") -> str:
        """Presses a key on a control; waits until the view shows something else, and returns it.

        A picture and the text below it do not come at once: who wants a text, or wants it gone, has to name it.

        Args:
            name: of the view.
            key: that is pressed.
            control: its place among the controls.
            shows: text that the view has to show then.
            hides: text that it must no longer show.
        """
        before = self.seen(name)
        self.controls(name)[control].send_keys(key)

        def is_there(_: webdriver.Chrome) -> bool:
            now = self.seen(name)
            return now not in (before, "") and shows in now and not (hides and hides in now)

        message = f"{name}: {key!r} on control {control} did not show {shows or 'anything else'} {hides and 'without ' + hides}"
        WebDriverWait(self.chrome, 30).until(is_there, message)
        return self.seen(name)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook with a cell for each view, opened and run as a person does."""
    if chromium.missing():
        pytest.skip(chromium.missing())
    folder = tmp_path_factory.mktemp("views")
    setup = SETUP.replace("TESTS", str(ROOT / "tests"))
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (setup, MODELS, *CELLS.values())]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"display_name": "MLOps course", "language": "python", "name": "mlops-course"}
    nbformat.write(made, folder / "97-views.ipynb")
    with (
        lab.course_copy(folder) as copy,
        lab.start(copy) as server,
        chromium.open_browser(1400, 1000) as chrome,
    ):
        lab.open_lesson(chrome, server, "97-views")
        seen = lab.run_all(chrome)
        assert lab.failures(server, "97-views", seen) == []
        yield Notebook(chrome, seen)


def picture(notebook: Notebook, name: str) -> Path:
    """Stores a picture of a view's cell."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name.replace(' ', '-')}.png"
    cell = notebook.chrome.find_elements(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell")[notebook.at(name)]
    notebook.chrome.execute_script("arguments[0].scrollIntoView()", cell)
    cell.screenshot(str(path))
    return path


@pytest.mark.parametrize("name", CELLS)
def test_a_view_shows_something_without_an_error_and_fits_the_page(notebook: Notebook, name: str) -> None:
    cell = notebook.cells[notebook.at(name)]
    assert not cell.error
    assert notebook.seen(name).strip()
    if notebook.chrome.execute_script(_WIDE, notebook.at(name)):
        pytest.fail(f"{name} is wider than the page: {picture(notebook, name)}", pytrace=False)


def test_another_feature_and_split_are_chosen_by_keyboard(notebook: Notebook) -> None:
    assert "train" in notebook.seen("choose split")
    notebook.press("choose split", Keys.ARROW_DOWN, 0)
    notebook.press("choose split", Keys.ARROW_DOWN, 1, hides="train")  # from all splits to the first one


def test_another_month_is_chosen_and_compared_with_none(notebook: Notebook) -> None:
    assert "the median goes from" in notebook.seen("choose month")
    # The slider of the months: from July to April.
    notebook.press("choose month", Keys.ARROW_LEFT, 1, shows="April", hides="July")
    notebook.press("choose month", Keys.HOME, 2, hides="January")  # compared with nothing


def test_the_contract_of_another_feature_and_month_is_held_against_the_data(notebook: Notebook) -> None:
    notebook.press("explore_schema", Keys.END, 1, shows="out of the range")  # July
    notebook.press("explore_schema", Keys.ARROW_DOWN, 0)


def test_anomalies_of_another_month_come_with_their_rows(notebook: Notebook) -> None:
    july = notebook.press("explore_anomalies", Keys.END, 1, shows="rows show it")
    one = notebook.press("explore_anomalies", Keys.ARROW_DOWN, 0)
    assert len(one) < len(july)


def test_drift_follows_feature_month_reference_and_threshold(notebook: Notebook) -> None:
    assert "Above the threshold of 0.1" in notebook.seen("explore_drift")
    notebook.press("explore_drift", Keys.ARROW_RIGHT, 3, shows="Above the threshold of 0.105")
    notebook.press("explore_drift", Keys.ARROW_DOWN, 0, shows="carrier in")
    notebook.press("explore_drift", Keys.ARROW_DOWN, 2)
    notebook.press("explore_drift", Keys.HOME, 1)


def test_versions_of_a_schema_are_chosen_by_keyboard(notebook: Notebook) -> None:
    assert "stricter" in notebook.seen("explore_schema_diff")
    notebook.press("explore_schema_diff", Keys.ARROW_DOWN, 0)
    notebook.press("explore_schema_diff", Keys.ARROW_UP, 1, shows="looser", hides="stricter")


def test_slices_follow_metric_columns_and_order(notebook: Notebook) -> None:
    assert "town = A" in notebook.seen("explore_slices")
    hours = notebook.press("explore_slices", Keys.ARROW_UP, 1, shows="hour = 5", hides="town = A")
    assert notebook.press("explore_slices", Keys.ARROW_DOWN, 2) != hours
    notebook.press("explore_slices", Keys.ARROW_DOWN, 0, shows="mean prediction")


def test_the_threshold_and_the_cost_of_a_miss_are_moved_by_keyboard(notebook: Notebook) -> None:
    assert "a miss 3." in notebook.seen("explore_thresholds")
    notebook.press("explore_thresholds", Keys.ARROW_RIGHT, 0)
    notebook.press("explore_thresholds", Keys.ARROW_RIGHT, 1, shows="a miss 3.25.")
    notebook.press("explore_thresholds", Keys.END, 2)  # another slice: the figure says which


def test_another_trial_and_hyperparameter_are_chosen_by_keyboard(notebook: Notebook) -> None:
    assert "Best trial" in notebook.seen("explore_trials")
    notebook.press("explore_trials", Keys.ARROW_RIGHT, 1, shows="Trial 2 by rank")
    notebook.press("explore_trials", Keys.ARROW_DOWN, 0)


def test_questions_of_lineage_are_chosen_by_keyboard(notebook: Notebook) -> None:
    assert "held model 6 against" in notebook.seen("explore_lineage")
    box = ".jupyter-widgets input[type=checkbox]"
    [baseline] = lab._in_output(notebook.chrome, notebook.at("explore_lineage"), box)
    baseline.send_keys(Keys.SPACE)
    WebDriverWait(notebook.chrome, 30).until(lambda _: "Each line is an event" in notebook.seen("explore_lineage"))
    notebook.press("explore_lineage", Keys.END, 0, shows="model 4, only evaluated on it")


def test_tab_leads_from_one_control_to_the_next(notebook: Notebook) -> None:
    controls = notebook.controls("choose month")
    notebook.chrome.execute_script("arguments[0].focus()", controls[0])
    reached = []
    for _ in range(len(controls) + 1):  # a slider's number beside it is a stop of its own
        ActionChains(notebook.chrome).send_keys(Keys.TAB).perform()
        reached.append(notebook.chrome.switch_to.active_element)
    assert [one for one in reached if one in controls] == controls[1:]


def test_keys_on_a_control_leave_the_notebook_alone(notebook: Notebook) -> None:
    """JupyterLab takes "d d" for "delete this cell" and "a" for "insert a cell", also while a list of choices has the focus."""
    before = [cell.prompt for cell in lab.cells(notebook.chrome)]
    first = notebook.controls("choose month")[0]
    notebook.chrome.execute_script("arguments[0].focus()", first)
    ActionChains(notebook.chrome).send_keys("d", "d", "a", "b", "x").perform()
    assert notebook.chrome.switch_to.active_element == first
    assert [cell.prompt for cell in lab.cells(notebook.chrome)] == before
    ActionChains(notebook.chrome).send_keys(Keys.ESCAPE).perform()
