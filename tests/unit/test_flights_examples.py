"""The Arrow reader: what a row becomes, which split it goes to, and months that do not agree with each other."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil

import pyarrow as pa
import pytest

from engines.errors import BadData
from engines.quiet import import_quietly
from flights import data
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")


@pytest.fixture(scope="module")
def examples():
    import_quietly()
    return importlib.import_module("flights.examples")


def decode(serialised) -> list[dict]:
    """Kind and values of every feature that is there, for each example."""
    import tensorflow as tf

    decoded = []
    for example in serialised:
        features = tf.train.Example.FromString(example).features.feature
        kinds = {name: feature.WhichOneof("kind") for name, feature in features.items()}
        decoded.append(
            {name: (kind, list(getattr(features[name], kind).value)) for name, kind in kinds.items() if kind}
        )
    return decoded


@pytest.fixture
def month_files(tmp_path, root):
    """Copies months of the sample to a folder of the test's own; gives the folder and a function that edits one."""
    for month in (1, 2, 3):
        target = data.month_path(tmp_path, month)
        target.parent.mkdir()
        shutil.copy(data.month_path(root / "data/flights", month), target)

    def edit(month: int, change) -> None:
        path = data.month_path(tmp_path, month)
        path.write_text("".join(f"{line}\n" for line in change(path.read_text().splitlines())))

    return tmp_path, edit


def test_types_become_the_kinds_of_a_tf_example(examples):
    table = pa.table(
        {
            "weekday": pa.array([5], data.INTEGER),
            "temp": pa.array([39.5], data.REAL),
            "carrier": pa.array(["Zürich"], data.TEXT),
        }
    )
    assert decode(examples.encode(table)) == [
        {
            "weekday": ("int64_list", [5]),
            "temp": ("float_list", [39.5]),
            "carrier": ("bytes_list", ["Zürich".encode()]),
        }
    ]


def test_null_becomes_a_missing_feature_and_not_a_zero(examples):
    table = pa.table(
        {
            "weekday": pa.array([1, None, 3], data.INTEGER),
            "temp": pa.array([None, 0.0, None], data.REAL),
            "tailnum": pa.array([None, None, "N1"], data.TEXT),
        }
    )
    assert [sorted(example) for example in decode(examples.encode(table))] == [
        ["weekday"],
        ["temp"],
        ["tailnum", "weekday"],
    ]


def test_column_without_any_value_is_no_feature(examples):
    table = pa.table({"weekday": pa.array([1, 2], data.INTEGER), "temp": pa.array([None, None], data.REAL)})
    assert [sorted(example) for example in decode(examples.encode(table))] == [["weekday"], ["weekday"]]


