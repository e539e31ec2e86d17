"""A team's project is pushed to the bare repository of `deploy/ci-cd`: trained, registered and released for real, while clients ask; and what is bad stays out."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from pushing_team import Team

from flights import release
from flights.config import Config
from serving import process, traffic
from serving.process import RequestRefused
from tools.project import start

SERVED = "return {PROBABILITY: model(transform_layer(tf.io.parse_example(examples, spec)))}"
WORSE = SERVED.replace("model(", "1 - model(")
FRAGILE = """raw = tf.io.parse_example(examples, spec)
        far = raw["distance"]
        tf.debugging.assert_less(getattr(far, "values", far), tf.constant(4000, tf.int64), "nothing is so far")
        return {PROBABILITY: model(transform_layer(raw))}"""
"""Of the data that it is judged on, no flight is so long; clients ask about such."""

FAR = {"weekday": 5, "sched_dep_time": 900, "origin": "JFK", "dest": "HNL", "carrier": "HA", "distance": 4983}


class Planes(Team):
    """A team with a project of `make project`."""

    def make(self) -> None:
        start.start("late_planes", self.clone)

    @property
    def serving(self) -> Path:
        return self.output / "serving"

    @property
    def champion(self) -> int:
        """The version that answers."""
        served = traffic.read(self.serving)
        assert served
        assert served.challenger is None
        return served.champion


class Clients:
    """Ask all the time about flights of the month, and for a while, each second time, about one that is far."""

    def __init__(self, server: process.Server, data: Path) -> None:
        self.server, self.rows = server, release.rows_for(Config(data_root=str(data)))
        self.are_far, self._ended = threading.Event(), threading.Event()
        self.statuses = {"near": Counter(), "far": Counter()}
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]

    def _ask(self) -> None:
        number = 0
        while not self._ended.wait(0.2):
            number += 1
            kind = "far" if number % 2 and self.are_far.is_set() else "near"
            try:
                self.server.ask([FAR if kind == "far" else self.rows[number % len(self.rows)]])
                self.statuses[kind][200] += 1
            except RequestRefused as error:
                self.statuses[kind][error.status] += 1

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(120)


@pytest.fixture
def data(tmp_path, root) -> Path:
    """January without flights that are far."""
    rows = (root / "data/flights/span-01/flights.csv").read_text().splitlines(keepends=True)
    place = rows[0].strip().split(",").index("distance")
    near = [row for row in rows[1:] if int(row.split(",")[place]) < 4000]
    assert len(near) < len(rows) - 1
    month = tmp_path / "data/span-01/flights.csv"
    month.parent.mkdir(parents=True)
    month.write_text("".join([rows[0], *near]))
    return tmp_path / "data"


@pytest.mark.long
def test_good_changes_are_released_and_bad_ones_are_stopped_in_each_of_the_three_pipelines(tmp_path, data):
    team = Planes(tmp_path, SAMPLE_ROOT=str(data), DATA_ROOT=str(data))

    # 1: a check fails.
    team.change("src/late_planes/cost.py", "\nfrom __future__", "\nimport os\nfrom __future__")
    team.commit("A line that lint finds")
    said = team.push()
    assert said.returncode
    assert "2-lint.sh failed" in said.stdout
    assert "src/late_planes/cost.py" in said.stdout
    assert not team.head
    team.change("src/late_planes/cost.py", "import os\n", "")

    # The first model: tried by all checks, trained, registered, released.
    first = team.commit("A first model")
    said = team.push()
    assert not said.returncode, said.stdout
    steps = sorted(path.name for path in (team.clone / "deploy/ci-cd/steps/change").iterdir())
    assert re.findall(r"  ([\w-]+\.sh): passed", said.stdout)[: len(steps)] == steps
    assert "Released: version" in said.stdout, said.stdout
    assert team.current.startswith(first[:12])
    one = team.champion
    team.only("2-lint.sh")  # from here on, what comes after the checks is asked

    served = {"PYTHONPATH": str(team.work / "current" / "src")}
    with process.start("late_planes.serving:PROJECT", team.serving, environment=served) as server:
        asked = f"--server {server.url} --no-shadow --share 0.5 --requests 60 --deadline 600"
        team.set_up(RELEASE_OPTIONS=asked)
        with Clients(server, data) as clients:
            # 2: a worse model is refused by the gate. 3: pushed while that is trained, one that is good offline fails in canary.
            team.change("src/late_planes/model.py", SERVED, WORSE)
            team.commit("A worse model")
            worse = team.begin_push()
            next(line for line in worse.stdout if "train of" in line)
            clients.are_far.set()
            team.change("src/late_planes/model.py", WORSE, FRAGILE)
            team.commit("A model that breaks where it was not judged")
            said = team.push().stdout
            refused = worse.communicate(timeout=900)[0]
            assert "nothing to release" in refused, refused
            assert "AUC" in refused, refused
            assert "release: 1-release.sh failed" in said, said
            assert "canary" in said
            assert team.champion == one
            assert team.current.startswith(first[:12])
            server.wait_for(champion=one, challenger=None)
            clients.are_far.clear()

            # Mended, and taken back by hand.
            team.change("src/late_planes/model.py", FRAGILE, SERVED)
            team.change("src/late_planes/config.py", "seed: int = ", "seed: int = 1")
            mended = team.commit("Mended, with another seed")
            said = team.push().stdout
            assert "Released: version" in said, said
            two = team.champion
            assert two != one
            assert team.current.startswith(mended[:12])
            server.wait_for(champion=two)
            assert "rollback" in team.by_hand("rollback", "complaints")
            assert team.champion == one
            server.wait_for(champion=one)
    # No client was refused but those whom the broken version answered, about what broke it.
    assert set(clients.statuses["near"]) == {200}
    assert clients.statuses["far"][200] > 0
    assert len(clients.statuses["far"]) > 1
