"""The model as KServe's own server would ask it, and how traffic is divided, with versions that need no TensorFlow."""

from __future__ import annotations

import asyncio
import math
import socket
import subprocess
import sys
from importlib.util import find_spec

import pytest

from serving import request_log, traffic
from serving.models import Versions
from serving.request_log import RequestLog
from serving.traffic import Traffic

pytestmark = pytest.mark.skipif(not find_spec("kserve"), reason="KServe is not installed")


class Doubles:
    """A project whose rows have one column."""

    name, output, key, inputs, sample = "doubles", "twice", ("x", "day"), {"x": "FP32"}, ({"x": 1},)

    def check(self, rows):
        for number, row in enumerate(rows):
            if not isinstance(row, dict) or not isinstance(row.get("x"), int | float):
                raise ValueError(f"row {number}: no x.")
        return {"x": [row["x"] for row in rows]}

    def encode(self, columns):
        return [str(x).encode() for x in columns["x"]]


class Version:
    def __init__(self, folder):
        self.number = int(folder.name)

    def predict(self, examples):
        if self.number == 13:
            raise RuntimeError("the shadow's own fault")
        if float(examples[0]) < 0:
            return [math.nan for _ in examples]
        return [2 * float(one) + self.number / 100 for one in examples]


@pytest.fixture
def model(tmp_path):
    from serving.server import ServedModel

    for version in (1, 2, 13):
        (tmp_path / "serving" / str(version)).mkdir(parents=True)
    traffic.write(tmp_path / "serving", Traffic(1))
    made = ServedModel(Doubles(), Versions(tmp_path / "serving", Version), RequestLog(tmp_path / "log"))
    made.versions.look()
    yield made
    if made.log:
        made.stop()


def ask(model, payload, **headers):
    return asyncio.run(model.predict(payload, headers))


def logged(model) -> list[dict]:
    model.stop()
    found, model.log = list(request_log.read(model.log.file)), None
    return found


def test_requests_as_kserves_own_server_hands_them_on_are_answered(model):
    import kserve

    assert ask(model, {"instances": [{"x": 3}]}) == {"predictions": [6.01]}
    assert ask(model, b'{"instances": [{"x": 3}, {"x": 4}]}') == {"predictions": [6.01, 8.01]}
    for request_id in ("mine", None):
        tensor = kserve.InferInput("x", [2], "FP32", [3.0, 4.0])
        found = ask(model, kserve.InferRequest("doubles", [tensor], request_id))
        assert found.to_rest()[0]["outputs"][0]["data"] == pytest.approx([6.01, 8.01])
        assert (found.model_version, found.id) == ("1", request_id or found.id)
        assert found.id


def test_what_the_project_refuses_is_the_clients_fault(model):
    from kserve.errors import InvalidInput

    with pytest.raises(InvalidInput, match=r"row 1: no x\."):
        ask(model, {"instances": [{"x": 3}, {}]})


def test_nothing_is_served_before_a_version_answers(tmp_path):
    from kserve.errors import ModelNotReady

    from serving.server import ServedModel

    model = ServedModel(Doubles(), Versions(tmp_path, Version))
    assert not asyncio.run(model.healthy())
    with pytest.raises(ModelNotReady):
        ask(model, {"instances": [{"x": 3}]})


def test_an_id_decides_who_answers_and_the_log_says_who_did(model):
    traffic.write(model.versions.folder, Traffic(1, 2, 0.3))
    model.versions.look()
    model.versions.look()
    for number in range(200):
        ask(model, {"instances": [{"x": number}]}, **{"x-request-id": f"id-{number}"})
    found = logged(model)
    assert [one["id"] for one in found] == [f"id-{number}" for number in range(200)]
    for number, one in enumerate(found):
        assert one["role"] == Traffic(1, 2, 0.3).choose(one["id"])
        assert one["version"] == {"champion": 1, "challenger": 2}[one["role"]]
        assert one["prediction"] == pytest.approx(2 * number + one["version"] / 100)
        assert (one["x"], one["day"]) == (number, None)
    assert 40 < sum(one["version"] == 2 for one in found) < 80


def test_without_an_id_each_request_gets_one_of_its_own(model):
    for _ in range(20):
        ask(model, {"instances": [{"x": 1}]})
    assert len({one["id"] for one in logged(model)}) == 20


