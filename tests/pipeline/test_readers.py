"""Two readers, one result: ours with Arrow, and TFX's own CsvExampleGen."""

from __future__ import annotations

from pathlib import Path

import ledger
import pytest
import records

from flights import data

EXAMPLE_GEN = "CsvExampleGen"


def read(
    run_until, make_config, reader: str, months: tuple[int, int]
) -> tuple[list[str], dict[str, list[bytes]], dict]:
    """Split names, records by split, and the properties of the artifact, as a reader makes them when it is first asked."""
    import json

    config = make_config(f"{reader}-{months[0]}-{months[1]}", reader=reader, months=months)
    if not Path(config.output_root).exists():
        run_until(config, EXAMPLE_GEN)
    examples = ledger.last_output(config, EXAMPLE_GEN, "examples")
    names = json.loads(examples.properties["split_names"].string_value)
    properties = {name: value.string_value or value.int_value for name, value in examples.custom_properties.items()}
    assert sorted(names) == sorted(config.train_splits + config.eval_splits)
    return names, {name: records.read_split(examples.uri, name) for name in names}, properties


@pytest.mark.parametrize("months", [(1, 1), (9, 10)])
def test_readers_give_the_same_examples_in_the_same_splits(months, run_until, make_config):
    ours_names, ours, ours_properties = read(run_until, make_config, "arrow", months)
    stock_names, stock, stock_properties = read(run_until, make_config, "csv", months)
    assert ours_names == stock_names
    assert sum(map(len, ours.values())) == 2000 * (months[1] - months[0] + 1)
    for name in ours:
        assert len(ours[name]) == len(stock[name])
        assert records.unordered(map(records.decode, ours[name])) == records.unordered(map(records.decode, stock[name]))
    # What other components go by: the span, fingerprint and contents of the files, and how the records are stored.
    assert ours_properties["contents"]
    for name in ("span", "input_fingerprint", "contents", "payload_format", "file_format"):
        assert ours_properties.get(name) == stock_properties.get(name), name


def test_readers_agree_on_a_month_that_is_written_in_another_way(run_until, make_config, root, tmp_path):
    """Quotes around cells, line ends of Windows, blank lines, numbers in other forms, in a folder with a space and an umlaut."""
    lines = (root / "data/flights/span-01/flights.csv").read_text().splitlines()
    lines[1:] = [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines[1:]]
    lines[5] = lines[5].replace('"US"', '"U,""S"').replace('"39.02"', '"3.902e1"').replace('"645"', '"0645"')
    folder = tmp_path / "Flüge neu"
    (folder / "span-01").mkdir(parents=True)
    (folder / "span-01/flights.csv").write_bytes("\r\n".join([*lines[:900], "", *lines[900:], "", ""]).encode())
    splits = {}
    for reader in ("arrow", "csv"):
        config = make_config(f"{reader}-in-quotes", reader=reader, data_root=str(folder))
        run_until(config, EXAMPLE_GEN)
        examples = ledger.last_output(config, EXAMPLE_GEN, "examples")
        splits[reader] = {name: records.read_split(examples.uri, name) for name in ("train", "eval")}
    for name, found in splits["arrow"].items():
        stock = splits["csv"][name]
        assert records.unordered(map(records.decode, found)) == records.unordered(map(records.decode, stock))
    flights = [records.as_flight(one) for found in splits["csv"].values() for one in found]
    assert len(flights) == 2000
    assert [(one["sched_dep_time"], one["temp"]) for one in flights if one["carrier"] == 'U,"S'] == [
        (645, pytest.approx(39.02))
    ]


@pytest.mark.parametrize("reader", ["arrow", "csv"])
def test_a_stray_quote_stops_both_readers_with_its_line_and_leaves_nothing(
    reader, run_until, make_config, root, tmp_path
):
    text = (root / "data/flights/span-01/flights.csv").read_text()
    (tmp_path / "span-01").mkdir()
    (tmp_path / "span-01/flights.csv").write_text(text.replace(",N178US", ',"N178US', 1))
    config = make_config(f"{reader}-stray-quote", reader=reader, data_root=str(tmp_path))
    with pytest.raises(data.DataError, match=r"^span-01/flights\.csv, line 6, column tailnum: a quote"):
        run_until(config, EXAMPLE_GEN)
    assert not [path for path in Path(config.pipeline_root).rglob("*") if path.is_file()]


def test_examples_are_the_rows_of_the_file_in_order(run_until, make_config, root):
    _, splits, _ = read(run_until, make_config, "arrow", (9, 10))
    for month, split in {9: "month-09", 10: "month-10"}.items():
        table = data.read_table(data.month_path(root / "data/flights", month))
        expected = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
        assert [records.as_flight(record) for record in splits[split]] == expected
