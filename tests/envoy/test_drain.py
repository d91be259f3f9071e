"""A real Envoy that is asked to drain: unready at once, serving until its last stream has ended, then it says so."""

import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gateway import EnvoyProcess

from fairlead.envoy import Drain, drain
from fairlead.envoy.protobuf import extension
from fairlead.ir import ListenAddress

PATH = "/drain/of-this-test"
CHUNKS, GAP_S = 20, 0.2
HTTP = "envoy.extensions.filters.http"


class _Slow(http.server.BaseHTTPRequestHandler):
    """Streams for four seconds."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for _ in range(CHUNKS):
            self.wfile.write(b"5\r\nhello\r\n")
            time.sleep(GAP_S)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def upstream() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def envoy(upstream: int) -> Iterator[EnvoyProcess]:
    way = Drain(listen=ListenAddress(address="127.0.0.1", port=0), path=PATH)
    probe = {"pass_through_mode": True, "headers": [{"name": ":path", "string_match": {"exact": "/ready"}}]}
    manager = {
        "stat_prefix": "fairlead",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"path": "/ready"}, "direct_response": {"status": 200}},
                        {"match": {"prefix": "/"}, "route": {"cluster": "slow", "timeout": "60s"}},
                    ],
                }
            ]
        },
        "http_filters": [
            extension("probe", f"{HTTP}.health_check.v3.HealthCheck", probe),
            extension("router", f"{HTTP}.router.v3.Router"),
        ],
    }
    data = {
        "name": "data",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [extension("http", drain.MANAGER, manager)]}],
    }
    internal = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
    bootstrap = {
        "node": {"id": "test", "cluster": "test"},
        "bootstrap_extensions": [extension("envoy.bootstrap.internal_listener", internal)],
        "static_resources": {
            "listeners": [data, *drain.listeners(way)],
            "clusters": [
                _cluster("slow", {"socket_address": {"address": "127.0.0.1", "port_value": upstream}}),
                _cluster("admin", {"pipe": {"path": "admin.sock"}}),  # in Envoy's working directory
                *drain.clusters(),
            ],
        },
    }
    with EnvoyProcess(bootstrap) as running:
        yield running


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_stream_ends_whole_before_the_hook_is_answered(envoy: EnvoyProcess) -> None:
    data, hook = envoy.port("data"), envoy.port("drain")
    ended: dict[str, tuple[float, tuple[int, bytes]]] = {}

    def ask(name: str, port: int, path: str) -> None:
        answer = _get(port, path)
        ended[name] = time.monotonic(), answer

    stream = threading.Thread(target=ask, args=("stream", data, "/stream"))
    stream.start()
    while envoy.counters("http.fairlead.downstream_rq_active").get("http.fairlead.downstream_rq_active") != 1:
        time.sleep(0.02)
    draining = threading.Thread(target=ask, args=("hook", hook, PATH))
    draining.start()
    while _get(data, "/ready")[0] != 503:
        time.sleep(0.02)
    late = threading.Thread(target=ask, args=("late", data, "/stream"))  # still served, and waited for
    late.start()
    for thread in (stream, late, draining):
        thread.join(60)
    assert ended["stream"][1] == (200, b"hello" * CHUNKS)
    assert ended["late"][1] == (200, b"hello" * CHUNKS)
    assert ended["hook"][1] == (200, b"drained\n")
    assert ended["hook"][0] > ended["stream"][0]


def test_only_who_knows_the_path_drains(envoy: EnvoyProcess) -> None:
    assert _get(envoy.port("drain"), "/drain/another")[0] == 404
    assert _get(envoy.port("data"), "/ready")[0] == 200
