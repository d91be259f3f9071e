import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from echo import Echo
from filter_gateway import Client, bootstrap
from gateway import EnvoyProcess


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
    """Ask again until the answer is true, for ten seconds at most, and return it."""

    def wait(ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 10
        while not (answer := ask()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return answer

    return wait
