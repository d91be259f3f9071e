"""Fixtures: one network and its providers for all tests; skipped, loudly, where this machine cannot have them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from regions.network import REGIONS, Network, Region
from regions.world import Provider


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    with Network() as found:
        yield found


@pytest.fixture(scope="session")
def providers(network: Network) -> Iterator[Mapping[Region, Provider]]:
    found = {region: Provider(network, region) for region in REGIONS}
    with ExitStack() as stack:
        for provider in found.values():
            stack.callback(provider.kill)
            provider.start()
        yield found
