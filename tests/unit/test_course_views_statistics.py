"""Statistics beside each other: common bins, the numbers as they are, odd data, and controls to choose."""

from __future__ import annotations

import importlib.util
import itertools
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from IPython.display import display  # noqa: F401  (patched below; import it before)
from synthetic_statistics import ODD, Dataset, categories, dataset, structure
from synthetic_statistics import numbers as made

from course import controls, views
from course.display import Report
from course.views import histogram_bins, numbers, statistics_comparison, summary

TAXI = Path(importlib.util.find_spec("tfx").origin).parent / "components/testdata"
"""Artifacts of somebody else: the taxi trips of Chicago that come with TFX."""

JANUARY = dataset(100, made("temp", range(0, 50)), categories("carrier", {"UA": 60, "B6": 40}))
JULY = dataset(80, made("temp", range(40, 90), missing=30), categories("carrier", {"UA": 20, "B6": 40, "WN": 20}))


class Recorder(list):
    """Stands in for IPython's `display`: keeps the plain text of what is displayed, and of each update."""

    def __call__(self, data: Any, metadata: Any = None, raw: bool = False, display_id: Any = None) -> Any:
        if isinstance(data, dict):
            self.append(data["text/plain"])
            return self if display_id else None
        return None

    def update(self, data: Any, metadata: Any = None, raw: bool = False) -> None:
        self.append(data["text/plain"])


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("IPython.display.display", recorder)
    monkeypatch.setenv("COURSE_LIVE", "0")
    return recorder


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, shown: Recorder) -> list[controls.Explorer]:
    """The explorers that are displayed, as where a person watches."""
    made_ones: list[controls.Explorer] = []
    original = controls.Explorer.display

    def display_it(self: controls.Explorer) -> None:
        made_ones.append(self)
        original(self)

    monkeypatch.setattr(controls.Explorer, "display", display_it)
    monkeypatch.setenv("COURSE_LIVE", "1")
    return made_ones


def row(view: Any, name: str) -> list[str]:
    """Cells of one row of a table in plain text."""
    lines = [re.split(r"  +", line.strip()) for line in (view if isinstance(view, str) else repr(view)).splitlines()]
    return next(cells[1:] for cells in lines if cells[0] == name)


# --- common bins


def test_common_bins_span_both_sides_and_keep_every_value() -> None:
    pair = [JANUARY.features[0].num_stats, JULY.features[0].num_stats]
    edges = histogram_bins.common(pair)
    assert (edges[0], edges[-1], len(edges)) == (0, 89, 11)
    for stats in pair:
        assert sum(histogram_bins.filled(stats, edges)) == pytest.approx(100)
    assert histogram_bins.filled(pair[0], edges)[-3:] == [0, 0, 0]  # January is not as warm
    assert histogram_bins.filled(pair[1], edges)[:4] == pytest.approx([0, 0, 0, 0])


def test_a_value_far_away_does_not_squeeze_all_others_into_one_bar() -> None:
    stats = ODD["far away"].features[0].num_stats
    edges = histogram_bins.common([stats])
    assert edges[-1] < 300
    filled = histogram_bins.filled(stats, edges)
    assert sum(filled) == pytest.approx(100)
    assert sum(share > 1 for share in filled) >= 4
    figure = views.compare(ODD["far away"], ODD["far away"], "x", names=("a", "b")).parts[0].figure
    assert "are in the outermost bars" in figure.axes[1].get_xlabel()


def test_how_much_lies_outside_a_range_is_told() -> None:
    assert histogram_bins.outside(JULY.features[0].num_stats, 0, 49) == pytest.approx(0.8, abs=0.03)
    assert histogram_bins.outside(JULY.features[0].num_stats, 0, 100) == 0


# --- two sides


def test_two_months_are_compared_in_a_figure_a_sentence_and_a_table() -> None:
    view = views.compare(JANUARY, JULY, "temp", names=("January", "July"))
    assert isinstance(view, Report)
    assert view.alt.startswith("Histogram of temp")
    assert "the median goes from 25 to 65" in repr(view)
    assert "of July's values lie outside January's range of 0 to 49" in repr(view)
    assert "missing 0% in January, 37.5% in July" in repr(view)
    assert row(view, "median") == ["25", "65", "+40"]
    assert row(view, "missing") == ["0%", "37.5%", "+37.5 points"]
    assert row(view, "examples") == ["100", "80", "−20"]


