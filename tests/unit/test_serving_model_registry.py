"""Kubeflow's Model Registry by its real client, against a stand-in of the server.

The stand-in answers as `api/openapi/model-registry.yaml` of github.com/kubeflow/model-registry (commit bd07139a6) says: paths, required fields, status
codes. It takes both `v1alpha3`, which that server speaks, and `v1`, which clients after 0.3.9 ask for. It is no proof that a real server does.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import logging
import re
import threading
import urllib.parse

import pytest

from serving.model_registry import ModelRegistryError, publish
from serving.registered import Entry

KINDS = {"registered_model": "RegisteredModel", "model_version": "ModelVersion", "model_artifact": "ModelArtifact"}
REQUIRED = {
    "registered_models": ["name"],
    "model_versions": ["name", "registeredModelId"],
    "artifacts": ["artifactType"],
}


class StandIn(http.server.BaseHTTPRequestHandler):
    """The part of the interface that registering needs."""

    def do_GET(self) -> None:
        kind, query = self.asked()
        if kind == "registered_models":
            self.answer(
                200, {"items": self.server.rows["registered_model"], "nextPageToken": "", "pageSize": 1, "size": 0}
            )
        elif kind in KINDS:  # find: by name, and by the parent where there is one
            parent = query.get("parentResourceId")
            for row in self.server.rows[kind]:
                if row["name"] == query["name"] and parent in (None, row.get("parent")):
                    return self.answer(200, row)
            self.answer(404, {"code": "404", "message": "no such"})
        else:
            self.answer(404, {"code": "404", "message": f"path {self.path}"})

    def do_POST(self) -> None:
        kind, _ = self.asked()
        given = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(kind)
        parent = given.get("registeredModelId")
        if found := re.fullmatch(r"model_versions/(\d+)/artifacts", kind):
            kind, parent = "artifacts", found[1]
        if self.server.fails_at == kind:
            return self.answer(500, {"code": "500", "message": "the database is gone"})
        if kind not in REQUIRED or any(not given.get(name) for name in REQUIRED[kind]):
            return self.answer(400, {"code": "400", "message": f"{kind}: a required field is missing"})
        name = {"artifacts": "model_artifact"}.get(kind, kind.removesuffix("s"))
        row = given | {"id": str(1 + sum(map(len, self.server.rows.values()))), "parent": parent}
        row |= {"createTimeSinceEpoch": "1", "lastUpdateTimeSinceEpoch": "1"}
        self.server.rows[name].append(row)
        self.answer(201, row)

    def asked(self) -> tuple[str, dict[str, str]]:
        parts = urllib.parse.urlsplit(self.path)
        found = re.fullmatch(r"/api/model_registry/(v1alpha3|v1)/(.+)", parts.path)
        kind = found[2] if found and not self.server.is_other else "unknown"
        return kind, dict(urllib.parse.parse_qsl(parts.query))

    def answer(self, status: int, body: object) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    made.rows, made.asked, made.fails_at, made.is_other = {name: [] for name in KINDS}, [], "", False
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join(60)
    made.server_close()


@pytest.fixture
def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


def entry(number: int, **tags: str) -> Entry:
    version = str(1_700_000_100 + number)
    tags = {"checksum": "ab", "run": f"run-{number}", "metric/auc": "0.7"} | tags
    return Entry(number, version, f"file:///serving/{version}", tags, ())


def test_versions_are_registered_once_with_their_folder_and_properties(server, address):
    with_lineage = [entry(1), entry(2, trained_on='[{"span": 1}]')]
    by_hand = Entry(3, "1700000103", "file:///serving/1700000103", {}, ())
    assert publish(address, "flights", [*with_lineage, by_hand], "ann") == with_lineage
    assert publish(address, "flights", with_lineage, "ann") == []
    [model] = server.rows["registered_model"]
    first, second = server.rows["model_version"]
    assert (model["name"], model["owner"]) == ("flights", "ann")
    assert (first["name"], first["author"], first["parent"]) == ("1700000101", "ann", model["id"])
    kept = {name: next(iter(set(value) - {"metadataType"})) for name, value in second["customProperties"].items()}
    assert kept == {
        "checksum": "string_value", "run": "string_value", "trained_on": "string_value",
        "metric/auc": "double_value", "number": "string_value",
    }  # fmt: skip
    assert second["customProperties"]["trained_on"]["string_value"] == '[{"span": 1}]'
    [one, _] = server.rows["model_artifact"]
    assert (one["uri"], one["parent"]) == ("file:///serving/1700000101", first["id"])
    assert (one["modelFormatName"], one["modelFormatVersion"]) == ("tensorflow", "2")


@pytest.mark.parametrize("at", ["registered_models", "model_versions", "artifacts"])
def test_what_was_cut_off_is_gone_on_from(at, server, address):
    server.fails_at = at
    with pytest.raises(ModelRegistryError, match=rf"^{address}: Internal Server Error\.$"):
        publish(address, "flights", [entry(1)], "ann")
    server.fails_at = ""
    assert publish(address, "flights", [entry(1)], "ann") == [entry(1)]
    assert [len(rows) for rows in server.rows.values()] == [1, 1, 1]


def test_a_server_of_another_version_and_one_that_is_not_there_are_told(server, address):
    server.is_other = True
    with pytest.raises(ModelRegistryError, match=r"speaks another version of the interface than the client"):
        publish(address, "flights", [entry(1)], "ann")
    with pytest.raises(ModelRegistryError, match=r"^http://127\.0\.0\.1:1: Cannot connect"):
        publish("http://127.0.0.1:1", "flights", [entry(1)], "ann")


@pytest.mark.parametrize(
    "wrong", ["localhost:8080", "ftp://host", "http://", "http://me:secret@host", "http://host/path"]
)
def test_an_address_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="write the address of a server") as told:
        publish(wrong, "flights", [], "ann")
    assert "secret" not in str(told.value)


def test_the_client_leaves_the_process_as_it_was_and_works_where_a_loop_runs(server, address, recwarn):
    before = logging.getLogger().handlers[:]
    run = asyncio.run

    async def in_a_notebook():
        return publish(address, "flights", [entry(1)], "ann")

    assert asyncio.run(in_a_notebook()) == [entry(1)]
    assert logging.getLogger().handlers == before
    assert asyncio.run is run
    assert not [one for one in recwarn if issubclass(one.category, UserWarning)]
