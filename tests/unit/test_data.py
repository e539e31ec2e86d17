"""The data: what is committed is what the code makes, and a broken file is refused with a sentence that helps."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from flights import data
from tools.data import files, fixtures

SHEET = (files.REPOSITORY / "data" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built() -> pd.DataFrame:
    return data.build_year()


@pytest.fixture(scope="module")
def year(everything) -> pd.DataFrame:
    return everything[everything.late.notna()].reset_index(drop=True)


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    return data.source_table("flights")


def read(fixture: str):
    return data.read_table(data.month_path(fixtures.FIXTURES / fixture, 1))


def month_file(folder: Path, content: bytes) -> Path:
    path = data.month_path(folder, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(data.DataError) as refused:
        data.read_table(month_file(folder, content))
    return str(refused.value)


def small_month() -> bytes:
    return fixtures.to_csv(fixtures.sample_rows()[:5])


# --- What is committed is what the code makes ---------------------------------------------------------------------


def test_sample_is_reproduced_byte_for_byte(tmp_path, built, monkeypatch):
    monkeypatch.setattr(data, "build_year", lambda: built)
    data.write_months(tmp_path, rows_per_month=files.SAMPLE_ROWS)
    committed = data.checksums(files.SAMPLE)
    assert len(committed) == 12
    assert data.checksums(tmp_path) == committed == files.read_checksums(files.SAMPLE)


def test_fixtures_are_reproduced_byte_for_byte(tmp_path):
    fixtures.write_fixtures(tmp_path)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}
    committed = {
        path.relative_to(fixtures.FIXTURES): path.read_bytes() for path in fixtures.FIXTURES.glob("*/span-*/*")
    }
    assert len(made) == len(fixtures.FAULTS) + len(fixtures.AS_FEBRUARY)
    assert made == committed


def test_fixture_that_is_no_longer_made_is_removed(tmp_path):
    month_file(tmp_path / "forgotten", b"old")
    fixtures.write_fixtures(tmp_path)
    assert not (tmp_path / "forgotten").exists()


@pytest.mark.parametrize("month", range(1, 13))
def test_sample_reads_with_the_declared_types(month):
    flights = data.read_month(files.SAMPLE, month)
    assert list(flights) == list(data.COLUMN_TYPES)
    assert len(flights) == files.SAMPLE_ROWS
    assert set(flights["month"]) == {month}
    assert set(flights[data.LABEL]) == {0, 1}
    assert flights["sched_dep_time"].dtype == "Int64"
    assert flights["temp"].dtype == "float32"


# --- The full year ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_year(monkeypatch):
    """Stands in for the full year: three short months, and the calls that built them."""
    content = {f"span-{month:02d}/flights.csv": f"month {month}\n".encode() for month in (1, 2, 3)}
    calls = []

    def write_months(root):
        calls.append(root)
        for name, text in content.items():
            (Path(root) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / name).write_bytes(text)

    monkeypatch.setattr(data, "write_months", write_months)
    monkeypatch.setattr(
        files, "read_checksums", lambda root: {name: hashlib.sha256(text).hexdigest() for name, text in content.items()}
    )
    return calls


def test_year_is_built_once(tmp_path, small_year):
    assert "built" in files.make_year(tmp_path / "flights")
    assert "is there" in files.make_year(tmp_path / "flights")
    assert len(small_year) == 1
    assert (tmp_path / "flights/span-02/flights.csv").read_text() == "month 2\n"


def test_damaged_month_is_mended_and_other_spans_stay(tmp_path, small_year):
    files.make_year(tmp_path / "flights")
    (tmp_path / "flights/span-02/flights.csv").write_text("month 2, edited\n")
    (tmp_path / "flights/span-13").mkdir()
    (tmp_path / "flights/span-13/flights.csv").write_text("a month of my own\n")
    assert "built" in files.make_year(tmp_path / "flights")
    assert (tmp_path / "flights/span-02/flights.csv").read_text() == "month 2\n"
    assert (tmp_path / "flights/span-13/flights.csv").read_text() == "a month of my own\n"


def test_wrong_build_is_refused_and_what_was_there_stays(tmp_path, small_year, monkeypatch):
    files.make_year(tmp_path / "flights")
    (tmp_path / "flights/span-01/flights.csv").unlink()

    def other_version(root):
        for month in (1, 2, 3):
            data.month_path(root, month).parent.mkdir(parents=True)
            data.month_path(root, month).write_text(f"month {min(month, 2)}\n")

    monkeypatch.setattr(data, "write_months", other_version)
    with pytest.raises(
        data.DataError, match=re.escape("span-03/flights.csv: not what data/flights/checksums.txt says")
    ):
        files.make_year(tmp_path / "flights")
    assert sorted(data.checksums(tmp_path / "flights")) == ["span-02/flights.csv", "span-03/flights.csv"]
    assert not (tmp_path / "flights.unfinished").exists()


def test_build_that_is_killed_leaves_nothing_half_and_is_finished_by_the_next(tmp_path, small_year, monkeypatch):
    target = tmp_path / "flights"
    write_months = data.write_months

    def write_and_die(root):
        write_months(root)
        (root / "span-03" / "flights.csv").write_text("mon")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(data, "write_months", write_and_die)
    if not (child := os.fork()):
        try:
            files.make_year(target)
        finally:
            os._exit(1)  # it was not killed
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not target.exists()
    assert (tmp_path / "flights.unfinished").exists()
    monkeypatch.setattr(data, "write_months", write_months)
    assert "built" in files.make_year(target)
    assert (target / "span-03/flights.csv").read_text() == "month 3\n"
    assert not (tmp_path / "flights.unfinished").exists()


@pytest.mark.slow
@pytest.mark.long
def test_killed_build_of_the_year_leaves_nothing_half_and_is_finished_by_the_next(tmp_path):
    target = tmp_path / "flights"
    command = [sys.executable, "-m", "tools.data", "year", "--to", str(target)]
    process = subprocess.Popen(command, cwd=files.REPOSITORY)
    try:
        for _ in range(600):
            if list(tmp_path.glob("flights.unfinished/span-03/*")):
                break
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.wait(timeout=60)
    assert process.returncode == -signal.SIGKILL, "the build was over before it could be killed"
    assert not target.exists()
    finished = subprocess.run(command, cwd=files.REPOSITORY, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("\n") == 1
    assert data.checksums(target) == files.read_checksums(files.YEAR)
    assert not (tmp_path / "flights.unfinished").exists()


# --- Broken files are refused, with a sentence that helps -----------------------------------------------------------

COLUMNS = ", ".join(data.COLUMN_TYPES)

REFUSALS = {
    "truncated": "span-01/flights.csv, line 201: 3 of 24 fields ('2013,1,31'). Was the file cut off?",
    "empty": "span-01/flights.csv: the file is empty. Ask its sender for it again, or leave the month out.",
    "header-only": "span-01/flights.csv: a header and no flights. Ask its sender for it again, or leave the month out.",
    "missing-column": "span-01/flights.csv, line 1: column distance is missing; the file has: "
    f"{COLUMNS.replace('distance, ', '')}. Was it renamed or dropped?",
    "renamed-column": "span-01/flights.csv, line 1: column dest is missing; the file has: "
    f"{COLUMNS.replace('dest,', 'destination,')}. Was it renamed or dropped?",
    "text-in-number": "span-01/flights.csv, line 122, column sched_dep_time: '10:50' is not a whole number. "
    "Correct the cell, or leave it empty if it is unknown.",
    "wrong-encoding": "span-01/flights.csv, line 58: not UTF-8 text (byte 0xa0). Save the file as UTF-8.",
}


@pytest.mark.parametrize("fixture", REFUSALS)
def test_unreadable_fixture_is_refused(fixture):
    with pytest.raises(data.DataError) as refused:
        read(fixture)
    assert str(refused.value) == REFUSALS[fixture]


def test_lines_in_the_messages_are_the_lines_of_the_files():
    """Looked up in another way than the reader does: in the bytes."""
    faults = {"text-in-number": b"10:50", "wrong-encoding": b"\xa0"}
    for fixture, fault in faults.items():
        lines = data.month_path(fixtures.FIXTURES / fixture, 1).read_bytes().split(b"\n")
        assert [f"line {number}" for number, line in enumerate(lines, 1) if fault in line] == re.findall(
            r"line \d+", REFUSALS[fixture]
        )
    assert len(data.month_path(fixtures.FIXTURES / "truncated", 1).read_bytes().split(b"\n")) == 201


def test_every_fixture_is_refused_or_read():
    readable = {
        "unknown-carrier": 200,
        "extra-column": 200,
        "missing-label": 200,
        "sparse-weather": 200,
        "duplicated-rows": 400,
        "changed-unit": 200,
        "drifted-month": 1078,
    }
    assert readable.keys() | REFUSALS.keys() == fixtures.FAULTS.keys()
    assert {fixture: read(fixture).num_rows for fixture in readable} == readable


def test_readable_fixtures_have_the_fault_that_they_are_for():
    january = data.read_month(files.SAMPLE, 1)
    assert (read("unknown-carrier").to_pandas()["carrier"] == "ZZ").sum() == 25
    assert set(read("extra-column").column_names) - set(data.COLUMN_TYPES) == {"gate"}
    assert set(data.COLUMN_TYPES) - set(read("missing-label").column_names) == {data.LABEL}
    assert read("sparse-weather").to_pandas()[data.WEATHER].isna().all(axis=1).mean() == pytest.approx(2 / 3, abs=0.01)
    assert read("duplicated-rows").to_pandas().duplicated().sum() == 200
    assert read("changed-unit").to_pandas()["temp"].mean() == pytest.approx(
        (january["temp"].mean() - 32) / 1.8, abs=0.5
    )
    shares = [
        table["origin"].value_counts(normalize=True)["JFK"] for table in (january, read("drifted-month").to_pandas())
    ]
    assert shares == pytest.approx([0.33, 0.03], abs=0.005)


def test_missing_month_is_refused(tmp_path):
    with pytest.raises(data.DataError, match=r"span-07/flights\.csv: cannot be read \(No such file or directory\)\."):
        data.read_month(tmp_path, 7)


def month_with(row: int, **cells: str) -> bytes:
    rows = fixtures.sample_rows()[:5]
    rows[row] |= cells
    return fixtures.to_csv(rows)


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines()


REFUSED = {
    # `2013,1,` begins every line of the file; the one that is cut is the sixth.
    "cut": (lambda: b"\n".join([*lines_of(small_month())[:5], b"2013,1,"]), "line 6: 3 of 24 fields ('2013,1,')."),
    "cut inside its last field": (
        lambda: month_with(-1, late="").removesuffix(b"\n"),
        "line 6: the last line does not end (its last field is '')",
    ),
    "short": (
        lambda: small_month().replace(lines_of(small_month())[3], b"2013,1,1"),
        "line 4: 3 of 24 fields ('2013,1,1').",
    ),
    "after a blank line, with line ends of Windows": (
        lambda: b"\r\n".join(
            [*lines_of(month_with(3, temp="cold"))[:2], b"", *lines_of(month_with(3, temp="cold"))[2:], b""]
        ),
        "line 6, column temp: 'cold' is not a number.",
    ),
    **{
        f"{cell} as a number": (
            lambda cell=cell: month_with(2, pressure=cell),
            f"line 4, column pressure: '{cell}' is not a number.",
        )
        for cell in ("nan", "inf", "1e50", "NA")
    },
    "a decimal": (lambda: month_with(0, seats="149.5"), "line 2, column seats: '149.5' is not a whole number."),
    "utf-16": (lambda: small_month().decode().encode("utf-16"), "line 1: not UTF-8 text"),
    "utf-16-be": (lambda: small_month().decode().encode("utf-16-be"), "line 1: not UTF-8 text"),
    "a column twice": (
        lambda: b"\n".join(line + b",temp" for line in lines_of(small_month())) + b"\n",
        "line 1: column temp is there twice.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_line(what, tmp_path):
    content, told = REFUSED[what]
    assert refusal(tmp_path, content()).startswith(f"span-01/flights.csv, {told}")


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    with_mark = data.read_table(month_file(tmp_path / "with", b"\xef\xbb\xbf" + small_month()))
    assert with_mark.equals(data.read_table(month_file(tmp_path / "without", small_month())))


def test_empty_cell_is_a_missing_value(tmp_path):
    rows = fixtures.sample_rows()[:5]
    for row in rows:
        row |= {"temp": "", "seats": "", "tailnum": ""}
    table = data.read_table(month_file(tmp_path, fixtures.to_csv(rows)))
    assert [table[name].null_count for name in ("temp", "seats", "tailnum")] == [5, 5, 5]


# --- The data sheet says what is so ---------------------------------------------------------------------------------


def sheet_table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading of the data sheet, without its header."""
    section = SHEET.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in table if len(row) == len(table[0])][2:]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def test_sheet_lists_every_column_with_its_type_and_missing_share(year):
    kinds = {data.INTEGER: "integer", data.REAL: "real", data.TEXT: "text"}
    expected = [
        (f"`{name}`", kinds[kind], percent(year[name].isna().mean())) for name, kind in data.COLUMN_TYPES.items()
    ]
    assert [(row[0], row[1], row[-1]) for row in sheet_table("Columns")] == expected


