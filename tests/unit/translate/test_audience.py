from typing import Any

import pytest

from fairlead.api.selector import Consumers, LabelSelector, Namespaces
from fairlead.translate.audience import Audience, Caller, includes, matches, text


def selector(*expressions: tuple[str, str, list[str]], **labels: str) -> LabelSelector:
    return LabelSelector.model_validate(
        {
            "matchLabels": labels,
            "matchExpressions": [
                {"key": key, "operator": operator, **({"values": values} if values else {})}
                for key, operator, values in expressions
            ],
        }
    )


@pytest.mark.parametrize(
    ("asked", "labels", "expected", "reason"),
    [
        (selector(), {}, True, "an empty selector selects all"),
        (selector(tier="pro"), {"tier": "pro", "team": "web"}, True, "further labels do not matter"),
        (selector(tier="pro"), {"tier": "free"}, False, "another value"),
        (selector(tier="pro"), {}, False, "no such label"),
        (selector(tier="pro", team="web"), {"tier": "pro"}, False, "everything that is written must hold"),
        (selector(("tier", "In", ["pro", "max"])), {"tier": "max"}, True, "one of several values"),
        (selector(("tier", "In", ["pro"])), {}, False, "In needs the label"),
        (selector(("tier", "NotIn", ["free"])), {}, True, "NotIn holds without the label, as in Kubernetes"),
        (selector(("tier", "NotIn", ["free"])), {"tier": "free"}, False, "an excluded value"),
        (selector(("tier", "Exists", [])), {"tier": ""}, True, "an empty value is a value"),
        (selector(("tier", "Exists", [])), {}, False, "absent"),
        (selector(("tier", "DoesNotExist", [])), {}, True, "absent"),
        (selector(("tier", "DoesNotExist", [])), {"tier": "x"}, False, "present"),
        (selector(("tier", "Exists", []), team="web"), {"tier": "x"}, False, "labels and expressions both"),
    ],
)
def test_matches(asked: LabelSelector, labels: dict[str, str], expected: bool, reason: str) -> None:
    assert matches(asked, labels) is expected, reason


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (selector(), ""),
        (selector(b="2", a="1"), "a=1,b=2"),
        (selector(("z", "In", ["y", "x"]), ("k", "NotIn", ["v"])), "k notin (v),z in (x,y)"),
        (selector(("k", "Exists", []), ("l", "DoesNotExist", [])), "!l,k"),
    ],
)
def test_text_is_the_same_for_the_same_selection(asked: LabelSelector, expected: str) -> None:
    assert text(asked) == expected


@pytest.mark.parametrize(
    ("written", "namespace", "labels", "expected"),
    [
        ({"from": "Same"}, "own", {}, True),
        ({"from": "Same"}, "other", {}, False),
        ({"from": "All"}, "other", {}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"llm": "on"}}}, "other", {"llm": "on"}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"llm": "on"}}}, "own", {}, False),
    ],
)
def test_includes(written: dict[str, Any], namespace: str, labels: dict[str, str], expected: bool) -> None:
    assert includes(Namespaces.model_validate(written), own="own", namespace=namespace, labels=labels) is expected


def audience(**consumers: Any) -> Audience:
    return Audience(own="home", consumers=Consumers.model_validate(consumers))


GOLD = {"from": "Selector", "selector": {"matchLabels": {"llm": "gold"}}}
PRO = {"matchLabels": {"tier": "pro"}}


@pytest.mark.parametrize(
    ("one", "within", "among", "picks", "reason"),
    [
        (audience(), "", "", (False, False), "everybody"),
        (audience(selector={}), "", "", (False, False), "an empty selector picks nobody in particular"),
        (audience(selector=PRO), "tier=pro", "tier=pro", (True, False), "by labels"),
        (audience(names=["b", "a"]), "names:a,b", "names:a,b", (True, False), "by names, in any order"),
        (audience(namespaces=GOLD), "", "namespace:llm=gold", (False, True), "by labels of the namespace"),
        (audience(namespaces=GOLD, selector=PRO), "tier=pro", "namespace:llm=gold;tier=pro", (True, True), "both"),
        (audience(namespaces={"from": "All"}), "", "", (False, False), "all namespaces is everybody"),
    ],
)
def test_audience_says_whom_it_means(
    one: Audience, within: str, among: str, picks: tuple[bool, bool], reason: str
) -> None:
    assert (one.within_namespace(), one.among_namespaces()) == (within, among), reason
    assert (one.picks_consumers, one.picks_namespaces) == picks, reason


@pytest.mark.parametrize(
    ("one", "caller", "labels", "expected", "reason"),
    [
        (audience(), Caller(namespace="home", name="c", labels={}), {}, True, "own namespace"),
        (audience(), Caller(namespace="team", name="c", labels={}), {}, False, "another namespace"),
        (audience(names=["c"]), Caller(namespace="home", name="c", labels={}), {}, True, "named"),
        (audience(names=["c"]), Caller(namespace="home", name="d", labels={}), {}, False, "not named"),
        (audience(selector=PRO), Caller(namespace="home", name="c", labels={"tier": "pro"}), {}, True, "selected"),
        (audience(selector=PRO), Caller(namespace="home", name="c", labels={}), {}, False, "not selected"),
        (audience(namespaces=GOLD), Caller(namespace="t", name="c", labels={}), {"llm": "gold"}, True, "its namespace"),
        (audience(namespaces=GOLD), Caller(namespace="t", name="c", labels={"llm": "gold"}), {}, False, "own labels"),
    ],
)
def test_audience_includes(one: Audience, caller: Caller, labels: dict[str, str], expected: bool, reason: str) -> None:
    assert one.includes(caller, labels) is expected, reason
    assert str(caller) == f"{caller.namespace}/{caller.name}"


def test_only_some_audiences_are_shared() -> None:
    assert not audience().shared
    assert audience(namespaces={"from": "All"}).shared
    assert audience(namespaces=GOLD).shared
