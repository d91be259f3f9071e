from typing import Any

import pytest

import builders
from builders import EU_CENTRAL, EU_WEST, US, decoded, endpoint, model, references, target
from fairlead import ir
from fairlead.api.route import Residency
from fairlead.memo import Memo
from fairlead.translate.candidates import ModelReference
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.plans import Planner
from fairlead.translate.plans import planned as named
from fairlead.translate.providers import Provider, provider
from fairlead.translate.routes import Route, route

SPREAD = builders.provider(
    "p",
    endpoints=[
        endpoint("us-b", US, credential={"secretName": "s"}),
        endpoint("us-a", US, models=[{"name": "small", "id": "deployment-a"}]),
        endpoint("eu", EU_WEST),
        endpoint("any"),
    ],
    models=[model("small", id="Small"), model("large", id="Large")],
)
OTHER = builders.provider("q", endpoints=[endpoint("ec", EU_CENTRAL)], models=[model("spare")])


def planned(region: str, written: dict[str, Any], names: set[str] | None = None) -> tuple[Planner, Any]:
    around = references(home_secrets_readable=False)
    providers: dict[str, Provider] = {}
    for one in (SPREAD, OTHER):
        found = provider(decoded(one), around, Diagnostics())
        assert found is not None
        providers[found.name] = found
    resolved: Route | None = route(decoded(written), around, providers, Diagnostics())
    assert resolved is not None
    planner = Planner(region=region, geography=around.geography, providers=providers, memo=Memo())
    wanted = frozenset(names if names is not None else {claim.name for claim in resolved.claims})
    return planner, named(resolved.name, planner.drafts(resolved, wanted))


CHAT = builders.route("chat", target("p", "small"), fallbacks=[target("q", "spare")])


@pytest.mark.parametrize(
    ("region", "residency", "expected", "reason"),
    [
        (
            US,
            "Any",
            [
                ["p/us-a/small", "p/us-b/small", "p/any/small", "p/eu/small", "q/ec/spare"],
                ["p/us-b/small", "p/us-a/small", "p/any/small", "p/eu/small", "q/ec/spare"],
            ],
            "two endpoints here share; the primary everywhere comes before the fallback",
        ),
        (
            EU_WEST,
            "Any",
            [
                ["p/eu/small", "p/any/small", "p/us-a/small", "p/us-b/small", "q/ec/spare"],
                ["p/eu/small", "p/any/small", "p/us-b/small", "p/us-a/small", "q/ec/spare"],
            ],
            "what is far away rotates too",
        ),
        (EU_WEST, "Geo", [["p/eu/small", "q/ec/spare"]], "no anycast, nothing abroad"),
        (EU_CENTRAL, "Region", [["q/ec/spare"]], "only the fallback is here"),
    ],
)
def test_ladders(region: str, residency: str, expected: list[list[str]], reason: str) -> None:
    written = {**CHAT, "spec": {**CHAT["spec"], "residency": residency}}
    _, (plans, ladders) = planned(region, written)
    assert [list(ladder.rungs) for ladder in ladders] == expected, reason
    assert [ladder.name for ladder in ladders] == [f"team-web/chat/{arm}" for arm in range(len(expected))]
    assert [arm.ladder for arm in plans[0].arms] == [ladder.name for ladder in ladders]
    assert plans[0].last_target == expected[0][0]
    assert {ladder.last_resort for ladder in ladders} == {"/".join(expected[0][0].split("/")[:2])}


def test_the_last_resort_brings_its_endpoints_wire_id() -> None:
    _, (plans, _) = planned(US, CHAT)
    assert (plans[0].last_target, plans[0].last_model) == ("p/us-a/small", "deployment-a")


def test_nothing_within_residency_is_no_plan() -> None:
    written = builders.route("chat", target("q", "spare"), residency="Region")
    assert planned(US, written)[1] == ((), ())


def test_wildcard_plans_are_named_by_model_and_only_names_that_are_won_have_one() -> None:
    written = builders.route("all", target("p"), modelNames=["*"])
    _, (plans, ladders) = planned(EU_WEST, written, {"large"})
    assert [(plan.key, plan.arms[0].ladder) for plan in plans] == [("large", "team-web/all/large/0")]
    assert [ladder.rungs for ladder in ladders] == [("p/eu/large", "p/any/large", "p/us-b/large")]


def test_only_what_is_used_is_there() -> None:
    planner, _ = planned(EU_CENTRAL, {**CHAT, "spec": {**CHAT["spec"], "residency": "Geo"}})
    assert [one.name for one in planner.targets()] == ["p/eu/small", "q/ec/spare"]
    assert [one.name for one in planner.last_resorts()] == ["p/eu"]
    assert planner.credentials() == ()


def test_targets_carry_what_their_endpoint_says() -> None:
    planner, _ = planned(US, CHAT)
    by_name = {one.name: one for one in planner.targets()}
    us_b, us_a, anywhere = by_name["p/us-b/small"], by_name["p/us-a/small"], by_name["p/any/small"]
    assert (us_b.wire_model, us_b.credential, us_b.region) == ("Small", "s/apiKey", US)
    assert (us_a.wire_model, us_a.credential) == ("deployment-a", "")
    assert anywhere.region == ""
    assert us_a.upstream == ir.Upstream(host="us-a.example.com", port=443, tls=True, base_path="/v1")
    assert [one.name for one in planner.credentials()] == ["s/apiKey"]


def test_a_shadow_goes_to_the_nearest_target_and_keeps_it() -> None:
    planner, _ = planned(US, builders.route("chat", target("p", "large")))
    candidate = ModelReference(provider="q", model="spare")
    assert planner.nearest(candidate, Residency.GEO) is None
    assert planner.shadow(candidate, Residency.GEO) is None
    assert planner.nearest(candidate, Residency.ANY) == "q/ec/spare"
    assert "q/ec/spare" not in {one.name for one in planner.targets()}, "looking keeps nothing"
    assert planner.shadow(candidate, Residency.ANY) == "q/ec/spare"
    assert "q/ec/spare" in {one.name for one in planner.targets()}
