"""The view of lineage: what made a version, what a span has reached, and where a walk over all events goes astray."""

from __future__ import annotations

from pathlib import Path

import lineage_store
import pytest
from lineage_store import FIRST_VERSION
from matplotlib.backends.backend_agg import FigureCanvasAgg

from course import views
from course.controls import Explorer
from course.views import lineage_graph, lineage_view
from engines.lineage import Lineage, LineageError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return lineage_store.make(tmp_path_factory.mktemp("lineage"))


@pytest.fixture(scope="module")
def opened(made):
    return Lineage.of_file(made[0].path)


@pytest.fixture
def explored(monkeypatch) -> list[Explorer]:
    found: list[Explorer] = []
    monkeypatch.setattr(Explorer, "display", lambda self: found.append(self))
    return found


def lines(picture: lineage_graph.Picture, child: str) -> tuple[set[str], set[str]]:
    """Names of the boxes from which solid and dashed lines come to one."""
    [key] = [key for key, box in picture.boxes.items() if box.name == child]
    dashed = {parent for parent in picture.parents[key] if (parent, key) in picture.dashed}
    return tuple({picture.boxes[one].name for one in some} for some in (picture.parents[key] - dashed, dashed))


def test_the_baseline_and_its_data_hang_on_a_dashed_line(opened):
    picture = lineage_graph.backward(opened, opened.version(FIRST_VERSION + 3), with_baseline=True)
    assert lines(picture, "Evaluator") == ({"model 6"}, {"model 2", "span 1"})
    assert lines(picture, "model 6") == ({"Transform"}, set())
    assert lines(picture, "Transform") == ({"span 1", "schema"}, set())
    assert lines(picture, "version 5") == ({"model 6", "Evaluator"}, set())
    apart = {f"{box.name} {box.words}" for box in picture.boxes.values() if box.apart}
    assert {"model 2 pushed, delays", "span 2 020102, train", "model 1 pushed, delays", "span 1 010101, train"} <= apart
    assert picture.title == "Version 5 was trained on span 1"
    assert picture.said.startswith("Dashed: model 2 is what the Evaluator held model 6 against.")


def test_the_baseline_can_be_left_out(opened):
    picture = lineage_graph.backward(opened, opened.version(FIRST_VERSION + 3), with_baseline=False)
    assert "model 2" not in {box.name for box in picture.boxes.values()}
    assert lines(picture, "Evaluator") == ({"model 6"}, {"span 1"})


def test_a_warm_start_is_a_solid_line_even_from_the_baseline(opened):
    picture = lineage_graph.backward(opened, opened.version(FIRST_VERSION + 2, "delays"), with_baseline=True)
    assert lines(picture, "model 2") == ({"model 1", "Transform", "Tuner"}, set())
    assert lines(picture, "Evaluator") == ({"model 2"}, {"model 1", "span 3"})
    assert not next(box for box in picture.boxes.values() if box.name == "model 1").apart
    assert picture.title == "Version 3 was trained on span 2, by warm start on span 1"


def test_what_a_span_has_reached_is_solid_where_it_was_learned(opened):
    picture = lineage_graph.forward(opened, opened.reached(span=2), "span 2")
    assert lines(picture, "model 2") == ({"span 2"}, set())
    assert lines(picture, "model 4") == ({"model 2"}, set())
    assert lines(picture, "model 1") == (set(), {"span 2"})
    assert picture.title == "Span 2 has reached 3 models and 1 version"
    assert picture.said == "Dashed: model 1, only evaluated on it."


def test_two_deliveries_of_a_span_are_two_boxes(made):
    report = views.lineage(made[0].path, span=1, pipeline="delays")
    assert "model 1 (pushed, delays): from span 1 (010101)." in report.alt
    assert "model 6 (pushed, delays): from span 1 (010201)." in report.alt
    assert "It was read with 2 contents" in str(report)


def test_nothing_in_a_figure_depends_on_the_run_that_made_it(made, tmp_path):
    """Paths, times, and the numbers that TFX gives differ; a notebook is kept and compared."""
    second, _ = lineage_store.make(tmp_path / "another")
    asked = ({"version": FIRST_VERSION + 1}, {"span": 1}, {"model": made[1]["third"]}, {})
    for one in asked:
        first = views.lineage(str(made[0].path), **one)
        assert str(first) == str(views.lineage(str(second.path), **one))
        assert not any(word in str(first) for word in (str(FIRST_VERSION), str(made[0].folder), "UTC"))


