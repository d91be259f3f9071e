from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from gateway import EnvoyProcess


@pytest.fixture
def start_envoy() -> Iterator[Callable[..., EnvoyProcess]]:
    """Start Envoys that end with the test: `start_envoy(bootstrap)`."""
    with ExitStack() as stack:

        def start(bootstrap: Mapping[str, Any], **options: Any) -> EnvoyProcess:
            return stack.enter_context(EnvoyProcess(bootstrap, **options))

        yield start
