"""The model server as a process: what clients get from it, while versions, traffic and bad requests come. One server for all tests of this file."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import listening
import psutil
import pytest
import small_models
from small_models import answer, push

from serving import __main__ as command
from serving import process, request_log, traffic
from serving.process import NotStarted, RequestRefused
from serving.traffic import Traffic

PROJECT = "flights.serving:PROJECT"
FLIGHT = {"weekday": 5, "sched_dep_time": 1745, "carrier": "UA", "origin": "EWR", "dest": "SFO", "distance": 2565}
PREDICT = "/v1/models/flights:predict"
INFER = "/v2/models/flights/infer"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of versions, of which one is there."""
    made = tmp_path_factory.mktemp("pipeline") / "serving"
    made.mkdir()
    push(made, 1)
    return made


@pytest.fixture(scope="module")
def server(folder):
    with process.start(PROJECT, folder, log=folder.parent / "requests.jsonl") as started:
        yield started
    assert started.process.returncode == 0


@pytest.fixture(autouse=True)
def _lives(request):
    """Each test leaves a server that answers."""
    yield
    if "server" in request.fixturenames:
        assert request.getfixturevalue("server").ask([FLIGHT])


def tensors(**changed):
    """A request of the Open Inference protocol."""
    columns = {name: [value] for name, value in FLIGHT.items()} | changed
    kind = {str: "BYTES", int: "INT64", float: "FP32"}
    return {
        "inputs": [
            {
                "name": name,
                "shape": [len(data)],
                "datatype": kind.get(type(data[0] if data else 0), "INT64"),
                "data": data,
            }
            for name, data in columns.items()
        ]
    }


def instances(*flights):
    return {"instances": list(flights)}


def with_inputs(first):
    """A request of the Open Inference protocol whose first tensor is changed."""
    found = tensors()
    found["inputs"][0] |= first
    return found


