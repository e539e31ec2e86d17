"""The model server: KServe's SDK, on one machine's own address, for a folder of versions that changes while it answers.

Paths: TensorFlow Serving's REST protocol (`/v1/models/NAME:predict`, `/v1/models/NAME`, both with `/versions/N`), the Open Inference protocol
(`/v2/...`), `/metrics`, and `/v1/models/NAME/traffic`. `ServedModel` is a model of KServe, which KServe's own server takes as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import orjson
import uvloop
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

with mock.patch.object(sys, "argv", sys.argv[:1]):  # it reads the command line, and takes our options for its own
    import kserve
    from kserve import errors, model_server
    from kserve.protocol.dataplane import DataPlane
    from kserve.protocol.rest.server import metrics_handler
    from kserve.protocol.rest.v2_datamodels import InferenceRequest
    from kserve.protocol.rest.v2_endpoints import V2Endpoints
    from kserve.utils.numpy_codec import to_np_dtype

from serving import metrics
from serving.connections import BodyLimit, Connection
from serving.models import Columns, Project, Refused, Rows, Served, Versions, load
from serving.request_log import Answer, RequestLog
from serving.traffic import Role

LARGEST_BODY = 10 * 2**20
"""Bytes of a request."""

MOST_ROWS = 10_000
"""Rows of a request."""

LOOK_EACH = 0.5
"""Seconds between two looks at the folder of versions."""

SHADOW_WAITING = 100
"""Requests that wait for the shadow, before further ones go without it."""

PLATFORM = "tensorflow_savedmodel"
"""As the Open Inference protocol's own text calls it."""

LOG = logging.getLogger("serving")


class NotServed(errors.ModelNotFound):
    """A version that was asked for by number is not loaded."""

    def __init__(self, reason: str) -> None:
        """Says so."""
        self.reason = reason


class Asked(NamedTuple):
    """A request as it came.

    Attributes:
        body: JSON.
        protocol: 1 or 2.
        version: that must answer; None for the one that the traffic file says.
    """

    body: bytes
    protocol: int
    version: int | None


class Chosen(NamedTuple):
    """What answers a request: a moment's models, so that none of them can be replaced in between."""

    id: str
    version: int
    role: Role
    served: Served


class Answered(NamedTuple):
    """What a request of this server got, and what gave it, for headers and metrics.

    Attributes:
        body: as KServe's own server would send it.
        chosen: the version that answered.
    """

    body: dict[str, Any] | kserve.InferResponse
    chosen: Chosen


