from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from running_up import CREDENTIAL, RunningUp, Site, provider, route, secret

from fairlead.demo.provider import SimulatedProvider

MODELS = ("sparrow", "heron")


@pytest.fixture
def simulated() -> Iterator[SimulatedProvider]:
    """Run one strict provider of two models."""
    with SimulatedProvider(models=MODELS, keys=(CREDENTIAL,)) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, simulated: SimulatedProvider) -> Site:
    """Make a folder with one region, where `chat` is answered by `sparrow`."""
    return fill(Site(tmp_path), simulated)


@pytest.fixture
def two_regions(tmp_path: Path, simulated: SimulatedProvider) -> Site:
    """Make the same with two regions."""
    return fill(Site(tmp_path, regions=2), simulated)


def fill(site: Site, simulated: SimulatedProvider) -> Site:
    site.write("provider.yaml", provider(simulated.base_url, *MODELS), secret("sim", key=CREDENTIAL))
    site.write("route.yaml", route("chat", "sparrow"))
    return site


@pytest.fixture
def start() -> Iterator[Callable[..., RunningUp]]:
    """Start `fairlead up` on a site; it ends with the test."""
    with ExitStack() as stack:

        def run(site: Site, *options: str, **settings: Any) -> RunningUp:
            return stack.enter_context(RunningUp(site, *options, **settings))

        yield run