def test_the_shadow_is_asked_and_never_answers(model):
    traffic.write(model.versions.folder, Traffic(1, shadow=2))
    model.versions.look()
    model.versions.look()
    assert ask(model, {"instances": [{"x": 3}]}) == {"predictions": [6.01]}
    assert [
        (one["role"], one["version"], one["prediction"])
        for one in sorted(logged(model), key=lambda one: one["version"])
    ] == [
        ("champion", 1, 6.01),
        ("shadow", 2, 6.02),
    ]


def test_a_shadow_that_fails_changes_no_answer(model, caplog):
    traffic.write(model.versions.folder, Traffic(1, shadow=13))
    model.versions.look()
    model.versions.look()
    assert ask(model, {"instances": [{"x": 3}]}) == {"predictions": [6.01]}
    assert [one["version"] for one in logged(model)] == [1]
    assert "version 13, the shadow, does not answer" in caplog.text


def counted(name: str, **labels: str) -> float:
    """A value that Prometheus reads, 0 where there is none."""
    from prometheus_client.registry import REGISTRY

    return REGISTRY.get_sample_value(name, labels) or 0


def test_a_shadow_that_fails_is_counted(model):
    before = {
        one: counted("serving_shadow_requests_total", version="13", outcome=one) for one in ("answered", "failed")
    }
    traffic.write(model.versions.folder, Traffic(1, shadow=13))
    model.versions.look()
    model.versions.look()
    for _ in range(3):
        ask(model, {"instances": [{"x": 3}]})
    logged(model)
    after = {one: counted("serving_shadow_requests_total", version="13", outcome=one) for one in before}
    assert (after["answered"] - before["answered"], after["failed"] - before["failed"]) == (0, 3)


def test_an_answer_that_is_no_number_is_counted_and_leaves_the_metrics_whole(model):
    labels = {"version": "2", "role": "challenger"}
    names = ("serving_predictions_no_number_total", "serving_prediction_count")
    before = [counted(name, **labels) for name in names]
    traffic.write(model.versions.folder, Traffic(1, 2, 1.0))
    model.versions.look()
    model.versions.look()
    for x in (-1, 0.1, -1):
        said = ask(model, {"instances": [{"x": x}, {"x": x}]})["predictions"]
        assert all(map(math.isnan, said)) == (x < 0)
    assert [counted(name, **labels) - was for name, was in zip(names, before, strict=True)] == [4, 2]


def test_requests_that_are_being_answered_are_counted_until_they_are(model):
    from kserve.errors import InvalidInput

    served, at_work = model.versions.served.models[1], []
    predict = served.predict
    served.predict = lambda examples: (
        at_work.append(counted("serving_requests_at_work", version="1")),
        predict(examples),
    )[1]
    before = counted("serving_requests_at_work", version="1")
    ask(model, {"instances": [{"x": 3}]})
    with pytest.raises(InvalidInput):
        ask(model, {"instances": [{}]})
    assert at_work == [before + 1]
    assert counted("serving_requests_at_work", version="1") == before


def test_requests_that_fail_or_are_refused_count_as_those_of_the_version_that_was_chosen(model):
    import httpx
    from kserve.model_repository import ModelRepository
    from starlette.applications import Starlette
    from starlette.routing import Route

    from serving import server

    app = Starlette(
        routes=[Route("/v1/models/{name:str}:predict", server._Predict)],
        exception_handlers={kind: server._refuse for kind in server.STATUS} | {Exception: server._fail},
    )
    held = ModelRepository()
    held.update(model)
    app.state.model, app.state.dataplane = model, server._DataPlane(model_registry=held)

    async def post(**request) -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.post("/v1/models/doubles:predict", **request)).status_code

    traffic.write(model.versions.folder, Traffic(1, 13, 0.5))
    model.versions.look()
    model.versions.look()
    which = [("1", "answered"), ("13", "failed"), ("1", "refused"), ("13", "refused"), ("", "refused"), ("", "failed")]
    before = [counted("serving_requests_total", version=one, outcome=outcome) for one, outcome in which]
    expected = dict.fromkeys(which, 0)
    for number in range(40):
        request_id, row = f"id-{number}", {"x": 3} if number % 2 else {}
        version = "13" if Traffic(1, 13, 0.5).choose(request_id) == "challenger" else "1"
        outcome = "refused" if not row else "failed" if version == "13" else "answered"
        status = asyncio.run(post(json={"instances": [row]}, headers={"x-request-id": request_id}))
        assert status == {"answered": 200, "refused": 400, "failed": 500}[outcome]
        expected[version, outcome] += 1
    assert asyncio.run(post(content=b"{")) == 400
    expected["", "refused"] += 1
    after = [counted("serving_requests_total", version=one, outcome=outcome) for one, outcome in which]
    assert {one: now - was for one, was, now in zip(which, before, after, strict=True)} == expected
    assert min(expected[one] for one in which[:4]) > 3


