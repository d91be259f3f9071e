"""Precedence, layers and conflicts. `properties/test_scopes.py` holds the same against the rule told plainly."""

from typing import Any

import pytest

from builders import (
    EU_WEST,
    HOME,
    US,
    compiled,
    consumer,
    embedding,
    endpoint,
    model,
    namespace,
    provider,
    route,
    target,
)
from fairlead.compiler import Compiled

P = provider(
    "p",
    endpoints=[endpoint("us", US), endpoint("eu", EU_WEST)],
    models=[model("small"), model("qwen/a"), model("qwen/b"), embedding("bge")],
)
ALL = {"namespaces": {"from": "All"}}
GOLD = {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"llm": "gold"}}}}
PRO = {"selector": {"matchLabels": {"tier": "pro"}}}
OLD, YOUNG = {"creationTimestamp": "2026-01-01T00:00:00Z"}, {"creationTimestamp": "2026-01-02T00:00:00Z"}


def run(*manifests: dict[str, Any]) -> Compiled:
    people = [
        consumer("plain"),
        consumer("pro", labels={"tier": "pro"}),
        consumer("keeper", namespace=HOME),
        consumer("guest", namespace="team-x"),
        consumer("miner", namespace="team-gold"),
    ]
    return compiled(P, namespace("team-gold", llm="gold"), *people, *manifests)


def answer(result: Compiled, caller: str, name: str, region: str = US) -> str | None:
    """Return the route that answers, empty for a refusal, None where no scope has the name."""
    gateway = result.gateways[region].ir
    scopes = {scope.name: {entry.model_name: entry.route for entry in scope.entries} for scope in gateway.scopes}
    (asked,) = [one.scopes for one in gateway.consumers if one.name == caller]
    return next((scopes[scope][name] for scope in asked if name in scopes[scope]), None)


def named(name: str, model_names: list[str], **fields: Any) -> dict[str, Any]:
    wildcard = all(one.endswith("*") for one in model_names)
    return route(name, target("p") if wildcard else target("p", "small"), modelNames=model_names, **fields)


@pytest.mark.parametrize(
    ("routes", "caller", "expected", "reason"),
    [
        ([named("a", ["*"]), named("b", ["qwen/a"])], "team-web/plain", "team-web/b", "exact beats `*`"),
        ([named("a", ["q*"]), named("b", ["qwen/*"])], "team-web/plain", "team-web/b", "the longer prefix"),
        ([named("a", ["*"]), named("b", ["q*"])], "team-web/plain", "team-web/b", "a prefix beats `*`"),
        (
            [named("a", ["qwen/a"]), named("b", ["qwen/a"], consumers=PRO)],
            "team-web/pro",
            "team-web/b",
            "a matching selector beats none",
        ),
        (
            [named("a", ["qwen/a"]), named("b", ["qwen/a"], consumers=PRO)],
            "team-web/plain",
            "team-web/a",
            "a selector that does not match",
        ),
        (
            [named("a", ["qwen/a"]), named("b", ["qwen/*"], consumers=PRO)],
            "team-web/pro",
            "team-web/a",
            "exact beats a prefix, selector or not",
        ),
        (
            [named("a", ["qwen/a"], metadata=YOUNG), named("b", ["qwen/a"], metadata=OLD)],
            "team-web/plain",
            "team-web/b",
            "the older",
        ),
        ([named("a", ["qwen/a"]), named("b", ["qwen/a"], metadata=YOUNG)], "team-web/plain", "team-web/b", "dated"),
        ([named("b", ["qwen/a"]), named("a", ["qwen/a"])], "team-web/plain", "team-web/a", "the lower name"),
        (
            [named("a", ["qwen/a"], namespace=HOME, consumers=ALL), named("b", ["*"])],
            "team-web/plain",
            "team-web/b",
            "the own namespace comes first, by whatever pattern",
        ),
        (
            [named("a", ["qwen/a"], namespace=HOME, consumers=ALL)],
            "team-x/guest",
            "fairlead/a",
            "shared with all",
        ),
        (
            [
                named("a", ["qwen/a"], namespace=HOME, consumers=ALL, metadata=OLD),
                named("b", ["qwen/a"], namespace=HOME, consumers=GOLD, metadata=YOUNG),
            ],
            "team-gold/miner",
            "fairlead/b",
            "a shared route that picks namespaces beats one for all",
        ),
        ([named("a", ["qwen/a"], namespace=HOME, consumers=GOLD)], "team-x/guest", None, "not among those picked"),
        ([named("a", ["qwen/a"], namespace=HOME, consumers=GOLD)], "fairlead/keeper", None, "home is not picked"),
        ([named("a", ["qwen/a"], namespace=HOME)], "team-x/guest", None, "not shared"),
        (
            [named("a", ["qwen/a"], namespace=HOME, consumers=ALL), named("b", ["qwen/a"], namespace=HOME)],
            "fairlead/keeper",
            "fairlead/a",
            "at home shared routes and others compete as equals",
        ),
        ([named("a", ["qwen/a"], namespace="team-x")], "team-web/plain", None, "another team's"),
    ],
)
def test_precedence(routes: list[dict[str, Any]], caller: str, expected: str | None, reason: str) -> None:
    assert answer(run(*routes), caller, "qwen/a") == expected, reason


