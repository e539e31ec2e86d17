"""Views of TFX's files and records: they show the numbers that are there, safely, and the same each time."""

from __future__ import annotations

import gzip
import json
import re
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import text_format
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from course import views
from course.views import html, metrics_view, numbers, rows, source, statistics_view

EVIL = "<script>alert('x')</script>"


def markup(view: Any) -> str:
    return view._repr_mimebundle_()["text/html"]


def record(kind: str, folder: Path, **properties: Any) -> mlmd.Artifact:
    """An artifact as the metadata store has it."""
    artifact = mlmd.Artifact(type=kind, uri=str(folder))
    for name, value in properties.items():
        field = "int_value" if isinstance(value, int) else "string_value"
        setattr(artifact.custom_properties[name], field, value)
    return artifact


def dataset(size: int = 200, missing: int = 50, top: str = "UA") -> statistics_pb2.DatasetFeatureStatistics:
    """Statistics of one number and one category."""
    text = f"""
    num_examples: {size}
    features {{ path {{ step: "seats" }} type: INT num_stats {{
      common_stats {{ num_non_missing: {size - missing} num_missing: {missing} }}
      min: 2 max: 102 mean: 50.5 median: 40 num_zeros: 15
      histograms {{ type: STANDARD
        buckets {{ low_value: 2 high_value: 52 sample_count: 100 }} buckets {{ low_value: 52 high_value: 102 sample_count: 50 }} }}
      histograms {{ type: QUANTILES
        buckets {{ low_value: 2 high_value: 30 sample_count: 75 }} buckets {{ low_value: 30 high_value: 102 sample_count: 75 }} }} }} }}
    features {{ path {{ step: "carrier" }} type: STRING string_stats {{
      common_stats {{ num_non_missing: {size} tot_num_values: {size} }} unique: 3
      top_values {{ value: "{top}" frequency: 120 }} top_values {{ value: "B6" frequency: 60 }}
      rank_histogram {{ buckets {{ label: "{top}" sample_count: 120 }} buckets {{ label: "B6" sample_count: 60 }}
        buckets {{ label: "DL" sample_count: 20 }} }} }} }}"""
    return text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics())


@pytest.fixture
def statistics_artifact(tmp_path: Path) -> mlmd.Artifact:
    for split, one in (("train", dataset()), ("eval", dataset(size=300, missing=0))):
        (tmp_path / f"Split-{split}").mkdir()
        content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[one]).SerializeToString()
        (tmp_path / f"Split-{split}" / "FeatureStats.pb").write_bytes(content)
    return record("ExampleStatistics", tmp_path, split_names=json.dumps(["train", "eval"]), tfx_version="1.21.0")


# --- statistics


def test_statistics_show_the_numbers_of_each_split_in_the_order_of_the_record(statistics_artifact: Any) -> None:
    text = repr(views.statistics(statistics_artifact))
    assert text.index("train  200 examples") < text.index("eval  300 examples")
    (row,) = [line for line in text.split("eval")[0].splitlines() if line.startswith("seats")]
    assert row.split()[:7] == ["seats", "25.0%", "10.0%", "2", "40", "50.5", "102"]
    assert "UA (120), B6 (60)" in text


def test_a_feature_is_drawn_with_its_numbers_in_the_alt_text(statistics_artifact: Any) -> None:
    number = views.statistics(statistics_artifact, feature="seats")
    assert number.alt == (
        "Histogram of seats for each split. train: 2 to 102, median 40, missing 25.0%; "
        "eval: 2 to 102, median 40, missing 0%."
    )
    category = views.statistics(statistics_artifact, split="train", feature="carrier")
    assert "UA 60.0%, B6 30.0%, DL 10.0%" in category.alt
    data, metadata = category._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == category.alt


def test_several_statistics_are_compared_by_name() -> None:
    alt = views.statistics({"January": dataset(), "December": dataset(top="DL")}, feature="carrier").alt
    assert "January: " in alt
    assert "December: " in alt


def test_a_split_or_feature_that_is_not_there_is_named_with_those_that_are(statistics_artifact: Any) -> None:
    with pytest.raises(KeyError, match="train, eval"):
        views.statistics(statistics_artifact, split="test")
    with pytest.raises(KeyError, match="seats, carrier"):
        views.statistics(statistics_artifact, feature="wings")


def test_a_feature_can_be_chosen_and_the_stored_figure_is_the_one_asked_for(
    statistics_artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **rest: shown.append(data))
    monkeypatch.setenv("COURSE_LIVE", "0")
    views.choose(statistics_artifact, feature="carrier")
    assert "feature, split" in shown[0]["text/plain"]
    assert shown[1]["text/plain"].startswith("Bars for all values of carrier")


