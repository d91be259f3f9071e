"""`fairlead refresh` writes one annotation, and says who is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from command_line import run

from fairlead.adapters import kube_client
from memory_cluster import MemoryCluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    found = MemoryCluster({"kind": "ModelProvider", "metadata": {"name": "p", "namespace": "fairlead"}})

    @asynccontextmanager
    async def connect(context: str | None = None) -> AsyncIterator[MemoryCluster]:
        assert context in (None, "there")
        yield found

    monkeypatch.setattr(kube_client, "connect", connect)
    return found


def test_a_provider_is_annotated(cluster: MemoryCluster) -> None:
    said = run("refresh", "p", "--context", "there")
    assert (said.exit_code, said.stdout) == (0, "fairlead/p: gateways look at its Secrets now\n")
    assert (cluster.find("ModelProvider", "p") or {})["metadata"]["annotations"]["fairlead.dev/refresh"]
    assert cluster.writes == [("merge", "ModelProvider", "p")]


def test_somebody_who_is_not_there(cluster: MemoryCluster) -> None:
    said = run("refresh", "q", "-n", "elsewhere")
    assert said.exit_code == 1
    assert "ModelProvider elsewhere/q is not there" in said.stderr
    assert cluster.all("ModelProvider")[0]["metadata"].get("annotations") is None


def test_nobody_is_named(cluster: MemoryCluster) -> None:
    assert run("refresh").exit_code == 2
    assert cluster.writes == []