def test_a_short_version_keeps_its_name(tmp_path):
    store = lineage_store.Store(tmp_path)
    store.begin()
    examples = store.ingest("delays", (1, 2))
    _, model = store.train(
        "delays", examples, store.execute("delays", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    )
    store.push("delays", model, {}, 7)
    assert "Version 7 was trained on span 1." in views.lineage(store.path).alt


def test_a_long_history_and_many_months_still_fit(tmp_path):
    """A model that went on from ten others, the first of them trained on nine months."""
    store = lineage_store.Store(tmp_path)
    store.begin()
    schema = store.execute("delays", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
    _, model = store.train("delays", store.ingest("delays", (1, 9)), schema)
    for _ in range(10):
        store.begin()
        _, model = store.train("delays", store.ingest("delays", (10, 11)), schema, model)
    opened = Lineage.of_file(store.path)
    picture = lineage_graph.backward(opened, opened.model(model), with_baseline=True)
    names = [box.name for box in picture.boxes.values() if box.name.startswith("model")]
    assert names == ["model 9", "model 10", "model 11"]
    assert next(box.words for box in picture.boxes.values() if box.name == "model 9") == "and 8 before it"
    assert picture.title == "Model 11 was trained on span 10, by warm start on spans 1–8, 10"
    [first] = [one.artifact for one in opened.models() if one.base is None]
    spans = [
        box for box in lineage_graph.backward(opened, opened.model(first), True).boxes.values() if "span" in box.name
    ]
    assert [(box.name, box.words) for box in spans] == [("spans 1–8", "8 files")]
    figure = views.lineage(store.path, model=model).parts[0].figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    width = figure.get_size_inches()[0] * figure.dpi
    extents = {text.get_text(): text.get_window_extent(renderer) for text in figure.axes[0].texts}
    assert [words for words, one in extents.items() if one.x0 < 0 or one.x1 > width] == []


def test_a_view_takes_a_path_a_store_and_lineage(made, opened):
    store, _ = made
    views_of = [str(views.lineage(one, span=3)) for one in (str(store.path), Path(store.path), store.store, opened)]
    assert len(set(views_of)) == 1


def test_a_question_that_the_store_cannot_answer_is_an_error_with_what_it_has(made, tmp_path):
    with pytest.raises(LineageError, match="no version 7 in this store"):
        views.lineage(made[0].path, version=7)
    with pytest.raises(LineageError, match="No version was pushed yet"):
        views.lineage(lineage_store.Store(tmp_path).path)
    with pytest.raises(FileNotFoundError, match="no metadata store"):
        views.lineage(tmp_path / "nothing")


def test_controls_ask_of_each_version_refused_model_and_span(made, explored):
    views.explore_lineage(str(made[0].path))
    [control] = explored
    questions = control._controls["question"]
    assert list(questions) == [
        *(f"Where does version {one} of delays come from?" for one in (1, 2, 3)),
        "Where does version 4 of cancellations come from?",
        "Where does version 5 of delays come from?",
        "What made model 3, refused?",
        "What made model 4, refused?",
        *(f"What has span {one} reached?" for one in (1, 2, 3, 4)),
    ]
    assert control.values == {"question": questions["Where does version 5 of delays come from?"], "baseline": True}
    seen = set()
    for question in questions.values():
        control.values["question"] = question
        (figure, _), (words, _) = control._parts()
        assert "image/png" in figure
        seen.add(figure["text/plain"] + words["text/plain"])
    assert len(seen) == len(questions)


def test_the_question_to_start_from(made, explored):
    views.explore_lineage(str(made[0].path), start=("span", 2))
    views.explore_lineage(str(made[0].path), start=("version", FIRST_VERSION + 2, "delays"))
    assert [one.values["question"][:2] for one in explored] == [("span", 2), ("version", str(FIRST_VERSION + 2))]
    with pytest.raises(ValueError, match=r"is no question of this store\. There are: Where does version 1"):
        views.explore_lineage(str(made[0].path), start=("span", 12))


def test_lines_that_pass_boxes_are_dashed_only_if_all_that_share_them_are(opened):
    """Model 2 is the base of model 4, beside it, and its baseline, two layers on."""
    third = opened.models("delays")[3]
    picture = lineage_graph.backward(opened, third, with_baseline=True)
    figure = lineage_view._draw(picture)
    dashed = [line for line in figure.axes[0].lines if line.is_dashed()]
    assert len(dashed) == 1