def test_sheet_has_the_label_rate_of_each_month(year, source):
    left_out = source["arr_delay"].isna().groupby(source["month"]).mean()
    months = year.groupby("month")[data.LABEL].agg(["size", "mean"])
    expected, gaps = [], []
    for month in range(1, 13):
        size, mean = months.loc[month]
        sample = data.read_month(files.SAMPLE, month)[data.LABEL].mean()
        expected.append([str(month), f"{size:,.0f}", percent(mean), percent(sample), percent(left_out[month])])
        gaps.append(abs(mean - sample))
    assert sheet_table("The label") == expected
    assert f"up to {percent(max(gaps))} percentage points (December)" in SHEET
    assert gaps.index(max(gaps)) == 11


def test_sheet_lists_every_fixture_with_its_flights():
    def flights(name: str) -> int:
        try:
            return read(name).num_rows
        except data.DataError:
            lines = data.month_path(fixtures.FIXTURES / name, 1).read_bytes().count(b"\n")
            return max(lines - 1, 0)

    rows = {row[0].strip("`"): (row[1], row[3]) for row in sheet_table("The fixtures")}
    assert {name: size for name, (size, _) in rows.items()} == {name: f"{flights(name):,}" for name in fixtures.FAULTS}
    assert {name for name, (_, outcome) in rows.items() if outcome.startswith("refused")} == set(REFUSALS)
    for name, (_, outcome) in rows.items():
        for line in re.findall(r"line \d+", outcome):
            assert line in REFUSALS[name]


