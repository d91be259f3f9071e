import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from echo import Echo
from filter_gateway import Client, bootstrap
from gateway import EnvoyProcess
from serving import Rung, Served, Serving, rung

from fairlead.demo.provider import SimulatedProvider


@pytest.fixture
def start_envoy() -> Iterator[Callable[..., EnvoyProcess]]:
    """Start Envoys that end with the test: `start_envoy(bootstrap)`."""
    with ExitStack() as stack:

        def start(bootstrap: Mapping[str, Any], **options: Any) -> EnvoyProcess:
            return stack.enter_context(EnvoyProcess(bootstrap, **options))

        yield start


@pytest.fixture(scope="session")
def filter_port() -> Iterator[int]:
    """Run one gateway of `filter_gateway` for all tests of the request filter; its port."""
    with Echo() as echo, EnvoyProcess(bootstrap(echo_port=echo.port)) as envoy:
        yield envoy.port("in")


@pytest.fixture
def client(filter_port: int) -> Iterator[Client]:
    """Open a connection to that gateway, as team/alice."""
    with Client(filter_port) as caller:
        yield caller


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any]], Any]:
    """Ask again until the answer is true, for a minute at most, and return it."""

    def wait(ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 60
        while not (answer := ask()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return answer

    return wait


@pytest.fixture
def start_rung() -> Iterator[Callable[..., Rung]]:
    """Start a provider and make its rung: `start_rung("alpha")`; `settings` are the provider's."""
    with ExitStack() as stack:

        def start(
            name: str, *, settings: Mapping[str, Any] | None = None, tls: ssl.SSLContext | None = None, **fields: Any
        ) -> Rung:
            known = {"models": (f"{name}-wire",), "keys": (f"key-of-{name}",), "base": f"/{name}/v1", "region": name}
            sim = stack.enter_context(SimulatedProvider(tls=tls, **{**known, **(settings or {})}))
            return rung(name, sim, **fields)

        yield start


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Serve routes until the test ends: `serve(route("chat", alpha, beta))`."""
    with ExitStack() as stack:

        def start(*served: Served, **options: Any) -> Serving:
            return stack.enter_context(Serving(tmp_path, *served, **options))

        yield start
