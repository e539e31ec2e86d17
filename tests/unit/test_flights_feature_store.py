"""The feature store: nothing of the future, no row lost, the same values offline and online, and no word to the internet."""

from __future__ import annotations

import datetime as dt
import importlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from feast import FeatureStore

    from flights import feature_store
    from flights.feature_store import ROUTE, StoreError

pytestmark = pytest.mark.xdist_group("feast")


@pytest.fixture(scope="module", autouse=True)
def _feast() -> None:
    """Feast takes four seconds to import: only in the worker that needs it, and not while all of them collect."""
    module = importlib.import_module("flights.feature_store")
    globals().update(feature_store=module, ROUTE=module.ROUTE, StoreError=module.StoreError)


def flight(day: int, hhmm: int, delay: int, dest: str = "BOS", carrier: str = "UA", origin: str = "JFK") -> dict:
    """A flight of an hour in July 2013 that leaves and arrives `delay` minutes late."""
    return {
        **{"year": 2013, "month": 7, "day": day, "sched_dep_time": hhmm},
        **{"origin": origin, "dest": dest, "carrier": carrier},
        **{"dep_delay": delay, "air_time": 60, "late": int(delay > 15)},
    }


FLOWN = pd.DataFrame(
    [flight(day, hhmm, delay) for day in range(1, 9) for hhmm, delay in [(900, 20 * (day % 2)), (1500, 0)]]
    + [flight(1, 1200, 60, dest="ACK"), flight(8, 2300, 240)]
)
"""Two flights a day to Boston, one of them late every other day; one flight to Nantucket; one that lands after the night's count."""


def at(day: int, hour: int, minute: int = 0) -> dt.datetime:
    """A time in July 2013, New York, as UTC."""
    return dt.datetime(2013, 7, day, hour + 4, minute, tzinfo=dt.UTC)


def weather() -> pd.DataFrame:
    times = pd.date_range("2013-07-01", "2013-07-10", freq="h", tz="UTC")
    degrees = np.arange(len(times), dtype="float32")
    columns = {"temp": degrees, "wind_speed": degrees + 1, "precip": degrees * 0, "visib": degrees * 0 + 10}
    return pd.concat([pd.DataFrame({"origin": origin, "known_at": times, **columns}) for origin in ("JFK", "LGA")])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    folder = tmp_path_factory.mktemp("store")
    return feature_store.open_store(folder, weather(), feature_store.route_history(FLOWN))


def to_boston(history: pd.DataFrame) -> pd.DataFrame:
    return history[history.dest == "BOS"].set_index("known_at")


def test_a_night_counts_the_landings_of_three_days() -> None:
    history = to_boston(feature_store.route_history(FLOWN))
    assert history.loc[at(2, 4), ["late_share", "landed"]].tolist() == pytest.approx([0.5, 2])
    assert history.loc[at(4, 4), ["late_share", "landed"]].tolist() == pytest.approx([2 / 6, 6])
    assert history.loc[at(5, 4), ["late_share", "landed"]].tolist() == pytest.approx([1 / 6, 6])


def test_a_flight_that_is_still_in_the_air_is_not_counted() -> None:
    """It leaves four hours late at three, and lands at half past four, after the count of that night."""
    history = to_boston(feature_store.route_history(FLOWN))
    assert feature_store.landed_at(FLOWN[-1:]).item() == at(9, 4, 30)
    assert history.loc[at(9, 4), "landed"] == 6
    assert history.loc[at(10, 4), "landed"] == 5  # the four of 7 and 8 July that are within three nights, and this one


def test_times_are_new_yorks_in_summer_and_in_winter() -> None:
    flights = pd.DataFrame({"year": 2013, "month": [1, 7], "day": 1, "sched_dep_time": [1430, 1430]})
    assert feature_store.departure(flights).dt.hour.tolist() == [19, 18]
    assert feature_store.asked_at(flights).dt.hour.tolist() == [18, 17]


def test_no_feature_is_younger_than_its_question(store: FeatureStore) -> None:
    """Held against a search by hand, for every flight."""
    history = to_boston(feature_store.route_history(FLOWN))
    flights = FLOWN[(FLOWN.dest == "BOS") & (FLOWN.day > 1)]
    features = feature_store.training_features(store, flights)
    observed = weather().query("origin == 'JFK'").set_index("known_at").temp
    for place, asked in feature_store.asked_at(flights).items():
        assert features.temp[place] == observed[observed.index <= asked].iloc[-1]
        assert features.late_share[place] == history.late_share[history.index <= asked].iloc[-1]