class ServedModel(kserve.Model):
    """All versions of one model, asked by what the traffic file says."""

    def __init__(self, project: Project, versions: Versions, log: RequestLog | None = None) -> None:
        """Serves nothing before the versions were looked at."""
        super().__init__(project.name)
        self.ready = True  # that a version answers, which changes, is said by `healthy`
        self.project, self.versions, self.log = project, versions, log
        self._shadow = ThreadPoolExecutor(1, "shadow")
        self._shadowed = threading.Semaphore(SHADOW_WAITING)

    async def healthy(self) -> bool:
        """Whether a version answers."""
        return self.versions.served is not None

    def get_input_types(self) -> list[dict[str, Any]]:
        """The columns of a request, for the Open Inference protocol."""
        return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in self.project.inputs.items()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The one output."""
        return [{"name": self.project.output, "datatype": "FP32", "shape": [-1]}]

    async def predict(  # type: ignore[override]
        self,
        payload: Asked | bytes | dict[str, Any] | kserve.InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Answered | dict[str, Any] | kserve.InferResponse:
        """Answers a request in a thread, so that a large one does not keep others waiting.

        Args:
            payload: a request of this server, or as KServe's own hands it on.
            headers: `x-request-id` says which request it is; a request without an id gets one.
            response_headers: not used.

        Raises:
            kserve.errors.InvalidInput: a sentence that names row, column and value.
            NotServed: the version that was asked for is not loaded.
        """
        return await asyncio.to_thread(self._answer, payload, headers or {})

    def _answer(self, payload: Any, headers: Mapping[str, str]) -> Answered | dict[str, Any] | kserve.InferResponse:
        asked = payload if isinstance(payload, Asked) else None
        served = self._served(asked.version if asked else None)
        if asked or isinstance(payload, bytes):
            payload = _parsed(asked.body if asked else payload)
        is_v2 = asked.protocol == 2 if asked else isinstance(payload, kserve.InferRequest)
        if is_v2 and asked:
            payload = _infer_request(payload, self.name)
        rows = _rows_of_inputs(payload) if is_v2 else _instances(payload)
        if len(rows) > MOST_ROWS:
            raise errors.InvalidInput(f"{len(rows):,} rows. Ask for at most {MOST_ROWS:,} at a time.")
        if is_v2:
            _require_outputs(payload, self.project.output)
        chosen = _choose(served, (payload.id if is_v2 else "") or headers.get("x-request-id", ""), asked)
        try:
            with metrics.AT_WORK.labels(str(chosen.version)).track_inprogress():
                predictions = self._predicted(chosen, rows)
        except Exception as error:
            error.chosen = chosen  # type: ignore[attr-defined]  # so that a failure counts as that of the version which failed
            raise
        answer: dict[str, Any] | kserve.InferResponse = {"predictions": predictions}
        if is_v2:
            output = kserve.InferOutput(self.project.output, [len(predictions)], "FP32", predictions)
            answer = kserve.InferResponse(payload.id or chosen.id, self.name, [output], str(chosen.version))
        return Answered(answer, chosen) if asked else answer

    def _predicted(self, chosen: Chosen, rows: Rows) -> list[float]:
        """What the chosen version says to the rows; logged and counted."""
        try:
            columns = self.project.check(rows)
        except ValueError as error:
            raise errors.InvalidInput(str(error)) from None
        examples = self.project.encode(columns)
        predictions = chosen.served.models[chosen.version].predict(examples)
        self._record(chosen, columns, predictions)
        self._ask_shadow(chosen, columns, examples)
        return predictions

    def _served(self, version: int | None) -> Served:
        """What is served now, with a version that must be among it."""
        served = self.versions.served
        if served is None:
            raise errors.ModelNotReady(self.name)
        if version is not None and version not in served.models:
            loaded = ", ".join(map(str, sorted(served.models)))
            raise NotServed(f"version {version} of {self.name} is not loaded; loaded: {loaded}.")
        return served

    def _record(self, chosen: Chosen, columns: Columns, predictions: list[float]) -> None:
        metrics.PREDICTIONS.add(chosen.version, chosen.role, predictions)
        if self.log:
            none = [None] * len(predictions)
            key = {name: columns.get(name, none) for name in self.project.key}
            self.log.put(Answer(time.time(), chosen.id, chosen.version, chosen.role, key, predictions))

    def _ask_shadow(self, chosen: Chosen, columns: Columns, examples: list[bytes]) -> None:
        """Asks the shadow what was asked, after the answer; what it says or does changes no answer."""
        shadow = chosen.served.traffic.shadow
        if shadow is None or shadow == chosen.version:
            return
        if not self._shadowed.acquire(blocking=False):
            metrics.SHADOW_DROPPED.inc()
            return

        def ask() -> None:
            try:
                said = chosen.served.models[shadow].predict(examples)
                self._record(chosen._replace(version=shadow, role="shadow"), columns, said)
                metrics.SHADOW_REQUESTS.labels(str(shadow), "answered").inc()
            except Exception:
                metrics.SHADOW_REQUESTS.labels(str(shadow), "failed").inc()
                LOG.exception("version %s, the shadow, does not answer", shadow)
            finally:
                self._shadowed.release()

        self._shadow.submit(ask)

    def stop(self) -> None:
        """Ends what goes on in the background: nothing of the log is lost."""
        self._shadow.shutdown()
        if self.log:
            self.log.close()


def _choose(served: Served, request_id: str, asked: Asked | None) -> Chosen:
    request_id = request_id[:200] or f"{random.getrandbits(128):032x}"  # uuid4 asks the system each time
    if asked and asked.version is not None:
        role = served.traffic.versions.get(asked.version, "champion")
        return Chosen(request_id, asked.version, role, served)
    role = served.traffic.choose(request_id)
    challenger = served.traffic.challenger
    is_challenged = role == "challenger" and challenger is not None
    return Chosen(request_id, challenger if is_challenged else served.traffic.champion, role, served)


class Server(kserve.ModelServer):
    """KServe's server, with the paths of TensorFlow Serving, for one model, at a socket that is given."""

    def __init__(self, model: ServedModel, listening: socket.socket) -> None:
        """Starts nothing yet.

        Args:
            model: that answers.
            listening: where; KServe's own would be all networks of the machine.
        """
        logging.getLogger("kserve").addHandler(logging.NullHandler())  # or KServe configures all logging
        for name in ("kserve", "kserve.trace", "uvicorn.error"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # a traceback for each request that is refused
        super().__init__(enable_grpc=False, enable_latency_logging=False, workers=1, grace_period=5)
        self.model, self.listening = model, listening
        self.dataplane = _DataPlane(model_registry=self.registered_models)

    async def _serve(self) -> None:
        """Serves until `end`."""
        for server in self.servers:
            server.close()  # KServe's own, which has not begun
        config = self._rest_server.config
        config.app, config.http, config.ws = BodyLimit(self._application(), LARGEST_BODY), Connection, "none"
        config.limit_concurrency = 512  # connections; without a limit, idle ones could take all files of the process
        await self._rest_server._server.serve(sockets=[self.listening])

    def setup_event_loop(self) -> None:
        """uvicorn's quick loop; KServe prepares a loop, and then runs in another one."""
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())

    def register_signal_handler(self) -> None:
        """Ends in good order by Ctrl-C, SIGTERM and SIGHUP; uvicorn does the same while it serves."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.end())

    def end(self) -> None:
        """Takes no more requests, and answers those that have come."""
        self._rest_server._server.should_exit = True

    def _application(self) -> Any:
        app = model_server.app
        app.router.redirect_slashes = False  # or an address with a slash too many gets neither an answer nor a sentence
        name = "/models/{name:str}"
        for path, endpoint in {
            f"/v1{name}:predict": _Predict,
            f"/v1{name}/versions/{{version:str}}:predict": _Predict,
            f"/v1{name}": _Status,
            f"/v1{name}/versions/{{version:str}}": _Status,
            f"/v1{name}/traffic": _Traffic,
            f"/v2{name}/infer": _Infer,
            f"/v2{name}/versions/{{version:str}}/infer": _Infer,
            f"/v2{name}/versions/{{version:str}}": _Metadata,
            f"/v2{name}/versions/{{version:str}}/ready": _Ready,
        }.items():
            app.router.routes.append(Route(path, endpoint))
        # Of KServe's own paths not those by which any client could take the model away from all others.
        own = V2Endpoints(self.dataplane)
        for path, answer in {
            "/v2": own.metadata,
            "/v2/health/live": own.live,
            "/v2/health/ready": own.ready,
            "/v2/models": own.models,
            "/v2/models/{model_name}": own.model_metadata,
            "/v2/models/{model_name}/ready": own.model_ready,
        }.items():
            app.add_api_route(path, answer)
        app.add_api_route("/", self.dataplane.live)
        app.add_api_route("/metrics", metrics_handler)
        app.state.model, app.state.dataplane = self.model, self.dataplane
        for kind in (HTTPException, *STATUS):
            app.add_exception_handler(kind, _refuse)
        app.add_exception_handler(Exception, _fail)
        return app


class _DataPlane(DataPlane):
    def metadata(self) -> dict[str, Any]:
        """Of the server; without the extension that KServe's own names, since none is offered."""
        return {**super().metadata(), "extensions": []}

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Of the model, with the versions that may be asked for."""
        found = await super().model_metadata(model_name)
        served = (await self.get_model(model_name)).versions.served
        return {
            **found,
            "versions": [str(one) for one in sorted(served.models)] if served else [],
            "platform": PLATFORM,
        }

    async def ready(self) -> bool:
        """Whether each model has a version that answers; KServe's own says yes always."""
        models = self.model_registry.get_models()
        return bool(models) and all([await model.healthy() for model in models.values()])