BAD = [
    # no JSON
    (PREDICT, b"", 400, "the body is empty"),
    (PREDICT, b"   ", 400, "the body is empty"),
    (PREDICT, b"instances", 400, "not JSON (line 1, column 1"),
    (PREDICT, b'{"instances": [', 400, "not JSON"),
    (PREDICT, b'{"instances": [{"weekday": NaN}]}', 400, "not JSON"),
    (PREDICT, b'{"instances": [{"weekday": Infinity}]}', 400, "not JSON"),
    (PREDICT, b"\xff\xfe{}", 400, "not JSON"),
    (PREDICT, b"[" * 1_000_000, 400, "not JSON"),
    (PREDICT, b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "not JSON"),
    (PREDICT, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "not JSON"),
    # no request
    (PREDICT, [], 400, 'no "instances"'),
    (PREDICT, 3, 400, 'no "instances"'),
    (PREDICT, None, 400, 'no "instances"'),
    (PREDICT, {}, 400, 'no "instances"'),
    (PREDICT, {"inputs": {}}, 400, 'no "instances"'),
    (PREDICT, {"instances": {}}, 400, "no list"),
    (PREDICT, {"instances": None}, 400, "no list"),
    (PREDICT, {"instances": "x" * 100_000}, 400, "no list"),
    (PREDICT, {"instances": []}, 400, "is empty"),
    (PREDICT, {"instances": [FLIGHT], "more" * 30: 1}, 400, "unknown"),
    (PREDICT, {"instances": [FLIGHT], "signature_name": "other"}, 400, "signature_name"),
    (PREDICT, {"instances": [FLIGHT] * 10_001}, 400, "10,001 rows. Ask for at most 10,000"),
    # no flight
    (PREDICT, instances(3), 400, "flight 0: 3 is not a flight"),
    (PREDICT, instances(FLIGHT, None), 400, "flight 1: None is not a flight"),
    (PREDICT, instances(FLIGHT, [FLIGHT]), 400, "flight 1: "),
    (PREDICT, instances({}), 400, "flight 0: weekday, sched_dep_time, carrier, origin, dest, distance is missing"),
    (PREDICT, instances(FLIGHT, FLIGHT | {"carrier": None}), 400, "flight 1: carrier is missing"),
    (PREDICT, instances(FLIGHT | {"wings": 2}), 400, "flight 0: no column wings"),
    (PREDICT, instances(FLIGHT | {"x" * 100_000: 2}), 400, "flight 0: no column 'xxx"),
    (PREDICT, instances({"b64": "AAAA"}), 400, "flight 0: no column b64"),
    # values that cannot be
    (PREDICT, instances(FLIGHT | {"carrier": "ZZ"}), 400, "flight 0, column carrier: 'ZZ' is not one of 9E, AA"),
    (PREDICT, instances(FLIGHT | {"carrier": "Z" * 1_000_000}), 400, "flight 0, column carrier: 'ZZZ"),
    (PREDICT, instances(FLIGHT | {"carrier": 7}), 400, "flight 0, column carrier: 7 is not text"),
    (PREDICT, instances(FLIGHT | {"carrier": ["UA"]}), 400, "flight 0, column carrier: ['UA'] is not text"),
    (PREDICT, instances(FLIGHT | {"weekday": 8}), 400, "flight 0, column weekday: 8 is not from 1 to 7"),
    (PREDICT, instances(FLIGHT | {"weekday": 5.5}), 400, "flight 0, column weekday: 5.5 is not a whole number"),
    (PREDICT, instances(FLIGHT | {"weekday": True}), 400, "flight 0, column weekday: True is not a whole number"),
    (PREDICT, instances(FLIGHT | {"weekday": {"is": 5}}), 400, "flight 0, column weekday: "),
    (PREDICT, b'{"instances": [{"weekday": 1e999}]}', 400, ""),
    (PREDICT, instances(FLIGHT | {"distance": 10**40}), 400, "flight 0, column distance: "),
    (PREDICT, instances(FLIGHT | {"distance": -(2**63)}), 400, "flight 0, column distance: "),
    (PREDICT, instances(FLIGHT | {"sched_dep_time": 1275}), 400, "1275 is not a time of day"),
    (PREDICT, instances(FLIGHT | {"dest": "EWR"}), 400, "flight 0, column dest: 'EWR' is not another one than origin"),
    (PREDICT, instances(FLIGHT | {"temp": 1e300}), 400, "flight 0, column temp: "),
    (PREDICT, instances(FLIGHT | {"temp": "warm"}), 400, "flight 0, column temp: 'warm' is not a number"),
    # versions, models, paths and methods that there are not
    ("/v1/models/other:predict", instances(FLIGHT), 404, "no model 'other'; there is flights"),
    ("/v1/models/" + "x" * 5000 + ":predict", instances(FLIGHT), 404, "no model 'xxx"),
    ("/v1/models/flights/versions/7:predict", instances(FLIGHT), 404, "version 7 of flights is not loaded; loaded: 1"),
    ("/v1/models/flights/versions/x:predict", instances(FLIGHT), 404, "version 'x' is no number"),
    ("/v1/models/flights/versions/%D9%A1%D9%A1:predict", instances(FLIGHT), 404, "not loaded"),
    ("/v1/models/flights:explain", instances(FLIGHT), 405, "Method Not Allowed"),
    ("/v1/models/flights:regress/x", instances(FLIGHT), 404, "Not Found"),
    ("/v2/repository/models/flights/unload", None, 404, "Not Found"),
    ("/v1/models/flights", instances(FLIGHT), 405, "Method Not Allowed"),
    ("GET " + PREDICT, None, 405, "Method Not Allowed"),
    ("PUT " + PREDICT, instances(FLIGHT), 405, "Method Not Allowed"),
    ("DELETE /v1/models/flights", None, 405, "Method Not Allowed"),
    ("GET /v1/models/other", None, 404, "no model 'other'"),
    ("GET /v1/models/flights/versions/7", None, 404, "no version 7"),
    ("GET /v2/models/other", None, 404, "other does not exist"),
    ("GET /v2/models/flights/versions/7/ready", None, 404, "version 7 of flights is not loaded"),
    # the Open Inference protocol
    (INFER, b"x", 400, "not JSON"),
    (INFER, [], 400, "no request of the Open Inference protocol"),
    (INFER, instances(FLIGHT), 400, "inputs: Field required"),
    (INFER, {"inputs": []}, 400, '"inputs" is empty'),
    (INFER, {"inputs": [3]}, 400, "inputs.0"),
    (INFER, {"inputs": [{"name": "weekday"}]}, 400, "inputs.0.shape"),
    (INFER, tensors(weekday=[]), 400, "input 'sched_dep_time' has 1 values, and the one before it 0"),
    (INFER, tensors(**{name: [] for name in FLIGHT}), 400, '"inputs" is empty'),
    (INFER, tensors(dest=["SFO", "LAX"]), 400, "input 'dest' has 2 values, and the one before it 1"),
    (INFER, with_inputs({"shape": [2]}), 400, "input 'weekday' has the shape [2] and 1 values"),
    (INFER, with_inputs({"shape": [-1]}), 400, "has the shape"),
    (INFER, with_inputs({"data": [{"x": 5}]}), 400, "column weekday"),
    (INFER, with_inputs({"data": [None]}), 400, "weekday is missing"),
    (INFER, with_inputs({"datatype": "FP16"}), 400, "FP16"),
    (
        INFER,
        with_inputs({"datatype": "STRING"}),
        400,
        "input 'weekday' has the datatype 'STRING', which the protocol has not",
    ),
    (INFER, {"inputs": tensors()["inputs"] * 2}, 400, "input 'weekday' is there twice"),
    (INFER, tensors() | {"outputs": [{"name": "score"}]}, 400, "no output 'score'; there is late_probability"),
    (INFER, tensors() | {"id": 7}, 400, "id: Input should be a valid string"),
    ("/v2/models/flights/versions/7/infer", tensors(), 404, "version 7 of flights is not loaded"),
    ("/v2/models/other/infer", tensors(), 404, "no model 'other'"),
]


