"""A real Envoy that is asked to drain: unready at once, serving until its last stream has ended, then it says so."""

import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway import EnvoyProcess

from fairlead.envoy import Drain, drain
from fairlead.envoy.protobuf import extension
from fairlead.ir import ListenAddress

Wait = Callable[[Callable[[], Any]], Any]

PATH = "/drain/of-this-test"
VARIABLE = "FAIRLEAD_TEST_DRAIN_PATH"
HTTP = "envoy.extensions.filters.http"


class _Slow(http.server.BaseHTTPRequestHandler):
    """Streams until `may_end`."""

    protocol_version = "HTTP/1.1"
    may_end: threading.Event

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n")
        self.may_end.wait(60)
        self.wfile.write(b"5\r\nworld\r\n0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def upstream() -> Iterator[int]:
    _Slow.may_end = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    _Slow.may_end.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def envoy(upstream: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnvoyProcess]:
    monkeypatch.setenv(VARIABLE, PATH)
    way = Drain(listen=ListenAddress(address="127.0.0.1", port=0), path_variable=VARIABLE)
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


def test_a_stream_ends_whole_before_the_hook_is_answered(envoy: EnvoyProcess, wait_until: Wait) -> None:
    data, hook = envoy.port("data"), envoy.port("drain")
    active = "http.fairlead.downstream_rq_active"
    ended: dict[str, tuple[int, bytes]] = {}

    def ask(name: str, port: int, path: str) -> None:
        ended[name] = _get(port, path)

    stream = threading.Thread(target=ask, args=("stream", data, "/stream"))
    stream.start()
    wait_until(lambda: envoy.counters(active).get(active) == 1)
    draining = threading.Thread(target=ask, args=("hook", hook, PATH))
    draining.start()
    wait_until(lambda: _get(data, "/ready")[0] == 503)
    late = threading.Thread(target=ask, args=("late", data, "/stream"))  # still served, and waited for
    late.start()
    wait_until(lambda: envoy.counters(active).get(active) == 2)
    assert not ended
    _Slow.may_end.set()
    for thread in (stream, late, draining):
        thread.join(60)
    assert ended == {"stream": (200, b"helloworld"), "late": (200, b"helloworld"), "hook": (200, b"drained\n")}


def test_only_who_knows_the_path_drains(envoy: EnvoyProcess) -> None:
    assert _get(envoy.port("drain"), "/drain/another")[0] == 404
    assert _get(envoy.port("data"), "/ready")[0] == 200
