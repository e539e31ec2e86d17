"""The gate: which sentence each anomaly becomes, when drift counts, and what stops the pipeline."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from engines.quiet import import_quietly
from flights import data
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def gate():
    import_quietly()
    return importlib.import_module("flights.gate")


@pytest.fixture(scope="module")
def protos(gate):
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    return anomalies_pb2


@pytest.fixture
def anomalies(gate, protos, tmp_path):
    """Makes an ExampleAnomalies artifact of messages by split, laid out as ExampleValidator lays it out."""
    from tfx import v1 as tfx
    from tfx.types import artifact_utils

    def make(**messages):
        artifact = tfx.types.standard_artifacts.ExampleAnomalies()
        artifact.uri = str(tmp_path)
        artifact.split_names = artifact_utils.encode_split_names(list(messages))
        for split, message in messages.items():
            folder = tmp_path / f"Split-{split}"
            folder.mkdir()
            (folder / "SchemaDiff.pb").write_bytes(message.SerializeToString())
        return artifact

    return make


@pytest.fixture
def statistics(gate, tmp_path):
    """Makes an ExampleStatistics artifact of the carriers in each split."""
    import pandas as pd
    import tensorflow_data_validation as tfdv
    from tfx import v1 as tfx
    from tfx.types import artifact_utils

    def make(**carriers):
        artifact = tfx.types.standard_artifacts.ExampleStatistics()
        artifact.uri = str(tmp_path / "statistics")
        artifact.split_names = artifact_utils.encode_split_names(list(carriers))
        for split, values in carriers.items():
            folder = tmp_path / "statistics" / f"Split-{split}"
            folder.mkdir(parents=True)
            message = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"carrier": values}))
            (folder / "FeatureStats.pb").write_bytes(message.SerializeToString())
        return artifact

    return make


@pytest.fixture
def schema(gate, tmp_path):
    """The curated schema as an artifact."""
    from tfx import v1 as tfx

    artifact = tfx.types.standard_artifacts.Schema()
    artifact.uri = str(tmp_path / "schema")
    (tmp_path / "schema").mkdir()
    shutil.copy(Config().schema_file, tmp_path / "schema")
    return artifact


def run(gate, **arguments):
    """Calls what the component runs, without a pipeline around it."""
    return gate.DataGate.EXECUTOR_SPEC.executor_class._FUNCTION(**arguments)


def test_nothing_wrong_says_nothing(gate, protos, anomalies):
    assert gate.list_anomalies(anomalies(train=protos.Anomalies(), eval=protos.Anomalies())) == []


def test_anomaly_is_a_sentence_with_split_column_and_description(gate, protos, anomalies):
    message = protos.Anomalies()
    message.anomaly_info["carrier"].short_description = "Unexpected string values"
    message.anomaly_info["carrier"].description = "Examples contain values missing from the schema: ZZ (~12%)."
    assert gate.list_anomalies(anomalies(train=protos.Anomalies(), eval=message)) == [
        "eval, column carrier: Unexpected string values. Examples contain values missing from the schema: ZZ (~12%)."
    ]


def test_every_column_of_every_split_is_listed_in_a_fixed_order(gate, protos, anomalies):
    message = protos.Anomalies()
    for column in ("temp", "carrier", "late"):
        message.anomaly_info[column].short_description = "Wrong"
        message.anomaly_info[column].description = "Why."
    assert [sentence.split(":")[0] for sentence in gate.list_anomalies(anomalies(b=message, a=message))] == [
        "b, column carrier",
        "b, column late",
        "b, column temp",
        "a, column carrier",
        "a, column late",
        "a, column temp",
    ]


def test_anomaly_of_the_whole_split_comes_first(gate, protos, anomalies):
    message = protos.Anomalies()
    message.dataset_anomaly_info.description = "Too few examples."
    message.anomaly_info["late"].short_description = "Column dropped"
    message.anomaly_info["late"].description = "Column is completely missing"
    assert gate.list_anomalies(anomalies(train=message)) == [
        "train: Too few examples.",
        "train, column late: Column dropped. Column is completely missing",
    ]


def test_split_without_flights_is_refused_although_no_rule_is_broken(gate, anomalies):
    import pandas as pd
    import tensorflow_data_validation as tfdv

    nothing = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"carrier": ["UA"]}).iloc[:0])
    message = tfdv.validate_statistics(nothing, tfdv.load_schema_text(Config().schema_file))
    assert not message.anomaly_info
    assert gate.list_anomalies(anomalies(train=message)) == ["train: there are no flights in it."]


def test_missing_report_is_an_error_and_not_a_pass(gate, protos, anomalies):
    artifact = anomalies(train=protos.Anomalies())
    artifact.split_names = '["train", "eval"]'
    with pytest.raises(FileNotFoundError, match="Split-eval"):
        gate.list_anomalies(artifact)


# --- Drift --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "drifted"),
    [
        (["UA"] * 50 + ["B6"] * 50, False),
        (["UA"] * 59 + ["B6"] * 41, False),
        (["UA"] * 61 + ["B6"] * 39, True),
        (["UA"] * 50 + ["B6"] * 39 + ["DL"] * 11, True),
    ],
)
def test_share_that_moves_further_than_the_schema_allows_is_drift(new, drifted, gate, statistics, schema):
    artifact = statistics(old=["UA"] * 50 + ["B6"] * 50, new=new)
    found = gate.list_drift(artifact, schema, "old", "new")
    assert len(found) == drifted
    assert all(sentence.startswith("new against old, column carrier: ") for sentence in found)


def test_drift_is_told_with_distance_and_limit(gate, statistics, schema):
    artifact = statistics(old=["UA"] * 100, new=["UA"] * 70 + ["B6"] * 30)
    (sentence,) = gate.list_drift(artifact, schema, "old", "new")
    assert "0.3" in sentence
    assert "0.1" in sentence


def test_what_only_breaks_the_schema_is_not_called_drift(gate, statistics, schema):
    """A carrier outside the list is ExampleValidator's to report; here its share has hardly moved."""
    artifact = statistics(old=["UA"] * 100, new=["UA"] * 95 + ["ZZ"] * 5)
    assert gate.list_drift(artifact, schema, "old", "new") == []


