"""translate() as a whole; what its parts do is tested beside them."""

from builders import US, compiled, consumer, installation, model, provider, route, target
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Served

GOOD = [provider("p"), route("chat")]


def served(result: object, name: str) -> Served:
    (found,) = [one.served for one in result.reports if one.key.name == name]  # type: ignore[attr-defined]  # Compiled
    return Served(found)


def test_every_object_has_one_report_sorted_by_key() -> None:
    result = compiled(consumer("c"), *GOOD, route("broken", maxAttempts="x"))
    assert [str(one.key) for one in result.reports] == [
        "ModelConsumer team-web/c",
        "ModelProvider fairlead/p",
        "ModelRoute team-web/broken",
        "ModelRoute team-web/chat",
    ]


def test_a_route_that_lost_every_name_is_not_in_effect_but_remembered() -> None:
    result = compiled(*GOOD, route("z", modelNames=["chat"]))
    assert served(result, "z") is Served.NOTHING
    assert ObjectKey("ModelRoute", "team-web", "z") in result.last_good, "it stands by what is written, and waits"


def test_a_route_that_enters_elsewhere_is_no_loser_here() -> None:
    result = compiled(provider("p"), route("chat", regions=["eu-west-1"]), installed=installation(serve=[US]))
    assert served(result, "chat") is Served.CURRENT


def test_a_name_that_once_was_served_is_refused_rather_than_lost() -> None:
    q = provider("q", models=[model("other")])
    shared = route("shared", namespace="fairlead", modelNames=["chat"], consumers={"namespaces": {"from": "All"}})
    good = compiled(provider("p"), q, route("chat", target("q", "other")), shared)
    without = compiled(provider("p"), route("chat", target("q", "other")), shared, before=good)
    assert served(without, "chat") is Served.NOTHING
    entries = {
        (scope.name, entry.model_name): entry.route
        for scope in without.gateways[US].ir.scopes
        for entry in scope.entries
    }
    assert entries["team-web", "chat"] == ""
    assert without.last_good == {key: value for key, value in good.last_good.items() if key.name != "q"}
