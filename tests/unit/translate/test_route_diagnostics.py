from typing import Any

import pytest

from builders import EU_WEST, HOME, US, compiled, consumer, embedding, endpoint, model, provider, route, target
from fairlead.compiler import Report

OLD, YOUNG = {"creationTimestamp": "2026-01-01T00:00:00Z"}, {"creationTimestamp": "2026-01-02T00:00:00Z"}
P = provider("p", endpoints=[endpoint("us", US), endpoint("eu", EU_WEST)], models=[model("small"), embedding("bge")])
Q = provider("q", endpoints=[endpoint("eu", EU_WEST)], models=[model("small"), model("own")])
ALL = {"namespaces": {"from": "All"}}


def named(name: str, *model_names: str, **fields: Any) -> dict[str, Any]:
    return route(name, fields.pop("primary", target("p", "small")), modelNames=list(model_names), **fields)


def report(name: str, *manifests: dict[str, Any]) -> Report:
    return next(one for one in compiled(P, Q, *manifests).reports if one.key.name == name)


def conditions(name: str, *manifests: dict[str, Any]) -> list[str]:
    """What is not True, and the warnings that are no mere diagnostic of a field without effect."""
    found = report(name, *manifests)
    untrue = [f"{one.reason} {one.message}" for one in found.conditions if one.status != "True"]
    return untrue + [warning for warning in found.warnings if "not enforced yet" not in warning]


def test_the_younger_route_loses_the_name() -> None:
    both = [named("a", "chat", metadata=YOUNG), named("b", "chat", metadata=OLD)]
    assert conditions("a", *both) == [
        (
            "NameConflict spec.modelNames[0]: got `chat`, which `team-web/b` answers already, want a name of its own,"
            " rename one of them; nothing of the object is in effect"
        )
    ]
    assert conditions("b", *both) == []


def test_the_name_of_an_object_may_be_taken_too() -> None:
    assert conditions("chat", named("a", "chat"), route("chat")) == [
        (
            "NameConflict metadata.name: got `chat`, which `team-web/a` answers already, want a name of its own, rename"
            " one of them; nothing of the object is in effect"
        )
    ]


@pytest.mark.parametrize(
    ("routes", "expected", "reason"),
    [
        ([named("z", "x"), named("a", "y")], [], "different names"),
        ([named("z", "x"), named("a", "x", namespace="team-x")], [], "different teams"),
        ([named("z", "x"), named("a", "x*", primary=target("p", "small"))], [], "exact and prefix"),
        ([named("z", "x"), named("a", "x", consumers={"names": ["c"]})], [], "a selector is no conflict"),
        (
            [named("z", "x", regions=[US]), named("a", "x", regions=[EU_WEST])],
            [],
            "regions divide it",
        ),
        (
            [named("z", "x"), named("a", "x", regions=[EU_WEST])],
            [
                (
                    "spec.modelNames[0]: got `x`, which `team-web/a` answers already for some consumers or in some"
                    " regions, want a name of its own"
                )
            ],
            "lost in one region only",
        ),
        (
            [named("z", "x", consumers={"names": ["c", "d"]}), named("a", "x", consumers={"names": ["c", "e"]})],
            [
                (
                    "spec.modelNames[0]: got `x`, which `team-web/a` answers already for consumers such as"
                    " `team-web/c`, want a name of its own"
                )
            ],
            "lost for some consumers only",
        ),
        (
            [named("z", "x", namespace=HOME, consumers=ALL), named("a", "x", namespace=HOME)],
            [
                (
                    "spec.modelNames[0]: got `x`, which `fairlead/a` answers already for some consumers or in some"
                    " regions, want a name of its own"
                )
            ],
            "lost at home, kept for the teams",
        ),
        (
            [named("z", "*", primary=target("q")), named("a", "*", primary=target("p"))],
            [
                (
                    "spec.modelNames[0]: got `small`, which `team-web/a` answers already for some consumers or in some"
                    " regions, want a name of its own"
                )
            ],
            "two catalogues have one name in common",
        ),
    ],
)
def test_names_lost_in_part(routes: list[dict[str, Any]], expected: list[str], reason: str) -> None:
    people = [consumer(name) for name in "cde"]
    assert conditions("z", *routes, *people) == expected, reason


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        (named("z", "x", residency="Region", regions=[US]), [], "an endpoint is there"),
        (
            named("z", "x", primary=target("q", "own"), residency="Region"),
            [
                (
                    "spec.residency: got `Region`, which leaves no endpoint for requests that enter in `eu-central-1`,"
                    " `us-east-1`, want `regions` without them, or these requests get 404"
                )
            ],
            "nobody asked for these regions: a warning",
        ),
        (
            named("z", "x", primary=target("q", "own"), residency="Region", regions=[US, EU_WEST]),
            [
                (
                    "NoTargetInResidency spec.residency: got `Region`, which leaves no endpoint for requests that enter"
                    " in `us-east-1`, want endpoints there or a wider residency, or these requests get 404"
                )
            ],
            "a region that is written is a promise",
        ),
        (
            named("z", "x", primary=target("q", "own"), residency="Geo", regions=[US]),
            [
                (
                    "NoTargetInResidency spec.residency: got `Geo`, which leaves no endpoint for requests that enter in"
                    " `us-east-1`, want endpoints there or a wider residency, or these requests get 404;"
                    " nothing of the object is in effect"
                )
            ],
            "nothing is left at all",
        ),
        (
            named(
                "z", "x", residency="Geo", regions=[US], shadow={**target("q", "own"), "sample": "1%"}, maxAttempts=1
            ),
            [
                (
                    "spec.shadow: got a model without an endpoint within residency for `us-east-1`, want one, or no"
                    " copies are sent"
                )
            ],
            "the shadow keeps within residency as well",
        ),
    ],
)
def test_residency(written: dict[str, Any], expected: list[str], reason: str) -> None:
    assert conditions("z", written) == expected, reason