STATUS: dict[type[Exception], int] = {
    NotServed: 404,
    errors.ModelNotFound: 404,
    errors.InvalidInput: 400,
    errors.ModelNotReady: 503,
    errors.ServerNotReady: 503,
}
"""What an error of KServe's is to a client."""


def _json(found: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(found), status, headers, "application/json")


async def _refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _json({"error": f"{error.detail}."}, error.status_code, error.headers)
    return _json({"error": str(error)}, next(status for kind, status in STATUS.items() if isinstance(error, kind)))


async def _fail(_: Request, error: Exception) -> Response:
    LOG.error("a request failed", exc_info=error)
    return _json({"error": f"The server failed ({type(error).__name__}); its own output says more."}, 500)


class _Endpoint(HTTPEndpoint):
    """A path of this server; another method than the one it has is refused with 405."""

    protocol = 1

    @property
    def model(self) -> ServedModel:
        return self.scope["app"].state.model  # type: ignore[no-any-return]

    def version(self, request: Request) -> int | None:
        """The version in the path, after the name was looked at."""
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != self.model.name:
            raise NotServed(f"there is no model {_short(name)}; there is {self.model.name}.")
        if version is not None and not (version.isdecimal() and len(version) < 20):
            raise NotServed(f"version {_short(version)} is no number.")
        return None if version is None else int(version)

    def require(self, request: Request) -> None:
        """The version in the path is loaded."""
        version, served = self.version(request), self.model.versions.served
        if served is None or version not in served.models:
            raise NotServed(f"version {version} of {self.model.name} is not loaded.")

    async def infer(self, request: Request) -> Answered:
        """Asks KServe's data plane, and counts how it went."""
        begun, outcome, chosen = time.perf_counter(), "failed", None
        try:
            asked = Asked(await request.body(), self.protocol, self.version(request))
            coding = ", ".join(request.headers.getlist("content-encoding"))
            if coding.strip().lower() not in ("", "identity"):
                raise errors.InvalidInput(
                    f"a body with the Content-Encoding {_short(coding)} is not taken; send it as it is."
                )
            if "inference-header-content-length" in request.headers:
                raise errors.InvalidInput("tensors in binary form are not taken; write them as JSON.")
            headers = {"x-request-id": request.headers.get("x-request-id", "")}
            answered, _ = await self.scope["app"].state.dataplane.infer(self.model.name, asked, headers)
            outcome, chosen = "answered", answered.chosen
            return answered  # type: ignore[no-any-return]
        except Exception as error:
            chosen = getattr(error, "chosen", None)
            outcome = "refused" if isinstance(error, tuple(STATUS)) else outcome
            raise
        finally:
            version = str(chosen.version) if chosen else ""
            metrics.REQUESTS.labels(version, outcome).inc()
            if outcome == "answered":
                metrics.SECONDS.labels(version).observe(time.perf_counter() - begun)