# --- Rules that need the rows -------------------------------------------------------------------------------------


@pytest.fixture
def examples(gate, tmp_path):
    """Makes an Examples artifact of data frames by split, written by the pipeline's own reader."""
    import pyarrow as pa
    from tfx import v1 as tfx
    from tfx.types import artifact_utils

    from flights.examples import _write_examples

    def make(**splits):
        artifact = tfx.types.standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        artifact.split_names = artifact_utils.encode_split_names(list(splits))
        for split, flights in splits.items():
            table = pa.Table.from_pandas(flights, preserve_index=False)
            _write_examples(table, tmp_path / "examples" / f"Split-{split}")
        return artifact

    return make


@pytest.fixture(scope="module")
def months(root):
    """January and February of the sample."""
    return [data.read_month(root / "data/flights", month) for month in (1, 2)]


def test_good_months_break_no_rule(gate, examples, schema, months):
    january, february = months
    assert gate.list_broken_rules(examples(old=january, new=february), schema, "new") == []


def test_new_month_is_held_against_the_others_and_a_rule_is_told_with_its_split(gate, examples, schema, months):
    january, february = months
    minutes = february.sched_dep_time // 100 * 60 + february.sched_dep_time % 100
    changed = february.assign(sched_dep_time=minutes, distance=february.distance + 60)
    found = gate.list_broken_rules(examples(old=january, new=changed), schema, "new")
    where = [sentence.split(": ")[0] for sentence in found]
    assert where[:2] == ["new, column sched_dep_time"] * 2
    distance = found[where.index("new, column distance")]
    assert "flights are not what earlier flights of the same origin and dest have; the first has" in distance


def test_halves_of_a_month_are_judged_too(gate, examples, schema, months):
    january, _ = months
    halves = {"train": january.iloc[:1000], "eval": january.iloc[1000:].assign(weekday=1)}
    (sentence,) = gate.list_broken_rules(examples(**halves), schema)
    assert sentence.startswith("eval, column weekday: ")


def test_days_are_looked_for_in_all_splits_of_a_month_together(gate, examples, schema, months):
    """The days of a single month are divided among its splits; none is missing from the month."""
    january, _ = months
    odd = january.day % 2 == 1
    assert gate.list_broken_rules(examples(train=january[odd], eval=january[~odd]), schema) == []


