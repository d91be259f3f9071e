"""The operator's memory: damage of any kind is absence with one warning, and is written over."""

import asyncio
import base64
import gzip
from typing import Any

import pytest

from fairlead.api.meta import ObjectKey
from fairlead.controller.memory import Memory
from memory_cluster import MemoryCluster

LAST_GOOD = {ObjectKey("ModelRoute", "team", "chat"): {"spec": {}}}


def _memory(cluster: MemoryCluster) -> Memory:
    return Memory(cluster, namespace="fairlead", name="fairlead-memory", owner={}, labels={})


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param("not base64!", id="no base64"),
        pytest.param(5, id="no text"),
        pytest.param(_encoded(b"no gzip"), id="no gzip"),
        pytest.param(_encoded(gzip.compress(b"{}")[:-4]), id="cut"),
        pytest.param(_encoded(gzip.compress(b"[" * 100_000)), id="deep"),
        pytest.param(_encoded(gzip.compress(b'{"objects": 5}')), id="another shape"),
    ],
)
def test_damage_is_absence_and_is_mended(stored: Any) -> None:
    cluster = MemoryCluster(
        {
            "kind": "ConfigMap",
            "metadata": {"name": "fairlead-memory", "namespace": "fairlead"},
            "binaryData": {"last-good.json.gz": stored},
        }
    )
    warnings: list[str] = []
    memory = _memory(cluster)
    assert asyncio.run(memory.load(warnings.append)) == {}
    assert len(warnings) == 1
    assert asyncio.run(memory.store(LAST_GOOD))
    assert asyncio.run(_memory(cluster).load(warnings.append)) == LAST_GOOD
    assert len(warnings) == 1