def test_sheet_says_what_is_left_out(source):
    cancelled, missing = source["dep_time"].isna(), source["arr_delay"].isna()
    days = cancelled.groupby([source["month"], source["day"]]).mean()
    carriers = missing.groupby(source["carrier"]).mean()
    for fact in (
        f"{missing.sum():,} of {len(source):,} flights ({percent(missing.mean())} %) have no arrival delay",
        f"{cancelled.sum():,} were cancelled ({(cancelled & source['tailnum'].isna()).sum():,} of these",
        f"{(missing & ~cancelled).sum():,} left",
        f"{percent(days[2, 8])} % of the flights were cancelled,\nand on the day after {percent(days[2, 9])} %",
        f"from {percent(carriers['HA'])} % (Hawaiian) to {percent(carriers['YV'])} % (Mesa)",
    ):
        assert fact in SHEET
    assert days.idxmax() == (2, 9)
    assert (carriers.idxmin(), carriers.idxmax()) == ("HA", "YV")


def test_sheet_says_how_many_rows_the_source_has(source, year):
    sizes = {name: len(data.source_table(name)) for name in ("weather", "planes", "airports", "airlines")}
    assert sizes == {"weather": 26_115, "planes": 3_322, "airports": 1_458, "airlines": 16}
    rows = {row[0]: row[1] for row in sheet_table("Origin and licence")}
    assert rows["flights"] == f"{len(source):,}"
    assert (rows["weather"], rows["planes"]) == (f"{sizes['weather']:,}", f"{sizes['planes']:,}")
    assert rows["airports, airlines"] == f"{sizes['airports']:,} and {sizes['airlines']}"
    assert f"the full year: {len(year):,} flights" in SHEET
    assert f"{percent(year[data.LABEL].mean())} % of the flights of the year" in SHEET
    assert f"would count {percent((year['arr_delay'] >= 15).mean())} %" in SHEET