def test_month_without_its_last_week_is_told(gate, examples, schema, months):
    january, february = months
    found = gate.list_broken_rules(examples(old=january, new=february[february.day <= 21]), schema, "new")
    assert found == [
        "all splits, column day: no flight on 7 of the 28 days of 2013-02, the first is day 22. Is the month whole?"
    ]


def test_gaps_and_columns_that_are_not_there_break_no_rule(gate, examples, schema, months):
    import pandas as pd

    january, february = months
    nothing = pd.array([pd.NA] * len(february), dtype="string")
    sparse = february.drop(columns=["dest", "late"]).assign(temp=february.temp * float("nan"), tailnum=nothing)
    assert gate.list_broken_rules(examples(old=january, new=sparse), schema, "new") == []


def test_examples_are_read_back_as_they_were(gate, examples, months):
    import numpy as np

    from flights import rules

    january, _ = months
    artifact = examples(all=january)
    read = gate.read_columns(f"{artifact.uri}/Split-all", {"dest", "seats", "temp"})
    wanted = rules.columns_of(january)
    assert set(read) == {"dest", "seats", "temp"}
    assert read["dest"].tolist() == wanted["dest"].tolist()
    np.testing.assert_array_equal(read["seats"], wanted["seats"])
    np.testing.assert_array_equal(read["temp"], wanted["temp"])


@pytest.mark.parametrize("change", ["renamed", "rotated"])
def test_destinations_that_moved_are_drift_although_no_share_is_large(change, gate, schema, months, statistics):
    """The largest share of a destination is 0.06: no difference of one share could reach 0.1."""
    import tensorflow_data_validation as tfdv

    january, february = months
    words = sorted(february.dest.unique())
    others = {word: f"X{word[:2]}" for word in words}
    if change == "rotated":
        others = dict(zip(words, [*words[1:], words[0]], strict=True))
    artifact = statistics(old=["UA"], new=["UA"])
    for split, flights in {"old": january, "new": february.assign(dest=february.dest.map(others))}.items():
        message = tfdv.generate_statistics_from_dataframe(flights[["dest"]])
        Path(artifact.uri, f"Split-{split}", "FeatureStats.pb").write_bytes(message.SerializeToString())
    (sentence,) = gate.list_drift(artifact, schema, "old", "new")
    assert sentence.startswith("new against old, column dest: ")


# --- The component ------------------------------------------------------------------------------------------------


def test_clean_data_pass(gate, protos, anomalies, statistics, schema):
    report = anomalies(old=protos.Anomalies(), new=protos.Anomalies())
    carriers = statistics(old=["UA"] * 10, new=["UA"] * 10)
    run(gate, anomalies=report, statistics=carriers, schema=schema, reference_split="old", new_split="new")


def test_all_that_is_wrong_is_told_at_once(gate, protos, anomalies, statistics, schema):
    message = protos.Anomalies()
    message.anomaly_info["late"].short_description = "Column dropped"
    message.anomaly_info["late"].description = "Column is completely missing"
    carriers = statistics(old=["UA"] * 10, new=["B6"] * 10)
    with pytest.raises(gate.BadDataError) as refused:
        run(
            gate,
            anomalies=anomalies(old=message, new=protos.Anomalies()),
            statistics=carriers,
            schema=schema,
            reference_split="old",
            new_split="new",
        )
    said = str(refused.value)
    assert "old, column late: Column dropped" in said
    assert "new against old, column carrier" in said
    assert "Nothing was trained" in said


def test_broken_rule_stops_the_pipeline(gate, protos, anomalies, statistics, schema, examples, months):
    january, _ = months
    with pytest.raises(gate.BadDataError, match=r"train, column late: the mean is 0\.7"):
        run(
            gate,
            anomalies=anomalies(train=protos.Anomalies()),
            statistics=statistics(train=["UA"]),
            schema=schema,
            examples=examples(train=january.assign(late=1 - january.late)),
            reference_split="",
            new_split="",
        )


def test_without_earlier_months_there_is_no_drift(gate, protos, anomalies, statistics, schema):
    carriers = statistics(train=["UA"] * 10, eval=["B6"] * 10)
    run(
        gate,
        anomalies=anomalies(train=protos.Anomalies()),
        statistics=carriers,
        schema=schema,
        reference_split="",
        new_split="",
    )
