"""Features that do not come with a flight but are looked up: in a feature store, for training and for serving alike.

The definitions are Feast's. Embedded, its offline store is Parquet files and its online store is SQLite; with a warehouse
and Redis named in `feature_store.yaml`, each `FileSource` becomes a table of the warehouse, and the rest stays. All times are UTC.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float32, Int64

from .data import LABEL, source_table

AIRPORT = ["origin"]
ROUTE = ["origin", "dest", "carrier"]
WINDOW_DAYS = 3
"""How many days of landings the history of a route looks back on."""

SERVICE = "late_flight"
"""Name of the list of features that the model reads, in training and in serving."""

LEAD = pd.Timedelta(hours=1)
"""A prediction is asked for this long before the scheduled departure."""

TAXI = pd.Timedelta(minutes=30)
"""Time on the ground that is added to delay and air time to tell when a flight has arrived: the source has no such clock."""

NIGHTLY = pd.Timedelta(hours=4)
"""The history is counted each night at this time in New York."""

AT_ONCE = 2000
"""Questions that are asked at a time: the file store holds each beside every row of its key in memory."""

WHEN = "event_timestamp"
"""Feast's name for the time as of which features are wanted."""

CONFIG = """\
project: flights
provider: local
registry: registry.db
offline_store:
  type: file
online_store:
  type: sqlite
  path: online.db
entity_key_serialization_version: 3
"""


class StoreError(RuntimeError):
    """The feature store has not given one answer for each flight."""


def definitions(days: int = WINDOW_DAYS) -> list[Entity | FeatureView | FeatureService]:
    """What the store holds: keys, features, how long a value may be used, and the list that the model reads."""
    origin, dest, carrier = (Entity(name=key, value_type=ValueType.STRING) for key in ROUTE)
    weather = FeatureView(
        name="weather",
        entities=[origin],
        ttl=dt.timedelta(hours=3),
        schema=[Field(name=name, dtype=Float32) for name in ("temp", "wind_speed", "precip", "visib")],
        source=FileSource(path="weather.parquet", timestamp_field="known_at"),
    )
    history = FeatureView(
        name="route_history",
        entities=[origin, dest, carrier],
        ttl=dt.timedelta(days=days),
        schema=[Field(name="late_share", dtype=Float32), Field(name="landed", dtype=Int64)],
        source=FileSource(path="route_history.parquet", timestamp_field="known_at"),
    )
    return [origin, dest, carrier, weather, history, FeatureService(name=SERVICE, features=[weather, history])]


def open_store(folder: str | Path, weather: pd.DataFrame, history: pd.DataFrame) -> FeatureStore:
    """A store in `folder`: writes the two sources and the configuration there, and registers the definitions.

    Args:
        folder: gets the Parquet files, `feature_store.yaml`, the registry and the online store.
        weather: as `weather_table` returns it; history: as `route_history` does.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    weather.to_parquet(folder / "weather.parquet", index=False)
    history.to_parquet(folder / "route_history.parquet", index=False)
    (folder / "feature_store.yaml").write_text(CONFIG)
    store = FeatureStore(repo_path=str(folder))
    store.apply(definitions())
    return store


def departure(flights: pd.DataFrame) -> pd.Series:
    """Scheduled departure, UTC, from `year`, `month`, `day` and `sched_dep_time` (HHMM, New York)."""
    return _utc(_scheduled(flights))


def asked_at(flights: pd.DataFrame) -> pd.Series:
    """When a prediction is asked for, UTC: nothing that is known later may be a feature."""
    return departure(flights) - LEAD


def landed_at(flights: pd.DataFrame) -> pd.Series:
    """When each flight had landed, UTC: its own outcome is known from then on. Needs the columns of `data.AFTERWARDS`."""
    return _utc(_landed(flights))


def weather_table() -> pd.DataFrame:
    """Hourly observations at the three airports: `origin`, `known_at` (UTC) and the measurements, in the source's units."""
    table = source_table("weather")
    table["known_at"] = pd.to_datetime(table["time_hour"], utc=True)
    columns = ["temp", "wind_speed", "precip", "visib"]
    return table[["origin", "known_at", *columns]].astype(dict.fromkeys(columns, "float32"))


def route_history(flights: pd.DataFrame, days: int = WINDOW_DAYS) -> pd.DataFrame:
    """How late the flights of a route were that have landed in the last `days` days, counted each night.

    Args:
        flights: with the columns of `data.AFTERWARDS`; all flights, not a sample.
        days: nights that a count looks back on, its own included.

    Returns:
        A row for each route and night after a landing on it: the columns of `ROUTE`, `known_at` (UTC), `late_share`
        (0 to 1) and `landed` (flights counted).
    """
    night = (_landed(flights) - NIGHTLY).dt.ceil("D") + NIGHTLY  # the first count after the landing
    table = flights[ROUTE].assign(night=night, late=flights[LABEL].astype("float64"))
    nightly = table.groupby([*ROUTE, "night"])["late"].agg(["sum", "count"]).reset_index().set_index("night")
    window = nightly.groupby(ROUTE)[["sum", "count"]].rolling(f"{days}D").sum().reset_index()
    return window[ROUTE].assign(
        known_at=_utc(window["night"]),
        late_share=(window["sum"] / window["count"]).astype("float32"),
        landed=window["count"].astype("int64"),
    )