def test_no_row_is_lost_and_the_order_is_kept(store: FeatureStore) -> None:
    """Two flights of one minute, a route that is new, one whose last landing is too long ago; an index that is not 0, 1, 2."""
    rows = [flight(6, 1200, 0), flight(6, 1200, 0, dest="LAX"), flight(6, 1200, 0, dest="ACK"), flight(3, 1200, 0)]
    flights = pd.DataFrame(rows, index=[70, 10, 40, 20])
    features = feature_store.training_features(store, flights)
    assert features.index.tolist() == [70, 10, 40, 20]
    assert features.temp.notna().all()
    assert features.late_share.isna().tolist() == [False, True, True, False]


def test_flights_of_which_nothing_is_known_stay(store: FeatureStore) -> None:
    """Not one row comes back from Feast."""
    features = feature_store.training_features(store, pd.DataFrame([flight(6, 1200, 0, dest="LAX", origin="SWF")]))
    assert features.isna().all().tolist() == [True] * 6


def test_many_flights_are_asked_for_in_parts(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    flights = FLOWN[FLOWN.dest == "BOS"]
    at_once = feature_store.training_features(store, flights)
    monkeypatch.setattr(feature_store, "AT_ONCE", 3)
    pd.testing.assert_frame_equal(feature_store.training_features(store, flights), at_once)


def test_feast_alone_loses_rows(store: FeatureStore) -> None:
    """The reason why `training_features` asks as it does. When this fails, Feast has been mended, and it may be simpler."""
    flights = pd.DataFrame([flight(6, 1200, 0), flight(6, 1200, 0, dest="LAX"), flight(6, 1200, 0, dest="ACK")])
    questions = flights[ROUTE].assign(event_timestamp=feature_store.asked_at(flights))
    assert len(store.get_historical_features(questions, ["weather:temp"]).to_df()) == 1
    assert len(store.get_historical_features(questions, ["route_history:late_share"]).to_df()) == 2


def test_only_the_views_that_are_named_are_asked(store: FeatureStore) -> None:
    assert list(feature_store.training_features(store, FLOWN[:2], ["route_history"])) == ["late_share", "landed"]


@pytest.mark.parametrize("hour", [6, 12])
def test_online_and_offline_agree(store: FeatureStore, hour: int) -> None:
    flights = pd.DataFrame([flight(6, 100 * hour, 0, dest=dest) for dest in ("BOS", "LAX", "ACK")], index=[5, 3, 4])
    [asked] = set(feature_store.asked_at(flights))
    feature_store.materialise(store, asked.to_pydatetime())
    online = feature_store.serving_features(store, flights, asked.to_pydatetime())
    pd.testing.assert_frame_equal(online, feature_store.training_features(store, flights).astype("float64"))


def test_online_values_that_are_too_old_are_null(store: FeatureStore) -> None:
    flights = pd.DataFrame([flight(6, 1200, 0)])
    feature_store.materialise(store, at(6, 11))
    served = [feature_store.serving_features(store, flights, now) for now in (at(6, 14), at(6, 15), at(9, 5))]
    assert [features.temp.notna().item() for features in served] == [True, False, False]
    assert [features.late_share.notna().item() for features in served] == [True, True, False]


def test_a_source_with_two_answers_is_refused(tmp_path: Path) -> None:
    history = feature_store.route_history(FLOWN)
    store = feature_store.open_store(tmp_path, weather(), history)
    store.get_historical_features = lambda questions, names: Doubled(questions, names)  # type: ignore[method-assign]
    with pytest.raises(StoreError, match="weather: two answers"):
        feature_store.training_features(store, FLOWN[2:4])


class Doubled:
    """An answer that holds each row twice."""

    def __init__(self, questions: pd.DataFrame, names: list[str]) -> None:
        self.table = questions.assign(**{name.split(":")[1]: 0.0 for name in names})

    def to_df(self) -> pd.DataFrame:
        return pd.concat([self.table, self.table])


def test_everything_works_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection was asked for: {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    store = feature_store.open_store(tmp_path, weather(), feature_store.route_history(FLOWN))
    feature_store.training_features(store, FLOWN[:4])
    feature_store.materialise(store, at(6, 12))
    feature_store.serving_features(store, FLOWN[:1], at(6, 12))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("feature_store.yaml", "registry.db", "online.db", "weather.parquet", "route_history.parquet")
    }


def test_nothing_is_printed(store: FeatureStore, capfd: pytest.CaptureFixture[str]) -> None:
    feature_store.materialise(store, at(6, 12))
    feature_store.training_features(store, FLOWN[:4])
    feature_store.serving_features(store, FLOWN[:1], at(6, 12))
    assert capfd.readouterr() == ("", "")