def test_every_row_of_a_month_is_encoded_in_order_across_batches(examples, root, monkeypatch):
    monkeypatch.setattr(examples, "BATCH_ROWS", 300)
    table = data.read_table(data.month_path(root / "data/flights", 2))
    decoded = decode(examples.encode(table))
    assert [{name: values for name, (_, values) in example.items()} for example in decoded] == [
        {
            name: [value.encode() if isinstance(value, str) else value]
            for name, value in row.items()
            if value is not None
        }
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize("month", [1, 2, 12])
def test_partition_is_that_of_tfx(examples, month, root):
    """Each row goes where TFX's own ExampleGen would put it."""
    import tensorflow as tf
    from google.protobuf import json_format
    from tfx.components.example_gen import base_example_gen_executor as stock
    from tfx.proto import example_gen_pb2

    component = examples.make_example_gen(Config(months=(month, month)))
    output = example_gen_pb2.Output()
    json_format.Parse(component.exec_properties["output_config"], output)
    table = data.read_table(data.month_path(root / "data/flights", month))
    buckets = [examples.TRAIN_BUCKETS, examples.TRAIN_BUCKETS + examples.EVAL_BUCKETS]
    expected: list[list[bytes]] = [[], []]
    for record in examples.encode(table):
        split = stock._PartitionFn(tf.train.Example.FromString(record), 2, buckets, output.split_config)
        expected[split].append(record)
    parts = examples._partition(table, output.split_config)
    assert [decode(examples.encode(part)) for part in parts] == [decode(records) for records in expected]
    assert all(len(part) > 300 for part in parts)
    days = [set(part["day"].to_pylist()) for part in parts]
    assert not days[0] & days[1]


# --- Several months in one split ----------------------------------------------------------------------------------


def test_months_of_a_split_are_read_one_after_the_other(examples, month_files):
    folder, _ = month_files
    table = examples._read_splits(str(folder), ["span-0[1-3]/flights.csv"])[0]
    assert table["month"].to_pylist() == [1] * 2000 + [2] * 2000 + [3] * 2000


def test_month_that_is_missing_between_others_is_named(examples, month_files):
    folder, _ = month_files
    data.month_path(folder, 2).unlink()
    with pytest.raises(data.DataError, match=r"span-02/flights\.csv: cannot be read"):
        examples._read_splits(str(folder), ["span-0[1-3]/flights.csv"])[0]


def test_column_that_one_month_has_more_is_kept_for_the_schema_to_judge(examples, month_files):
    folder, edit = month_files
    edit(2, lambda lines: [f"{lines[0]},gate", *(f"{line},A1" for line in lines[1:])])
    table = examples._read_splits(str(folder), ["span-0[1-3]/flights.csv"])[0]
    assert table["gate"].null_count == 4000
    assert len(table) == 6000


def test_label_that_one_month_lacks_is_missing_there(examples, month_files):
    folder, edit = month_files
    edit(3, lambda lines: [line.rpartition(",")[0] for line in lines])
    table = examples._read_splits(str(folder), ["span-0[1-3]/flights.csv"])[0]
    assert table[data.LABEL].null_count == 2000


def test_order_of_the_columns_may_differ(examples, month_files):
    folder, edit = month_files
    edit(2, lambda lines: [",".join(reversed(line.split(","))) for line in lines])
    table = examples._read_splits(str(folder), ["span-0[1-3]/flights.csv"])[0]
    assert table["month"].to_pylist() == [1] * 2000 + [2] * 2000 + [3] * 2000


def test_no_month_at_all_is_told_with_the_folder(examples, tmp_path):
    with pytest.raises(data.DataError, match="make data"):
        examples._read_splits(str(tmp_path), ["span-0[1-3]/flights.csv"])[0]


# --- A flight is in one split --------------------------------------------------------------------------------------


def test_january_in_the_split_for_training_and_again_in_the_one_for_evaluation_is_refused(examples, month_files):
    folder, edit = month_files
    january = data.month_path(folder, 1).read_text().splitlines()
    edit(2, lambda _: [line.replace("2013,1,", "2013,2,", 1) for line in january])
    with pytest.raises(
        data.DataError, match=r"span-02/flights\.csv: 2,000 of its 2,000 rows are there before \(2,000 in span-01"
    ):
        examples._read_splits(str(folder), ["span-0[1-1]/flights.csv", "span-0[2-2]/flights.csv"])


# --- The folder of the data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("months", [(1, 1), (1, 2)])
@pytest.mark.parametrize("reader", ["arrow", "csv"])
@pytest.mark.parametrize("name", ["flights [1]", "a*b", "really?", "{2}", "a^b", "cost$", "a|b"])
def test_folder_that_tfx_takes_for_a_pattern_is_refused_before_anything_runs(examples, name, reader, months):
    config = Config(data_root=f"/data/{name}/flights", reader=reader, months=months)
    with pytest.raises(data.DataError, match=r"takes .* in a path for a pattern\. Rename the folder"):
        examples.make_example_gen(config)


@pytest.mark.parametrize(
    "name", ["two words", "Zürich", "日本", "a(1)", "a+b", "a'b", "a]b", "a}b", "50%", "#1", "a,b"]
)
@pytest.mark.parametrize("months", [(1, 1), (1, 2)])
def test_folder_of_another_name_is_found_by_tfx(examples, name, months, month_files):
    """Asked of what TFX's driver and reader find files with."""
    from tfx.components.example_gen import utils
    from tfx.dsl.io import fileio
    from tfx.proto import example_gen_pb2, range_config_pb2
    from tfx.utils import proto_utils

    folder = month_files[0].rename(month_files[0].with_name(f"{name} {months[1]}"))
    properties = examples.make_example_gen(Config(data_root=str(folder), months=months)).exec_properties
    source, span = example_gen_pb2.Input(), None
    proto_utils.json_to_proto(properties["input_config"], source)
    if properties.get("range_config"):
        span = range_config_pb2.RangeConfig()
        proto_utils.json_to_proto(properties["range_config"], span)
    fingerprint, *_ = utils.calculate_splits_fingerprint_span_and_version(str(folder), source.splits, span)
    assert fingerprint.count("num_files:1") == len(source.splits) == months[1]
    assert all(len(fileio.glob(f"{folder}/{split.pattern}")) == 1 for split in source.splits)


# --- TFX's own reader, behind the check ------------------------------------------------------------------------------


@pytest.fixture
def read_as_tfx(examples, monkeypatch, month_files):
    """Runs the executor of `reader="csv"` on the files; whether TFX's own was reached."""
    from tfx.components.example_gen.csv_example_gen import executor as stock
    from tfx.types import standard_artifacts

    reached = []
    monkeypatch.setattr(stock.Executor, "Do", lambda *_: reached.append(True))

    def read(*patterns: str, months: tuple[int, int] = (1, 2)) -> bool:
        splits = [{"name": f"split-{number}", "pattern": pattern} for number, pattern in enumerate(patterns)]
        properties = {
            "input_base": str(month_files[0]),
            "input_config": json.dumps({"splits": splits}),
            "output_config": examples.make_example_gen(Config(months=months)).exec_properties["output_config"],
        }
        examples.CheckedCsvExecutor().Do({}, {"examples": [standard_artifacts.Examples()]}, properties)
        return bool(reached)

    return read


def test_whole_months_reach_tfx(read_as_tfx):
    assert read_as_tfx("span-0[1-2]/flights.csv", "span-0[3-3]/flights.csv")


def test_no_line_is_lost_by_tfx_either(read_as_tfx, month_files):
    """Two quotes in two lines are one cell with many lines to TFX's reader."""
    month_files[1](
        2, lambda lines: [line.replace(",N", ',"N', 1) if n in (9, 900) else line for n, line in enumerate(lines)]
    )
    with pytest.raises(data.DataError, match=r"span-02/flights\.csv, line 10, column tailnum: a quote"):
        read_as_tfx("span-0[1-3]/flights.csv")


def test_months_that_repeat_each_other_do_not_reach_tfx(read_as_tfx, month_files):
    january = data.month_path(month_files[0], 1).read_text().splitlines()
    month_files[1](3, lambda _: [line.replace("2013,1,", "2013,3,", 1) for line in january])
    with pytest.raises(data.DataError, match="2,000 of its 2,000 rows are there before"):
        read_as_tfx("span-0[1-2]/flights.csv", "span-0[3-3]/flights.csv")


def test_header_in_quotes_is_refused_where_tfx_would_take_them_for_letters(read_as_tfx, month_files):
    month_files[1](2, lambda lines: [",".join(f'"{name}"' for name in lines[0].split(",")), *lines[1:]])
    with pytest.raises(data.DataError, match=r"^span-02/flights\.csv, line 1: TFX's reader would take the quotes"):
        read_as_tfx("span-0[1-1]/flights.csv", "span-0[2-2]/flights.csv")


def test_a_month_whose_days_are_all_for_one_split_is_refused_by_both_readers(examples, read_as_tfx, month_files):
    """Whole days are drawn: of a single day, no flight is left for the other split."""
    from tfx.proto import example_gen_pb2
    from tfx.utils import proto_utils

    month_files[1](1, lambda lines: [lines[0], *(line for line in lines[1:] if line.startswith("2013,1,1,"))])
    said = r"^None of the \d+ flights falls into the split train\."
    with pytest.raises(data.DataError, match=said):
        read_as_tfx("span-01/flights.csv", months=(1, 1))
    output = example_gen_pb2.Output()
    proto_utils.json_to_proto(examples.make_example_gen(Config()).exec_properties["output_config"], output)
    table = data.read_table(data.month_path(month_files[0], 1))
    with pytest.raises(data.DataError, match=said):
        examples._partition(table, output.split_config)


@pytest.mark.parametrize("month", [1, 2])
def test_a_byte_order_mark_is_refused_where_tfx_would_take_it_for_a_letter(month, read_as_tfx, month_files):
    """It calls the first column "\\ufeffyear", or finds "different header" in the folder."""
    month_files[1](month, lambda lines: ["\ufeff" + lines[0], *lines[1:]])
    with pytest.raises(
        data.DataError, match=rf"^span-0{month}/flights\.csv, line 1: TFX's reader .* the byte order mark"
    ):
        read_as_tfx("span-0[1-2]/flights.csv")


def test_months_in_another_order_of_columns_are_named_before_tfx_names_their_folder(read_as_tfx, month_files):
    month_files[1](2, lambda lines: [",".join(reversed(line.split(","))) for line in lines])
    with pytest.raises(
        data.DataError, match=r"^span-02/flights\.csv, line 1: other columns than in span-01/flights\.csv"
    ):
        read_as_tfx("span-0[1-3]/flights.csv")


# --- Patterns with a star, and splits by the whole row (lesson 04) ------------------------------------------------


def test_star_takes_every_file_that_is_there_in_order(examples, month_files):
    folder, _ = month_files
    (folder / "notes").mkdir()  # a folder is no file
    assert examples._paths(str(folder), "*/flights.csv") == [f"span-0{month}/flights.csv" for month in (1, 2, 3)]
    assert examples._paths(str(folder), "span-0?/*.csv") == [f"span-0{month}/flights.csv" for month in (1, 2, 3)]
    assert (
        examples._read_splits(str(folder), ["span-*/*"])[0]["month"].to_pylist() == [1] * 2000 + [2] * 2000 + [3] * 2000
    )


def test_star_that_finds_nothing_is_told_with_the_pattern(examples, tmp_path):
    with pytest.raises(data.DataError, match=r"span-04/\*\.csv: no such file"):
        examples._paths(str(tmp_path), "span-04/*.csv")


@pytest.fixture
def by_row():
    from tfx.proto import example_gen_pb2

    split = example_gen_pb2.SplitConfig.Split
    return example_gen_pb2.SplitConfig(splits=[split(name="train", hash_buckets=2), split(name="eval", hash_buckets=1)])


def test_without_a_column_to_split_by_the_row_decides_whatever_stands_around_it(examples, root, by_row):
    table = data.read_table(data.month_path(root / "data/flights", 1))
    train, evaluation = examples._partition(table, by_row)
    assert len(train) + len(evaluation) == 2000
    assert 0.28 < len(evaluation) / 2000 < 0.38
    backwards = table.take(list(range(len(table)))[::-1]).select(list(reversed(table.column_names)))
    assert (
        examples._partition(backwards, by_row)[1].select(table.column_names).to_pylist()[::-1] == evaluation.to_pylist()
    )


def test_the_same_row_is_in_the_same_split_in_another_process(examples, root, by_row):
    """The keys are values, not encoded examples: the encoder orders features by the addresses of a process."""
    table = data.read_table(data.month_path(root / "data/flights", 1)).slice(0, 200)
    assert hashlib.sha256(b"".join(examples._row_keys(table))).hexdigest().startswith("85d30e5c108a")
    assert len(examples._partition(table, by_row)[1]) == 69


# --- what was read, by its contents ----------------------------------------------------------------------------------


@pytest.fixture
def ingest(examples, monkeypatch, month_files, tmp_path_factory):
    """The component's driver, and an executor of it, as TFX's launcher calls them; gives settings and artifact."""
    from tfx.components.example_gen.csv_example_gen import executor as stock
    from tfx.types import standard_artifacts

    monkeypatch.setattr(stock.Executor, "Do", lambda *_: None)  # TFX's own, which a pipeline test compares

    def run(months=(1, 2), reader="arrow", between=lambda: None, with_driver=True):
        component = examples.make_example_gen(Config(data_root=str(month_files[0]), months=months, reader=reader))
        settings = dict(component.exec_properties)
        driver = component.DRIVER_CLASS if with_driver else component.DRIVER_CLASS.__mro__[1]
        settings = driver(None).resolve_exec_properties(settings, None, None)
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path_factory.mktemp("examples"))
        between()
        component.EXECUTOR_SPEC.executor_class().Do({}, {"examples": [artifact]}, settings)
        return settings, artifact

    return run


