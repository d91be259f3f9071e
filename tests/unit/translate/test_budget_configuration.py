"""The budget server's configuration: who falls under what, and who is stopped without a look at the counters."""

import json
from typing import Any

import pytest

from builders import budget, compiled, consumer, provider, route, secret
from fairlead.budget.configuration import decode
from fairlead.runtime import stop


def _configuration(*policies: dict[str, Any], **observed: Any) -> Any:
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), *policies]
    secrets = {secret("a"): "1", secret("b"): "2"}
    return json.loads(compiled(*objects, secrets=secrets, **observed).configuration)


NONE, ONLY_A = {"usd": "0"}, {"names": ["a"]}


@pytest.mark.parametrize(
    ("policies", "stopped"),
    [
        pytest.param([budget("x")], [], id="dollars"),
        pytest.param([budget("x", limit=NONE)], ["team-web/a", "team-web/b"], id="no dollars for anybody"),
        pytest.param([budget("x", limit=NONE, consumers=ONLY_A)], ["team-web/a"], id="for one"),
        pytest.param([budget("x"), budget("y", limit=NONE, consumers=ONLY_A)], ["team-web/a"], id="among others"),
        pytest.param([budget("x", limit=NONE, routes=["chat"])], [], id="one route: others may have room"),
    ],
)
def test_who_is_stopped(policies: list[dict[str, Any]], stopped: list[str]) -> None:
    assert _configuration(*policies)["killed"] == stopped


def test_gateways_know_who_is_stopped_and_by_which_revision_verdicts_are_made() -> None:
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), budget("x", limit=NONE, consumers=ONLY_A)]
    made = compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"})
    for gateway in made.gateways.values():
        assert {one.name for one in gateway.ir.consumers if one.stopped} == {"team-web/a"}
        assert gateway.ir.budget.revision == decode(made.configuration).revision != ""


@pytest.mark.parametrize(
    ("policies", "routes"),
    [
        pytest.param([], (), id="no policy"),
        pytest.param([budget("x", consumers={"names": ["b"]})], (), id="another consumer's"),
        pytest.param([budget("x")], None, id="all routes"),
        pytest.param([budget("x", routes=["chat"])], ("team-web/chat",), id="one route"),
        pytest.param([budget("x", routes=["chat"]), budget("y", consumers=ONLY_A)], None, id="one route and all"),
    ],
)
def test_gateways_know_whose_numbers_count_where(
    policies: list[dict[str, Any]], routes: tuple[str, ...] | None
) -> None:
    made = compiled(provider("p"), route("chat"), consumer("a"), consumer("b"), *policies, secrets={secret("a"): "1"})
    for gateway in made.gateways.values():
        assert {one.name: one.budgeted_routes for one in gateway.ir.consumers}["team-web/a"] == routes


def test_a_revision_is_of_policies_and_whom_they_match() -> None:
    def revision(*policies: dict[str, Any]) -> str:
        objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), *policies]
        made = compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"})
        return decode(made.configuration).revision

    first = revision(budget("x"), budget("y"))
    assert first == revision(budget("y"), budget("x"))
    assert len({first, revision(budget("x")), revision(budget("x"), budget("y", consumers=ONLY_A))}) == 3
    assert first != revision(budget("x"), budget("y", limit={"usd": "7"}))


def test_whom_a_person_stopped_is_there() -> None:
    assert _configuration(stop.policy("team-web", "b"), stop.policy("team-web", "gone"))["killed"] == ["team-web/b"]


def test_who_falls_under_what() -> None:
    consumers = _configuration(budget("y"), budget("x", consumers=ONLY_A))["consumers"]
    assert consumers == {"team-web/a": ["team-web/x", "team-web/y"], "team-web/b": ["team-web/y"]}