def test_sheet_is_right_about_the_planes(year):
    recorded = year["tailnum"].isin(data.source_table("planes")["tailnum"])
    none = (~recorded).groupby(year["carrier"]).mean()
    two = year["carrier"].isin(["AA", "MQ"])
    old_or_small = (year["seats"] < 20).sum(), (year["plane_year"] < 1980).sum()
    for fact in (
        f"{(~recorded).sum():,} flights ({percent((~recorded).mean())} %) have no record",
        f"another {(recorded & year['plane_year'].isna()).sum():,} have one without a year",
        f"{percent(none['AA'])} % and {percent(none['MQ'])} % of their flights find no plane",
        f"make up {100 * two[~recorded].mean():.0f} % of all that find none",
        f"{old_or_small[0]:,} flights were made with fewer than 20 seats",
        f"{old_or_small[1]:,} with a plane built before 1980",
    ):
        assert fact in SHEET
    assert set(year[year["seats"] < 20]["carrier"].value_counts().index[:3]) == {"AA", "B6", "MQ"}


def test_sheet_is_right_about_the_weather(year):
    weather = data.source_table("weather")
    wet, no_pressure = weather["precip"] > 0, weather["pressure"].isna()
    late = year[data.LABEL].groupby(year["pressure"].isna()).mean()
    no_report = year["temp"].isna()
    at_the_end = no_report & (year["month"] == 12) & (year["day"] >= 30)
    time = pd.to_datetime(weather[["year", "month", "day", "hour"]])
    hours = 3 * 365 * 24
    record = weather.loc[weather["wind_speed"].idxmax()]
    for fact in (
        f"missing in {percent(no_pressure[wet].mean())} % of the hours with\n  rain or snow and in {percent(no_pressure[~wet].mean())} %",
        f"late in {percent(late[True])} % of the cases, those with one in {percent(late[False])} %",
        f"Of the {no_report.sum():,} flights without a temperature {at_the_end.sum()} are of the last two days",
        f"{hours - len(set(zip(weather['origin'], time, strict=True)))} of {hours:,} hours in all",
        f"A wind of {record['wind_speed']:,.0f} miles an hour",
        f"The largest in the files is {year['wind_speed'].max():.1f}.",
    ):
        assert fact in SHEET
    assert record[["origin", "month", "day", "hour"]].to_list() == ["EWR", 2, 12, 3]
    assert time.max() == pd.Timestamp("2013-12-30 18:00")
    assert set(time[weather.duplicated(["origin", "month", "day", "hour"])]) == {pd.Timestamp("2013-11-03 01:00")}
    assert ((weather["wind_dir"] == 0) == (weather["wind_speed"] == 0)).all(), "0 degrees means calm"


