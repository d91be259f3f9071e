import pytest

from builders import EU_WEST, US, compiled, consumer, embedding, endpoint, model, provider, route, target
from fairlead import ir
from fairlead.compiler import Compiled
from fairlead.status import ServedRoute, percent, served_routes
from fairlead.status.answers import answers


def served(result: Compiled, region: str = US) -> dict[str, ServedRoute]:
    return {one.name: one for one in served_routes(result.gateways[region].ir)}


P = provider("p", endpoints=[endpoint("a", US), endpoint("b", US)], models=[model("small"), embedding("bge")])


def test_a_route_shows_names_ladders_and_shadow() -> None:
    shadow = {**target("q", "next"), "sample": "5%"}
    result = compiled(
        P,
        provider("q", endpoints=[endpoint("eu", EU_WEST)], models=[model("next")]),
        route("chat", target("p", "small"), modelNames=["gpt-4o", "chat"], shadow=shadow),
    )
    (one,) = served(result).values()
    assert (one.name, one.region, one.max_attempts, one.shadow) == ("team-web/chat", US, 3, "q/eu/next")
    (answer,) = one.answers
    assert answer.names == ("chat", "gpt-4o")
    assert [(share.weight, share.targets) for share in answer.ladders] == [
        (5_000, ("p/a/small", "p/b/small")),
        (5_000, ("p/b/small", "p/a/small")),
    ]
    assert answer.last_resort == "p/a/small"


def test_a_ladder_says_whose_answers_a_cascade_judges() -> None:
    two = provider("p", endpoints=[endpoint("a", US)], models=[model("small"), model("a large one")])
    fields = {"fallbacks": [target("p", "a large one"), target("q")], "cascade": {}}
    result = compiled(
        two,
        provider("q", endpoints=[endpoint("b", US)], models=[model("small")]),
        route("chat", target("p", "small"), **fields),
    )
    (answer,) = served(result)["team-web/chat"].answers
    ((share,), told) = answer.ladders, answers([answer])["answers"][0]["ladders"][0]
    assert share.targets == ("p/a/small", "p/a/a large one", "q/b/small")
    assert share.judged == ("p/a/small", "q/b/small")
    assert told["judged"] == ["p/a/small", "q/b/small"]


def test_a_wildcard_route_has_an_answer_for_each_name() -> None:
    (one,) = served(compiled(P, route("all", target("p"), modelNames=["*"]))).values()
    assert [(answer.names, answer.kind) for answer in one.answers] == [
        (("bge",), ir.ModelKind.EMBEDDING),
        (("small",), ir.ModelKind.CHAT),
    ]


def test_a_route_that_nobody_sees_has_no_names() -> None:
    result = compiled(P, route("chat", target("p", "small"), consumers={"names": ["later"]}), consumer("agent"))
    assert served(result)["team-web/chat"].answers[0].names == ()


def test_refused_names_are_not_served() -> None:
    result = compiled(P, route("chat", target("p", "small"), regions=[US]))
    assert served(result, EU_WEST) == {}


@pytest.mark.parametrize(
    ("basis_points", "expected"), [(0, "0%"), (1, "0.01%"), (250, "2.5%"), (3_334, "33.34%"), (10_000, "100%")]
)
def test_percent(basis_points: int, expected: str) -> None:
    assert percent(basis_points) == expected
