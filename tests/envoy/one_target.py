"""The plainest gateway: one route to one strict provider, with its credential, for tests of what clients send."""

from collections.abc import Iterator

import pytest
from running import Gateway, credential, simple, target

from fairlead.demo.provider import SimulatedProvider


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("chat",), keys=("first-key",)) as running:
        yield running


@pytest.fixture(scope="module")
def running(provider: SimulatedProvider) -> Iterator[Gateway]:
    only = target("acme/fra/chat", provider, wire_model="chat", credential="first/key")
    with Gateway(simple(only, credentials=(credential("first"),))) as gateway:
        yield gateway