def test_sheet_is_right_about_the_rest(year, source):
    airports = data.source_table("airports")["faa"]
    unknown = year[~year["dest"].isin(airports)]["dest"]
    shared = source.duplicated(["month", "day", "carrier", "flight"], keep=False).sum()
    next_day = (year["sched_arr_time"] < year["sched_dep_time"]).sum()
    sample = pd.concat([data.read_month(files.SAMPLE, month) for month in range(1, 13)])
    (never_drawn,) = set(year["carrier"]) - set(sample["carrier"])
    for fact in (
        f"{shared} rows of the source share date, carrier and number",
        f"SJU, BQN, STT, PSE; {len(unknown):,} flights",
        f"{next_day:,} scheduled arrivals are on the next day",
        f"the airline that flies, {year['carrier'].nunique()} of them",
        f"destination airport, {year['dest'].nunique()} of them",
        f"{len(sample):,} flights, {sample['carrier'].nunique()} of {year['carrier'].nunique()} carriers",
        f"{never_drawn}, with {(year['carrier'] == never_drawn).sum()} flights in the year",
        f"{sample['dest'].nunique()} of {year['dest'].nunique()} destinations",
    ):
        assert fact in SHEET
    assert set(unknown) == {"SJU", "BQN", "STT", "PSE"}
    assert not year.duplicated().any()
    assert year["sched_dep_time"].min() == 500
    assert year["dep_time"].max() == 2400
    assert year[["sched_dep_time", "sched_arr_time"]].max().max() == 2359


def test_order_of_the_rows_leaks_the_delay(year):
    """The data sheet warns of it: within a day the source is sorted by actual departure."""
    from sklearn.metrics import roc_auc_score

    days = year.groupby(["month", "day"])
    assert days["dep_time"].agg(lambda times: times.is_monotonic_increasing).all()
    further_down = days.cumcount() - days["sched_dep_time"].rank()
    assert f"AUC of {roc_auc_score(year[data.LABEL].astype(int), further_down):.2f}" in SHEET


def test_no_column_of_the_files_is_known_only_afterwards():
    assert not set(data.AFTERWARDS) & set(data.COLUMN_TYPES)
    assert not set(data.AFTERWARDS) & set(data.read_month(files.SAMPLE, 1))


def test_flights_that_never_arrived_are_there_only_when_asked_for(built, everything, year):
    assert len(everything) == 336_776
    assert everything.late.isna().sum() == 9_430
    pd.testing.assert_frame_equal(built, year[[*data.COLUMN_TYPES]])
