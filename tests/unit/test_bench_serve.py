"""The bench of the model server: what it makes of a load, and that a request without an answer is no result."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from tools.bench import serve


@pytest.fixture
def port(request):
    """Of a server that answers with the status that the test names."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(getattr(request, "param", 200))
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_all_requests_are_counted_also_of_several_clients(port):
    measured = serve.load(port, [b"a", b"b"], clients=3, requests=30)
    assert len(measured.seconds) == 30
    assert measured.seconds == sorted(measured.seconds)


@pytest.mark.parametrize("port", [400], indirect=True)
def test_a_request_that_is_refused_is_no_result(port):
    with pytest.raises(RuntimeError, match="of 4 requests"):
        serve.load(port, [b"a"], clients=1, requests=4)


def test_a_line_names_percentiles_rates_and_the_bare_call_with_what_follows_from_it():
    measured = serve.Load([0.001] * 980 + [0.05] * 20, 2.0, 1.5)
    line = serve.row(measured, 1, 1, {"1": 0.0004, "100": 0.001})
    assert line.what == "1,000 requests to `flights serve`, a flight a request, one client"
    assert (line.seconds, line.cpu_seconds, line.target) == (2.0, 1.5, "p50 1.6 ms")
    assert line.remark == ("500 requests and 500 flights a second; p50 1.0 ms, p99 50.0 ms; the bare call: 0.40 ms")
    many = serve.row(measured, 4, 100, {"1": 0.0004, "100": 0.001})
    assert many.what.endswith("100 flights a request, 4 clients")
    assert "50,000 flights a second" in many.remark
    assert many.target == "30,000 flights a second"


def test_bodies_are_flights_as_a_client_sends_them():
    rows = serve.sample_rows()
    assert "late" not in rows[0]
    assert all(value == value for row in rows[:50] for value in row.values())
    bodies = [json.loads(body)["instances"] for body in serve.bodies_of(rows, 100)]
    assert {len(body) for body in bodies} == {100}
    assert bodies[1][0] == rows[100]