class _Predict(_Endpoint):
    async def post(self, request: Request) -> Response:
        body, chosen = await self.infer(request)
        return _json(body, 200, {"x-request-id": _header(chosen.id), "x-model-version": str(chosen.version)})


class _Infer(_Endpoint):
    protocol = 2

    async def post(self, request: Request) -> Response:
        answered = await self.infer(request)
        return _json(answered.body.to_rest()[0])


class _Status(_Endpoint):
    async def get(self, request: Request) -> Response:
        """As TensorFlow Serving says it: tensorflow.org/tfx/serving/api_rest, "Model status API"."""
        version = self.version(request)
        known = self.model.versions.status()
        if version is not None and version not in known:
            raise NotServed(f"there is no version {version} of {self.model.name}.")
        return _json(
            {
                "model_version_status": [
                    {
                        "version": str(one),
                        "state": state,
                        "status": {"error_code": "FAILED_PRECONDITION" if why else "OK", "error_message": why},
                    }
                    for one, (state, why) in known.items()
                    if version in (None, one)
                ]
            }
        )


class _Traffic(_Endpoint):
    async def get(self, request: Request) -> Response:
        """Who answers now, and why that is not what the traffic file says, where it is not."""
        self.version(request)
        served = self.model.versions.served
        if served is None:
            raise errors.ModelNotReady(self.model.name)
        return _json({**vars(served.traffic), "fault": served.fault})


class _Metadata(_Endpoint):
    async def get(self, request: Request) -> Response:
        """As of the model: all versions take and give the same, or they are refused."""
        self.require(request)
        return _json(await self.scope["app"].state.dataplane.model_metadata(self.model.name))