def test_a_shadow_that_cannot_follow_is_asked_less(model, monkeypatch):
    import threading

    from serving import metrics

    traffic.write(model.versions.folder, Traffic(1, shadow=2))
    model.versions.look()
    model.versions.look()
    may_answer = threading.Event()
    shadow = model.versions.served.models[2]
    predict = shadow.predict
    shadow.predict = lambda examples: (may_answer.wait(60), predict(examples))[1]
    before = metrics.SHADOW_DROPPED._value.get()
    for _ in range(150):
        assert ask(model, {"instances": [{"x": 3}]}) == {"predictions": [6.01]}
    assert metrics.SHADOW_DROPPED._value.get() - before == 50
    may_answer.set()
    assert sum(one["role"] == "shadow" for one in logged(model)) == 100


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Asks the application itself, in which version 1 answers, and version 3 for a share."""
    import httpx

    from serving.server import ServedModel, Server

    folder = tmp_path_factory.mktemp("served") / "serving"
    for number in (1, 2, 3):
        (folder / str(number)).mkdir(parents=True)
    traffic.write(folder, Traffic(champion=1, challenger=3, share=0.5))
    versions = Versions(folder, Version)
    versions.look()
    with socket.socket() as none:
        server = Server(ServedModel(Doubles(), versions), none)
        server.register_model(server.model)
        asked = httpx.ASGITransport(server._application())

    def send(method, path, **given):
        async def sent():
            async with httpx.AsyncClient(transport=asked, base_url="http://a") as opened:
                return await opened.request(method, path, **given)

        return asyncio.run(sent())

    return send


def test_the_open_inference_protocol_tells_the_versions_that_may_be_asked_for(client):
    about = client("GET", "/v2/models/doubles")
    assert about.json()["versions"] == ["1", "3"]
    assert about.json()["platform"] == "tensorflow_savedmodel"
    assert client("GET", "/v2/models/doubles/versions/3").json() == about.json()
    reply = client("GET", "/v2/models/doubles/versions/7")
    assert (reply.status_code, reply.json()) == (404, {"error": "version 7 of doubles is not loaded."})
    assert client("GET", "/v2/models/triples/versions/1").status_code == 404


def test_no_extension_of_the_protocol_is_told_that_is_not_offered(client):
    assert client("GET", "/v2").json()["extensions"] == []
    assert client("POST", "/v2/repository/index").status_code == 404


def test_an_address_with_a_slash_too_many_is_refused_with_a_sentence(client):
    for path in ("/v1/models/doubles:predict/", "/v2/models/doubles/infer/"):
        reply = client("POST", path, json={"instances": [{"x": 1}]})
        assert (reply.status_code, reply.json()) == (404, {"error": "Not Found."})


@pytest.mark.parametrize(
    ("codings", "status"),
    [([], 200), (["Identity"], 200), ([""], 200), (["gzip"], 400), (["GZIP"], 400), (["identity", "gzip"], 400)],
)
def test_a_coding_of_the_body_is_refused_however_it_is_written(codings, status, client):
    headers = [("content-encoding", coding) for coding in codings]
    assert (
        client("POST", "/v1/models/doubles:predict", json={"instances": [{"x": 1}]}, headers=headers).status_code
        == status
    )


@pytest.mark.long
def test_kserve_takes_none_of_the_options_of_the_command_that_serves():
    """It reads the command line when it is imported, and takes abbreviations: `--log` would be its `--log_config_file`."""
    code = (
        "import sys; sys.argv += ['--log', 'x', '--port', '1', '--workers', '7']; import serving.server; "
        "from kserve import model_server; print(model_server.args.log_config_file, model_server.args.workers, sys.argv[-1])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None 1 7\n"


def test_what_starts_a_server_and_moves_traffic_is_light_to_import():
    code = (
        "import sys, serving.process, serving.traffic, serving.request_log, serving.__main__, flights.cli; "
        "print({'tensorflow', 'kserve', 'pandas', 'tfx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
