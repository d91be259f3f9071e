from dataclasses import replace
from typing import Any

import pytest

from fairlead import ir
from fairlead.envoy import clusters, trunks

UPSTREAM = ir.Upstream(host="us.example.com", port=443, tls=True, base_path="/v1")
TARGET = ir.Target(
    name="api/us/m.1",
    provider="api",
    endpoint="us",
    region="us-east-1",
    model="m.1",
    wire_model="vendor/m.1",
    upstream=UPSTREAM,
    credential="api/key",
    breaker=ir.Breaker(consecutive_failures=5, open_for_ms=60_000),
    max_in_flight=None,
)
LAST = ir.LastResort(
    name="api/us",
    provider="api",
    endpoint="us",
    region="",
    upstream=UPSTREAM,
    credential="api/key",
    forward_headers=("x-a", "x-b"),
)
GATEWAY = ir.Gateway(
    region="us-east-1",
    limits=ir.Limits(request_bytes=1024),
    anonymous=None,
    consumers=(),
    scopes=(),
    routes=(),
    ladders=(ir.Ladder(name="team/chat/0", rungs=(TARGET.name,), last_resort=LAST.name),),
    targets=(TARGET,),
    last_resorts=(LAST,),
    credentials=(),
)


def rendered(gateway: ir.Gateway) -> dict[str, dict[str, Any]]:
    ladders = (clusters.ladder(*one) for one in clusters.ladders(gateway))
    return {one["name"]: one for one in (*clusters.render(gateway, trunks.crowded(gateway)), *ladders)}


def endpoint(cluster: dict[str, Any]) -> dict[str, Any]:
    (locality,) = cluster["load_assignment"]["endpoints"]
    (one,) = locality["lb_endpoints"]
    assert isinstance(one, dict)
    return one


def with_targets(count: int, **fields: Any) -> ir.Gateway:
    upstream = replace(UPSTREAM, **fields)
    targets = tuple(replace(TARGET, name=f"api/us/m{n}", upstream=upstream) for n in range(count))
    return replace(GATEWAY, targets=targets, ladders=())


def test_a_target_says_what_its_host_is() -> None:
    host = endpoint(rendered(GATEWAY)["api/us/m~1"])["metadata"]["filter_metadata"]["fairlead"]
    assert host == {
        "host": "api/key vendor/m.1 /v1 - -",
        "model": "m.1",
        "provider": "api",
        "region": "us-east-1",
        "target": "api/us/m.1",
        "wire": "vendor/m.1",
    }


def test_a_last_resort_knows_no_model_and_is_never_ejected() -> None:
    last = rendered(GATEWAY)["api/us!"]
    assert "outlier_detection" not in last
    host = endpoint(last)["metadata"]["filter_metadata"]["fairlead"]
    assert host == {"endpoint": "api/us", "host": "api/key * /v1 - x-a,x-b", "provider": "api", "region": "-"}


def test_a_ladder_is_its_rungs_and_then_the_last_resort() -> None:
    ladder = rendered(GATEWAY)["@team/chat/0"]
    assert ladder["cluster_type"]["typed_config"]["clusters"] == [{"name": "api/us/m~1"}, {"name": "api/us!"}]
    assert ladder["circuit_breakers"]["thresholds"][0]["max_retries"] > 1000  # Envoy's default is 3


def test_an_ejection_is_never_longer_than_the_breaker_says() -> None:
    gateway = replace(GATEWAY, targets=(replace(TARGET, breaker=ir.Breaker(consecutive_failures=3, open_for_ms=500)),))
    assert rendered(gateway)["api/us/m~1"]["outlier_detection"] == {
        "base_ejection_time": "0.5s",
        "consecutive_5xx": 3,
        "max_ejection_time": "0.5s",
    }


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("us.example.com", False),  # DNS: the host's name is the name that is looked up
        ("10.0.0.1", True),
        ("2001:db8::1", True),
    ],
)
def test_an_address_needs_no_dns(host: str, *, named: bool) -> None:
    cluster = rendered(with_targets(1, host=host))["api/us/m0"]
    assert cluster.get("type") == (None if named else "LOGICAL_DNS")
    assert endpoint(cluster)["endpoint"].get("hostname") == (host if named else None)


@pytest.mark.parametrize(
    ("targets", "tls", "crowded"),
    [
        (trunks.CROWD, True, False),
        (trunks.CROWD + 1, True, True),
        (trunks.CROWD + 1, False, False),  # nothing to share without TLS
    ],
)
def test_many_targets_of_a_tls_address_share_a_trunk(targets: int, *, tls: bool, crowded: bool) -> None:
    cluster = rendered(with_targets(targets, tls=tls))["api/us/m0"]
    assert ("transport_socket" in cluster) == (tls and not crowded)
    address = endpoint(cluster)["endpoint"]["address"]
    if crowded:
        assert address == {"envoy_internal_address": {"server_listener_name": "us~example~com:443!trunk"}}
    else:
        assert address == {"socket_address": {"address": "us.example.com", "port_value": 443}}
