"""A file holds the month of its folder, and a flight is once in a run, whatever its sender changed in the date."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from flights import data, spans
from tools.data import files, fixtures

JANUARY = fixtures.sample_rows()[:300]
FEBRUARY = [
    row | {"month": "2", "weekday": str(int(row["weekday"]) % 7 + 1)} for row in fixtures.sample_rows()[300:600]
]


@pytest.fixture
def deliver(tmp_path):
    def write(month: int, rows: list[fixtures.Row], folder: str = "") -> Path:
        path = data.month_path(tmp_path, month).parent / folder / "flights.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fixtures.to_csv(rows))
        return path

    return write


def refusal(*paths: Path) -> str:
    with pytest.raises(data.DataError) as refused:
        data.read_tables(paths)
    return str(refused.value)


# --- The month and the year of the folder ---------------------------------------------------------------------------


def test_a_month_in_the_folder_of_another_is_refused_with_line_column_and_value(deliver):
    with pytest.raises(data.DataError) as refused:
        data.read_table(deliver(2, JANUARY))
    assert str(refused.value) == (
        "span-02/flights.csv, line 2, column month: 1, in the folder of month 2 (300 of 300 rows). Was another month delivered? "
        "Ask its sender for the right file."
    )


@pytest.mark.parametrize(("cell", "shown"), [("2", "2"), ("", "empty"), ("13", "13")])
def test_a_single_row_of_another_month_is_refused(cell, shown, deliver):
    rows = [*JANUARY[:9], JANUARY[9] | {"month": cell}, *JANUARY[10:]]
    said = refusal(deliver(1, rows))
    assert said.startswith(
        f"span-01/flights.csv, line 11, column month: {shown}, in the folder of month 1 (1 of 300 rows)."
    )


@pytest.mark.parametrize(("cell", "shown"), [("2014", "2014"), ("", "empty")])
def test_a_row_of_another_year_is_refused(cell, shown, deliver):
    rows = [*JANUARY[:9], JANUARY[9] | {"year": cell}, *JANUARY[10:]]
    said = refusal(deliver(1, rows))
    assert said.startswith(
        f"span-01/flights.csv, line 11, column year: {shown}, in a file that begins with 2013 (1 of 300 rows)."
    )


def test_a_row_of_no_day_is_refused_because_days_are_drawn_into_splits(deliver):
    rows = [*JANUARY[:9], JANUARY[9] | {"day": ""}, *JANUARY[10:]]
    said = refusal(deliver(1, rows))
    assert said.startswith("span-01/flights.csv, line 11, column day: empty (1 of 300 rows).")


def test_months_of_several_years_are_no_run(deliver):
    paths = [deliver(1, JANUARY), deliver(2, [row | {"year": "2014"} for row in FEBRUARY])]
    assert refusal(*paths).startswith(
        "span-02/flights.csv, line 2, column year: 2014, in a run whose first month is of 2013."
    )


def test_a_version_of_a_span_is_held_against_its_span_and_shown_with_it(deliver):
    assert len(data.read_table(deliver(2, FEBRUARY, "v3"))) == 300
    with pytest.raises(data.DataError, match=r"^span-02/v3/flights\.csv, line 2, column month: 1"):
        data.read_table(deliver(2, JANUARY, "v3"))


def test_a_file_in_no_folder_of_a_span_may_be_of_any_month(tmp_path):
    path = tmp_path / "march" / "flights.csv"
    path.parent.mkdir()
    path.write_bytes(fixtures.to_csv(FEBRUARY))
    assert len(data.read_table(path)) == 300


# --- A flight is there once -----------------------------------------------------------------------------------------


def test_january_delivered_again_as_february_is_refused_with_what_it_repeats(deliver):
    said = refusal(deliver(1, JANUARY), deliver(2, JANUARY))
    assert "span-02/flights.csv, line 2, column month: 1, in the folder of month 2 (300 of 300 rows)." in said
    assert "span-02/flights.csv: 300 of its 300 rows are there before (300 in span-01/flights.csv)" in said


def test_january_with_the_date_changed_is_january(deliver):
    """Also when the sender puts other labels in, and columns in another order."""
    again = [row | {"month": "2", "weekday": "3", "late": "1"} for row in JANUARY]
    again = [dict(reversed(row.items())) for row in again]
    said = refusal(deliver(1, JANUARY), deliver(2, again))
    assert said.startswith(
        "span-02/flights.csv: 300 of its 300 rows are there before (300 in span-01/flights.csv), leaving aside"
    )
    assert "the first is line 2, which repeats line 2." in said


def test_some_rows_of_two_other_months_are_counted_by_month(deliver):
    march = [row | {"month": "3"} for row in [*fixtures.sample_rows()[600:700], *FEBRUARY[:20], *JANUARY[5:12]]]
    said = refusal(deliver(1, JANUARY), deliver(2, FEBRUARY), deliver(3, march))
    assert said.startswith(
        "span-03/flights.csv: 27 of its 127 rows are there before (7 in span-01/flights.csv, 20 in span-02/flights.csv)"
    )
    assert "the first is line 102, which repeats line 2." in said


def test_rows_that_are_twice_in_one_file_are_counted(deliver):
    said = refusal(deliver(1, [*JANUARY, JANUARY[3], JANUARY[3]]))
    assert said.startswith("span-01/flights.csv: 2 of its 302 rows are there before (2 in span-01/flights.csv)")
    assert "the first is line 302, which repeats line 5." in said


def test_the_fixture_of_a_month_delivered_twice_is_refused_in_a_run():
    path = data.month_path(fixtures.FIXTURES / "duplicated-rows", 1)
    assert len(data.read_table(path)) == 400
    assert refusal(path).startswith("span-01/flights.csv: 200 of its 400 rows are there before")


def test_a_gap_that_only_one_month_has_hides_no_repeat(deliver):
    """Whole numbers with gaps are floats to pandas, and those without are not."""
    full = [row for row in JANUARY if row["plane_year"] and row["seats"]]
    gap = FEBRUARY[0] | {"plane_year": "", "seats": ""}
    said = refusal(deliver(1, full), deliver(2, [gap, *(row | {"month": "2"} for row in full)]))
    assert said.startswith(f"span-02/flights.csv: {len(full)} of its {len(full) + 1} rows are there before")


def test_january_with_every_day_moved_is_january(deliver):
    again = [row | {"month": "2", "day": str(int(row["day"]) % 28 + 1), "weekday": "3"} for row in JANUARY]
    said = refusal(deliver(1, JANUARY), deliver(2, again))
    assert said.startswith(
        "span-02/flights.csv: 300 of its 300 rows are there before (300 in span-01/flights.csv), leaving aside year, month, weekday, late "
        "and day; the first is line 2, which repeats line 2."
    )


def test_january_with_its_second_copy_a_day_later_is_refused(deliver):
    later = [row | {"day": str(int(row["day"]) + 1)} for row in JANUARY]
    assert "300 of its 600 rows are there before (300 in span-01/flights.csv)" in refusal(
        deliver(1, [*JANUARY, *later])
    )


@pytest.mark.parametrize(
    "cells", [{"seats": "150"}, {"plane_year": ""}, dict.fromkeys(data.WEATHER, ""), {"temp": "1.5"}]
)
def test_january_with_other_weather_or_planes_is_january(cells, deliver):
    rest = [row | {"month": "2"} | cells for row in JANUARY]
    said = refusal(deliver(1, JANUARY), deliver(2, [*FEBRUARY, *rest]))
    assert said.startswith("span-02/flights.csv: 300 of its 600 rows are there before (300 in span-01/flights.csv)")
    assert "the first is line 302, which repeats line 2." in said


def test_a_zero_with_a_minus_is_a_zero(deliver):
    first, second = (
        [row | {"month": month, "temp": zero} for row in JANUARY[:9]] for month, zero in (("1", "0"), ("2", "-0"))
    )
    assert "9 of its 9 rows are there before" in refusal(deliver(1, first), deliver(2, second))


@pytest.mark.parametrize("change", [{"day": "9"}, {"temp": "1.5"}])
def test_a_few_rows_that_differ_in_day_or_weather_may_be_other_flights(change, deliver):
    """As when a plane flies the same flight again; beside one of 1 January, the full year has it on 31 December."""
    alike = [row | {"month": "2"} | change for row in JANUARY[:50]]
    assert [len(table) for table in data.read_tables([deliver(1, JANUARY), deliver(2, [*FEBRUARY, *alike])])] == [
        300,
        350,
    ]


def test_the_drifted_february_comes_after_the_january_of_the_sample():
    february = data.month_path(fixtures.FIXTURES / "drifted-month", 2)
    assert [len(table) for table in data.read_tables([data.month_path(files.SAMPLE, 1), february])] == [2000, 1026]
    assert "with 1,026 flights" in (files.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("root", [files.SAMPLE, files.YEAR], ids=["sample", "year"])
def test_no_flight_of_the_year_is_taken_for_another(root, monkeypatch):
    if not data.month_path(root, 12).exists():
        pytest.skip("`make data` builds the full year")
    tables = data.read_tables([data.month_path(root, month) for month in range(1, 13)])
    assert sum(map(len, tables)) == (24_000 if root == files.SAMPLE else 327_346)


@pytest.mark.skipif(not data.month_path(files.YEAR, 12).exists(), reason="`make data` builds the full year")
def test_the_sheet_says_how_many_rows_are_alike_but_for_day_or_weather():
    year = pd.concat([data.read_month(files.YEAR, month) for month in range(1, 13)])
    same = sorted(data.COLUMN_TYPES.keys() - spans.DATED - {"late"})
    assert year.duplicated([name for name in same if name != "day"]).sum() == 1
    flight = [name for name in same if name not in {*data.PLANE, *data.WEATHER}]
    shares = year.duplicated(flight, keep=False).groupby(year["month"]).mean()
    assert f"{shares.max():.1%}" == "1.8%"
    assert re.search(r"true of one row, and the second of at most 1\.8 %", sheet())


def test_the_data_sheet_says_what_is_compared():
    assert re.search(r"no two rows are alike.*leaving aside `year`, `month`, `weekday` and `late`", sheet(), re.DOTALL)
    assert re.search(r"more than a quarter of a file's rows", sheet())
    assert spans.MANY == 1 / 4


# --- A span is one file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flights (1).csv", "flights-2.csv", "Flights.CSV", "part.csv"])
def test_a_second_file_of_a_span_is_not_passed_over_in_silence(name, deliver):
    paths = [deliver(1, JANUARY), deliver(2, FEBRUARY)]
    (second := paths[1].with_name(name)).write_bytes(fixtures.to_csv(FEBRUARY[:9]))
    if second.samefile(paths[1]):
        pytest.skip("a file system that takes capital and small letters for the same")
    assert refusal(*paths).startswith(f"span-02/{name}: lies beside flights.csv and would not be read.")


@pytest.mark.parametrize("name", ["._flights.csv", "flights.csv.bak", "README.md", "v2/flights.csv"])
def test_what_is_no_second_file_of_the_month_may_lie_beside_it(name, deliver):
    beside = deliver(1, JANUARY).parent / name
    beside.parent.mkdir(exist_ok=True)
    beside.write_text("x")
    assert len(data.read_tables([deliver(1, JANUARY)])) == 1


def test_two_files_of_a_span_that_are_both_asked_for_are_read(deliver):
    first = deliver(1, JANUARY[:200])
    second = first.with_name("part-2.csv")
    second.write_bytes(fixtures.to_csv(JANUARY[200:]))
    assert [len(table) for table in data.read_tables([first, second])] == [200, 100]


def sheet() -> str:
    return (files.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")