def test_values_of_a_category_that_are_new_are_named() -> None:
    view = views.compare(JANUARY, JULY, "carrier", names=("January", "July"))
    assert "the share that changes most is that of UA, from 60.0% to 25.0%" in repr(view)
    assert "only July has WN" in repr(view)
    assert row(view, "“WN”") == ["0%", "25.0%", "+25.0 points"]


def test_what_is_new_is_not_claimed_where_the_statistics_hold_only_the_most_frequent_values() -> None:
    more = dataset(100, categories("carrier", {"UA": 60, "XX": 40}))
    more.features[0].string_stats.unique = 5000
    assert "only" not in statistics_comparison.sentence({"a": JANUARY, "b": more}, "carrier")


def test_the_change_is_that_of_the_numbers_as_they_are_written() -> None:
    left, right = summary.Fact("17.6%", 0.17551, True), summary.Fact("17.8%", 0.17799, True)
    assert summary._change(left, right) == "+0.2 points"
    assert summary._change(summary.Fact("19.2", 19.17), summary.Fact("25.6", 25.59)) == "+6.4"
    assert summary._change(summary.Fact("1,246", 1246.0), summary.Fact("1,281", 1281.0)) == "+35"
    assert summary._change(left, left) == ""


def test_all_features_stand_in_one_table_with_an_arrow_where_they_differ() -> None:
    view = views.compare(JANUARY, JULY, names=("January", "July"))
    assert "100 → 80 examples" in repr(view)
    assert row(view, "temp")[:5] == ["0% → 37.5%", "2.0% → 0%", "0 → 40", "25 → 65", "49 → 89"]
    assert row(view, "carrier") == ["0%", "2 → 3", "UA 60.0% → 25.0%"]


def test_a_feature_that_changed_its_kind_or_went_is_said() -> None:
    text = dataset(9, categories("temp", {"warm": 9}))
    view = views.compare(JANUARY, text, names=("January", "July"))
    assert row(view, "temp") == ["numbers", "categories"]
    assert row(view, "carrier") == ["categories", "not there"]
    one = views.compare(JANUARY, text, "temp", names=("January", "July"))
    assert "temp: numbers in January, categories in July." in repr(one)
    assert "Not drawn: July: holds categories" in one.alt


def test_a_split_of_each_side_can_be_named() -> None:
    folder = TAXI / "statistics_gen"
    view = views.compare(folder, folder, "fare", names=("train", "eval"), split=("train", "eval"))
    assert row(view, "examples") == ["10,036", "4,966", "−5,070"]
    with pytest.raises(KeyError, match="eval, train"):
        views.compare(folder, folder, split="test")


def test_two_sides_need_two_names() -> None:
    with pytest.raises(ValueError, match="two different names"):
        views.compare(JANUARY, JULY, names=("January", "January"))
    with pytest.raises(KeyError, match="temp, carrier"):
        views.compare(JANUARY, JULY, "wings")
    with pytest.raises(TypeError, match="int is no artifact"):
        views.compare(1, 2)


# --- odd data


