"""What the upstream filter leaves for the attempt's log line stays in the gateway, whichever way the attempt goes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from running import ROUTE, Gateway, credential, gateway, plan, route, target
from wire import WireProvider, header_names

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]

DIRECT, HOP = "direct", "hop"


def rung(name: str, provider: WireProvider, way: str) -> ir.Target:
    """Make a target at a provider, behind a bulkhead when the way is a hop."""
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    limit = 50 if way == HOP else None
    return target(name, provider, upstream=upstream, credential="secret/key", max_in_flight=limit)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "ways",
    [
        pytest.param((DIRECT,), id="one rung"),
        pytest.param((HOP,), id="one rung behind a hop"),
        pytest.param((DIRECT, HOP, DIRECT), id="a hop between"),
        pytest.param((HOP, DIRECT, HOP), id="hops around"),
        pytest.param((DIRECT, DIRECT, HOP), id="a hop at the end"),
    ],
)
def test_no_provider_sees_a_header_of_ours(ways: tuple[str, ...], wait_until: Wait, *, stream: bool) -> None:
    # Everything fails up to the last resort, which is the first rung's provider again; the shadow gets its copy.
    with WireProvider(500, 200) as one, WireProvider(500) as two, WireProvider(500) as three, WireProvider() as shade:
        rungs = tuple(
            rung(f"p{number}/e/m{number}", provider, way)
            for number, (way, provider) in enumerate(zip(ways, (one, two, three), strict=False))
        )
        copy = rung("s/e/m", shade, DIRECT)
        shadow = ir.Shadow(target=copy.name, sample=10_000)
        whole = gateway(
            {"chat": route(ROUTE, plan(f"{ROUTE}/0", last=rungs[0]), shadow=shadow)},
            {f"{ROUTE}/0": rungs},
            others=(copy,),
            credentials=(credential("secret"),),
        )
        with Gateway(whole) as running:
            answer = running.ask(stream=stream)
            assert answer.status == 200
            attempts = wait_until(lambda: len(lines := running.line(answer, "attempt")) == len(ways) + 1 and lines)
            wait_until(lambda: running.line(answer, "shadow"))
        heads = [*one.heads, *two.heads, *three.heads, *shade.heads]
    assert [line["attempt"] for line in attempts] == list(range(1, len(ways) + 2))
    assert [line["target"] for line in attempts] == [*(one.name for one in rungs), rungs[0].name]
    assert len(heads) == len(ways) + 2
    for head in heads:
        sent = header_names(head)
        assert "authorization" in sent
        assert not [name for name in sent if name.startswith((":", "x-fl-", "x-envoy-"))], head


def test_a_shadow_behind_a_bulkhead_of_its_own(wait_until: Wait) -> None:
    with WireProvider() as one, WireProvider() as shade:
        first = rung("p/e/m", one, HOP)
        copy = replace(rung("s/e/m", shade, HOP), max_in_flight=1)
        whole = gateway(
            {"chat": route(ROUTE, plan(f"{ROUTE}/0", last=first), shadow=ir.Shadow(target=copy.name, sample=10_000))},
            {f"{ROUTE}/0": (first,)},
            others=(copy,),
            credentials=(credential("secret"),),
        )
        with Gateway(whole) as running:
            answer = running.ask()
            (line,) = wait_until(lambda: running.line(answer, "shadow"))
        heads = [*one.heads, *shade.heads]
    assert (line["status"], line["target"]) == (200, "s/e/m")
    for head in heads:
        assert not [name for name in header_names(head) if name.startswith((":", "x-fl-", "x-envoy-"))], head
