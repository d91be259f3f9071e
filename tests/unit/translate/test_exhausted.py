"""Whose budget is at its end stands in the gateways' files, by the policies of now, and nowhere else."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from builders import EU_WEST, budget, compiled, consumer, installation, provider, route, secret
from fairlead import envoy, ir
from fairlead.budget.exhaustion import Exhaustion
from fairlead.compiler import Compiled, pod_layouts
from fairlead.errors import TooLargeError
from fairlead.memo import Memo

FIVE = 5 * 10**9
ONLY_A = {"names": ["a"]}
LAYOUTS = pod_layouts(installation(), None)


def _compiled(*policies: dict[str, Any], **exhaustions: Exhaustion) -> Compiled:
    objects = [provider("p"), route("chat"), consumer("a"), consumer("b"), *policies]
    known = {f"team-web/{name}": one for name, one in exhaustions.items()}
    return compiled(*objects, secrets={secret("a"): "1", secret("b"): "2"}, exhaustions=known, layouts=LAYOUTS)


def _endings(made: Compiled) -> dict[str, str]:
    routes = json.loads(made.gateways[EU_WEST].files["xds/rds.json"])["resources"][0]
    (catch_all,) = [host for host in routes["virtual_hosts"] if host["name"] == "*"]
    entries = catch_all["routes"][-1]["metadata"]["filter_metadata"]["envoy.filters.http.lua"]
    return {key.removeprefix("x:"): value for key, value in entries.items() if key.startswith("x:")}


def _ended(*consumers: str, limit: int = FIVE, end_ms: int | None = 8_500) -> Exhaustion:
    return Exhaustion(limit=limit, start_ms=0, end_ms=end_ms, consumers=frozenset(consumers))


EACH = budget("x", limit={"usd": "5"})


@pytest.mark.parametrize(
    ("policies", "exhaustion", "wanted"),
    [
        pytest.param([EACH], _ended("team-web/a"), {"team-web/a": "9 *"}, id="until the window has ended"),
        pytest.param([EACH], _ended("team-web/a", end_ms=None), {"team-web/a": "0 *"}, id="a window without end"),
        pytest.param([EACH], _ended("*"), {"team-web/a": "9 *", "team-web/b": "9 *"}, id="all that share it"),
        pytest.param([EACH], _ended("team-web/gone"), {}, id="somebody who is gone"),
        pytest.param([EACH], _ended("team-web/a", limit=FIVE + 1), {}, id="another limit by now"),
        pytest.param([], _ended("team-web/a"), {}, id="a policy that is gone"),
        pytest.param(
            [budget("x", limit={"usd": "5"}, consumers=ONLY_A)],
            _ended("team-web/a", "team-web/b"),
            {"team-web/a": "9 *"},
            id="whom it matches no longer",
        ),
        pytest.param(
            [budget("x", limit={"usd": "5"}, routes=["chat"])],
            _ended("team-web/b"),
            {"team-web/b": "9 team-web/chat"},
            id="one route",
        ),
    ],
)
def test_who_is_refused_while_nobody_answers(
    policies: list[dict[str, Any]], exhaustion: Exhaustion, wanted: dict[str, str]
) -> None:
    assert _endings(_compiled(*policies, x=exhaustion)) == wanted


def test_two_policies() -> None:
    made = _compiled(EACH, budget("y", limit={"usd": "5"}), x=_ended("team-web/a"), y=_ended("team-web/a", end_ms=None))
    assert _endings(made) == {"team-web/a": "0 * 9 *"}


def test_nothing_else_is_another() -> None:
    with_some, without = _compiled(EACH, x=_ended("team-web/a")), _compiled(EACH)
    assert with_some.configuration == without.configuration
    assert with_some.reports == without.reports
    assert {name: one.ir for name, one in with_some.gateways.items()} == {
        name: one.ir for name, one in without.gateways.items()
    }


def test_where_they_have_no_room_everything_else_is_served_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    without = _compiled(EACH)
    render = envoy.render

    def small(gateway: ir.Gateway, layout: envoy.Layout, memo: Memo) -> Mapping[str, bytes]:
        if any(consumer.endings for consumer in gateway.consumers):
            raise TooLargeError("no room")
        return render(gateway, layout, memo)

    monkeypatch.setattr(envoy, "render", small)
    assert _compiled(EACH, x=_ended("team-web/a")).gateways == without.gateways