def test_every_bad_request_gets_its_status_and_a_short_sentence(server):
    assert len(BAD) > 50
    wrong = []
    for number, (path, given, status, said) in enumerate(BAD):
        method, _, path = path.rpartition(" ")
        body = given if isinstance(given, bytes) else json.dumps(given).encode()
        reply = server.send(method or "POST", path, body)
        words = reply.body.get("error", "") if isinstance(reply.body, dict) else ""
        if reply.status != status or said not in words or not 3 < len(words) < 700 or not words.endswith("."):
            wrong.append(f"{number}: {path[:60]} {body[:60]!r} got {reply.status}: {str(reply.body)[:300]}")
    assert not wrong, "\n".join(wrong)
    assert "Traceback" not in server.words()


def test_a_body_that_is_compressed_is_refused_for_that(server):
    body = gzip.compress(json.dumps(instances(FLIGHT)).encode())
    reply = server.send("POST", PREDICT, body, {"content-encoding": "gzip"})
    assert reply.status == 400
    assert reply.body == {"error": "a body with the Content-Encoding 'gzip' is not taken; send it as it is."}


def test_an_id_of_the_open_inference_protocol_comes_back_whole(server):
    """The protocol asks for it; the log keeps the first 200 letters."""
    reply = server.send("POST", INFER, json.dumps(tensors() | {"id": "x" * 300}).encode())
    assert reply.body["id"] == "x" * 300


def test_what_is_no_http_is_refused(server):
    for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(sent)
            assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", ""]
)
def test_a_body_is_json_whatever_its_type_says(server, kind):
    """curl's `-d` sends a form, and TensorFlow Serving does not care."""
    for path, given in ((PREDICT, instances(FLIGHT)), (INFER, tensors())):
        assert server.send("POST", path, json.dumps(given).encode(), {"content-type": kind}).status == 200


def test_numbers_written_otherwise_and_unknown_values_are_taken(server):
    same = [
        FLIGHT,
        FLIGHT | {"distance": 2565.0},
        FLIGHT | {"distance": "2565"},
        FLIGHT | {"temp": None, "seats": None},
    ]
    assert len(set(server.ask(same))) == 1


def test_answers_are_in_the_order_of_the_rows_and_say_who_gave_them(server):
    flights = [FLIGHT | {"distance": 100 + number} for number in range(1000)]
    reply = server.send("POST", PREDICT, json.dumps(instances(*flights)).encode(), {"x-request-id": "mine"})
    assert reply.headers["x-request-id"] == "mine"
    assert reply.headers["x-model-version"] == "1"
    assert reply.body["predictions"] == pytest.approx([answer(1, 100 + number) for number in range(1000)])
    assert server.ask([FLIGHT], version=1) == server.ask([FLIGHT])


def test_an_id_that_no_header_can_hold_is_answered_as_well(server):
    reply = server.send("POST", PREDICT, json.dumps(instances(FLIGHT)).encode(), {"x-request-id": "é" * 5})
    assert reply.status == 200


