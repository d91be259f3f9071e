"""Consumers' keys: by name only, kept through outages, never shown."""

import asyncio
import base64
from typing import Any

import pytest

from fairlead.adapters.kube import ForbiddenError, UnreachableError
from fairlead.api.core import Redacted
from fairlead.controller.keys import KeyRing, wanted_refs
from fairlead.translate import SecretRef
from memory_cluster import MemoryCluster

ALICE = ("team-web", "alice")
REF = SecretRef("team-web", "alice", "apiKey")


def _secret(value: str, name: str = "alice") -> dict[str, Any]:
    data = {"apiKey": base64.b64encode(value.encode()).decode(), "binary": base64.b64encode(b"\xff\xfe").decode()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "team-web"}, "data": data}


def test_a_key_is_read_once_it_is_wanted() -> None:
    cluster = MemoryCluster(_secret("one"))
    keys = KeyRing(cluster)
    assert keys.missing([ALICE]) == (ALICE,)
    assert asyncio.run(keys.read([ALICE]))
    assert keys.missing([ALICE]) == ()
    assert keys.values.value(REF) == Redacted(b"one")
    assert keys.values.unusable() == {SecretRef("team-web", "alice", "binary"): "got the character U+FFFD"}
    assert "one" not in repr(keys)


def test_only_a_change_is_news() -> None:
    cluster = MemoryCluster(_secret("one"))
    keys = KeyRing(cluster)
    asyncio.run(keys.read([ALICE]))
    before = keys.values.fingerprints()
    assert not asyncio.run(keys.read([ALICE]))
    cluster.put(_secret("two"))
    assert asyncio.run(keys.read([ALICE]))
    assert keys.values.fingerprints() != before
    cluster.take("Secret", "alice", "team-web")
    assert asyncio.run(keys.read([ALICE]))
    assert keys.values.fingerprints() == {}


def test_equal_values_have_equal_fingerprints_and_they_are_no_plain_hash() -> None:
    cluster = MemoryCluster(_secret("one"), _secret("one", "bob"))
    keys, others = KeyRing(cluster), KeyRing(cluster)
    for ring in (keys, others):
        asyncio.run(ring.read([ALICE, ("team-web", "bob")]))
    bob = SecretRef("team-web", "bob", "apiKey")
    prints, foreign = (ring.values.fingerprints() for ring in (keys, others))
    assert prints[REF] == prints[bob]
    assert prints[REF] != foreign[REF]


def test_an_outage_loses_no_key() -> None:
    cluster = MemoryCluster(_secret("one"))
    keys = KeyRing(cluster)
    asyncio.run(keys.read([ALICE]))
    cluster.refusals["get", "Secret"] = UnreachableError("away")
    assert not asyncio.run(keys.read([ALICE]))
    assert keys.values.value(REF) == Redacted(b"one")


def test_a_namespace_that_does_not_agree_any_more_loses_its_keys() -> None:
    cluster = MemoryCluster(_secret("one"))
    keys = KeyRing(cluster)
    asyncio.run(keys.read([ALICE]))
    cluster.refusals["get", "Secret"] = ForbiddenError("no")
    assert asyncio.run(keys.read([ALICE]))
    assert keys.values.value(REF) is None
    assert keys.unreadable([REF]) == {REF}
    assert keys.missing([ALICE]) == ()  # an answer all the same
    del cluster.refusals["get", "Secret"]
    assert asyncio.run(keys.read([ALICE]))
    assert keys.unreadable([REF]) == frozenset()


def test_what_nobody_names_is_forgotten() -> None:
    cluster = MemoryCluster(_secret("one"))
    keys = KeyRing(cluster)
    asyncio.run(keys.read([ALICE]))
    keys.forget_all_but([])
    assert keys.values.value(REF) is None


@pytest.mark.parametrize(
    ("namespace", "spec", "refs"),
    [
        pytest.param("team-web", {"keys": [{"secretName": "alice"}]}, (REF,), id="the default entry"),
        pytest.param(
            "team-web",
            {"keys": [{"secretName": "alice", "key": "other"}]},
            (SecretRef("team-web", "alice", "other"),),
            id="an entry by name",
        ),
        pytest.param("fairlead", {"keys": [{"secretName": "sim"}]}, (), id="never one of the installation's namespace"),
        pytest.param("team-web", {"keys": "alice"}, (), id="not a list"),
        pytest.param("team-web", {"keys": ["alice", {"secretName": 7}]}, (), id="not what the schema says"),
        pytest.param("team-web", None, (), id="no spec"),
    ],
)
def test_what_consumers_name(namespace: str, spec: Any, refs: tuple[SecretRef, ...]) -> None:
    consumer = {"kind": "ModelConsumer", "metadata": {"name": "alice", "namespace": namespace}, "spec": spec}
    assert wanted_refs([consumer], home="fairlead") == refs
