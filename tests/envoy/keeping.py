"""A gateway whose routes keep answers, each in its way, and how it is asked."""

from dataclasses import replace
from typing import Any

from endings import BYTES
from numbered import NumberedProvider
from running import ALL, Answer, Gateway, gateway, plan, route, target

from fairlead import ir

ALICE, BOB, STRANGER = "team/alice", "team/bob", "team/stranger"
CONSUMERS = (ALICE, BOB, STRANGER, "other/alice")
HOUR_MS = 3_600_000


def cache(**fields: Any) -> ir.Cache:
    return replace(ir.Cache(ttl_ms=HOUR_MS, shared=False, digest="d1"), **fields)


def world(provider: NumberedProvider, digest: str = "d1") -> ir.Gateway:
    """Routes that keep answers, each in its way, and one that keeps none."""
    one, two = target("p/e/m", provider), target("p/e/n", provider)
    kept = {
        "chat": cache(digest=digest),
        "team": cache(shared=True),
        "short": cache(ttl_ms=1000),
        "plain": None,
    }
    routes = {
        name: route(f"team/{name}", plan(f"team/{name}/0", last=one), cache=how, max_output_tokens=None)
        for name, how in kept.items()
    }
    routes["alias"] = routes["chat"]
    arms = (
        ir.Arm(ladder="team/moving/0", weight=ALL // 2, side=ir.Side.STABLE),
        ir.Arm(ladder="team/moving/1", weight=ALL // 2, side=ir.Side.CANDIDATE),
    )
    moving = plan("team/moving/0", last=one, arms=arms)
    routes["moving"] = route("team/moving", moving, cache=cache(shared=True), stickiness=ir.Stickiness.REQUEST)
    ladders = {f"team/{name}/0": (one,) for name in kept} | {"team/moving/0": (one,), "team/moving/1": (two,)}
    return gateway(
        routes,
        ladders,
        consumers=CONSUMERS,
        anonymous=STRANGER,
        cache_bytes=BYTES,
        limits=ir.Limits(request_bytes=BYTES),
    )


def outcome(answer: Answer) -> str | None:
    return answer.headers.get("x-fairlead-cache")


def ask(running: Gateway, said: str, model: str = "chat", **fields: Any) -> Answer:
    return running.ask(model, messages=[{"role": "user", "content": said}], **fields)