def test_the_open_inference_protocol_as_kserve_reads_it(server):
    from kserve import InferResponse

    sent = tensors(**{name: [value, value, value] for name, value in FLIGHT.items()}, temp=[50, 50.5, None])
    for given, wanted in ((sent, None), (sent | {"id": "mine"}, "mine"), (sent | {"id": None}, None)):
        reply = server.send("POST", INFER, json.dumps(given).encode())
        found = InferResponse.from_rest(reply.body)
        assert (found.model_name, found.model_version) == ("flights", "1")
        assert found.id == wanted if wanted else len(found.id) == 32
        assert found.outputs[0].as_numpy().tolist() == pytest.approx([answer(1, 2565)] * 3)
    nested = with_inputs({"shape": [1, 1], "data": [[5]]}) | {"outputs": [{"name": "late_probability"}]}
    assert server.send("POST", "/v2/models/flights/versions/1/infer", json.dumps(nested).encode()).status == 200
    about = server.send("GET", "/v2/models/flights").body
    assert {"name": "carrier", "datatype": "BYTES", "shape": [-1]} in about["inputs"]
    assert [one["name"] for one in about["outputs"]] == ["late_probability"]
    assert "late" not in {one["name"] for one in about["inputs"]}


def test_health_says_that_it_lives_and_that_a_version_answers(server):
    said = {
        path: server.send("GET", path) for path in ("/", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models")
    }
    assert {reply.status for reply in said.values()} == {200}
    assert said["/v2/health/ready"].body == {"ready": True}
    assert said["/v2/models"].body == {"models": ["flights"]}
    assert server.send("GET", "/v2/models/flights/ready").body == {"name": "flights", "ready": True}
    assert server.send("GET", "/v2/models/flights/versions/1/ready").status == 200


def test_the_status_is_what_tensorflow_serving_would_say(server):
    """Read by the message of its own interface."""
    from google.protobuf import json_format
    from tensorflow_serving.apis import get_model_status_pb2

    for path in ("/v1/models/flights", "/v1/models/flights/versions/1"):
        said = json_format.ParseDict(server.send("GET", path).body, get_model_status_pb2.GetModelStatusResponse())
        states = {
            one.version: get_model_status_pb2.ModelVersionStatus.State.Name(one.state)
            for one in said.model_version_status
        }
        assert states == {1: "AVAILABLE"}


def test_only_this_machine_is_listened_to(server):
    found = listening.of([server.process.pid])
    assert found == {f"127.0.0.1:{server.port}"}
    assert not listening.to_others(found)


def test_large_bodies_slow_clients_and_half_closed_ones_hold_up_nobody(server):
    with contextlib.ExitStack() as stack:

        def opened() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))

        head = f"POST {PREDICT} HTTP/1.1\r\nhost: a\r\ncontent-length: ".encode()
        for sent in (b"", head, head + b"1000\r\n\r\n{", head + b"11000000\r\n\r\n" + b"x" * 100_000):
            for _ in range(5):
                opened().sendall(sent)
        half_closed = opened()
        body = json.dumps(instances(FLIGHT)).encode()
        half_closed.sendall(head + f"{len(body)}\r\n\r\n".encode() + body)
        half_closed.shutdown(socket.SHUT_WR)
        replies: list[int] = []
        large = [b"x" * 11_000_000, json.dumps(instances(*[FLIGHT] * 10_000)).encode(), b"[" * 9_000_000]
        threads = [
            threading.Thread(target=lambda one=one: replies.append(server.send("POST", PREDICT, one).status))
            for one in large
        ]
        for thread in threads:
            thread.start()
        answered = 0
        while any(thread.is_alive() for thread in threads) or answered < 50:
            assert server.ask([FLIGHT]) == pytest.approx([answer(1, 2565)])
            answered += 1
        for thread in threads:
            thread.join()
        assert sorted(replies) == [200, 400, 413]
        assert half_closed.recv(65536).startswith(b"HTTP/1.1 200 ")


