"""Who is asked for a category, and what becomes of rules where nobody is."""

from typing import Any

import pytest

from builders import US, compiled, model, provider, route
from fairlead import ir

CATEGORIES = {"simple": "greetings", "code": "programs"}
RULES = [
    {"name": "code", "when": {"category": "code"}, "route": "tiny"},
    {"name": "pictures", "when": {"images": True}, "route": "tiny"},
]


def served(asked: dict[str, Any], *others: dict[str, Any], **observed: Any) -> ir.Route:
    chat = route("chat", rules=RULES, classifier={"categories": CATEGORIES, **asked})
    made = compiled(provider("p", models=[model("small")]), chat, route("tiny"), *others, **observed)
    return next(one for one in made.gateways[US].ir.routes if one.name == "team-web/chat")


@pytest.mark.parametrize(
    ("observed", "place"),
    [({}, "intent:8080"), ({"home_secrets_readable": False}, "intent.team-web.svc:8080")],
    ids=["up", "cluster"],
)
def test_a_service_is_one_of_the_routes_namespace(observed: dict[str, Any], place: str) -> None:
    found = served({"service": {"name": "intent", "port": 8080}, "timeout": "1s", "remember": "1m30s"}, **observed)
    assert found.classifier == ir.Classifier(
        categories=("code", "simple"), timeout_ms=1000, remember_s=90, service=place, path="/"
    )
    assert [rule.conditions.category for rule in found.rules] == ["code", None]


def test_a_route_is_told_what_belongs_where() -> None:
    found = served({"route": "tiny"}).classifier
    assert found is not None
    assert (found.route, found.timeout_ms, found.remember_s) == ("team-web/tiny", 300, 0)
    assert found.prompt.splitlines()[-3:] == ["Categories:", "- code: programs", "- simple: greetings"]


def test_where_nobody_can_be_asked_rules_that_need_a_category_match_nothing() -> None:
    found = served({"route": "gone"})
    assert (found.classifier, [rule.name for rule in found.rules]) == (None, ["pictures"])


def test_nobody_is_asked_where_no_rule_that_needs_it_leads_anywhere() -> None:
    lost = [{"name": "code", "when": {"category": "code"}, "route": "gone"}]
    chat = route("sorted", rules=lost, classifier={"route": "tiny", "categories": CATEGORIES})
    made = compiled(provider("p", models=[model("small")]), chat, route("tiny"))
    (found,) = (one for one in made.gateways[US].ir.routes if one.name == "team-web/sorted")
    assert (found.rules, found.classifier) == ((), None)
