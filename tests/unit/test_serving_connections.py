"""Clients that send slowly or too much, do not read, have ended their side, or are many: real sockets, a real uvicorn, an application of three lines."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading
import time

import pytest
import uvicorn

from serving import connections
from serving.connections import BodyLimit, Connection

LARGEST = 100_000
SLOW = 1.0
MUCH = b"x" * 5_000_000
"""Is answered to `much`, and is more than the buffers of two sockets hold."""

MOST = 100
"""Connections, of which uvicorn answers no more at once."""

OPEN: list[set[object]] = []
"""The connections of the server."""

GONE = threading.Event()
"""The application has learned that the client whose request it works on has gone."""


@pytest.fixture(scope="module")
def port():
    """Of a server that answers with the length of the body, and gives a request little time."""
    before, connections.SECONDS = connections.SECONDS, SLOW

    async def answer(scope, receive, send):
        body = (await receive())["body"]
        if body == b"wait":
            return GONE.set() if (await receive())["type"] == "http.disconnect" else None
        text = MUCH if body == b"much" else str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            BodyLimit(answer, LARGEST),
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="critical",
            limit_concurrency=MOST,
        )
        server = uvicorn.Server(config)
        OPEN.append(server.server_state.connections)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()
    connections.SECONDS = before


@contextlib.contextmanager
def opened(port: int):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


def everything(client: socket.socket) -> bytes:
    """What the server says until it ends the connection."""
    found = b""
    while part := client.recv(65536):
        found += part
    return found


def ask(port: int, body: bytes = b"12345") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", "/", body)
        reply = connection.getresponse()
        return reply.status, reply.read()


def test_an_ordinary_request_is_answered_also_the_next_on_its_connection(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        for size in (0, 5, LARGEST):
            connection.request("POST", "/", b"x" * size)
            assert connection.getresponse().read() == str(size).encode()


def test_a_body_that_says_it_is_too_large_is_refused_before_it_was_sent(port):
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100001\r\n\r\n")
        said = client.recv(65536)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in said


def test_a_body_that_does_not_say_how_large_it_is_is_refused_when_it_is_too_large(port):
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(11):
            client.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        client.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n0\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_sends_all_before_it_reads_gets_to_read_the_refusal(port):
    """A server that closes with unread bytes resets the connection, and the client sees that alone."""
    status, said = ask(port, b"x" * 11_000_000)
    assert status == 413
    assert json.loads(said) == {"error": "The body is too large. Send at most 0.0953674 MiB."}


def test_a_body_of_more_than_is_drained_is_cut_off(port, monkeypatch):
    monkeypatch.setattr(connections, "DRAINED", 1_000_000)
    sent = 0
    with opened(port) as client, contextlib.suppress(OSError):
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 500000000\r\n\r\n")
        while sent < 500_000_000:
            client.sendall(b"x" * 100_000)
            sent += 100_000
    assert sent < 100_000_000  # what the system's own buffers take comes on top


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST / HTT",
        b"POST / HTTP/1.1\r\nhost: a\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n1234",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
    ],
    ids=["nothing", "half a line", "half the headers", "no body", "half a body", "half a chunk"],
)
def test_a_request_that_does_not_come_to_its_end_is_ended_with_408(begun, port):
    with opened(port) as client:
        client.sendall(begun)
        assert ask(port) == (200, b"5")
        said = everything(client)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"error": "The request was not whole after 1 seconds."}


def test_bytes_that_drip_do_not_keep_a_request_alive(port):
    begun = time.monotonic()
    with opened(port) as client, contextlib.suppress(OSError):
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n")
        while time.monotonic() - begun < 20:
            client.sendall(b"x")
            time.sleep(0.05)
    assert time.monotonic() - begun < 20


def test_the_second_request_of_a_connection_has_its_own_time(port):
    whole = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab"
    with opened(port) as client:
        for _ in range(4):  # together longer than one request may take
            client.sendall(whole)
            assert client.recv(65536).endswith(b"\r\n\r\n2")
            time.sleep(SLOW / 3)
        client.sendall(whole[:20])
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_many_that_wait_hold_up_nobody(port):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(opened(port))
            client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\nx")
        assert [ask(port) for _ in range(20)] == [(200, b"5")] * 20


def unread(port: int) -> socket.socket:
    """A client that asks for much and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nmuch")
    return client


