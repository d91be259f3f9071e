"""Real stores for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from budget.redis_server import BINARY, RedisServer


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One redis-server for all tests that only need a store; each works in a database of its own keys."""
    server = make_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A redis-server that a test may kill."""
    server = make_redis(tmp_path)
    yield server
    server.stop()


def make_redis(folder: Path) -> RedisServer:
    if BINARY is None:
        pytest.skip("redis-server is not installed: `make system` installs it")
    server = RedisServer(folder)
    server.start()
    return server