@pytest.mark.parametrize(
    ("routes", "expected", "reason"),
    [
        ([named("a", ["qwen/a"], regions=[EU_WEST])], None, "nobody else has it: refused without an entry"),
        (
            [named("a", ["qwen/a"], regions=[EU_WEST]), named("s", ["*"], namespace=HOME, consumers=ALL)],
            "",
            "a shared route must not capture what the team keeps in one region",
        ),
        (
            [named("a", ["qwen/a"], regions=[EU_WEST]), named("b", ["*"])],
            None,
            "nor does a wider pattern of the same team",
        ),
        (
            [named("a", ["qwen/a"], regions=[EU_WEST]), named("b", ["qwen/a"], regions=[US])],
            "team-web/b",
            "two routes divide a name by region",
        ),
        (
            [named("a", ["qwen/a"], regions=[EU_WEST], consumers=PRO), named("b", ["qwen/a"])],
            "team-web/b",
            "what is served here beats what only others would get elsewhere",
        ),
        (
            [named("a", ["qwen/a"], namespace=HOME, consumers=ALL, regions=[EU_WEST])],
            None,
            "after the last tier a refusal is nothing",
        ),
    ],
)
def test_names_that_are_not_served_in_this_region(
    routes: list[dict[str, Any]], expected: str | None, reason: str
) -> None:
    assert (answer(run(*routes), "team-web/pro", "qwen/a") or None) == (expected or None), reason
    assert answer(run(*routes), "team-web/pro", "qwen/a", EU_WEST), "it is served there"


def test_a_large_table_stands_once() -> None:
    catalogue = provider("c", models=[model(f"m{number}") for number in range(184)])
    people = [consumer("c", namespace=f"team-{number}") for number in range(50)]
    shared = route("all", target("c"), namespace=HOME, modelNames=["*"], consumers=ALL)
    picked = [
        route(f"pick-{number}", target("c", "m0"), namespace=HOME, consumers={**ALL, "names": ["c"]})
        for number in range(3)
    ]
    gateway = compiled(catalogue, shared, *picked, *people).gateways[US].ir
    assert {scope.name: len(scope.entries) for scope in gateway.scopes} == {"*": 184, "*[names:c]": 3, HOME: 184}
    assert {one.scopes for one in gateway.consumers} == {("*[names:c]", "*")}


def test_a_scope_with_a_long_name_has_a_short_one() -> None:
    many = {"names": [f"consumer-with-a-long-name-{number}" for number in range(5)]}
    people = [consumer(name) for name in many["names"]]
    names = [scope.name for scope in compiled(P, named("a", ["x"], consumers=many), *people).gateways[US].ir.scopes]
    assert names == ["team-web[#" + names[0].partition("#")[2]]
    assert len(names[0]) < 40