def test_quantiles_are_read_between_the_bounds_of_the_histogram() -> None:
    stats = dataset(missing=50).features[0].num_stats
    assert numbers.quantile(stats, 0.25) == pytest.approx(16)
    assert numbers.quantile(stats, 0.75) == pytest.approx(66)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2013.0, "2013"),
        (0.00206, "0.00206"),
        (1014.4, "1014"),
        (-9.04, "-9.04"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_are_written_with_the_digits_that_matter(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_little_bars_show_nothing_for_nothing() -> None:
    assert statistics_view.spark([10, 0, 0.01, 5]) == "█▁▁▅"
    assert statistics_view.spark([]) == statistics_view.spark([0, 0]) == ""


# --- the contract


def test_schema_shows_type_presence_and_values() -> None:
    schema = text_format.Parse(
        """
        string_domain { name: "airports" value: "EWR" value: "JFK" }
        feature { name: "origin" type: BYTES presence { min_fraction: 1.0 min_count: 1 } domain: "airports" }
        feature { name: "seats" type: INT presence { min_fraction: 0.7 } int_domain { min: 1 max: 600 } }
        feature { name: "temp" type: FLOAT float_domain { min: -20 }
                  drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
        feature { name: "late" type: INT presence { min_fraction: 1.0 } not_in_environment: "SERVING" }""",
        schema_pb2.Schema(),
    )
    cells = {line.split()[0]: re.split(r"  +", line) for line in repr(views.schema(schema)).splitlines()[4:]}
    assert cells["origin"][1:] == ["bytes", "always", "EWR, JFK"]
    assert cells["seats"][1:] == ["int", "at least 70%", "1 to 600"]
    assert cells["temp"][1:] == ["float", "not demanded", "at least -20", "drift at most 0.1"]
    assert cells["late"][-1] == "not in SERVING"


def test_anomalies_are_shown_by_split_and_none_is_said_too(tmp_path: Path) -> None:
    bad = anomalies_pb2.Anomalies()
    bad.anomaly_info["carrier"].short_description = "Unexpected string values"
    bad.anomaly_info["carrier"].description = f"Examples contain values missing from the schema: {EVIL}."
    for split, message in (("train", anomalies_pb2.Anomalies()), ("eval", bad)):
        (tmp_path / f"Split-{split}").mkdir()
        (tmp_path / f"Split-{split}" / "SchemaDiff.pb").write_bytes(message.SerializeToString())
    artifact = record("ExampleAnomalies", tmp_path, split_names='["train", "eval"]')
    view = views.anomalies(artifact)
    assert "train  no anomalies" in repr(view)
    assert "eval  1 anomaly" in repr(view)
    assert "Unexpected string values" in repr(view)
    assert EVIL not in markup(view)
    assert "&lt;script&gt;" in markup(view)


# --- artifacts


def test_an_artifact_shows_what_it_is_and_nothing_of_this_machine_or_moment(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "events.out.tfevents.1795452247.vm.2980.0.v2").write_text("x")
    (tmp_path / "saved_model.pb").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    properties = {
        "span": 3,
        "version": 0,
        "pushed_destination": "/home/me/serving",
        "pushed_version": "1795452263",
        "checksum": "e4c14055ef2357e257beeb0ff5b15bf8",
        "flavour": EVIL,
        "model_id": 12,
    }
    view = views.artifact(record("Model", tmp_path, **properties))
    assert repr(view).splitlines() == [
        "Model",
        "the trained model · span: 3",
        "its files",
        "saved_model.pb",
        "train/events.out.tfevents.…",
    ]
    for secret in (str(tmp_path), "/home", "1795452", "e4c14055", "script"):
        assert secret not in markup(view)


def test_a_property_is_escaped(tmp_path: Path) -> None:
    view = views.artifact(record("Model", tmp_path, flavour="<b>sweet</b>"))
    assert "&lt;b&gt;sweet" not in markup(view)  # a closing tag has a slash, as paths have: left out
    assert "&lt;b&gt;sweet" in markup(views.artifact(record("Model", tmp_path, flavour="<b>sweet")))


def test_an_artifact_whose_files_are_gone_says_so(tmp_path: Path) -> None:
    assert "its folder is gone" in repr(views.artifact(record("Model", tmp_path / "nowhere")))


@pytest.mark.parametrize(("value", "words"), [(1, "blessed"), (0, "not blessed")])
def test_a_blessing_is_read_from_the_record_or_from_the_file(tmp_path: Path, value: int, words: str) -> None:
    by_record = views.blessing(record("ModelBlessing", tmp_path, blessed=value))
    (tmp_path / ("BLESSED" if value else "NOT_BLESSED")).touch()
    by_file = views.blessing(tmp_path)
    assert repr(by_record) == repr(by_file)
    assert repr(by_file).splitlines()[0] == f"Blessing  {words}"
    assert views.blessed(tmp_path) is bool(value)


def test_a_check_of_the_serving_says_its_reason(tmp_path: Path) -> None:
    shown = repr(views.blessing(record("InfraBlessing", tmp_path, blessed=0, reason="It has no weights.")))
    assert shown.splitlines() == ["Blessing  not blessed", "It has no weights."]


def test_what_is_no_blessing_has_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No verdict"):
        views.blessed(tmp_path)


def test_an_empty_channel_asks_to_run_its_component() -> None:
    channel = SimpleNamespace(type_name="Model", get=list)
    with pytest.raises(LookupError, match="run its component first"):
        source.source(channel)
    assert "has not run yet" in repr(views.artifacts(channel))


def test_what_is_no_artifact_is_refused() -> None:
    with pytest.raises(TypeError, match="int is no artifact"):
        views.artifact(3)


# --- examples


def tfrecord(path: Path, *payloads: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") as file:
        for payload in payloads:
            file.write(struct.pack("<Q", len(payload)) + b"crc." + payload + b"crc.")


def test_records_are_read_across_files_up_to_the_number_asked_for(tmp_path: Path) -> None:
    tfrecord(tmp_path / "data-00000-of-00002.gz", b"one", b"two")
    tfrecord(tmp_path / "data-00001-of-00002.gz", b"three", b"four")
    assert list(rows.read_records(tmp_path, 3)) == [b"one", b"two", b"three"]
    assert len(list(rows.read_records(tmp_path, 9))) == 4


def test_examples_are_a_column_each_and_a_missing_value_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfrecord(tmp_path / "Split-train" / "data.gz", b'{"carrier": ["UA"], "temp": [39.02]}', b'{"carrier": ["<i>"]}')
    monkeypatch.setattr(rows, "decode", json.loads)
    view = views.examples(tmp_path, rows=2)
    lines = [line.split() for line in repr(view).splitlines()]
    assert ["carrier", "UA", "<i>"] in lines
    assert ["temp", "39.02", "missing"] in lines
    assert "&lt;i&gt;" in markup(view)


# --- metrics


def slices(with_baseline: bool) -> list[Any]:
    def found(auc: float, size: float) -> dict[str, Any]:
        values = {"auc": {"doubleValue": auc}, "example_count": {"doubleValue": size}, "plot": {"bytesValue": "x"}}
        if with_baseline:
            values |= {"auc_diff": {"doubleValue": 0.01}, "example_count_diff": {"doubleValue": 0.0}}
        return {"": {"": values}}

    return [
        ((("origin", "JFK"),), found(0.61, 700)),
        ((), found(0.6785, 2000)),
        ((("origin", "EWR"),), found(0.7, 1300)),
    ]


def test_metrics_are_by_slice_with_everything_first() -> None:
    lines = [line.split("  ") for line in repr(metrics_view.tabled(metrics_view.read(slices(False)))).splitlines()]
    text = [" ".join(part.strip() for part in line if part.strip()) for line in lines]
    assert text[2] == "slice examples AUC"
    assert text[4:7] == ["all examples 2,000 0.678", "origin = EWR 1,300 0.700", "origin = JFK 700 0.610"]


def test_the_change_against_the_baseline_is_beside_the_value() -> None:
    found = metrics_view.read(slices(True))
    assert "0.678 (+0.010)" in repr(metrics_view.tabled(found))
    assert "(+0.000)" not in repr(metrics_view.tabled(found))
    assert "all examples 0.678 (baseline 0.668)" in metrics_view.draw(found, "auc").alt
    with pytest.raises(KeyError, match="example_count, auc"):
        metrics_view.draw(found, "accuracy")


# --- the pieces of HTML


def test_every_piece_of_html_escapes_what_it_is_given() -> None:
    pieces = [
        html.table([EVIL], [[EVIL]]),
        html.badge(EVIL, "#000000"),
        html.heading(EVIL, EVIL),
        html.note(EVIL),
        html.listing([EVIL]),
        html.folded(EVIL, html.note(EVIL)),
    ]
    for piece in pieces:
        assert "<script" not in markup(piece)
        assert EVIL in piece.text


def test_html_follows_the_theme_and_has_no_scripts_or_style_sheets() -> None:
    text = markup(html.panel("#123456", html.heading("a"), html.table(["b"], [[1]])))
    assert "var(--jp-content-font-color1, #" in text
    assert "<style" not in text
    assert "onclick" not in text


def test_side_by_side_keeps_lines_and_pairs_and_takes_no_text_for_html() -> None:
    view = views.side_by_side(("Python", "YAML"), [("def f(a: str):\n    ...", "<b>a</b>:\n  STRING"), ("2", "b")])
    markup = view._repr_mimebundle_()["text/html"]
    assert [row.count("<pre") for row in markup.split("<tr>")[2:]] == [2, 2]
    assert "def f(a: str):\n    ...</pre>" in markup
    assert "&lt;b&gt;a&lt;/b&gt;:\n  STRING" in markup
    assert str(view).split("\n\n")[:2] == ["Python:\ndef f(a: str):\n    ...", "YAML:\n<b>a</b>:\n  STRING"]
