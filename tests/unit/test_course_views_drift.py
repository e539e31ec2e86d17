"""Drift over months: the distances are those of TFDV, thresholds come from wherever they are kept, odd months leave a gap."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
from synthetic_statistics import ODD, categories, dataset, structure
from synthetic_statistics import numbers as made
from tensorflow_metadata.proto.v0 import schema_pb2

from course import controls, views
from course.views import drift_distances


def month(temp: int, carriers: dict[str, int], **more: Any) -> Any:
    """Statistics of a month: temperatures from `temp` on, and how often each carrier flew."""
    return dataset(50, made("temp", range(temp, temp + 50)), categories("carrier", carriers), *more.get("features", ()))


YEAR = {
    "January": month(0, {"UA": 60, "B6": 40}),
    "February": month(0, {"UA": 60, "B6": 40}),
    "March": month(25, {"UA": 40, "B6": 60}),
    "April": month(100, {"WN": 100}),
}


def test_distances_are_those_of_the_definition() -> None:
    found = drift_distances.distances(YEAR["March"], YEAR["January"], {"carrier": "l_infty"})
    assert found["carrier"] == pytest.approx(0.2)  # the share of UA: from 60 % to 40 %
    disjoint = drift_distances.distances(
        YEAR["April"], YEAR["January"], {"temp": "jensen_shannon", "carrier": "jensen_shannon"}
    )
    assert disjoint["temp"] == pytest.approx(1, abs=0.01)
    assert disjoint["carrier"] == pytest.approx(1, abs=0.01)
    same = drift_distances.distances(
        YEAR["February"], YEAR["January"], {"temp": "jensen_shannon", "carrier": "l_infty"}
    )
    assert same == {"temp": 0.0, "carrier": 0.0}


def test_a_table_has_a_row_for_each_month_and_a_column_for_each_feature() -> None:
    table = views.drift(YEAR).table()
    assert list(table.index) == list(YEAR)
    assert list(table.columns) == ["temp", "carrier"]
    assert table.loc["January"].isna().all()
    assert table["carrier"].tolist()[1:] == pytest.approx([0, 0.2, 1.0])


@pytest.mark.parametrize(
    ("against", "carrier"),
    [
        ("previous", [math.nan, 0, 0.2, 1.0]),
        ("first", [math.nan, 0, 0.2, 1.0]),
        ("March", [0.2, 0.2, math.nan, 1.0]),
    ],
)
def test_months_are_held_against_the_previous_the_first_or_a_named_one(against: str, carrier: list[float]) -> None:
    found = views.drift(YEAR, "carrier", against=against).table()["carrier"].tolist()
    assert found == pytest.approx(carrier, nan_ok=True)


def contract(text_of_temp: float, text_of_carrier: float) -> schema_pb2.Schema:
    schema = schema_pb2.Schema()
    schema.feature.add(name="temp").drift_comparator.jensen_shannon_divergence.threshold = text_of_temp
    schema.feature.add(name="carrier").drift_comparator.jensen_shannon_divergence.threshold = text_of_carrier
    schema.feature.add(name="elsewhere").drift_comparator.infinity_norm.threshold = 0.5
    return schema


@pytest.mark.parametrize(
    ("thresholds", "alarms"),
    [
        (0.3, {"temp": ["March", "April"], "carrier": ["April"]}),
        ({"carrier": 0.1}, {"carrier": ["March", "April"]}),
        (contract(2, 0.5), {"temp": [], "carrier": ["April"]}),
        (None, {}),
    ],
)
def test_thresholds_are_one_for_all_one_for_each_or_those_of_a_schema(
    thresholds: Any, alarms: dict[str, list[str]]
) -> None:
    found = views.drift(YEAR, thresholds=thresholds)
    assert found.alarms() == alarms
    for feature, months in alarms.items():
        told = f"above it in {', '.join(months) or 'no month'}"
        assert told in next(part for part in found.alt.split("; ") if f"{feature}: " in part)


def test_the_measure_is_that_of_the_schema_or_what_suits_the_feature() -> None:
    assert views.drift(YEAR).measures == {"temp": "jensen_shannon", "carrier": "l_infty"}
    assert views.drift(YEAR, thresholds=contract(1, 1)).measures["carrier"] == "jensen_shannon"
    assert views.drift(YEAR, "carrier", measure="jensen_shannon").measures == {"carrier": "jensen_shannon"}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"features": "temp", "measure": "l_infty"}, ValueError, "temp holds numbers"),
        ({"measure": "earth_mover"}, ValueError, "l_infty, jensen_shannon, auto"),
        ({"features": ["wings"]}, KeyError, "temp, carrier"),
        ({"against": "May"}, KeyError, "previous, first, January"),
        ({"thresholds": {"wings": 0.1}}, KeyError, "A threshold for wings"),
        ({"thresholds": schema_pb2.Schema()}, ValueError, "no threshold"),
        ({"split": "test"}, KeyError, "No split 'test'"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    for view in (views.drift, views.explore_drift):
        with pytest.raises(error, match=words):
            view(YEAR, **arguments)


@pytest.mark.parametrize("months", [{}, {"January": YEAR["January"]}, [YEAR["January"]]])
def test_one_month_cannot_drift(months: Any) -> None:
    with pytest.raises(ValueError, match="at least two months by name"):
        views.drift(months)


@pytest.mark.parametrize("name", [name for name, odd in ODD.items() if odd.features and name not in ("structure", "bytes", "no statistics")])  # fmt: skip
def test_an_odd_month_leaves_a_gap_or_a_distance_but_no_error(name: str) -> None:
    usual = dataset(9, made("x", range(9))) if ODD[name].features[0].WhichOneof("stats") == "num_stats" else dataset(
        9, categories("x", {"a": 9})
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = views.drift({"usual": usual, "odd": ODD[name], "again": usual}, thresholds=0.1)
    assert "x" in found.alt
    assert all(math.isnan(row["x"]) or 0 <= row["x"] <= 1.001 for row in found.values.values())


def test_a_month_without_the_feature_or_with_another_kind_has_no_distance() -> None:
    months = {
        "a": YEAR["January"],
        "b": dataset(3),
        "c": dataset(3, categories("temp", {"warm": 3})),
        "d": YEAR["March"],
    }
    found = views.drift(months, ["temp"], against="a", measure="jensen_shannon")
    assert [math.isnan(row["temp"]) for row in found.values.values()] == [True, True, True, False]
    empty = views.drift({"a": ODD["all missing"], "b": ODD["all missing"]}, thresholds=0.1)
    assert "x: no distance" in empty.alt
    assert "No feature is above its threshold" in repr(empty)


def test_structures_and_what_has_no_distribution_are_left_out() -> None:
    months = {name: month(place, {"UA": 1}, features=[structure("trip", 3)]) for place, name in enumerate("ab")}
    assert list(views.drift(months).measures) == ["temp", "carrier"]
    with pytest.raises(ValueError, match="no feature with a distribution"):
        views.drift({"a": ODD["structure"], "b": ODD["structure"]})


def test_of_many_features_those_that_moved_furthest_are_drawn() -> None:
    months = {
        name: dataset(100, *(made(f"f{n:02}", [v + shift * n for v in range(100)]) for n in range(15)))
        for shift, name in enumerate("ab")
    }
    found = views.drift(months)
    assert "Shown are the 12 features that moved furthest of 15." in repr(found)
    assert "3 more features moved less" in found.alt
    assert "f14" in found.alt
    assert "f00" not in found.alt
    assert len(found.table().columns) == 15


def test_the_sentence_calls_what_is_above_a_threshold_by_its_shape() -> None:
    months = {
        name: dataset(100, *(made(f"f{n}", [v + 99 * shift for v in range(100)]) for n in range(7)))
        for shift, name in enumerate("ab")
    }
    text = repr(views.drift(months, thresholds=0.01))
    assert "diamonds: above it. Of 1 month, above the threshold: f0 in 1" in text
    assert text.rstrip().endswith("f5 in 1 and 1 more feature.")


def test_long_and_odd_names_of_months_and_features_fit() -> None:
    months = {
        f"year=2024/month={n:02}/$x_{n}$": dataset(9, made("a$very^long_{name}" * 4, range(n, n + 9)))
        for n in range(14)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = views.drift(months, thresholds=0.1)
    axes = found.parts[0].figure.axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert 1 < len(labels) <= 5
    assert max(map(len, labels)) <= 12


def test_the_figure_is_the_same_each_time() -> None:
    first, second = (views.drift(YEAR, thresholds=0.3).parts[0]._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert first == second


# --- with controls


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []

    class Handle:
        def update(self, data: Any, metadata: Any = None, raw: bool = False) -> None:
            texts.append(data["text/plain"])

    def display(data: Any, metadata: Any = None, raw: bool = False, display_id: Any = None) -> Any:
        if isinstance(data, dict):
            texts.append(data["text/plain"])
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    return texts


def test_stored_drift_shows_the_month_that_moved_most(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIVE", "0")
    views.explore_drift(YEAR, feature="carrier")
    assert shown[0].endswith("controls: feature, month, against, threshold.")
    assert "Values that moved most: WN 0.0% to 100.0%" in shown[1]
    assert shown[2] == "carrier in April: 1 from March. Above the threshold of 0.1: 2 of 3 months."


def test_feature_month_reference_and_threshold_are_chosen(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIVE", "1")
    explorers: list[controls.Explorer] = []
    original = controls.Explorer.display
    monkeypatch.setattr(controls.Explorer, "display", lambda self: (explorers.append(self), original(self)))
    views.explore_drift(YEAR)
    widgets = explorers[0].widgets
    assert list(widgets) == ["feature", "month", "against", "threshold"]
    widgets["feature"].value = "carrier"
    widgets["month"].value = "March"
    assert shown[-1] == "carrier in March: 0.2 from February. Above the threshold of 0.1: 2 of 3 months."
    widgets["threshold"].value = 0.25
    assert "Above the threshold of 0.25: 1 of 3 months." in shown[-1]
    widgets["against"].value = "March"
    assert shown[-1].startswith("carrier in March: there is no distance.")


def test_thresholds_of_a_contract_are_no_control(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_LIVE", "0")
    views.explore_drift(YEAR, thresholds={"carrier": 0.3})
    assert shown[0].endswith("controls: feature, month, against.")
    assert "Above the threshold of 0.3: 1 of 3 months." in shown[-1]
    with pytest.raises(KeyError, match="No feature 'wings'"):
        views.explore_drift(YEAR, feature="wings")
