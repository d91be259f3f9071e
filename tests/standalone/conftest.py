import subprocess
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
def small_disk(site: Site) -> Iterator[Path]:
    """Put the state folder on a disk of its own; skipped where this may not mount one."""
    site.state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(site.state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk: what happens on a full one needs root, and was not tried")
    try:
        yield site.state
    finally:
        subprocess.run(["umount", "-l", str(site.state)], check=True)


@pytest.fixture
def start() -> Iterator[Callable[..., RunningUp]]:
    """Start `fairlead up` on a site; it ends with the test."""
    with ExitStack() as stack:

        def run(site: Site, *options: str, **settings: Any) -> RunningUp:
            return stack.enter_context(RunningUp(site, *options, **settings))

        yield run