@pytest.mark.parametrize("with_driver", [True, False], ids=["with our driver", "as in Kubeflow, with TFX's"])
@pytest.mark.parametrize("reader", ["arrow", "csv"])
@pytest.mark.parametrize(("months", "splits"), [((1, 1), ["all"]), ((1, 3), ["train", "eval"])])
def test_the_examples_carry_the_checksums_of_the_files_that_were_read(
    months, splits, reader, with_driver, ingest, month_files
):
    _, artifact = ingest(months, reader, with_driver=with_driver)
    found = json.loads(artifact.get_string_custom_property("contents"))
    paths = [f"span-{month:02d}/flights.csv" for month in range(months[0], months[1] + 1)]
    sums = {path: hashlib.sha256((month_files[0] / path).read_bytes()).hexdigest() for path in paths}
    last = paths[-1]
    assert {path: one for files in found.values() for path, one in files.items()} == sums
    assert len(found) == len(splits)
    assert months[0] == months[1] or [list(files) for files in found.values()].count([last]) == 1


def test_another_content_of_the_same_size_and_date_is_another_setting(ingest, month_files):
    """Which the cache compares; what TFX's driver notes is the same, and was all that there was."""
    before, _ = ingest()
    path = data.month_path(month_files[0], 1)
    date = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace(",UA,", ",AA,"))
    os.utime(path, ns=(date, date))
    after, _ = ingest()
    assert before["input_fingerprint"] == after["input_fingerprint"]
    assert before["contents"] != after["contents"]
    assert {name for name in before if before[name] != after[name]} == {"contents"}