LONG = ("huge", "tiny", "zero only", "weighted", "one value")
"""As odd as others are: `far away`, `infinity`, `many values`."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in ODD])
def test_odd_data_are_shown_or_said_without_a_warning(name: str, shown: Recorder) -> None:
    odd = ODD[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f"{odd.num_examples:,} examples" in repr(views.statistics(odd))
        for pair in ((odd, odd), (odd, JANUARY), (JANUARY, odd)):
            assert "→" in repr(views.compare(*pair, names=("left", "right")))
        if odd.features:
            assert views.statistics(odd, feature="x").alt
            assert "right" in repr(views.compare(odd, odd, "x", names=("left", "right")))
            views.choose(odd, feature="x")
            assert shown[-1]
    assert "<script" not in views.statistics(odd)._repr_mimebundle_()["text/html"]


SORTS = ["all missing", "structure", "one value", "odd texts"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(left, right, marks=pytest.mark.long if left > right else [])
        for left, right in itertools.product(SORTS, repeat=2)
    ],
)
def test_any_two_odd_sides_can_be_compared(left: str, right: str) -> None:
    view = views.compare(ODD[left], ODD[right], "x", names=("left", "right"))
    assert view.alt
    assert "x" in repr(view)


def test_examples_without_a_value_are_not_taken_for_zeros() -> None:
    view = views.compare(ODD["empty lists"], JANUARY, names=("left", "right"))
    assert "–" not in repr(view)  # there is nothing to hold it against
    one = views.compare(ODD["empty lists"], ODD["one value"], "x", names=("left", "right"))
    assert "x has no values in left." in repr(one)
    assert row(one, "values in an example") == ["none: all lists are empty"]
    assert row(views.statistics(ODD["empty lists"]), "x") == ["0%"]


def test_zeros_are_counted_among_the_values_not_the_examples() -> None:
    many = dataset(2, made("x", [0] * 6))
    many.features[0].num_stats.common_stats.num_non_missing = 2
    assert row(views.statistics(many), "x")[:2] == ["0%", "100.0%"]


def test_weighted_statistics_show_the_weighted_mean_too() -> None:
    view = views.compare(ODD["weighted"], ODD["weighted"], "x", names=("left", "right"))
    assert row(view, "mean, weighted") == ["3.5", "3.5"]


def test_features_without_a_distribution_are_listed_all_the_same() -> None:
    assert row(views.statistics(dataset(5, structure("trip", 5))), "trip") == ["structure", "0%"]


def test_texts_that_a_figure_cannot_write_are_written_as_escapes() -> None:
    assert numbers.readable("$5") == r"\$5"
    assert numbers.readable("日") == r"\u65e5"
    assert numbers.readable("") == "(empty)"
    assert numbers.plain("日\n") == r"日\n"
    assert numbers.plain("y" * 300) == "y" * 39 + "…"


# --- controls


def test_stored_choice_of_months_compares_the_last_with_the_first(shown: Recorder) -> None:
    views.choose({"January": JANUARY, "March": ODD["one value"], "July": JULY}, feature="temp")
    assert "feature, month, compared with" in shown[0]
    assert shown[1].startswith("Histogram of temp")
    assert "the median goes from 25 to 65" in shown[2]
    assert "March" not in shown[2]


def test_stored_choice_of_one_set_has_no_control_but_the_feature(shown: Recorder) -> None:
    views.choose(JANUARY)
    assert shown[0].endswith("controls: feature.")
    views.choose(JANUARY, JULY, feature="carrier", names=("January", "July"))
    assert any("only July has WN" in text for text in shown)


def test_feature_month_and_comparison_are_chosen(shown: Recorder, live: list[controls.Explorer]) -> None:
    views.choose({"January": JANUARY, "March": ODD["one value"], "July": JULY})
    (explorer,) = live
    assert list(explorer.widgets) == ["feature", "month", "compared_with"]
    explorer.widgets["feature"].value = "carrier"
    assert "only July has WN" in shown[-1]
    explorer.widgets["compared_with"].value = "nothing"
    assert "January" not in shown[-1]
    explorer.widgets["month"].value = "March"
    assert "carrier: not in the statistics of March." in shown[-2:]


def test_splits_of_months_are_chosen(shown: Recorder, live: list[controls.Explorer]) -> None:
    folder = TAXI / "statistics_gen"
    views.choose({"2013": folder, "2014": folder, "odd": JANUARY}, feature="fare")
    (explorer,) = live
    explorer.widgets["month"].value = "2014"
    explorer.widgets["split"].value = "train"
    assert row(shown[-1], "examples")[:2] == ["10,036", "10,036"]
    explorer.widgets["month"].value = "odd"  # it has one split only, which is taken
    assert "fare: numbers in 2013, not there in odd." in shown[-1]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"feature": "wings"}, "temp, carrier"),
        ({"month": "May"}, "January, July"),
        ({"against": "May"}, "nothing, January, July"),
    ],
)
def test_a_start_that_is_not_there_is_named_with_what_is(start: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        views.choose({"January": JANUARY, "July": JULY}, **start)


def test_statistics_without_a_feature_leave_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="There is no feature"):
        views.choose(Dataset())


# --- reading


def test_a_damaged_or_foreign_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "Split-train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no FeatureStats\.pb in Split-train"):
        views.statistics(tmp_path)
    (tmp_path / "Split-train/FeatureStats.pb").write_bytes(b"\xff\x00 no proto")
    with pytest.raises(ValueError, match=r"FeatureStats\.pb in Split-train is no Dataset"):
        views.statistics(tmp_path)
    (tmp_path / "Split-train/FeatureStats.pb").write_bytes(b"")
    assert "0 examples" in repr(views.statistics(tmp_path))
