"""The contract and what breaks it: which rows show an anomaly, and what a change of the schema means."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from google.protobuf import text_format
from synthetic_statistics import categories, dataset
from synthetic_statistics import numbers as made
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from course import controls, views
from course.views import anomalies_view, failing_rows, row_sources, rows, schema_comparison

EVIL = "<script>alert('x')</script>"


def schema(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def anomalies(contract: schema_pb2.Schema, **found: str) -> anomalies_pb2.Anomalies:
    """Anomalies as TFDV writes them: for each feature the kind of the reason; "" is the data as a whole."""
    message = anomalies_pb2.Anomalies(baseline=contract)
    for name, kind in found.items():
        info = message.anomaly_info[name]
        info.path.step.append(name)
        info.short_description, info.description = f"short {kind}", f"long {kind}"
        info.reason.add(type=kind, short_description=f"short {kind}", description=f"long {kind}")
    return message


# --- which rows


@pytest.mark.parametrize(
    ("kind", "feature", "values", "wrong"),
    [
        ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", 'type: BYTES string_domain { value: "UA" }', ["UA", "XX", None], [1]),
        ("ENUM_TYPE_UNEXPECTED_STRING_VALUES", 'type: BYTES domain: "both"', ["UA", "XX", "B6"], [1]),
        ("INT_TYPE_BIG_INT", "type: INT int_domain { min: 1 max: 9 }", [5, 10, None, 9], [1]),
        ("INT_TYPE_SMALL_INT", "type: INT int_domain { min: 0 max: 9 }", [5, -1, 0], [1]),
        ("FLOAT_TYPE_BIG_FLOAT", "type: FLOAT float_domain { max: 1.5 }", [1.4, 1.6], [1]),
        ("FLOAT_TYPE_SMALL_FLOAT", "type: FLOAT float_domain { min: 1.5 }", [1.4, 1.6], [0]),
        ("FLOAT_TYPE_HAS_INF", "type: FLOAT", [1.0, float("inf")], [1]),
        ("BOOL_TYPE_BIG_INT", "type: INT bool_domain { }", [0, 1, 2], [2]),
        ("BOOL_TYPE_UNEXPECTED_FLOAT", "type: FLOAT bool_domain { }", [0.0, 1.0, 0.5], [2]),
        (
            "BOOL_TYPE_UNEXPECTED_STRING",
            'type: BYTES bool_domain { true_value: "y" false_value: "n" }',
            ["y", "x"],
            [1],
        ),
        ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "type: INT presence { min_fraction: 1 }", [1, None], [1]),
        ("FEATURE_TYPE_NOT_PRESENT", "type: INT presence { min_count: 1 }", [None, None], [0, 1]),
        ("FEATURE_TYPE_HIGH_NUMBER_VALUES", "type: INT value_count { max: 1 }", [[1], [1, 2]], [1]),
        ("FEATURE_TYPE_LOW_NUMBER_VALUES", "type: INT value_count { min: 2 }", [[1, 2], [1]], [1]),
        ("INVALID_FEATURE_SHAPE", "type: INT shape { dim { size: 2 } }", [[1, 2], [1]], [1]),
        ("UNEXPECTED_DATA_TYPE", "type: INT", ["600", "n/a", "630"], [1]),
        ("UNEXPECTED_DATA_TYPE", "type: INT", [1.0, 2.5], [1]),
        ("UNEXPECTED_DATA_TYPE", "type: FLOAT", ["1.5", "warm"], [1]),
        ("UNEXPECTED_DATA_TYPE", "type: FLOAT", [1, 2], [0, 1]),
        ("UNEXPECTED_DATA_TYPE", "type: BYTES", [7, 8], [0, 1]),
        ("ENUM_TYPE_INVALID_UTF8", "type: BYTES", [b"ok", b"\xff\xfe"], [1]),
        ("SCHEMA_NEW_COLUMN", "type: INT", [None, 3], [1]),
    ],
)
def test_the_rows_that_show_an_anomaly_are_found(kind: str, feature: str, values: list[Any], wrong: list[int]) -> None:
    contract = schema(f'string_domain {{ name: "both" value: "UA" value: "B6" }} feature {{ name: "x" {feature} }}')
    test = failing_rows.test_for(kind, contract.feature[0], {"both": ["UA", "B6"]})
    data = ((place, {"x": row_sources._as_list(value)}) for place, value in enumerate(values))
    found = failing_rows.find(data, {0: ("x", test)}, most=9)[0]
    assert [label for label, _ in found.rows] == wrong


@pytest.mark.parametrize(
    "kind",
    [
        "COMPARATOR_L_INFTY_HIGH",
        "FEATURE_TYPE_LOW_UNIQUE",
        "DATASET_LOW_NUM_EXAMPLES",
        "UNKNOWN_TYPE",
        "MULTIPLE_REASONS",
    ],
)
def test_what_no_row_can_show_is_said(kind: str) -> None:
    contract = schema('feature { name: "x" type: INT }')
    view = views.anomalies(anomalies(contract, x=kind), pd.DataFrame({"x": [1]}))
    assert "No single row shows it" in repr(view)


def test_every_kind_of_anomaly_that_tfdv_knows_is_shown_without_an_error() -> None:
    table = pd.DataFrame({"x": ["a", None, "b"], "y": [1, 2, 3]})
    for kind in dict(anomalies_pb2.AnomalyInfo.Type.items()):
        for feature in ("type: INT int_domain { min: 1 }", "type: BYTES", 'type: BYTES domain: "lost"', "type: STRUCT"):
            contract = schema(f'feature {{ name: "x" {feature} }}')
            assert kind in repr(views.anomalies(anomalies(contract, x=kind), table))
        assert kind in repr(views.anomalies(anomalies(schema(""), x=kind), table))  # a schema that does not know it


CONTRACT = schema(
    """
    feature { name: "flight" type: INT }
    feature { name: "carrier" type: BYTES string_domain { value: "UA" } }
    feature { name: "origin" type: BYTES }"""
)
TABLE = pd.DataFrame(
    {"flight": range(1, 8), "carrier": ["UA", "XX", "UA", "YY", None, "ZZ", "XX"], "origin": ["JFK"] * 7, "late": 0}
)
FOUND = anomalies(CONTRACT, carrier="ENUM_TYPE_UNEXPECTED_STRING_VALUES")


def write_examples(folder: Path, split: str, table: pd.DataFrame) -> None:
    """Examples as this test decodes them: JSON in gzipped TFRecords."""
    (folder / f"Split-{split}").mkdir(parents=True)
    with gzip.open(folder / f"Split-{split}/data-00000-of-00001.gz", "wb") as file:
        for row in table.to_dict("records"):
            payload = json.dumps({k: [] if v is None else [v] for k, v in row.items()}).encode()
            file.write(struct.pack("<Q", len(payload)) + b"crc." + payload + b"crc.")


@pytest.mark.parametrize("kept", ["pandas", "arrow", "csv", "parquet", "examples"])
def test_rows_are_the_same_whatever_the_data_are_kept_in(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "decode", json.loads)
    TABLE.to_csv(tmp_path / "data.csv", index=False)
    TABLE.to_parquet(tmp_path / "data.parquet")
    write_examples(tmp_path / "examples", "eval", TABLE)
    data = {
        "pandas": TABLE.set_axis(range(1, 8)),
        "arrow": pa.Table.from_pandas(TABLE),
        "csv": tmp_path / "data.csv",
        "parquet": str(tmp_path / "data.parquet"),
        "examples": tmp_path / "examples",
    }[kept]
    text = repr(views.anomalies(FOUND, data))
    lines = [line.split() for line in text.splitlines()]
    assert ["row", "carrier", "flight", "origin", "late"] in lines
    assert [line for line in lines if line[:1] in (["2"], ["4"], ["6"]) and "JFK" in line] == [
        ["2", "XX", "2", "JFK", "0"],
        ["4", "YY", "4", "JFK", "0"],
        ["6", "ZZ", "6", "JFK", "0"],
    ]
    assert "4 rows show it, the first 3 are above." in text


def test_rows_of_a_pandas_table_are_called_by_its_index() -> None:
    text = repr(views.anomalies(FOUND, TABLE.set_index(pd.Index(list("abcdefg"))), rows=1))
    assert "b    XX" in text
    assert "the first is above" in text


def test_the_split_of_the_anomalies_is_that_of_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "decode", json.loads)
    write_examples(tmp_path, "train", TABLE[:1])
    write_examples(tmp_path, "eval", TABLE)
    with pytest.raises(KeyError, match=r"Give split=, one of: eval, train"):
        views.anomalies(FOUND, tmp_path)
    assert "4 rows show it" in repr(views.anomalies(FOUND, tmp_path, split="eval"))
    assert "No row of the 1" in repr(views.anomalies(FOUND, tmp_path, split="train"))
    with pytest.raises(KeyError, match="No split 'test'"):
        views.anomalies(FOUND, tmp_path, split="test")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (17, TypeError, "Give an Examples artifact"),
        ("nowhere.csv", FileNotFoundError, r"nowhere\.csv is not there"),
        (Path(__file__), TypeError, "neither CSV nor Parquet"),
        (Path(__file__).parent, LookupError, "has no splits"),
    ],
)
def test_what_is_no_data_is_refused_with_what_there_may_be(data: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        views.anomalies(FOUND, data)


def test_examples_that_are_no_tf_examples_are_refused(tmp_path: Path) -> None:
    from ml_metadata.proto import metadata_store_pb2 as mlmd

    artifact = mlmd.Artifact(type="Examples", uri=str(tmp_path))
    artifact.custom_properties["payload_format"].int_value = 15
    artifact.custom_properties["split_names"].string_value = '["data"]'
    with pytest.raises(TypeError, match="kept as Parquet files"):
        views.anomalies(FOUND, artifact)


def test_several_reasons_of_one_feature_are_shown_one_by_one() -> None:
    both = anomalies(CONTRACT, carrier="ENUM_TYPE_UNEXPECTED_STRING_VALUES")
    both.anomaly_info["carrier"].reason.add(type="COMPARATOR_L_INFTY_HIGH", short_description="High distance")
    assert "2 anomalies" in repr(views.anomalies(both))
    assert [one.short for one in anomalies_view.listed(both)][1] == "High distance"


def test_missing_column_missing_rows_and_wrong_data_are_told_apart() -> None:
    gone = anomalies(CONTRACT, origin="SCHEMA_MISSING_COLUMN")
    assert "No row has this column." in repr(views.anomalies(gone, TABLE))
    assert "There are no rows to look at." in repr(views.anomalies(FOUND, TABLE[:0]))
    assert "are these the data that were validated?" in repr(views.anomalies(FOUND, TABLE[:1]))


def test_values_and_names_of_the_data_are_escaped() -> None:
    table = pd.DataFrame({"carrier": [EVIL], EVIL: [EVIL]})
    markup = views.anomalies(FOUND, table)._repr_mimebundle_()["text/html"]
    assert EVIL not in markup
    assert "&lt;script&gt;" in markup


def test_a_table_that_lost_its_schema_can_be_given_one() -> None:
    bare = anomalies(schema(""), carrier="ENUM_TYPE_UNEXPECTED_STRING_VALUES")
    assert "No single row" in repr(views.anomalies(bare, TABLE))
    assert "4 rows show it" in repr(views.anomalies(bare, TABLE, schema=CONTRACT))


def test_anomalies_of_several_months_are_shown_by_name() -> None:
    view = views.anomalies({"January": anomalies(CONTRACT), "July": FOUND}, {"July": TABLE})
    text = repr(view)
    assert text.index("January") < text.index("no anomalies") < text.index("July") < text.index("4 rows show it")


@pytest.mark.xdist_group("tfx")
def test_what_tfdv_really_finds_is_shown_with_its_rows() -> None:
    import tensorflow_data_validation as tfdv

    good = pd.DataFrame({"n": [1, 2, 3] * 9, "c": ["a", "b", "a"] * 9, "t": [0.5, 1.5, 2.5] * 9, "old": [1] * 27})
    contract = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(good))
    tfdv.set_domain(contract, "n", schema_pb2.IntDomain(name="n", min=1, max=3))
    bad = good.assign(n=[7, *good.n[1:]], c=[*good.c[:-1], "z"], t=["warm"] * 27, new=5).drop(columns="old")
    found = tfdv.validate_statistics(tfdv.generate_statistics_from_dataframe(bad), contract)
    text = repr(views.anomalies(found, bad))
    assert "1 row shows it." in text
    assert "No row has this column." in text
    for words in (
        "Out-of-range values",
        "Unexpected string values",
        "Unexpected data type",
        "New column",
        "Column dropped",
    ):
        assert words in text
    lines = [line.split() for line in text.splitlines()]
    assert ["0", "7", "a", "warm", "5"] in lines, "the row with the number that is too high"
    assert ["26", "z", "3", "warm", "5"] in lines, "the row with the new category"


# --- what changed


BEFORE = """
feature { name: "carrier" type: BYTES presence { min_fraction: 1 } string_domain { value: "UA" value: "B6" } }
feature { name: "seats" type: INT presence { min_fraction: 0.7 } int_domain { min: 1 max: 600 } value_count { max: 1 } }
feature { name: "temp" type: FLOAT drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
"""


@pytest.mark.parametrize(
    ("old", "new", "feature", "words", "effect"),
    [
        ('value: "B6"', 'value: "B6" value: "WN"', "carrier", "WN is allowed in addition", "looser"),
        ('value: "B6"', "", "carrier", "B6 is no longer allowed", "stricter"),
        ('string_domain { value: "UA" value: "B6" }', "", "carrier", "values: a list of 2 → any", "looser"),
        ("min_fraction: 1 ", "min_fraction: 0.95 ", "carrier", "presence: always → in at least 0.95 of the examples", "looser"),
        ("min_fraction: 0.7", "min_fraction: 1", "seats", "presence: in at least 0.7 of the examples → always", "stricter"),
        ("max: 600", "max: 500", "seats", "range 1 to 600 → 1 to 500", "stricter"),
        ("min: 1 max: 600", "min: 0 max: 700", "seats", "range 1 to 600 → 0 to 700", "looser"),
        ("min: 1 max: 600", "min: 5 max: 700", "seats", "range 1 to 600 → 5 to 700", "other"),
        ("value_count { max: 1 }", "value_count { max: 3 }", "seats", "values in an example: 1 to 1 → 1 to 3", "looser"),
        ("type: INT", "type: FLOAT", "seats", "type int → float", "other"),
        ("threshold: 0.1", "threshold: 0.2", "temp", "drift: at most 0.1 → at most 0.2", "looser"),
        ("drift_comparator { jensen_shannon_divergence { threshold: 0.1 } }", "", "temp", "drift: at most 0.1 → no limit", "looser"),
        ("type: FLOAT", 'type: FLOAT not_in_environment: "SERVING"', "temp", "not in the environments: none → SERVING", "other"),
        ("type: FLOAT", "type: FLOAT lifecycle_stage: DEPRECATED", "temp", "lifecycle stage changed", "other"),
        ("type: FLOAT", "type: FLOAT distribution_constraints { min_domain_mass: 0.9 }", "temp", "0 → 0.1", "looser"),
    ],
)  # fmt: skip
def test_a_change_of_the_contract_is_said_with_its_effect(
    old: str, new: str, feature: str, words: str, effect: str
) -> None:
    assert old in BEFORE
    (found,) = schema_comparison.changes(schema(BEFORE), schema(BEFORE.replace(old, new, 1)))
    assert found.feature == feature
    assert words in found.words
    assert found.effect == effect


def test_new_and_gone_features_and_changes_of_the_whole_are_said() -> None:
    after = schema(BEFORE.replace('"temp"', '"dewp"') + 'default_environment: "TRAINING"')
    text = repr(views.schema_diff(schema(BEFORE), after))
    assert "3 changes in 3 features" in text
    assert "(the whole)  environments: none → TRAINING" in text
    assert "no longer in the contract" in text
    assert "new in the contract: float" in text


def test_a_shared_domain_that_grew_is_a_change_of_those_who_share_it() -> None:
    text = 'string_domain { name: "port" value: "JFK" } feature { name: "origin" type: BYTES domain: "port" }'
    (found,) = schema_comparison.changes(
        schema(text), schema(text.replace('value: "JFK"', 'value: "JFK" value: "LGA"'))
    )
    assert (found.feature, found.words) == ("origin", "LGA is allowed in addition")


def test_rules_in_tags_are_shown_and_compared() -> None:
    text = 'feature { name: "departs" type: INT annotation { %s } }'
    one, two, told = (
        schema(text % tags) for tags in ('tag: "hhmm"', 'tag: "mean 1 to 2"', 'tag: "hhmm" comment: "why"')
    )
    assert "rules: hhmm" in repr(views.schema(one))
    assert [(found.words, found.effect) for found in schema_comparison.changes(one, two)] == [
        ("no rule any more: hhmm", "looser"),
        ("rule: mean 1 to 2", "stricter"),
    ]
    assert [(found.words, found.effect) for found in schema_comparison.changes(one, told)] == [
        ("comment changed", "other")
    ]


def test_the_same_contract_has_no_change_and_one_feature_can_be_asked_for() -> None:
    assert "nothing" in repr(views.schema_diff(schema(BEFORE), schema(BEFORE)))
    after = schema(BEFORE.replace("max: 600", "max: 500").replace("threshold: 0.1", "threshold: 0.2"))
    assert "temp" not in repr(views.schema_diff(schema(BEFORE), after, feature="seats"))
    with pytest.raises(KeyError, match="carrier, seats, temp"):
        views.schema_diff(schema(BEFORE), after, feature="wings")


# --- with controls


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Displays a view with controls as to a person; returns what sets a control and reads what is shown then."""
    shown: list[str] = []
    made_ones: list[controls.Explorer] = []

    class Handle:
        def update(self, data: Any, metadata: Any = None, raw: bool = False) -> None:
            shown.append(data["text/plain"])

    def display(data: Any, metadata: Any = None, raw: bool = False, display_id: Any = None) -> Any:
        if isinstance(data, dict):
            shown.append(data["text/plain"])
        return Handle()

    original = controls.Explorer.display
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(controls.Explorer, "display", lambda self: (made_ones.append(self), original(self)))
    monkeypatch.setenv("COURSE_LIVE", "1")

    def move(**values: Any) -> str:
        shown.clear()
        for name, value in values.items():
            made_ones[-1].widgets[name].value = value
        return "\n".join(shown)

    move.shown = shown  # type: ignore[attr-defined]
    return move


STATISTICS = {
    "January": dataset(10, made("seats", [1, 2, 3] * 3), categories("carrier", {"UA": 9})),
    "July": dataset(10, made("seats", [100, 900, 950], missing=7), categories("carrier", {"UA": 5, "XX": 5})),
}


def test_data_are_held_against_the_contract_feature_by_feature(moved: Any) -> None:
    views.explore_schema(schema(BEFORE), STATISTICS)
    assert "January: every example has a value, as demanded; all values are allowed" in "\n".join(moved.shown)
    assert "50.0% of the values are not allowed (XX)" in moved(data="July")
    july = moved(feature="seats")
    assert "30.0% of the examples have a value, less than demanded" in july
    assert "of the values are out of the range" in july
    assert "temp is not in the data (July)" in moved(feature="temp")


def test_a_contract_is_looked_at_without_data_too(moved: Any) -> None:
    views.explore_schema(schema(BEFORE), feature="seats")
    assert "1 to 600" in "\n".join(moved.shown)
    assert "drift at most 0.1" in moved(feature="temp")
    with pytest.raises(ValueError, match="carrier, seats, temp"):
        views.explore_schema(schema(BEFORE), feature="wings")
    with pytest.raises(ValueError, match="no feature"):
        views.explore_schema(schema(""))


def test_anomalies_are_looked_at_month_by_month_and_feature_by_feature(moved: Any) -> None:
    two = anomalies(CONTRACT, carrier="ENUM_TYPE_UNEXPECTED_STRING_VALUES", origin="SCHEMA_MISSING_COLUMN")
    views.explore_anomalies({"January": anomalies(CONTRACT), "July": two}, {"January": TABLE, "July": TABLE})
    assert "4 rows show it" in "\n".join(moved.shown)  # starts where there is something to see
    one = moved(feature="origin")
    assert "No row has this column." in one
    assert "rows show it" not in one
    assert "Nothing is wrong with origin." in moved(month="January")
    assert "no anomalies" in moved(feature="all features")


def test_anomalies_without_any_are_looked_at_too(moved: Any) -> None:
    views.explore_anomalies(anomalies(CONTRACT))
    assert "no anomalies" in "\n".join(moved.shown)
    with pytest.raises(ValueError, match="all features"):
        views.explore_anomalies(anomalies(CONTRACT), feature="wings")


def test_versions_of_a_contract_are_compared_by_choice(moved: Any) -> None:
    wide = schema(BEFORE.replace("max: 600", "max: 700"))
    views.explore_schema_diff({"old": schema(BEFORE), "wide": wide, "same": schema(BEFORE)})
    assert "nothing" in "\n".join(moved.shown)
    assert "looser" in moved(after="wide")
    assert "stricter" in moved(before="wide", after="old")
    assert "nothing" in moved(feature="temp")
    with pytest.raises(ValueError, match="two schemas or more"):
        views.explore_schema_diff({"old": wide})