class _Ready(_Endpoint):
    async def get(self, request: Request) -> Response:
        self.require(request)
        return _json({"name": self.model.name, "ready": True})


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _header(text: str) -> str:
    """An id, in what a header may hold."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        said = "empty" if not body.strip() else f"not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        raise errors.InvalidInput(f"the body is {said}.") from None


def _instances(payload: Any) -> Rows:
    """The rows of protocol 1."""
    if not isinstance(payload, dict) or "instances" not in payload:
        raise errors.InvalidInput('the body has no "instances". Write {"instances": [{COLUMN: VALUE, ...}, ...]}.')
    if unknown := sorted(set(payload) - {"instances", "signature_name"}):
        raise errors.InvalidInput(f'the body has {_short(unknown[0])}, which is unknown; write "instances" alone.')
    if payload.get("signature_name") not in (None, "", "serving_default"):
        raise errors.InvalidInput('signature_name: there is "serving_default" only.')
    return _listed(payload["instances"], '"instances"')


def _listed(rows: Any, name: str) -> Rows:
    if not isinstance(rows, list):
        raise errors.InvalidInput(f"{name} is no list. Write a list of rows, also for one row.")
    if not rows:
        raise errors.InvalidInput(f"{name} is empty. Write at least one row.")
    return rows


def _infer_request(payload: Any, name: str) -> kserve.InferRequest:
    """The request of protocol 2, as KServe reads it."""
    try:
        return kserve.InferRequest.from_inference_request(InferenceRequest.model_validate(payload), name)
    except ValueError as error:  # pydantic's; KServe's InvalidInput is one as well
        faults = getattr(error, "errors", list)()
        said = f"{'.'.join(map(str, faults[0]['loc'])) or 'the body'}: {faults[0]['msg']}" if faults else str(error)
        raise errors.InvalidInput(f"no request of the Open Inference protocol ({said[:200]}).") from None


def _rows_of_inputs(request: kserve.InferRequest) -> Rows:
    """The rows of protocol 2, which sends each column as a tensor; null stands for a value that is missing."""
    columns: dict[str, list[Any]] = {}
    length: int | None = None
    for tensor in request.inputs:
        data = tensor.data
        if not isinstance(data, list):
            data = tensor.as_numpy().tolist()
        flat = [value for part in data for value in (part if isinstance(part, list) else [part])]
        named = f"input {_short(tensor.name)}"
        if to_np_dtype(tensor.datatype) is None:
            raise errors.InvalidInput(
                f"{named} has the datatype {_short(tensor.datatype)}, which the protocol has not."
            )
        if tensor.name in columns:
            raise errors.InvalidInput(f"{named} is there twice.")
        if list(tensor.shape) not in ([len(flat)], [len(flat), 1]):
            raise errors.InvalidInput(f"{named} has the shape {str(tensor.shape)[:40]} and {len(flat)} values.")
        if length not in (None, len(flat)):
            raise errors.InvalidInput(f"{named} has {len(flat)} values, and the one before it {length}.")
        columns[tensor.name], length = flat, len(flat)
    _listed([None] * (length or 0), '"inputs"')
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _require_outputs(request: kserve.InferRequest, output: str) -> None:
    for one in request.request_outputs or []:
        if one.name != output:
            raise errors.InvalidInput(f"there is no output {_short(one.name)}; there is {output}.")


def run(
    project: Project,
    folder: str | Path,
    listening: socket.socket,
    *,
    log: str | Path | None = None,
    parent: int | None = None,
    on_first_look: Callable[[Versions], None] = lambda _: None,
) -> str:
    """Serves the versions in a folder until a signal ends it.

    Args:
        project: whose models they are.
        folder: with a folder for each version.
        listening: the socket to listen at.
        log: the file of the log of requests; None for no log.
        parent: ends when this is not the parent's process id any more, because the parent was killed.
        on_first_look: called once, when a version answers, or none will.

    Returns:
        Why it could not begin; empty after an ordinary end.
    """
    versions = Versions(folder, lambda version: load(version, project))
    opened = RequestLog(log) if log else None
    model = ServedModel(project, versions, opened)
    metrics.Now(versions, opened)
    server = Server(model, listening)
    failed, ended = [], threading.Event()

    def watch() -> None:
        try:
            versions.look()
            on_first_look(versions)
            if versions.served is None:
                raise Refused(
                    "; ".join(f"version {version}: {why}" for version, why in versions.refused.items()) or "no version"
                )
        except BaseException as error:
            failed.append(f"{folder}: no version can be served ({error}).")
            server.end()
            raise SystemExit from error
        while not ended.wait(LOOK_EACH):
            try:
                versions.look()
            except Exception:  # such as a disk that is away for a while
                LOG.exception("%s: cannot be looked at; what is served goes on", folder)

    def follow() -> None:
        while not ended.wait(LOOK_EACH):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                ended.wait(10)
                os._exit(1)

    sys.setswitchinterval(0.001)  # so that a request of one row waits less for the Python of a large one
    watcher = threading.Thread(target=watch, name="versions", daemon=True)
    original = server._serve

    async def serve() -> None:
        watcher.start()
        await original()

    server._serve = serve  # type: ignore[method-assign]
    if parent:
        threading.Thread(target=follow, name="parent", daemon=True).start()
    try:
        server.start([model])
    finally:
        model.stop()
        ended.set()
    return failed[0] if failed else ""
