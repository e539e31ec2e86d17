"""`flights release`: the rows of its smoke test, and what its options and its exit status mean."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from flights import cli, release
from flights.config import Config
from flights.serving import PROJECT
from operation.canary import Limits
from operation.releases import NOTHING, REFUSED, RELEASED, ROLLED_BACK


def test_the_rows_are_flights_of_the_month_that_a_version_was_judged_on(root):
    config = Config(data_root=str(root / "data" / "flights"))
    rows = release.rows_for(config, json.dumps([{"path": "span-02/flights.csv", "span": 2}]))
    assert len(rows) == release.ROWS
    assert {row["month"] for row in rows} == {2}
    assert len({row["day"] for row in rows}) > 20
    assert len(PROJECT.check(rows)["carrier"]) == len(rows)
    assert {row["month"] for row in release.rows_for(config)} == {12}, "the newest that there is"


@pytest.mark.parametrize(("state", "status"), [(RELEASED, 0), (NOTHING, 0), (ROLLED_BACK, 1), (REFUSED, 1)])
def test_options_are_limits_and_the_exit_status_says_whether_it_answers(state, status, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        release, "release", lambda *given, **how: asked.append((given, how)) or SimpleNamespace(state=state)
    )
    options = ["--share", "0.2", "--share", "0.6", "--requests", "50", "--deadline", "60", "--why", "better \udcff"]
    assert cli.main(["release", "7", *options, "--output-root", str(tmp_path)]) == status
    [((config, version), how)] = asked
    assert (config.output_root, version) == (str(tmp_path), "7")
    assert how == {"limits": Limits(shadow=50, requests=50, deadline=60), "shares": [0.2, 0.6], "why": "better ?"}
    cli.main(["release", "--no-shadow", "--output-root", str(tmp_path)])
    assert asked[1][0][1] is None
    assert asked[1][1] == {"limits": Limits(shadow=0)}