def test_some_names_of_a_catalogue_may_have_no_endpoint_within_residency() -> None:
    divided = provider(
        "d",
        endpoints=[endpoint("us", US, models=[{"name": "a"}]), endpoint("eu", EU_WEST)],
        models=[model("a"), model("b")],
    )
    assert conditions(
        "z", divided, named("z", "*", primary=target("d"), residency="Region", regions=[US, EU_WEST])
    ) == ["spec.residency: got `Region`, which leaves no endpoint in `us-east-1` for `b`"]


CHEAP = named("cheap", "cheap")


@pytest.mark.parametrize(
    ("written", "others", "expected", "reason"),
    [
        (named("z", "x", downgradeTo="cheap"), [CHEAP], [], "it exists and is as strict"),
        (
            named("z", "x", downgradeTo="chaep"),
            [CHEAP],
            [
                (
                    "RouteNotFound spec.downgradeTo: got `chaep`, want a ModelRoute of namespace `team-web` (`cheap`,"
                    " `z`), did you mean `cheap`"
                )
            ],
            "a typing error",
        ),
        (
            named("z", "x", downgradeTo="cheap", residency="Geo", regions=[US]),
            [CHEAP],
            [
                (
                    "NoTargetInResidency spec.downgradeTo: got `cheap` with residency `Any`, want one as strict as"
                    " this route's, `Geo`"
                )
            ],
            "a downgrade keeps within residency",
        ),
        (
            named("z", "x", downgradeTo="cheap"),
            [named("cheap", "cheap", primary=target("p", "bge"))],
            [
                (
                    "ModelTypeMismatch spec.downgradeTo: got `cheap` of `Embedding` models, want a route whose model is"
                    " of type `Chat`"
                )
            ],
            "vectors are no chat",
        ),
        (
            named("z", "x", primary=target("p", "bge"), downgradeTo="cheap"),
            [CHEAP],
            [
                (
                    "ModelTypeMismatch spec.downgradeTo: got `cheap`, want nothing: chat alone can be downgraded, and"
                    " another model's vectors do not fit those that were stored, remove it"
                )
            ],
            "vectors are never downgraded",
        ),
        (
            named("z", "x", downgradeTo="cheap"),
            [named("cheap", "cheap", primary=target("gone", "x"))],
            [],
            "a route that is broken says so itself",
        ),
    ],
)
def test_downgrade(written: dict[str, Any], others: list[dict[str, Any]], expected: list[str], reason: str) -> None:
    assert conditions("z", written, *others) == expected, reason


@pytest.mark.parametrize(
    ("spec", "expected", "reason"),
    [
        ({}, [], "the defaults fit two endpoints"),
        (
            {"timeouts": {"firstByte": "8s", "streamIdle": "20s"}},
            [
                (
                    "spec.timeouts.streamIdle: got `20s`, want at least 3 attempts x `firstByte` = `24s`, or a stream"
                    " may end with 504 before the last rung was tried"
                )
            ],
            "the idle timer also runs before the first byte",
        ),
        ({"timeouts": {"firstByte": "8s", "streamIdle": "20s"}, "maxAttempts": 2}, [], "fewer attempts fit"),
        (
            {"timeouts": {"firstByte": "1s", "streamIdle": "2500ms"}},
            [
                (
                    "spec.timeouts.streamIdle: got `2500ms`, want at least 3 attempts x `firstByte` = `3s`, or a stream"
                    " may end with 504 before the last rung was tried"
                )
            ],
            "milliseconds are told as such",
        ),
        (
            {"timeouts": {"response": "60s", "request": "60s"}},
            [
                (
                    "spec.timeouts.request: got `60s`, want more than `response`, or a rung that hangs ends the request"
                    " before the next was tried"
                )
            ],
            "no time is left for a second attempt",
        ),
        ({"timeouts": {"response": "60s", "request": "60s"}, "maxAttempts": 1}, [], "there is no second attempt"),
    ],
)
def test_timers(spec: dict[str, Any], expected: list[str], reason: str) -> None:
    assert conditions("z", route("z", **spec)) == expected, reason


def test_consumers_that_a_route_names_are_looked_for() -> None:
    assert conditions("z", named("z", "x", consumers={"names": ["agent"]})) == [
        "ConsumerNotFound spec.consumers.names[0]: got `agent`, want a ModelConsumer of namespace `team-web`, create it"
    ]
    shared = named("z", "x", namespace=HOME, consumers={**ALL, "names": ["agent"]})
    assert conditions("z", shared) == [], "in some namespace it may exist"


def test_what_a_last_good_version_loses_is_a_warning() -> None:
    good = compiled(P, route("z"), route("y"))
    broken = compiled(P, named("y", "y", "z"), route("z", target("p", "smal")), before=good)
    assert [one.warnings for one in broken.reports if one.key.name == "z"] == [
        (
            (
                "last good version: metadata.name: got `z`, which `team-web/y` answers already, want a name of its own,"
                " rename one of them"
            ),
        )
    ]
