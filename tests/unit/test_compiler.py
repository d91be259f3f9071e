"""compile() as its callers see it."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from builders import (
    EU_WEST,
    HOME,
    US,
    budget,
    compiled,
    consumer,
    endpoint,
    installation,
    model,
    provider,
    route,
    secret,
    target,
)
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled, KeyBinding, Served, pod_layouts
from fairlead.envoy import resources
from golden_cases import layouts

CHAT = ObjectKey("ModelRoute", "team-web", "chat")


def test_the_smallest_case_is_one_ladder_in_each_region() -> None:
    result = compiled(
        provider("p", endpoints=[endpoint("us", US), endpoint("eu", EU_WEST)]),
        route("chat"),
        consumer("agent"),
        secrets={secret("agent"): "fingerprint"},
    )
    assert list(result.gateways) == [US, EU_WEST, "eu-central-1"]
    ladders = {region: gateway.ir.ladders[0].rungs for region, gateway in result.gateways.items()}
    assert ladders[US] == ("p/us/small", "p/eu/small")
    assert ladders[EU_WEST] == ("p/eu/small", "p/us/small")
    assert result.gateways[US].ir.consumers[0].scopes == ("team-web",)
    assert result.key_bindings == (KeyBinding(consumer="team-web/agent", ref=secret("agent")),)
    assert all(report.served is Served.CURRENT for report in result.reports)


def test_a_broken_edit_keeps_the_last_good_version() -> None:
    good = compiled(provider("p"), route("chat"))
    undecodable = compiled(provider("p"), route("chat", maxAttempts="3"), before=good)
    unresolvable = compiled(provider("p"), route("chat", target("p", "smal")), before=undecodable)
    for broken in (undecodable, unresolvable):
        assert broken.gateways == good.gateways
        assert broken.last_good == good.last_good
        report = next(report for report in broken.reports if report.key == CHAT)
        assert report.served is Served.LAST_GOOD
        assert any("the last good version stays in effect" in condition.message for condition in report.conditions)


def test_a_policy_goes_on_to_count_as_it_did() -> None:
    objects = [provider("p"), route("chat"), consumer("agent")]
    keys = {secret("agent"): "1"}
    good = compiled(*objects, budget("b", window={"every": "1h"}), secrets=keys)
    edited = compiled(*objects, budget("b", limit={"usd": "7"}, window={"every": "24h"}), secrets=keys, before=good)
    assert edited.configuration == good.configuration
    report = next(report for report in edited.reports if report.key.kind == "BudgetPolicy")
    assert report.served is Served.LAST_GOOD
    assert any(condition.reason == "Immutable" for condition in report.conditions)
    raised = compiled(*objects, budget("b", limit={"usd": "7"}, window={"every": "1h"}), secrets=keys, before=edited)
    assert raised.configuration != good.configuration, "every other edit holds"
    gone = compiled(*objects, secrets=keys, before=edited)
    anew = compiled(*objects, budget("b", window={"every": "24h"}), secrets=keys, before=gone)
    assert next(one for one in anew.reports if one.key.kind == "BudgetPolicy").served is Served.CURRENT


def test_without_a_last_good_version_a_broken_object_is_absent() -> None:
    result = compiled(provider("p"), route("chat", target("p", "smal")))
    assert result.gateways[US].ir.routes == ()
    assert CHAT not in result.last_good


def test_a_vanished_dependency_drops_its_rungs_only() -> None:
    both = [provider("p"), provider("q", endpoints=[endpoint("eu", EU_WEST)], models=[model("large")])]
    written = route("chat", fallbacks=[target("q", "large")])
    good = compiled(*both, written)
    without = compiled(both[0], written, before=good)
    assert good.gateways[US].ir.ladders[0].rungs == ("p/us/small", "q/eu/large")
    assert without.gateways[US].ir.ladders[0].rungs == ("p/us/small",)
    assert next(report for report in without.reports if report.key == CHAT).served is Served.CURRENT


def catalogue(models: int = 184, **observed: Any) -> Compiled:
    """A wildcard route over many models at three endpoints, and 50 teams that may use it."""
    names = [f"vendor-{number % 12}/some-model-name-{number}" for number in range(models)]
    return compiled(
        provider(
            "global-api",
            endpoints=[
                endpoint(f"e{number}", region, credential={"secretName": "global", "key": f"k{number}"})
                for number, region in enumerate([US, EU_WEST, "eu-central-1"])
            ],
            models=[model(name, id=f"Org/{name.upper()}") for name in names],
        ),
        route("all", target("global-api"), namespace=HOME, modelNames=["*"], consumers={"namespaces": {"from": "All"}}),
        *[consumer(f"c{number}", namespace=f"team-{number}") for number in range(50)],
        layouts=layouts([US]),
        **observed,
    )


def test_a_catalogue_of_184_models_at_three_endpoints_fits() -> None:
    gateway = catalogue().gateways[US]
    assert gateway.too_large == ""
    assert (len(gateway.ir.targets), len(gateway.ir.ladders), len(gateway.ir.last_resorts)) == (552, 184, 1)


def test_a_catalogue_whose_endpoint_is_down_fits_and_one_that_returns_skips_steps_for_which_there_is_no_room() -> None:
    down, back = (catalogue(health={"global-api/e0": share}).gateways[US] for share in (0, 50))
    assert (down.too_large, down.without_steps) == ("", False)
    assert (back.too_large, back.without_steps) == ("", True)
    assert back.files == catalogue().gateways[US].files, "50 % counts as all"


@pytest.mark.parametrize(("models", "moves"), [(3, True), (184, False)], ids=["with room", "without"])
def test_another_order_has_other_names_where_there_is_room_for_both(models: int, moves: bool) -> None:
    declared, down = (catalogue(models, health=health).gateways[US] for health in ({}, {"global-api/e0": 0}))
    before, after = (resources.ladders(one.files["xds/cds.json"]) for one in (declared, down))
    assert set(before.values()).isdisjoint(after.values())
    assert set(before).isdisjoint(after) is moves
    assert moves or set(before) == set(after)


def test_what_does_not_fit_is_said_and_not_cut_off() -> None:
    models = [model(f"m{number}", id=f"m{number}" + "x" * 100) for number in range(500)]
    regions = [endpoint(f"e{number}", US) for number in range(4)]
    result = compiled(
        provider("p", endpoints=regions, models=models),
        route("all", target("p"), modelNames=["*"]),
        layouts=layouts([US]),
    )
    assert "xds/cds.json" in result.gateways[US].too_large
    assert result.gateways[US].files == {}
    assert result.gateways[EU_WEST].too_large == "", "a region without a layout is not rendered"


def test_a_thousand_routes_take_about_a_second() -> None:
    providers = [
        provider(
            f"p{number}",
            endpoints=[endpoint(f"us{number}", US), endpoint(f"eu{number}", EU_WEST)],
            models=[model(f"m{one}") for one in range(20)],
        )
        for number in range(10)
    ]
    routes = [
        route(
            f"r{number}",
            target(f"p{number % 10}", f"m{number % 20}"),
            namespace=f"team-{number % 50}",
            fallbacks=[target(f"p{(number + 1) % 10}", f"m{number % 20}")],
        )
        for number in range(1_000)
    ]
    began = time.process_time()
    result = compiled(*providers, *routes, layouts=layouts([US]))
    # 0.5 s measured; the bound is far above noise and far below anything quadratic
    assert time.process_time() - began < 5
    assert len(result.gateways[US].ir.ladders) == 1_000


@pytest.mark.parametrize(
    ("drained", "said"),
    [
        ((), (200, 200)),
        (("us-east-1",), (503, 200)),
        (("eu-west-1", "nowhere"), (200, 503)),
        (("us-east-1", "eu-west-1"), (200, 200)),
    ],
)
def test_some_gateway_of_an_installation_always_takes_clients(drained: tuple[str, ...], said: tuple[int, int]) -> None:
    installed = installation(regions=[{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}])
    made = compiled(installed=installed, layouts=pod_layouts(installed, None), drained=frozenset(drained))
    assert tuple(_health(made.gateways[region].files) for region in ("us-east-1", "eu-west-1")) == said
    assert not any(gateway.ir.drained for gateway in made.gateways.values()), "as declared"


def test_one_region_of_several_elsewhere_may_be_left() -> None:
    regions = [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}]
    installed = installation(regions=regions, serve=["us-east-1"])
    made = compiled(installed=installed, layouts=pod_layouts(installed, None), drained=frozenset({"us-east-1"}))
    assert _health(made.gateways["us-east-1"].files) == 503


def _health(files: Mapping[str, bytes]) -> int:
    (configuration,) = json.loads(files["xds/rds.json"])["resources"]
    (own,) = (host for host in configuration["virtual_hosts"] if host["name"] == "*")
    (found,) = (route for route in own["routes"] if route["name"] == "health")
    status: int = found["direct_response"]["status"]
    return status
