import asyncio
import json
import socketserver
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from fairlead.adapters import envoy_admin, exchange
from fairlead.adapters.envoy_admin import ClusterHealth, EnvoyAdmin
from fairlead.errors import EnvoyError

ANSWERS: dict[str, Any] = {
    "/ready": "LIVE\n",
    "/stats": {
        "stats": [
            {"name": "cluster_manager.cds.version_text", "value": "abc"},
            {"name": "cluster_manager.cds.update_success", "value": 3},
            {"name": "absent", "value": None},
            {"histograms": {"supported_quantiles": []}},
        ]
    },
    "/clusters": {
        "cluster_statuses": [
            {"name": "no host"},
            {
                "name": "p/us/m",
                "host_statuses": [
                    {
                        "stats": [
                            {"name": "rq_total", "value": "5"},
                            {"name": "rq_error", "value": "2"},
                            {"name": "rq_active"},
                        ],
                        "health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": True},
                    }
                ],
            },
            {"name": "a", "host_statuses": [{"stats": [], "health_status": {}}]},
        ]
    },
}


class Handler(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(self.path)
        body = ANSWERS.get(path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

    def do_POST(self) -> None:
        self.asked.append(f"POST {self.path}")
        self.send_response(200 if self.path != "/reopen_logs" else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return ""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def asked() -> Iterator[tuple[Path, list[str]]]:
    class Local(Handler):
        asked: list[str] = []  # noqa: RUF012  one class per test

    with tempfile.TemporaryDirectory() as folder:  # a short path: sockets allow no long ones
        path = Path(folder) / "admin.sock"
        with socketserver.ThreadingUnixStreamServer(str(path), Local) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield path, Local.asked
            server.shutdown()
            thread.join()


def call(path: Path, act: Callable[[EnvoyAdmin], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with EnvoyAdmin(path) as admin:
            return await act(admin)

    return asyncio.run(run())


def test_stats_are_read(asked: tuple[Path, list[str]]) -> None:
    path, requests = asked
    assert call(path, lambda admin: admin.stats(r"^cluster_manager\.")) == {
        "cluster_manager.cds.version_text": "abc",
        "cluster_manager.cds.update_success": 3,
    }
    assert requests == [r"/stats?filter=%5Ecluster_manager%5C.&format=json&type=All"]


def test_health_is_read(asked: tuple[Path, list[str]]) -> None:
    assert call(asked[0], lambda admin: admin.clusters()) == (
        ClusterHealth(name="a", ejected=False, requests=0, errors=0, active=0),
        ClusterHealth(name="p/us/m", ejected=True, requests=5, errors=2, active=0),
    )


def test_orders_are_given(asked: tuple[Path, list[str]]) -> None:
    path, requests = asked
    assert call(path, lambda admin: admin.live()) is True
    call(path, lambda admin: admin.fail_healthcheck())
    call(path, lambda admin: admin.drain_listeners())
    with pytest.raises(EnvoyError, match="/reopen_logs"):
        call(path, lambda admin: admin.reopen_logs())
    assert requests[1:3] == ["POST /healthcheck/fail", "POST /drain_listeners"]


def test_nobody_there(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    assert call(path, lambda admin: admin.live()) is False
    for act in (EnvoyAdmin.quit, EnvoyAdmin.clusters):
        with pytest.raises(EnvoyError, match="did not answer"):
            call(path, act)
    assert asyncio.run(envoy_admin.gone(path, within_s=1)) is True


def test_somebody_who_does_not_go(asked: tuple[Path, list[str]]) -> None:
    path, requests = asked
    assert asyncio.run(envoy_admin.gone(path, within_s=0.1)) is False
    assert set(requests) == {"POST /quitquitquit"}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "x",
        {"stats": 1, "cluster_statuses": 1},
        {"stats": [{"name": [], "value": 1}], "cluster_statuses": [{"host_statuses": [{"stats": [{}]}]}]},
        {"stats": [{"name": "a", "value": {}}], "cluster_statuses": [{"host_statuses": [{"stats": [], "name": 1}]}]},
        {"stats": ["a"], "cluster_statuses": [{"host_statuses": [{"stats": [{"name": "a", "value": "many"}]}]}]},
        json.loads("[" * 500 + "]" * 500),
    ],
)
def test_nothing_of_another_form_is_believed(
    asked: tuple[Path, list[str]], answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/stats", "/clusters"):
        monkeypatch.setitem(ANSWERS, path, answer)
    for act in (lambda admin: admin.stats("a"), EnvoyAdmin.clusters):
        with pytest.raises(EnvoyError, match="Envoy's admin interface"):
            call(asked[0], act)


def test_an_answer_without_an_end_is_given_up(asked: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 100)
    monkeypatch.setitem(ANSWERS, "/ready", "LIVE" + " " * exchange.MOST_BYTES)
    monkeypatch.setitem(ANSWERS, "/clusters", {"cluster_statuses": [], "more": "x" * exchange.MOST_BYTES})
    with pytest.raises(EnvoyError, match="more than 100 bytes"):
        call(asked[0], EnvoyAdmin.clusters)
    assert call(asked[0], EnvoyAdmin.live) is False
