"""The charts of lesson 05 draw what they are given, and say it in their alt text; so do its two concept figures."""

from __future__ import annotations

import pandas as pd
import pytest
from alt_text import alt

from course.figures import contract, validate


@pytest.fixture
def distances() -> pd.DataFrame:
    rows = [("carrier", "noise", "chance", value) for value in (0.0, 0.02, 0.03)]
    rows += [("carrier", "months", "February", 0.02), ("carrier", "months", "March", 0.034)]
    rows += [("carrier", "faults", "drifted", 0.12), ("precip", "noise", "chance", 0.4)]
    return pd.DataFrame(rows, columns=["feature", "kind", "name", "distance"])


def test_strips_say_where_each_kind_lies_and_which_feature_has_no_threshold(distances: pd.DataFrame) -> None:
    text = alt(validate.strips(distances, {"carrier": 0.1}))
    assert "carrier: noise 0.000 to 0.030, months 0.020 to 0.034, faults 0.120 to 0.120, threshold 0.1" in text
    assert "precip: noise 0.400 to 0.400, no threshold" in text


def test_a_distance_of_nothing_is_drawn_at_the_left_end_of_the_logarithmic_axis(distances: pd.DataFrame) -> None:
    (axes,) = validate.strips(distances, {}).axes
    drawn = [x for points in axes.collections for x, _ in points.get_offsets()]
    assert min(drawn) == validate.SMALLEST
    assert axes.get_xlim()[0] < validate.SMALLEST


@pytest.mark.parametrize(
    ("threshold", "told"),
    [
        (0.01, "noise 2 of 3, months 2 of 2, faults 1 of 1"),
        (0.034, "noise 0 of 3, months 0 of 2, faults 1 of 1"),
        (0.5, "noise 0 of 3, months 0 of 2, faults 0 of 1"),
    ],
)
def test_a_chosen_threshold_counts_its_alarms(threshold: float, told: str, distances: pd.DataFrame) -> None:
    assert told in alt(validate.choice(distances, "carrier", threshold))


def test_noise_names_every_size() -> None:
    text = alt(validate.noise(pd.Series({200: 0.11, 27000: 0.009}), months=0.034, threshold=0.1, feature="carrier"))
    assert "0.110 with 200, 0.009 with 27,000" in text


def test_fates_count_all_kinds() -> None:
    figure = validate.fates(pd.Series({"produced": 46, "never": 27}))
    assert "73 kinds of anomaly, 46 of them produced here" in {
        figure.axes[0].get_title(at) for at in ("left", "center")
    }
    assert "produced 46, never 27" in alt(figure)


def test_catchers_name_who_stops_a_month_and_who_stops_none() -> None:
    verdicts = pd.DataFrame(
        {"reader": ["stops it", "lets it pass"], "contract": ["not reached", "lets it pass"]}, index=["cut", "good"]
    )
    assert "cut: reader; good: nothing stops it" in alt(validate.catchers(verdicts))


def test_catchers_refuse_a_verdict_that_they_do_not_know() -> None:
    with pytest.raises(KeyError, match="perhaps"):
        validate.catchers(pd.DataFrame({"reader": ["perhaps"]}, index=["cut"]))


def test_concept_figures_say_all_their_boxes() -> None:
    assert all(word in alt(contract.three_checks()) for word in ("contract", "drift", "skew", "gate"))
    assert all(word in alt(contract.decision()) for word in ("fix the data", "ask the sender", "change the contract"))
