"""compile() as its callers see it."""

from builders import EU_WEST, US, compiled, consumer, endpoint, model, provider, route, secret, target
from fairlead.api.meta import ObjectKey
from fairlead.compiler import KeyBinding, Served

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
