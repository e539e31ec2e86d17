"""`flights registry` beside a server that is asked all the time: promotions and roll-backs lose no request, and what cannot answer never gets to."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from lineage_store import Store
from small_models import answer, push

from flights import cli
from serving import process, traffic
from serving.traffic import Traffic

FLIGHT = {"weekday": 5, "sched_dep_time": 1745, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565}
ANSWERS = {round(answer(version, 2565), 4): version for version in (1, 2, 3)}


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The folder of a pipeline that has pushed versions 1 to 3; the third answers with what is no number."""
    store = Store(tmp_path_factory.mktemp("pipeline"))
    for version in (1, 2, 3):
        store.begin()
        examples = store.ingest("flights", (version, version))
        schema = store.execute("flights", "ImportSchemaGen", {}, {"schema": ("Schema", {})})["schema"]
        _, model = store.train("flights", examples, schema)
        store.push("flights", model, {"model_blessing": store.judge("flights", examples, model, None)}, version)
    for version, fault in ((1, ""), (2, ""), (3, "nan")):
        push(store.folder / "serving", version, fault)
    return store.folder


@pytest.fixture
def ask(output, capsys):
    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(["registry", *arguments, "--output-root", str(output)])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_a_server_goes_on_through_promotions_and_roll_backs_and_no_request_is_lost(output, ask):
    folder = output / "serving"
    assert ask("sync")[0] == 0
    assert ask("promote", "1")[0] == 0
    answers, failed, ended = Counter(), [], threading.Event()

    def load():
        while not ended.wait(0.02):
            try:
                answers[ANSWERS[round(server.ask([FLIGHT])[0], 4)]] += 1
            except Exception as error:
                failed.append(error)

    def asked_by(version: int) -> None:
        """Waits until requests are answered by a version."""
        before, waited = answers[version], threading.Event()
        while answers[version] < before + 5:
            assert not failed
            waited.wait(0.01)

    with process.start("flights.serving:PROJECT", folder) as server:
        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            asked_by(1)
            for command, champion in ((("promote", "2"), 2), (("rollback",), 1), (("promote", "2"), 2)):
                assert ask(*command, "--why", "a test")[0] == 0
                server.wait_for(champion=champion, challenger=None)
                asked_by(champion)
            status, said = ask("promote", "3")
            assert (status, said) == (
                1,
                "flights registry: Version 3 (number 3) cannot be served: it answers with what is no number (NaN or infinite). Nothing has changed.\n",
            )
            assert ask("challenge", "1", "--share", "0.5")[0] == 0
            server.wait_for(champion=2, challenger=1, share=0.5)
            asked_by(1)
            asked_by(2)
            assert ask("rollback")[0] == 0
            server.wait_for(champion=2, challenger=None)
        finally:
            ended.set()
            for client in clients:
                client.join(60)
    assert failed == []
    assert set(answers) == {1, 2}
    assert traffic.read(folder) == Traffic(2)
    assert ask("check") == (0, "Aliases, traffic file, folder and metadata store agree.\n")
