"""Fixtures of the end-to-end tests. One cluster and one release serve them all; a test has a team of its own."""

import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from zlib import crc32

import pytest
from harness.chart import Chart
from harness.cluster import Cluster, boot, given
from harness.evidence import gather
from harness.gateway import reach
from harness.install import gateways_ready, install
from harness.provider import Provider
from harness.team import Team

KEY = "sk-simulated-provider-key"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the cluster says of itself at that moment."""
    report = yield
    found = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Cluster | Team)]
    if report.failed and found:
        cluster = found[0].cluster if isinstance(found[0], Team) else found[0]
        report.sections += gather(cluster)
    return report


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    """The chart, for tests that look at what it renders."""
    return Chart(tmp_path_factory.mktemp("chart"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    kubeconfig = os.environ.get("E2E_KUBECONFIG")
    opened: AbstractContextManager[Cluster] = given(kubeconfig) if kubeconfig else boot("e2e")
    with opened as found:
        yield found


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Cluster:
    """The chart, installed, with both regions' gateways ready."""
    install(
        cluster, verb="upgrade" if cluster.kubectl.exists("deployment", "fairlead-operator", "fairlead") else "install"
    )
    gateways_ready(cluster)
    return cluster


@pytest.fixture(scope="session")
def provider(release: Cluster) -> Provider:
    """A simulated provider with two models, its credential and its ModelProvider."""
    found = Provider(release, "sim", f"{KEY},{KEY}-rotated", "model-a,model-b")
    found.start()
    release.kubectl.apply(found.secret(), found.resource())
    gateways_ready(release)
    return found


@pytest.fixture
def team(release: Cluster, request: pytest.FixtureRequest) -> Iterator[Team]:
    """A namespace that agreed that its consumers' keys are read."""
    found = Team(release, f"team-{crc32(request.node.name.encode()) % 10**6}")
    found.join()
    yield found
    found.leave()


@pytest.fixture
def url(release: Cluster) -> Iterator[str]:
    """The Service of the gateway in us-east-1."""
    with reach(release, "us-east-1") as found:
        yield found