@pytest.mark.parametrize("reader", ["arrow", "csv"])
def test_a_file_that_is_replaced_after_the_driver_has_looked_is_refused(reader, ingest, month_files):
    """The cache would keep its examples under the checksum of the file before."""
    path = data.month_path(month_files[0], 2)
    with pytest.raises(BadData, match=r"^span-02/flights\.csv: changed while it was read\."):
        ingest(reader=reader, between=lambda: path.write_text(path.read_text().replace(",UA,", ",AA,")))


def test_the_cache_of_tfx_tells_other_contents_apart(ingest, month_files, monkeypatch):
    """Asked of TFX's own function, which its launcher calls with these settings."""
    from tfx.orchestration.portable import cache_utils
    from tfx.proto.orchestration import pipeline_pb2

    keys = []
    monkeypatch.setattr(
        cache_utils.context_lib, "register_context_if_not_exists", lambda *_, **named: keys.append(str(named))
    )
    path = data.month_path(month_files[0], 1)
    date = path.stat().st_mtime_ns
    for carrier in ("UA", "UA", "XX"):
        path.write_text(path.read_text().replace(",UA,", f",{carrier},"))
        os.utime(path, ns=(date, date))
        settings, _ = ingest()
        node, pipeline = pipeline_pb2.PipelineNode(), pipeline_pb2.PipelineInfo()
        cache_utils.get_cache_context(None, node, pipeline, parameters=settings)
    assert keys[0] == keys[1] != keys[2]
