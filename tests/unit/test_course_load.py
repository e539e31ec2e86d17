"""Clients that keep asking: what each request got is kept, also where there was no answer. The server here only answers as one does."""

from __future__ import annotations

import json
import time

import pytest

from course import load
from serving.process import Reply


class Server:
    """Answers as `serving.process.Server` does."""

    name = "scales"

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.version, self.state, self.fails = 1, "AVAILABLE", False

    def send(self, method, path, body):
        assert (method, path) == ("POST", "/v1/models/scales:predict")
        self.asked.append(body)
        if self.fails:
            raise ConnectionResetError
        return Reply(200, {"predictions": [0.5]}, {"x-model-version": str(self.version)})

    def versions(self):
        return {1: "AVAILABLE", 2: self.state}


def test_each_answer_is_kept_with_its_version():
    server = Server()
    with load.Clients(server, [{"length": 1}, {"length": 2}], clients=2, pause=0) as clients:
        clients.answered(1, 5)
        server.version = 2
        clients.note("two")
        clients.answered(2, 5)
    assert {one.version for one in clients.answers} == {1, 2}
    assert {one.status for one in clients.answers} == {200}
    assert len(clients.answers) == len(server.asked)
    assert {json.loads(body)["instances"][0]["length"] for body in server.asked} == {1, 2}
    assert [what for _, what in clients.notes] == ["two"]


def test_what_is_not_answered_is_counted_too():
    server = Server()
    server.fails = True
    with load.Clients(server, [{"length": 1}], clients=1, pause=0) as clients:
        while not clients.answers:
            time.sleep(0.01)
    assert clients.answers[0][2:] == (0, 0)
    with pytest.raises(RuntimeError, match="3 of 3 requests were not answered; the first got 0"):
        load.seconds(server, [b"{}"] * 3, clients=2)


def test_waiting_for_an_answer_ends():
    with load.Clients(Server(), [{"length": 1}], pause=0.001) as clients:
        with pytest.raises(TimeoutError, match="version 7 has not given 1 answers"):
            clients.answered(7, 1, timeout=0.1)
        with pytest.raises(TimeoutError, match="version 2 is AVAILABLE"):
            clients.refused(2, timeout=0.1)


def test_reason_of_a_refusal_is_given():
    server = Server()
    server.state = "it cannot be loaded"
    assert load.Clients(server, []).refused(2) == "it cannot be loaded"


def test_lines_of_a_log_are_waited_for(tmp_path):
    file = tmp_path / "requests.jsonl"
    file.write_text('{"id": "july-0", "version": 1}\n{"id": "june-0", "version": 1}\n')
    assert load.logged(file, "july-", 1).to_dict("records") == [{"id": "july-0", "version": 1}]
    with pytest.raises(TimeoutError, match="1 of 2 lines"):
        load.logged(file, "july-", 2, timeout=0.1)


def test_seconds_of_each_request_are_given():
    server = Server()
    assert len(load.seconds(server, [b"1", b"2", b"3"], clients=2)) == 3
    assert sorted(server.asked) == [b"1", b"2", b"3"]
