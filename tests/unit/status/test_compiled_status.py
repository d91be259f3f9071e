"""What compiling alone says of objects: the same for the operator, `up`, `render` and goldens."""

from dataclasses import replace
from typing import Any

import pytest

from builders import EU_WEST, US, budget, compiled, consumer, endpoint, installation, provider, route, secret, target
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled, HelmRelease, pod_layouts
from fairlead.manifests.settings import BudgetSettings
from fairlead.status import CompiledStatus
from gateway_values import settings

PROVIDERS = provider("p", endpoints=[endpoint("us", US), endpoint("eu", EU_WEST)])
KEYS = {secret("alice"): "fingerprint"}


def _of(result: Compiled, kind: str, name: str) -> CompiledStatus:
    return result.status[ObjectKey(kind, "team-web", name)]


def test_a_route_says_where_its_attempts_go_in_each_region_that_serves_it() -> None:
    result = compiled(PROVIDERS, route("chat", regions=[US]))
    assert _of(result, "ModelRoute", "chat").ladders == {US: ("p/us/small", "p/eu/small")}


def test_a_route_that_serves_nowhere_has_no_ladder() -> None:
    assert _of(compiled(PROVIDERS, route("chat", target("nobody"))), "ModelRoute", "chat").ladders == {}


def test_the_last_good_version_of_a_consumer_says_when_it_expires() -> None:
    good = compiled(consumer("alice", expiresAt="2027-01-01T00:00:00Z"), secrets=KEYS)
    assert _of(good, "ModelConsumer", "alice").expires_at == 1_798_761_600
    bad = compiled(consumer("alice", expiresAt="soon"), secrets=KEYS, before=good)
    assert _of(bad, "ModelConsumer", "alice").expires_at == 1_798_761_600


def test_a_consumer_says_what_bounds_it() -> None:
    bounded = compiled(consumer("alice"), budget("b"), secrets=KEYS)
    assert _of(bounded, "ModelConsumer", "alice").fields["budgets"] == ["team-web/b"]
    assert _of(compiled(consumer("alice"), secrets=KEYS), "ModelConsumer", "alice").fields["budgets"] == []


def test_a_shift_of_traffic_is_no_change_of_what_is_said() -> None:
    manifests = (PROVIDERS, route("chat"), consumer("alice"))
    usual, shifted = (compiled(*manifests, secrets=KEYS, health=health) for health in ({}, {"p/us": 10}))
    assert usual.status == shifted.status
    assert [one.essence for one in usual.status.values()] == [one.essence for one in shifted.status.values()]


def test_another_ladder_is_another_essence() -> None:
    one, other = (compiled(PROVIDERS, route("chat", regions=regions)) for regions in ([US], [EU_WEST]))
    assert _of(one, "ModelRoute", "chat").essence != _of(other, "ModelRoute", "chat").essence


@pytest.mark.parametrize(
    ("served", "shared", "want"),
    [
        pytest.param([US], False, {"reach": "ThisClusterOnly"}, id="others count for themselves"),
        pytest.param([US], True, {"reach": "FleetWide"}, id="all count in one store"),
        pytest.param([US, EU_WEST], False, {"reach": "FleetWide"}, id="nobody else counts"),
        pytest.param([US, EU_WEST], True, {"reach": "FleetWide"}, id="both"),
        pytest.param([US], None, {}, id="no budget server, no word"),
    ],
)
def test_whom_a_limit_holds_for(served: list[str], shared: bool | None, want: dict[str, Any]) -> None:
    installed = installation(
        regions=[{"name": US, "geo": "us"}, {"name": EU_WEST, "geo": "eu"}],
        serve=served,
    )
    server = shared is not None and BudgetSettings(rpc="b:1", usage="b:2", configuration="book", shared=shared)
    release = HelmRelease(settings=replace(settings(*served), budget_server=server or None), owner_uid="owner")
    layouts = pod_layouts(installed, server or None)
    result = compiled(budget("b"), installed=installed, layouts=layouts, release=release)
    assert _of(result, "BudgetPolicy", "b").fields == want
