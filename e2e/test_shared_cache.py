"""Given a route that shares its answers, what one pod of a gateway has kept another one gives."""

from itertools import count
from typing import Any

import httpx
import pytest
from harness.gateway import counted
from harness.install import NAMESPACE
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

KEYS = {"alice": "alice-key-shared", "bob": "bob-key-shared"}
ASKED = 8
"""Connections, of which kube-proxy leads some to each of two pods."""
LOOKUPS = "envoy_fairlead_cache_lookups"
_numbers = count()


@pytest.fixture
def sharing(provider: Provider, team: Team, url: str) -> Team:
    """A team with two callers and a route that shares its answers."""
    for name, value in KEYS.items():
        team.kubectl.apply(team.key(name, value), team.consumer(name))
    team.kubectl.apply(team.route("chat", provider.name, "model-a", cache={"ttl": "10m", "store": "Shared"}))
    team.is_ready("modelroute", "chat")
    for value in KEYS.values():
        team.is_let_in(url, value)
    return team


def _ask(url: str, said: str, who: str) -> httpx.Response:
    """Ask over a connection of its own."""
    body = {"model": "chat", "messages": [{"role": "user", "content": said}]}
    headers = {"authorization": f"Bearer {KEYS[who]}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def test_pods_give_what_another_pod_kept_and_to_its_caller_alone(sharing: Team, url: str) -> None:
    route = f"{sharing.namespace}/chat"

    def shared() -> Any:
        said = f"Question {next(_numbers)}"
        answers = [_ask(url, said, "alice") for _ in range(ASKED)]
        assert [one.status_code for one in answers] == [200] * ASKED
        made = {one.json()["id"] for one in answers}
        theirs = _ask(url, said, "bob")
        assert theirs.json()["id"] not in made
        return counted(sharing.cluster, LOOKUPS, "found", route=route).get("shared")

    eventually("a shared answer", shared)


def test_what_is_shared_is_encrypted_in_the_store(sharing: Team, url: str) -> None:
    word = "a word that nobody else says"

    def keys() -> list[str]:
        assert _ask(url, f"{word} {next(_numbers)}", "alice").status_code == 200
        return _redis(sharing, "--scan", "--pattern", "{fairlead}:a:*:*").splitlines()

    (key, *_) = eventually("an answer in the store", keys)
    assert word not in _redis(sharing, "--no-raw", "GET", key)


def _redis(team: Team, *words: str) -> str:
    return team.kubectl("exec", "-n", NAMESPACE, "deployment/fairlead-budget-store", "--", "redis-cli", *words)