class Load:
    """Clients that ask again soon after each answer, and what they got. Without a pause, they and the server are all that the machine does."""

    def __init__(self, server, clients: int = 3, pause: float = 0.02) -> None:
        self.server, self.pause, self.faults, self.seen = server, pause, [], []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        body = json.dumps(instances(FLIGHT)).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        with contextlib.closing(connection):
            number = 0
            while not self._ended.wait(self.pause):
                number += 1
                try:
                    connection.request("POST", PREDICT, body, {"x-request-id": f"load-{client}-{number}"})
                    reply = connection.getresponse()
                    said = json.loads(reply.read())
                    version = int(reply.headers["x-model-version"])
                    assert math.isclose(said["predictions"][0], answer(version, 2565), abs_tol=1e-6), said
                    self.seen.append(version)
                except Exception as error:
                    self.faults.append(f"{client}, {number}: {error!r}")
                    return


def refused_soon(server, version: int) -> str:
    until = time.monotonic() + 60
    while (said := server.versions().get(version, "")) in ("", "AVAILABLE", "LOADING", "END"):
        assert time.monotonic() < until, server.words()
        time.sleep(0.1)
    return said


def wait_until(server, happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until, server.words()
        time.sleep(0.1)


def test_versions_come_break_are_tried_and_rolled_back_under_load_and_no_request_is_lost(server, folder):
    log = folder.parent / "requests.jsonl"
    with Load(server) as load:
        push(folder, 2)
        server.wait_for(champion=2)
        push(folder, 3, "variables")
        assert "cannot be loaded" in refused_soon(server, 3)
        assert server.traffic()["champion"] == 2
        push(folder, 4)
        server.wait_for(champion=4)
        traffic.write(folder, Traffic(2, challenger=4, share=0.5))
        server.wait_for(champion=2, challenger=4, share=0.5)
        begun = len(load.seen)
        while len(load.seen) < begun + 200:
            time.sleep(0.05)
            assert not load.faults
        canary = load.seen[begun + 10 : begun + 200]
        traffic.write(folder, Traffic(4, shadow=2))
        server.wait_for(champion=4, shadow=2)
        wait_until(server, lambda: any(one["role"] == "shadow" for one in request_log.read(log)))
        traffic.path(folder).write_text("garbage")
        server.wait_for(
            champion=4,
            fault=f"{traffic.path(folder)}: no JSON can be read there (Expecting value: line 1 column 1 (char 0)). "
            'Write {"champion": 3}, or also "challenger", "share" and "shadow".',
        )
        traffic.write(folder, Traffic(2))
        server.wait_for(champion=2, fault="")
        traffic.write(folder, None)
        server.wait_for(champion=4)
    assert not load.faults
    assert set(load.seen) == {1, 2, 4}
    assert 50 < canary.count(4) < 140
    assert {one["version"] for one in request_log.read(log) if one["role"] == "shadow"} == {2}
    said = server.words()
    assert said.count("version 3 is refused") == 1
    assert said.count("What was served before goes on.") == 1
    assert "Traceback" not in said


@pytest.mark.long
def test_many_versions_come_and_go_under_more_load(tmp_path):
    """Ten swaps, each named by the traffic file, with twelve clients; every other one is challenged by the one before."""
    (tmp_path / "serving").mkdir()
    push(tmp_path / "serving", 1)
    with process.start(PROJECT, tmp_path / "serving", log=tmp_path / "log") as server, Load(server, 12, 0.005) as load:
        for version in range(2, 12):
            push(tmp_path / "serving", version)
            asked = Traffic(version, version - 1, 0.3, version) if version % 2 else Traffic(version, shadow=version - 1)
            traffic.write(tmp_path / "serving", asked)
            server.wait_for(champion=version, fault="")
            begun = len(load.seen)
            while len(load.seen) < begun + 500 and not load.faults:
                time.sleep(0.05)
        assert set(server.versions().values()) <= {"AVAILABLE", "END"}
    assert not load.faults
    assert set(load.seen) == set(range(1, 12))
    answered = [one for one in request_log.read(tmp_path / "log") if one["role"] != "shadow"]
    assert len(answered) == len(load.seen)
    assert len({one["id"] for one in answered}) == len(answered)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("half", "cannot be loaded"),
        ("output", "gives score, not late_probability"),
        ("input", "takes x, not serialised tf.Examples alone"),
        ("signature", "no signature serving_default"),
        ("nan", "no number (NaN or infinite)"),
        ("fails", "does not answer"),
        ("count", "1 answers to 2 rows"),
        ("empty", "no SavedModel"),
    ],
)
def test_a_broken_version_is_refused_with_its_reason(fault, reason, server, folder):
    before = server.traffic()["champion"]
    version = 100 + small_models.FAULTS.index(fault)
    push(folder, version, fault)
    assert reason in refused_soon(server, version)
    assert server.traffic()["champion"] == before


