"""Each guard of the contract can fire, and fires for no good month: on the sample's size and on that of the full year.

What is delivered is February, after January, with one column in another unit or coding. A guard is a domain or range (judged by TFDV, as
in ExampleValidator), a rule of `flights.rules`, or a drift comparator.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
import pytest

from engines.quiet import import_quietly
from flights import data, rules
from flights.config import Config

pytestmark = pytest.mark.xdist_group("tfx")

SIZES = ["sample", "full year"]
MONTHS = range(2, 13)
EVERYDAY = (2, 7, 12)
"""Of the full year, and of what is compared with all months before: the others are a long proof, and data and contract hardly change."""
CONTRACT = rules.read_schema(Config().schema_file)
Change = Callable[[pd.DataFrame], "dict[str, pd.Series] | pd.DataFrame"]
"""Makes the columns that are changed, or another month."""


def rotated(words: pd.Series) -> pd.Series:
    """Each word as the one before it in the alphabet."""
    known = sorted(words.unique())
    return words.map(dict(zip(known, np.roll(known, 1), strict=True)))


def half_day(times: pd.Series) -> pd.Series:
    """Times of a 12-hour clock, without a.m. and p.m."""
    return (times // 100 - 1) % 12 * 100 + 100 + times % 100


def minutes(times: pd.Series) -> pd.Series:
    """HHMM as minutes after midnight."""
    return times // 100 * 60 + times % 100


def celsius(degrees: pd.Series) -> pd.Series:
    return (degrees - 32) / 1.8


def left_out(flights: pd.DataFrame, which: pd.Series) -> pd.DataFrame:
    """The month without some flights."""
    return flights[~which].reset_index(drop=True)


def half(flights: pd.DataFrame, changed: pd.Series) -> pd.Series:
    """A column that is changed in the second half of the rows, as after a change of programme."""
    column = flights[str(changed.name)]
    return column.where(flights.index < len(flights) // 2, changed.clip(lower=0))


def twice(flights: pd.DataFrame) -> pd.DataFrame:
    """Each flight once more, under another number."""
    return pd.concat([flights, flights.assign(flight=flights.flight % 8998 + 1)], ignore_index=True)


def sometimes(column: str, value: object) -> Change:
    """Another value in every 50th flight."""
    return lambda f: {column: f[column].where(f.index % 50 > 0, value)}


CHANGES: dict[str, tuple[str, Change]] = {
    "two digits of the year": ("year", lambda f: {"year": f.year - 2000}),
    "day and month exchanged": ("month", lambda f: {"month": f.day, "day": f.month}),
    "30 February": ("day", sometimes("day", 30)),
    "months from 0": ("weekday", lambda f: {"month": f.month - 1}),
    "weekdays from 0": ("weekday", lambda f: {"weekday": f.weekday - 1}),
    "Sunday is 1": ("weekday", lambda f: {"weekday": f.weekday % 7 + 1}),
    "departures in minutes": ("sched_dep_time", lambda f: {"sched_dep_time": minutes(f.sched_dep_time)}),
    "minutes 60 to 99": ("sched_dep_time", sometimes("sched_dep_time", 1475)),
    "12-hour clock": ("sched_dep_time", lambda f: {"sched_dep_time": half_day(f.sched_dep_time)}),
    "departures an hour late": ("sched_dep_time", lambda f: {"sched_dep_time": (f.sched_dep_time + 100) % 2400}),
    "arrivals in minutes": ("sched_arr_time", lambda f: {"sched_arr_time": minutes(f.sched_arr_time)}),
    "arrivals on a 12-hour clock": ("sched_arr_time", lambda f: {"sched_arr_time": half_day(f.sched_arr_time)}),
    "arrivals at 2400": ("sched_arr_time", sometimes("sched_arr_time", 2400)),
    "carriers in lower case": ("carrier", lambda f: {"carrier": f.carrier.str.lower()}),
    "carriers rotated": ("carrier", lambda f: {"carrier": rotated(f.carrier)}),
    "two carriers exchanged": ("carrier", lambda f: {"carrier": f.carrier.replace({"UA": "DL", "DL": "UA"})}),
    "carriers that sell": ("carrier", lambda f: {"carrier": f.carrier.replace({"EV": "UA", "9E": "DL", "MQ": "AA"})}),
    "flights with a prefix": ("flight", lambda f: {"flight": f.flight + 10_000}),
    "tail numbers without their N": ("tailnum", lambda f: {"tailnum": f.tailnum.str[1:]}),
    "origins by four letters": ("origin", lambda f: {"origin": "K" + f.origin}),
    "only Newark": ("origin", lambda f: {"origin": f.origin.where(f.index % 3 > 0, "EWR")}),
    "two origins exchanged": ("distance", lambda f: {"origin": f.origin.replace({"EWR": "JFK", "JFK": "EWR"})}),
    "destinations renamed": ("dest", lambda f: {"dest": "X" + f.dest.str[:2]}),
    "destinations with a blank": ("dest", lambda f: {"dest": f.dest + " "}),
    "destinations in lower case": ("dest", lambda f: {"dest": f.dest.str.lower()}),
    "destinations rotated": ("dest", lambda f: {"dest": rotated(f.dest)}),
    "a tenth goes elsewhere": ("dest", lambda f: {"dest": f.dest.where(f.index % 10 > 0, "QQQ")}),
    "destinations a row further": ("distance", lambda f: {"dest": pd.Series(np.roll(f.dest, 1), f.index)}),
    "kilometres": ("distance", lambda f: {"distance": (f.distance * 1.609).round().astype("Int64")}),
    "nautical miles": ("distance", lambda f: {"distance": (f.distance * 0.869).round().astype("Int64")}),
    "age of the plane": ("plane_year", lambda f: {"plane_year": 2013 - f.plane_year}),
    "year of delivery": ("plane_year", lambda f: {"plane_year": (f.plane_year + 1).clip(upper=2013)}),
    "tens of seats": ("seats", lambda f: {"seats": f.seats // 10 + 1}),
    "temperature in Kelvin": ("temp", lambda f: {"temp": celsius(f.temp) + 273.15}),
    "dew point in Kelvin": ("dewp", lambda f: {"dewp": celsius(f.dewp) + 273.15}),
    "degrees Celsius": ("humid", lambda f: {"temp": celsius(f.temp), "dewp": celsius(f.dewp)}),
    "humidity as a share": ("humid", lambda f: {"humid": f.humid / 100}),
    "tens of degrees": ("wind_dir", lambda f: {"wind_dir": f.wind_dir // 10}),
    "wind in metres a second": ("wind_speed", lambda f: {"wind_speed": f.wind_speed * 0.447}),
    "wind in knots": ("wind_speed", lambda f: {"wind_speed": f.wind_speed / 1.15078}),
    "gusts in kilometres an hour": ("wind_gust", lambda f: {"wind_gust": f.wind_gust * 1.609}),
    "rain in millimetres": ("precip", lambda f: {"precip": f.precip * 25.4}),
    "inches of mercury": ("pressure", lambda f: {"pressure": f.pressure * 0.02953}),
    "sight in kilometres": ("visib", lambda f: {"visib": f.visib * 1.609}),
    "labels inverted": ("late", lambda f: {"late": 1 - f.late}),
    "labels all 0": ("late", lambda f: {"late": f.late * 0}),
    "weekends left out": ("day", lambda f: left_out(f, f.weekday > 5)),
    "only the first half": ("day", lambda f: left_out(f, f.day > 14)),
    "an airline left out": ("carrier", lambda f: left_out(f, f.carrier == "US")),
    "two airlines as one": ("carrier", lambda f: {"carrier": f.carrier.replace({"US": "AA"})}),
    "two destinations left out": ("dest", lambda f: left_out(f, f.dest.isin(["ATL", "ORD"]))),
    "flights to their own airport": ("dest", lambda f: {"dest": f.dest.where(f.index % 50 > 0, f.origin)}),
    "flights of a test": ("flight", sometimes("flight", 9999)),
    "each flight twice under two numbers": ("flight", twice),
    "planes of a test": ("tailnum", sometimes("tailnum", "TEST")),
    "one plane": ("tailnum", lambda f: {"tailnum": "N12345"}),
    "full hours": ("sched_arr_time", lambda f: {"sched_dep_time": f.sched_dep_time // 100 * 100 + 100}),
    "half of the arrivals an hour early": (
        "sched_arr_time",
        lambda f: {"sched_arr_time": half(f, f.sched_arr_time - 100)},
    ),
    "arrivals in New York's time": (
        "sched_arr_time",
        lambda f: {"sched_arr_time": (f.sched_arr_time + f.distance // 900 * 100).clip(1, 2359)},
    ),
    "Newark an hour late": (
        "sched_arr_time",
        lambda f: {"sched_dep_time": f.sched_dep_time.where(f.origin != "EWR", (f.sched_dep_time + 100) % 2400)},
    ),
    "departures sorted": ("temp", lambda f: {"sched_dep_time": np.sort(f.sched_dep_time)}),
    "weather of other flights": (
        "wind_dir",
        lambda f: {name: f[name].sample(frac=1, random_state=0).to_numpy() for name in data.WEATHER},
    ),
    "weather of the month before": ("pressure", lambda f: {name: f[name].to_numpy()[::-1] for name in data.WEATHER}),
    "a missing year as 1970": ("plane_year", lambda f: {"plane_year": f.plane_year.fillna(1970)}),
    "a missing number of seats as 1": ("seats", lambda f: {"seats": f.seats.fillna(1)}),
    "missing gusts as 0": ("wind_gust", lambda f: {"wind_gust": f.wind_gust.fillna(0)}),
    "no wind": ("wind_speed", lambda f: {"wind_speed": f.wind_speed * 0}),
    "twice the wind": ("wind_speed", lambda f: {"wind_speed": f.wind_speed * 2}),
    "no rain": ("precip", lambda f: {"precip": f.precip * 0}),
    "pressure of the standard atmosphere": ("pressure", lambda f: {"pressure": f.pressure * 0 + 1013.25}),
    "pressure at another height": ("pressure", lambda f: {"pressure": f.pressure - 30}),
    "sight as a share": ("visib", lambda f: {"visib": f.visib / 10}),
    "sight in nautical miles": ("visib", lambda f: {"visib": f.visib * 0.869}),
    "sight always good": ("visib", lambda f: {"visib": f.visib * 0 + 10}),
    "labels of half of the month inverted": ("late", lambda f: {"late": half(f, 1 - f.late)}),
    "labels not there for the last week": ("late", lambda f: {"late": f.late.where(f.day < 22, 0)}),
    "no late flight of an airline": ("late", lambda f: {"late": f.late.where(f.carrier != "UA", 0)}),
    "labels of other flights": ("late", lambda f: {"late": f.late.sample(frac=1, random_state=0).to_numpy()}),
    "labels made from the time": ("late", lambda f: {"late": (f.sched_dep_time > 1730).astype("Int64")}),
    "labels all 1": ("late", lambda f: {"late": f.late * 0 + 1}),
}
"""What happened to February, with the column of which something must be said."""

COMPARED = ("carrier", "origin", "dest", "sched_dep_time", "sched_arr_time")


@pytest.fixture(scope="module")
def gate():
    import_quietly()
    return importlib.import_module("flights.gate")


@pytest.fixture(scope="module")
def years(root, everything) -> dict[str, dict[int, pd.DataFrame]]:
    """The months by number, of both sizes."""
    arrived = everything.loc[everything.late.notna(), [*data.COLUMN_TYPES]]
    full = {month: flights.reset_index(drop=True) for month, flights in arrived.groupby("month")}
    return {"sample": {month: data.read_month(root / "data/flights", month) for month in full}, "full year": full}


@pytest.fixture(scope="module")
def columns_of(years):
    """The columns of a month, each made once: `(size, month)`."""
    return functools.cache(lambda size, month: rules.columns_of(years[size][month]))


@pytest.fixture(scope="module")
def statistics(years):
    """Statistics of a month, each made once: `(size, month, columns)`."""
    import tensorflow_data_validation as tfdv

    @functools.cache
    def made(size: str, month: int, columns: tuple[str, ...]):
        return tfdv.generate_statistics_from_dataframe(years[size][month][list(columns)])

    return made


@pytest.fixture
def judge(gate, tmp_path):
    """Says what the contract and its drift comparators say of some columns of a month, from its statistics and the earlier ones."""
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx import v1 as tfx
    from tfx.types import artifact_utils

    def judged(of_month, of_earlier, columns: Collection[str]) -> list[str]:
        part = schema_pb2.Schema()
        part.CopyFrom(CONTRACT)
        del part.feature[:]
        part.feature.extend(feature for feature in CONTRACT.feature if feature.name in columns)
        folder = tmp_path / "schema"
        folder.mkdir(exist_ok=True)
        tfdv.write_schema_text(part, str(folder / "schema.pbtxt"))
        schema, both = tfx.types.standard_artifacts.Schema(), tfx.types.standard_artifacts.ExampleStatistics()
        schema.uri, both.uri = str(folder), str(tmp_path)
        both.split_names = artifact_utils.encode_split_names(["old", "new"])
        for split, of_split in {"old": of_earlier, "new": of_month}.items():
            (tmp_path / f"Split-{split}").mkdir(exist_ok=True)
            (tmp_path / f"Split-{split}" / "FeatureStats.pb").write_bytes(of_split.SerializeToString())
        return gate.sentences("new", tfdv.validate_statistics(of_month, part)) + gate.list_drift(
            both, schema, "old", "new"
        )

    return judged


def broken(month: rules.Columns, before: rules.Columns, columns: Collection[str] = data.COLUMN_TYPES) -> list[str]:
    """What the rules of some columns say of a month."""
    asked = [rule for rule in rules.rules_of(CONTRACT) if rule.column in columns]
    return rules.list_broken(asked, month, "new", before)


def test_every_column_is_guarded():
    assert {column for column, _ in CHANGES.values()} == set(data.COLUMN_TYPES)


@pytest.mark.parametrize("size", ["sample", pytest.param("full year", marks=pytest.mark.long)])
@pytest.mark.parametrize("what", CHANGES)
def test_guard_of_the_column_fires(what, size, years, judge, statistics, columns_of):
    import tensorflow_data_validation as tfdv

    column, change = CHANGES[what]
    february = years[size][2]
    changed = change(february)
    if isinstance(changed, dict):
        month, columns = pd.DataFrame(changed, index=february.index), sorted(changed)
    else:
        month, columns = changed, [column]
    of_month = tfdv.generate_statistics_from_dataframe(month[columns])
    found = judge(of_month, statistics(size, 1, tuple(columns)), columns)
    whole = columns_of(size, 2) | rules.columns_of(month)
    found += broken(whole, columns_of(size, 1), {*columns, column})
    assert [sentence for sentence in found if f", column {column}: " in sentence], found


@pytest.mark.parametrize(
    ("size", "month"),
    [
        pytest.param(size, month, marks=() if size == "sample" or month in EVERYDAY else pytest.mark.long)
        for size in SIZES
        for month in MONTHS
    ],
)
def test_good_month_is_stopped_by_nothing(month, size, judge, statistics, columns_of):
    """After the month before; all ranges and domains are tried where the pipeline runs."""
    assert judge(statistics(size, month, COMPARED), statistics(size, month - 1, COMPARED), COMPARED) == []
    assert broken(columns_of(size, month), columns_of(size, month - 1)) == []


@pytest.mark.parametrize(
    "month", [pytest.param(month, marks=() if month in EVERYDAY else pytest.mark.long) for month in MONTHS]
)
def test_good_month_is_stopped_by_nothing_after_all_those_before_it(month, years, judge, statistics, columns_of):
    import tensorflow_data_validation as tfdv

    earlier = pd.concat([years["sample"][number] for number in range(1, month)], ignore_index=True)
    of_earlier = tfdv.generate_statistics_from_dataframe(earlier[list(COMPARED)])
    assert judge(statistics("sample", month, COMPARED), of_earlier, COMPARED) == []
    assert broken(columns_of("sample", month), rules.columns_of(earlier)) == []