def idle(port: int) -> socket.socket:
    """A client that was answered, and may ask again."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab")
    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    return client


def silent(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


@pytest.mark.parametrize("kind", [silent, unread, idle])
def test_more_connections_than_are_answered_at_once_hold_up_nobody(kind, port, monkeypatch):
    monkeypatch.setattr(connections, "MOST", MOST // 2)
    with contextlib.ExitStack() as stack:
        for _ in range(MOST + 20):
            stack.enter_context(kind(port))
        assert [ask(port) for _ in range(20)] == [(200, b"5")] * 20


def test_of_too_many_connections_the_slowest_is_told(port, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 10)
    with contextlib.ExitStack() as stack:
        slowest = stack.enter_context(silent(port))
        for _ in range(15):
            stack.enter_context(silent(port))
        said = everything(slowest)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {
        "error": "Too many clients are slow, and this one has taken longest."
    }


def test_a_client_that_does_not_read_is_let_go(port, monkeypatch):
    monkeypatch.setattr(connections, "UNREAD", SLOW)
    with unread(port):
        assert ask(port) == (200, b"5")
        until = time.monotonic() + 20
        while OPEN[-1] and time.monotonic() < until:
            time.sleep(0.05)
        assert not OPEN[-1]


def test_a_client_that_goes_with_several_requests_open_is_known_to_have_gone(port):
    """uvicorn tells it to the last of them, and the one that is being answered goes on for nobody, and fails."""
    GONE.clear()
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nwait" * 2)
        assert ask(port) == (200, b"5")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it goes by a reset
    assert GONE.wait(20)


def test_an_end_of_a_line_does_not_keep_a_connection_open(port):
    with idle(port) as client:
        client.sendall(b"\r\n")
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_a_client_that_has_ended_its_side_gets_its_answer(port):
    """As `nc -N` does; uvicorn itself would close the connection without one."""
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc")
        client.shutdown(socket.SHUT_WR)
        said = everything(client)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"\r\n\r\n3")


def test_a_client_that_ends_its_side_in_the_middle_is_let_go(port):
    for begun in (b"", b"POST / HT", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na"):
        with opened(port) as client:
            client.sendall(begun)
            client.shutdown(socket.SHUT_WR)
            assert everything(client) == b""
    assert ask(port) == (200, b"5")


def test_an_offer_of_another_protocol_costs_no_body(port):
    """As `curl --http2` and Java's client send it; the parser takes the connection for one of the other protocol, and uvicorn answers an empty body."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    with opened(port) as client:
        for body in (b"abc", b"\r\nupgrade:\r\n\r\n"):
            client.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            said = client.recv(65536)
            assert said.startswith(b"HTTP/1.1 200 ")
            assert said.endswith(b"\r\n\r\n%d" % len(body))


@pytest.mark.parametrize("cut", [b"\r", b"\r\n", b"\r\nu", b"\r\nUpgrad", b"\r\nupgrade"])
def test_an_offer_that_comes_in_two_parts_costs_no_body(cut, port):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade" + cut
    rest = b"\r\nUpgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"[len(cut) :]
    with opened(port) as client:
        client.sendall(head)
        assert ask(port) == (200, b"5")  # so that the parts come by themselves
        client.sendall(rest)
        assert client.recv(65536).endswith(b"\r\n\r\n3")


def test_a_head_that_comes_byte_by_byte_is_one(port):
    with opened(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST / HTTP/1.1\r\nup: 1\r\nU: 2\r\ncontent-length: 3\r\n\r\nab\r":
            client.sendall(bytes([byte]))
        assert client.recv(65536).endswith(b"\r\n\r\n3")


def test_headers_that_are_too_large_are_refused_also_when_they_come_at_once(port):
    with opened(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\ncontent-length: 2\r\n\r\nab")
        assert everything(client).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("headers", [b"x: " + b"a" * 5_000_000, b"x: a\r\n" * 1_000_000], ids=["one", "many"])
def test_headers_without_an_end_are_refused(headers, port):
    found: list[bytes] = []
    with opened(port) as client:
        reader = threading.Thread(target=lambda: found.append(client.recv(65536)))
        reader.start()
        with contextlib.suppress(OSError):  # it is closed while they come
            client.sendall(b"POST / HTTP/1.1\r\nhost: a\r\n" + headers)
        reader.join()
    assert found[0].startswith(b"HTTP/1.1 431 ")
    assert json.loads(found[0].partition(b"\r\n\r\n")[2]) == {
        "error": "The headers are too large. Send at most 64 KiB."
    }
    assert ask(port) == (200, b"5")


def test_headers_of_some_size_are_taken(port):
    with opened(port) as client:
        for _ in range(3):  # each request has its own measure
            client.sendall(b"POST / HTTP/1.1\r\nx: " + b"a" * 40_000 + b"\r\ncontent-length: 2\r\n\r\nab")
            assert client.recv(65536).endswith(b"\r\n\r\n2")


def test_what_is_no_http_is_refused_in_json(port):
    with opened(port) as client:
        client.sendall(b"GET\r\n\r\n")
        said = everything(client)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2]) == {"error": "Invalid HTTP request received."}
