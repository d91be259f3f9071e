"""What `helm test` runs: it asks until an address answers as it must, and says what did not."""

import importlib.util
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "helm" / "fairlead" / "files" / "ask.py"


class _Gateway(BaseHTTPRequestHandler):
    starting: ClassVar = 0
    """So many answers are 503 before the first that is another."""

    def do_GET(self) -> None:
        if _Gateway.starting:
            _Gateway.starting -= 1
            status = 503
        else:
            status = 401 if self.path == "/v1/models" else 200
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("ask", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    return module


def test_an_answer_that_comes_late_is_well(ask: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _Gateway.starting = 3
    assert ask.holds(f"{url}/healthz", 200)
    assert ask.holds(f"{url}/v1/models", 401)
    assert capsys.readouterr().out.splitlines() == [f"{url}/healthz: 200", f"{url}/v1/models: 401"]


def test_what_does_not_answer_so_is_named(ask: Any, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not ask.holds(f"{url}/v1/models", 200)
    assert not ask.holds("http://127.0.0.1:1/healthz", 200)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{url}/v1/models: got 401, want 200"
    assert "refused" in second
