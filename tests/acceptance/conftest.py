"""One running world per module; every module makes its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from world import World


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., World]]:
    """Make a world that ends with the module."""
    with ExitStack() as stack:

        def make(**fields: Any) -> World:
            return stack.enter_context(World(tmp_path_factory.mktemp("world"), **fields))

        yield make