def test_metrics_count_by_version_and_outcome(server):
    from prometheus_client.parser import text_string_to_metric_families

    server.ask([FLIGHT, FLIGHT])
    with pytest.raises(RequestRefused, match="wings"):
        server.ask([{"wings": 2}])
    text = server.send("GET", "/metrics").body
    found = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    champion = str(server.traffic()["champion"])
    assert found["serving_version", (("role", "champion"), ("version", champion))] == 1
    assert found["serving_requests_total", (("outcome", "answered"), ("version", champion))] >= 1
    assert found["serving_requests_total", (("outcome", "refused"), ("version", champion))] >= 1
    assert found["serving_request_seconds_count", (("version", champion),)] >= 1
    labels = (("role", "champion"), ("version", champion))
    assert found["serving_prediction_count", labels] >= 2
    buckets = [value for (name, _), value in found.items() if name == "serving_prediction_bucket"]
    assert buckets
    assert found["serving_prediction_bucket", (("le", "+Inf"), *labels)] == found["serving_prediction_count", labels]
    assert found["serving_traffic_fault", ()] == 0
    assert found["serving_log_lost_total", ()] == 0


def test_what_cannot_be_served_is_refused_before_anything_is_loaded(tmp_path, capsys):
    def said(folder, *options) -> str:
        assert command.main([PROJECT, str(folder), *options]) == 1
        return capsys.readouterr().err

    assert "there is no such folder" in said(tmp_path / "none")
    assert "no version in it" in said(tmp_path)
    (tmp_path / "3").mkdir()
    assert "none of its 1 versions holds a SavedModel" in said(tmp_path)
    (tmp_path / "3" / "saved_model.pb").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1, port {port}: Address already in use. Choose another one by --port" in said(
            tmp_path, "--port", port
        )
    assert "port 99999" in said(tmp_path, "--port", "99999")
    assert "no address of this machine" in said(tmp_path, "--host", "no.such.host.invalid")


def test_a_server_that_ends_before_it_answers_is_told_with_its_last_words_and_how_it_ended(folder):
    said = r"It said: (?s:.*)No module named 'no_such_module'"
    with pytest.raises(NotStarted, match=said) as told, process.start("no_such_module:PROJECT", folder):
        pass
    assert (told.value.status, told.value.refused) == (1, {})


@pytest.mark.long  # that such a version is refused is shown above, and by test_serving_infra_check that it is known at the start
def test_a_server_without_a_version_that_answers_ends_and_its_last_words_say_why(tmp_path):
    (tmp_path / "serving").mkdir()
    push(tmp_path / "serving", 5, "nan")
    said = r"no version can be served \(version 5: it answers with what is no number"
    with pytest.raises(NotStarted, match=said), process.start(PROJECT, tmp_path / "serving"):
        pass


def test_a_server_that_does_not_come_to_answer_in_time_is_ended(folder):
    with (
        pytest.raises(NotStarted, match="no answer after 0"),
        process.start(PROJECT, folder, timeout=0.2),
    ):
        pass


def test_a_server_ends_with_its_parent_however_that_ends_and_its_log_is_whole(folder, tmp_path):
    """The parent is killed; the server, whose port no one else would ever free, ends by itself, in good order."""
    program = (
        "import sys, time\n"
        "from serving import process\n"
        f"with process.start({PROJECT!r}, {str(folder)!r}, log={str(tmp_path / 'log')!r}) as server:\n"
        f"    server.ask([{FLIGHT!r}] * 50)\n"
        "    print(server.process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert len(list(request_log.read(tmp_path / "log"))) == 50


def test_the_log_finds_each_answer_by_its_key(server, folder):
    """Last: what it reads is complete once the server has ended."""
    keyed = FLIGHT | {"year": 2013, "month": 3, "day": 1, "flight": 1545}
    server.ask([keyed], request_id="to be found")
    until = time.monotonic() + 60
    while not (
        found := [one for one in request_log.read(folder.parent / "requests.jsonl") if one["id"] == "to be found"]
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert {
        name: found[0][name] for name in ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")
    } == {name: keyed[name] for name in ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")}
    assert found[0]["prediction"] == pytest.approx(answer(found[0]["version"], 2565))