def training_features(store: FeatureStore, flights: pd.DataFrame, views: list[str] | None = None) -> pd.DataFrame:
    """The features of each flight as they were known when its prediction was asked for.

    Feast's file store leaves out a row that has no value within its time to live, and all but one of the rows that share
    a view's keys and time, such as flights of one airport at one minute. So each view is asked once for each distinct
    key and time, and its answers are joined to the flights.

    Args:
        store: see `open_store`.
        flights: with the columns of `ROUTE` and those that `departure` reads.
        views: names of the feature views to ask; by default all of `SERVICE`.

    Returns:
        The features of `SERVICE` (of `views`), one row for each flight, in the same order and with the same index; null where
        nothing was known.

    Raises:
        StoreError: the store has two answers for one question.
    """
    wanted = flights[ROUTE].assign(**{WHEN: asked_at(flights)})
    found = []
    for projection in store.get_feature_service(SERVICE).feature_view_projections:
        if views is not None and projection.name not in views:
            continue
        keys = [*store.get_feature_view(projection.name).join_keys, WHEN]
        names = [field.name for field in projection.features]
        questions = wanted[keys].drop_duplicates()
        features = [f"{projection.name}:{name}" for name in names]
        answers = pd.concat(
            store.get_historical_features(questions[first : first + AT_ONCE], features).to_df()
            for first in range(0, len(questions), AT_ONCE)
        )
        if answers.duplicated(keys).any():
            raise StoreError(f"{projection.name}: two answers for one key and time. Has its source a row twice?")
        found.append(wanted.merge(answers, on=keys, how="left")[names].set_axis(flights.index))
    return pd.concat(found, axis=1)


def materialise(store: FeatureStore, until: dt.datetime) -> None:
    """Brings the online store up to what was known at `until` (UTC).

    Feast's `materialize_incremental` is no help on data of the past: its first call begins one time to live before the
    clock on the wall.
    """
    longest = max(view.ttl for view in store.list_feature_views())
    with contextlib.redirect_stdout(io.StringIO()):  # Feast prints its progress
        store.materialize(until - longest, until)


def serving_features(store: FeatureStore, flights: pd.DataFrame, now: dt.datetime | None = None) -> pd.DataFrame:
    """The features of each flight as the online store has them.

    The SQLite store also returns what has outlived its time to live; training never sees such values, so they become null.

    Args:
        store: see `materialise`.
        flights: with the columns of `ROUTE`; at least one.
        now: the time (UTC) by which age is judged; the present by default.

    Returns:
        As `training_features`, all as float64.
    """
    time = (now or dt.datetime.now(dt.UTC)).timestamp()
    lives = _lives(store)
    response = store.get_online_features(
        [f"{view}:{name}" for name, (view, _) in lives.items()], flights[ROUTE].to_dict("records")
    )
    answer = response.to_dict(include_event_timestamps=True)
    fresh = {
        name: [
            value if value is not None and time - seconds <= life else float("nan")
            for value, seconds in zip(answer[name], answer[f"{name}__ts"], strict=True)
        ]
        for name, (_, life) in lives.items()
    }
    return pd.DataFrame(fresh, index=flights.index, dtype="float64")


@functools.lru_cache(maxsize=8)
def _lives(store: FeatureStore) -> dict[str, tuple[str, float]]:
    """For each feature of `SERVICE` its view and its time to live in seconds; the registry is asked once for a store."""
    return {
        field.name: (projection.name, store.get_feature_view(projection.name).ttl.total_seconds())
        for projection in store.get_feature_service(SERVICE).feature_view_projections
        for field in projection.features
    }


def _scheduled(flights: pd.DataFrame) -> pd.Series:
    """Scheduled departure by New York's clocks."""
    hhmm = flights["sched_dep_time"].astype("int64")
    minutes = pd.to_timedelta(hhmm // 100 * 60 + hhmm % 100, unit="min")
    return pd.to_datetime(flights[["year", "month", "day"]].astype("int64")) + minutes


def _landed(flights: pd.DataFrame) -> pd.Series:
    """Time of landing by New York's clocks."""
    minutes = (flights["dep_delay"] + flights["air_time"]).astype("float64")
    return _scheduled(flights) + pd.to_timedelta(minutes, unit="min") + TAXI


def _utc(local: pd.Series) -> pd.Series:
    """New York's clocks as UTC. In the night that has one hour twice, the first of them is meant."""
    there = local.dt.tz_localize("America/New_York", ambiguous=[True] * len(local), nonexistent="shift_forward")
    return there.dt.tz_convert("UTC")
