"""Two readers, one result: ours with Arrow, and TFX's own CsvExampleGen."""

from __future__ import annotations

import ledger
import pytest
import records

from flights import data

EXAMPLE_GEN = "CsvExampleGen"


def read(
    run_until, make_config, reader: str, months: tuple[int, int]
) -> tuple[list[str], dict[str, list[bytes]], dict]:
    """Split names, records by split, and the properties of the artifact, as a reader makes them."""
    import json

    config = make_config(f"{reader}-{months[0]}-{months[1]}", reader=reader, months=months)
    run_until(config, EXAMPLE_GEN)
    examples = ledger.last_output(config, EXAMPLE_GEN, "examples")
    names = json.loads(examples.properties["split_names"].string_value)
    properties = {name: value.string_value or value.int_value for name, value in examples.custom_properties.items()}
    assert sorted(names) == sorted(config.train_splits + config.eval_splits)
    return names, {name: records.read_split(examples.uri, name) for name in names}, properties


@pytest.mark.parametrize("months", [(1, 1), (9, 11)])
def test_readers_give_the_same_examples_in_the_same_splits(months, run_until, make_config):
    ours_names, ours, ours_properties = read(run_until, make_config, "arrow", months)
    stock_names, stock, stock_properties = read(run_until, make_config, "csv", months)
    assert ours_names == stock_names
    assert sum(map(len, ours.values())) == 2000 * (months[1] - months[0] + 1)
    for name in ours:
        assert len(ours[name]) == len(stock[name])
        assert records.unordered(map(records.decode, ours[name])) == records.unordered(map(records.decode, stock[name]))
    # What other components go by: the span, the fingerprint of the files, and how the records are stored.
    for name in ("span", "input_fingerprint", "payload_format", "file_format"):
        assert ours_properties.get(name) == stock_properties.get(name), name


def test_examples_are_the_rows_of_the_file_in_order(run_until, make_config, root):
    _, splits, _ = read(run_until, make_config, "arrow", (9, 11))
    for month, split in {9: "month-09", 10: "month-10", 11: "month-11"}.items():
        table = data.read_table(data.month_path(root / "data/flights", month))
        expected = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
        assert [records.as_flight(record) for record in splits[split]] == expected
