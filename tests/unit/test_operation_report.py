"""What a watch found, as JSON, for Prometheus, and as a page that opens offline."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pandas as pd
import pytest
from parcels_project import PARCELS, line, month, write
from prometheus_client.parser import text_string_to_metric_families

from operation import labels, page, quality, report, served_log
from operation.report import Distance, Report

FIRST, LAST = datetime.date(2026, 1, 1), datetime.date(2026, 1, 28)
MADE = datetime.datetime(2026, 2, 28, 12, tzinfo=datetime.UTC)


def watch(tmp_path, lines, outcomes, **known) -> Report:
    log = served_log.read(write(tmp_path / "log", lines), PARCELS, FIRST, LAST)
    joined = labels.join(log.rows, outcomes, PARCELS, first=FIRST, last=LAST)
    return report.make(log, joined, PARCELS, FIRST, LAST, MADE, **known)


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Report:
    """A month like July: ranked as before, and three times as much happened as was said."""
    lines, outcomes = month("2026-01-01", 800, 0.3, 0.1)
    shadow = line(5, lines["sent"][5], role="shadow", version=9)
    rows = [*lines.to_dict("records"), "no line", line(900) | {"number": None}, shadow]
    outcomes.loc[0, "depot"] = "<b>&"
    return watch(
        tmp_path_factory.mktemp("full"),
        rows,
        outcomes,
        trained=quality.measure([0.1, 0.4, 0.2, 0.3], [0, 1, 0, 0], PARCELS.costs, [1, 1, 2, 2]),
        distances=[Distance("grams", "drift", 0.5, 0.1), Distance("depot", "skew", 0.01, 0.1)],
        requests={"answered": 790.0, "refused": 12.0},
    )


@pytest.fixture(scope="module")
def html(full) -> str:
    """Its page."""
    return page.to_html(full)


@pytest.fixture
def unlabelled(tmp_path) -> Report:
    lines, outcomes = month("2026-01-01", 50, 0.3, 0.3)
    return watch(tmp_path, lines.to_dict("records"), outcomes.assign(lost=None))


@pytest.fixture
def empty(tmp_path) -> Report:
    return watch(tmp_path, [], pd.DataFrame(columns=["sent", "number", "depot", "grams", "lost"]))


@pytest.fixture(params=["full", "unlabelled", "empty"])
def each(request) -> Report:
    return request.getfixturevalue(request.param)


def test_a_slice_that_is_no_longer_asked_about_is_named(tmp_path):
    lines, outcomes = month("2026-01-01", 200, 0.3, 0.3)
    found = watch(tmp_path, lines[lines["number"] % 20 != 1].to_dict("records"), outcomes)
    gone = watch(tmp_path, lines[lines["number"] % 2 == 0].to_dict("records"), outcomes)
    coverage = {(one.by, one.value): (one.outcomes, one.answered) for one in gone.coverage}
    assert coverage["depot", "A"] == (100, 100)
    assert coverage["depot", "B"] == (100, 0)
    assert "Only 0 of 100 outcomes of depot B were asked about." in page.sentences(gone)
    assert not any("were asked about" in one for one in page.sentences(found))
    assert samples(gone)["slice_answered", "depot", "B"] == 0


def samples(one: Report) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(report.to_prometheus(one))
    of = [
        (sample, [value for name, value in sample.labels.items() if name != "model"])
        for family in families
        for sample in family.samples
    ]
    return {(sample.name.removeprefix("operation_"), *values): sample.value for sample, values in of}


def test_it_has_every_row_of_the_log_and_the_gap_that_the_auc_misses(full):
    assert full.lines.total == 803
    assert (full.lines.rows, full.lines.unreadable, full.lines.without_key) == (801, 1, 1)
    assert full.matches.matched == 801
    assert full.quality.rows == 800
    assert full.quality.auc.value > 0.65
    assert full.quality.gap.high < -0.1
    assert sum(day.rows for day in full.days) == 800
    assert sum(bin_.rows for bin_ in full.bins) == 800
    assert {part.value for part in full.versions} == {"3", "9 (shadow)"}


def test_before_a_label_has_come_it_says_what_predictions_promise(unlabelled):
    assert unlabelled.quality is None
    assert unlabelled.until is None
    assert 0.5 < unlabelled.expected.auc < 1
    assert unlabelled.matches.not_yet == 50
    assert page.sentences(unlabelled)[0].startswith("No label has come. The predictions promise an AUC of 0.")


def same(one: object, other: object) -> bool:
    """Equal, where what is not a number is equal to itself."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


