"""What uvicorn has no setting for: a client that sends too slowly or too much, does not read, has ended its side, or opens very many connections."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

SECONDS = 10.0
"""That a whole request may take to come, from its first byte or from the connection to the last byte of its body."""

DRAINED = 64 * 2**20
"""Bytes of a body that is too large which are read, and forgotten, so that its sender gets to read the refusal."""

UNREAD = 60.0
"""Seconds that a client may leave much of its answers unread."""

LARGEST_HEAD = 64 * 2**10
"""Bytes of a request's first line and headers."""

MOST = 400
"""Connections at once, before further ones take the places of those that wait for their clients."""

UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)

BEGUN = re.compile(rb"\r(\n(\r|u(p(g(r(a(d(e)?)?)?)?)?)?)?)?\Z", re.IGNORECASE)
"""What may become `UPGRADE`, or the end of a head, with the next bytes."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Connection(HttpToolsProtocol):
    """uvicorn's connection, which waits for its client no longer than `SECONDS`, and takes no endless headers.

    uvicorn itself waits for ever for headers, bodies and clients that do not read, keeps headers of any size, and closes a connection whose client has
    ended its side (as `nc -N` does) without the answer. Where a client offers another protocol, as Java's and `curl --http2` offer HTTP/2, it loses the
    body. Of several requests that were sent at once it takes the last for the one that is being answered, when the client goes.
    """

    _clock: asyncio.TimerHandle | None = None
    """Runs while a request is not whole."""

    _unread: asyncio.TimerHandle | None = None
    """Runs while answers wait for a client that does not read them."""

    _since = 0.0
    """When one of the two began, or else the last answer was given."""

    _answering: RequestResponseCycle | None = None
    _head: int | None = 0
    """Bytes of the head that is being read, whole or not; None while a body is."""

    _held = b""
    """Bytes that mean what the next ones say."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time begins to run."""
        super().connection_made(transport)
        self._begin()
        if len(self.connections) > MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ends."""
        self._end()
        if self._unread is not None:
            self._unread.cancel()
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        if self._head is not None:
            self._begin()  # also by an end of a line, which is no request yet, and ends the time that uvicorn gives for the next one
            head, end, body = (self._held + data).partition(b"\r\n\r\n")
            at = len(head) if end or not (begun := BEGUN.search(head)) else begun.start()
            head, self._held = head[:at], head[at:]
            self._head += len(head)
            if self._head > LARGEST_HEAD:
                self._refuse("431 Request Header Fields Too Large", "The headers are too large. Send at most 64 KiB.")
                return
            data = UPGRADE.sub(b"\r\nx-upgrade:", head) + end + body  # an offer that is not taken up: RFC 9110, 7.8
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, refused as all else is."""
        self._refuse("400 Bad Request", msg)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        """The last byte of its head has."""
        self._head = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The last byte has."""
        self._head = 0
        self._end()
        super().on_message_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. It may read: a request that is whole is answered before the connection is closed."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def on_response_complete(self) -> None:
        """The next request of the connection may come."""
        self._since = time.monotonic()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """None has come."""
        super().timeout_keep_alive_handler()
        self._close()

    def pause_writing(self) -> None:
        """The client has much to read."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """It has read most of it."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _waits(self) -> bool:
        """Whether it waits for its client: for the rest of a request, for another one, or to have an answer read."""
        if self._unread is not None:
            return True
        is_idle = self.cycle is not None and self.cycle.response_complete
        return (self._clock is not None or is_idle) and not self.transport.is_closing()

    def _make_room(self) -> None:
        """Ends the connection that has waited longest for its client."""
        waiting = [one for one in self.connections if isinstance(one, Connection) and one is not self and one._waits]
        if not waiting:
            return
        longest = min(waiting, key=lambda one: one._since)
        if longest._unread is not None:
            longest.transport.abort()
        elif longest._clock is not None:
            longest._late("Too many clients are slow, and this one has taken longest.")
        else:
            longest._close()

    def _begin(self) -> None:
        if self._clock is None:
            self._since = time.monotonic()
            self._clock = self.loop.call_later(SECONDS, self._late)

    def _end(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self, why: str = "") -> None:
        self._end()
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self._refuse("408 Request Timeout", why or f"The request was not whole after {SECONDS:g} seconds.")
        self._close()

    def _close(self) -> None:
        """Closes the connection, with what its client has not read in reasonable time."""
        self.transport.close()
        self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        if self._unread is None:
            self._since = time.monotonic()
            self._unread = self.loop.call_later(UNREAD, self.transport.abort)

    def _refuse(self, status: str, error: str) -> None:
        """The last answer of a connection."""
        said = orjson.dumps({"error": error})
        self.transport.write(
            b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (status.encode(), len(said), said)
        )
        self._close()


class BodyLimit:
    """Hands requests on whose bodies are whole and not too large."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]], largest: int) -> None:
        """Wraps an ASGI application.

        Args:
            app: gets each body in one piece.
            largest: bytes of a body.
        """
        self.app, self.largest = app, largest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers 413 before a body that is too large was read, where its header says how large it is."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(declared) > self.largest:
            return await self._refuse(receive, send)
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.largest:
                return await self._refuse(receive, send)
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return await self.app(scope, again, send)

    async def _refuse(self, receive: Receive, send: Send) -> None:
        """The refusal, then what else comes, forgotten: closing a connection with unread bytes would take the refusal from its reader."""
        said = orjson.dumps({"error": f"The body is too large. Send at most {self.largest / 2**20:g} MiB."})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(said)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": said, "more_body": True})
        drained, until, more = 0, time.monotonic() + SECONDS, True
        while more and drained < DRAINED and time.monotonic() < until:
            message = await receive()
            drained += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.body"})
