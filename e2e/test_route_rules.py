"""Given a route with rules, requests go as their content says, are counted by rule, and a broken rule is told."""

from typing import Any

import openai
import pytest
from harness.gateway import counted
from harness.kubectl import CommandError
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

KEY = "alice-key-rules"
RULES: list[dict[str, Any]] = [
    {"name": "hard", "when": {"lastUserContains": ["Prove it"]}, "route": "thorough"},
    {"name": "long", "when": {"promptTokens": {"atLeast": 1000}}, "route": "thorough"},
]
BROKEN = {"name": "gone", "when": {"tools": True}, "route": "nowhere"}


@pytest.fixture
def ruled(provider: Provider, team: Team, url: str) -> Team:
    """A team whose route has rules."""
    team.kubectl.apply(
        team.key("alice", KEY),
        team.consumer("alice"),
        team.route("thorough", provider.name, "model-b"),
        team.route("chat", provider.name, "model-a", rules=RULES),
    )
    for name in ("thorough", "chat"):
        team.is_ready("modelroute", name)
    team.is_let_in(url, KEY)
    return team


def _ask(url: str, text: str, **headers: str) -> tuple[str, str]:
    """Return the rule that applied, and who answered."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=30) as client:
        answer = client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": text}], extra_headers=headers
        )
    return answer.headers["x-fairlead-rule"], answer.headers["x-fairlead-target"].rpartition("/")[2]


def test_requests_take_the_way_that_their_content_says_and_are_counted_by_it(ruled: Team, url: str) -> None:
    # Which pod of the Service answers is chance, and each has a mount of its own: all of them know the rules by now,
    # since the route is Ready.
    assert _ask(url, "Hello") == ("none", "model-a")
    assert _ask(url, "Now pRove It.") == ("hard", "model-b")
    assert _ask(url, "word " * 1000) == ("long", "model-b")
    assert _ask(url, "Prove it.", **{"x-fairlead-rule": "none"}) == ("none", "model-a")
    wanted = {"none": 2.0, "hard": 1.0, "long": 1.0}
    route = f"{ruled.namespace}/chat"
    eventually(
        "counts by rule", lambda: counted(ruled.cluster, "envoy_fairlead_rule_requests", "rule", route=route) == wanted
    )


def test_a_broken_rule_is_told_and_hurts_nobody(ruled: Team, provider: Provider, url: str) -> None:
    # When one rule leads nowhere
    ruled.kubectl.apply(ruled.route("chat", provider.name, "model-a", rules=[*RULES, BROKEN]))
    # then the route says which, and what is wanted
    eventually(
        "the condition", lambda: ruled.state("modelroute", "chat", "ResolvedRefs").get("reason") == "RouteNotFound"
    )
    said = ruled.state("modelroute", "chat", "ResolvedRefs")["message"]
    assert said.startswith("spec.rules[2].route: got `nowhere`, want a ModelRoute of namespace")
    # and the others apply as before
    assert _ask(url, "Prove it.") == ("hard", "model-b")
    assert _ask(url, "Hello") == ("none", "model-a")
    # When there is such a route
    ruled.kubectl.apply(ruled.route("nowhere", provider.name, "model-b"))
    # then the rule leads there
    eventually("all references", lambda: ruled.state("modelroute", "chat", "ResolvedRefs")["status"] == "True")
    ruled.is_ready("modelroute", "chat")


def test_rules_that_cannot_be_are_refused_when_they_are_written(ruled: Team, provider: Provider) -> None:
    itself = {"name": "a", "when": {"tools": True}, "route": "chat"}
    for rule, said in ((itself, "got the route itself"), ({**BROKEN, "when": {}}, "got no condition")):
        with pytest.raises(CommandError) as refused:
            ruled.kubectl.apply(ruled.route("chat", provider.name, "model-a", rules=[rule]), server_dry_run=True)
        assert said in str(refused.value)