def test_it_comes_back_from_json_as_it_was(each, tmp_path):
    again = Report.load(each.save(tmp_path / "report.json"))
    assert same(dataclasses.asdict(again), dataclasses.asdict(each))
    assert "NaN" not in (tmp_path / "report.json").read_text()


@pytest.mark.parametrize("change", [{"said": "much"}, {"model": None}, {"lines": 7}, {"lines": {"all": 1}}, {"of": 1}])
def test_what_is_no_report_is_refused_by_name(unlabelled, tmp_path, change):
    file = unlabelled.save(tmp_path / "report.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=r"report\.json: no report of a watch"):
        Report.load(file)


def test_prometheus_reads_the_numbers_of_all_and_of_each_part(full):
    found = samples(full)
    assert found["auc", "", ""] == full.quality.auc.value
    assert found["calibration_gap_high", "", ""] == full.quality.gap.high
    part = next(one for one in full.slices if (one.by, one.value) == ("depot", "B"))
    assert found["cost", "depot", "B"] == part.quality.cost.value
    assert found["log_lines", "unreadable"] == 1
    assert found["log_lost_columns", "number"] == 1
    assert found["rows", "matched"] == 801
    assert found["outcomes", "not_asked"] == 0
    assert found["requests", "refused"] == 12
    assert found["trained_auc",] == 1
    assert found["distance", "grams", "drift"] == 0.5
    assert found["report_made_timestamp_seconds",] == MADE.timestamp()
    assert found["period_end_timestamp_seconds",] == datetime.datetime(2026, 1, 29, tzinfo=datetime.UTC).timestamp()


def test_what_is_undefined_has_no_sample(each):
    found = samples(each)
    assert all(math.isfinite(value) for value in found.values())
    assert (("auc", "", "") in found) == (each.quality is not None)
    assert ("labels_until_timestamp_seconds",) in found or each.until is None
    assert ("report_made_timestamp_seconds",) in found


class Elements(HTMLParser):
    """The tags of a page, with what they would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "xlink:href") and value[0] != "#"]


def test_the_page_opens_offline_and_loads_nothing(each):
    html = page.to_html(each)
    found = Elements(html)
    assert found.loads == []
    assert "script" not in found.tags
    assert not re.search(r"@import|url\((?!#)", html)
    assert html == page.to_html(each)


def test_each_figure_is_whole_and_described(html):
    figures = re.findall(r"<figure>(.*?)</figure>", html, re.DOTALL)
    assert len(figures) == 3
    for svg in figures:
        drawn = ET.fromstring(svg)
        assert drawn.get("role") == "img"
        assert len(drawn.get("aria-label")) > 60
    assert "in 10 of them more happened than was said" in figures[1]


def test_names_that_come_from_data_are_escaped(html):
    assert "<b>&" not in html
    assert "&lt;b&gt;&amp;" in html


def test_sentences_say_what_dashboards_of_the_auc_do_not(full):
    said = page.sentences(full)
    assert re.fullmatch(r"10\.\d % was said.*".replace(" %", "%"), said[0]), said[0]
    assert "points too low (95 % interval: " in said[0]
    assert said[3] == "Column grams is 0.50 away from the days before (drift; limit 0.1)."
    assert said[4] == "2 of 803 lines of the log cannot be used."
    assert len(said) == 5


def test_a_gap_that_days_make_by_chance_is_not_called_one():
    found = quality.measure([0.3, 0.3, 0.3, 0.3], [0, 1, 0, 0], PARCELS.costs, [1, 1, 2, 2])
    said = "30.0% was said on average, and 25.0% happened: no more apart than days differ by chance."
    assert page.gap_sentence(found) == said


def test_requests_are_those_between_two_looks_at_the_server():
    def text(answered: int, refused: int, failed: int) -> str:
        given = [("3", "answered", answered), ("4", "answered", 5), ("", "refused", refused), ("", "failed", failed)]
        return "# TYPE serving_requests_total counter\n" + "".join(
            f'serving_requests_total{{version="{version}",outcome="{outcome}"}} {count}.0\n'
            for version, outcome, count in given
        )

    assert report.requests_of(text(100, 7, 1)) == {"answered": 105, "refused": 7, "failed": 1}
    assert report.requests_of(text(100, 7, 1), text(40, 7, 0)) == {"answered": 60, "refused": 0, "failed": 1}
    assert report.requests_of(text(10, 2, 0), text(40, 1, 3)) == {"answered": 10, "refused": 1, "failed": 0}
    assert report.requests_of("") == {}


def test_requests_have_the_name_that_the_server_gives_them():
    from prometheus_client import generate_latest

    from serving.metrics import REQUESTS

    REQUESTS.labels("7", "refused").inc()
    assert report.requests_of(generate_latest().decode())["refused"] >= 1
