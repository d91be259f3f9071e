"""Drains as annotations: what people write is what the operator reads, and what nobody can follow says why."""

import asyncio
from typing import Any

import pytest

from builders import provider
from fairlead.api.quantity import unix_seconds
from fairlead.controller.drains import (
    CONFIG_MAP,
    LONGEST_MS,
    PREFIX,
    Drains,
    drain,
    lasting,
    read,
    rotation,
    undo,
)
from fairlead.errors import ClusterError
from fairlead.health.region import DrainKind, DrainOrder
from fast_clock import FastClock
from memory_cluster import MemoryCluster

BEGAN, UNTIL = "2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z"
NOW_MS = unix_seconds(BEGAN) * 1000
REGIONS: dict[str, Any] = {"kind": "ConfigMap", "metadata": {"name": CONFIG_MAP, "namespace": "fairlead"}}


def annotated(found: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "annotations": {f"{PREFIX}{name}": value}}}


def told(*providers: dict[str, Any], regions: dict[str, Any] | None = None) -> Drains:
    return read(providers, regions, known_regions=["us-east-1"], now_ms=NOW_MS)


def test_what_is_written_is_what_is_read() -> None:
    cluster = MemoryCluster(provider("p"), REGIONS)
    began_ms, until_ms = lasting(FastClock(0), for_ms=1_800_000)
    of_endpoint = DrainOrder(
        kind=DrainKind.ENDPOINT, name="p/us", began_ms=began_ms, until_ms=until_ms, over_ms=300_000
    )
    of_region = DrainOrder(kind=DrainKind.REGION, name="us-east-1", began_ms=began_ms, until_ms=until_ms)

    def now() -> tuple[DrainOrder, ...]:
        found = read(
            cluster.all("ModelProvider"),
            cluster.find("ConfigMap", CONFIG_MAP),
            known_regions=["us-east-1"],
            now_ms=began_ms,
        )
        assert found.mistakes == ()
        return found.orders

    async def story() -> None:
        await drain(cluster, "fairlead", of_endpoint)
        await drain(cluster, "fairlead", of_region)
        assert now() == (of_endpoint, of_region)
        await undo(cluster, "fairlead", DrainKind.ENDPOINT, "p/us")
        assert now() == (of_region,)
        await undo(cluster, "fairlead", DrainKind.REGION, "us-east-1")
        await undo(cluster, "fairlead", DrainKind.REGION, "us-east-1")
        assert now() == ()

    asyncio.run(story())


def test_an_end_alone_is_enough_for_a_person() -> None:
    assert told(annotated(provider("p"), "us", UNTIL)).orders == (
        DrainOrder(kind=DrainKind.ENDPOINT, name="p/us", began_ms=0, until_ms=unix_seconds(UNTIL) * 1000),
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("us", "", "want [BEGAN/]UNTIL"),
        ("us", "soon", "got 'soon'"),
        ("us", "30m", "got '30m'"),
        ("us", "2026-03-01T10:30:00", "want [BEGAN/]UNTIL"),
        ("us", f"{BEGAN}/{UNTIL} over", "want [BEGAN/]UNTIL"),
        ("us", f"{BEGAN}/{UNTIL} over 5d", "want [BEGAN/]UNTIL"),
        ("us", f"{UNTIL} over 5m", "want BEGAN/UNTIL over DURATION"),
        ("us", f"{BEGAN}/9999-12-31T00:00:00Z", "want one within seven days"),
        ("us", "x" * 100_000, "want [BEGAN/]UNTIL"),
        ("eu", UNTIL, "got no endpoint of this name, want one of: us"),
        ("mars", UNTIL, "got no endpoint of this name, want one of: us"),
    ],
)
def test_what_nobody_can_follow_says_what_is_wanted(name: str, value: str, said: str) -> None:
    found = told(annotated(provider("p"), name, value), provider("q"))
    assert found.orders == ()
    (mistake,) = found.mistakes
    assert said in mistake.message
    assert f"{PREFIX}{name}" in mistake.message
    assert mistake.subject["metadata"]["name"] == "p"
    assert len(mistake.message) < 400


def test_a_region_that_is_not_there_is_a_mistake_of_the_config_map() -> None:
    found = told(regions=annotated(REGIONS, "mars", UNTIL))
    assert (found.orders, len(found.mistakes)) == ((), 1)
    assert "want one of: us-east-1" in found.mistakes[0].message


def test_a_provider_without_a_form_has_no_endpoints() -> None:
    for spec in ({}, {"endpoints": 5}, {"endpoints": ["us"]}, {"endpoints": [{}]}, None):
        found = told({**annotated(provider("p"), "us", UNTIL), "spec": spec})
        assert "want one of: none" in found.mistakes[0].message


def test_what_is_not_there_cannot_be_drained() -> None:
    order = DrainOrder(kind=DrainKind.ENDPOINT, name="p/us", began_ms=0, until_ms=LONGEST_MS)
    with pytest.raises(ClusterError, match="ModelProvider fairlead/p is not there"):
        asyncio.run(drain(MemoryCluster(), "fairlead", order))
    with pytest.raises(ClusterError, match="upgrade the chart"):
        asyncio.run(undo(MemoryCluster(), "fairlead", DrainKind.REGION, "us-east-1"))


def test_a_region_is_out_of_rotation_while_it_is_drained() -> None:
    us, eu, ap = "us-east-1", "eu-west-1", "ap-south-1"

    def goes(*drained: str, serves: bool = True) -> list[str]:
        found = rotation((us, eu), drained, known_regions=(us, eu, ap), serves_when_all_drained=serves)
        assert list(found) == [us, eu]
        return [region for region, stays in found.items() if stays]

    assert goes() == [us, eu]
    assert goes(us) == [eu]
    assert goes(ap) == [us, eu]
    assert goes(us, eu) == [us, eu]
    assert goes(us, eu, serves=False) == []
    assert goes(us, eu, ap, serves=False) == [us, eu], "there is no other cluster to go to"
