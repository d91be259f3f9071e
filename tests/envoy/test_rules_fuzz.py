"""Rules against Python's reading of the same bodies, through a real Envoy: no difference."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from echo import Echo
from filter_gateway import KEY, bootstrap
from gateway import EnvoyProcess
from rule_bodies import LITERALS, bodies

from builders import US, compiled, consumer, model, provider, route, secret, target
from fairlead import ir
from fairlead.envoy import directory
from fairlead.matching import Amiss, first_match, read

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "20260601"))
COUNT = int(os.environ.get("FAIRLEAD_FUZZ_COUNT", "5000"))
IN_FLIGHT = 8
ROUTES = 24


def _conditions(rng: random.Random) -> dict[str, Any]:
    flags = {name: rng.random() < 0.6 for name in ("images", "tools", "json") if rng.random() < 0.25}
    spans = {
        name: rng.choice(
            [{"atLeast": least}, {"below": least}, {"atLeast": least, "below": least + rng.choice([1, 40])}]
        )
        for name, least in (
            ("promptTokens", rng.choice([1, 2, 5, 20, 60])),
            ("maxOutputTokens", rng.choice([1, 5, 100])),
        )
        if rng.random() < 0.3
    }
    texts = {"lastUserContains": rng.sample(LITERALS, rng.randint(1, 4))} if rng.random() < 0.4 else {}
    return {**flags, **spans, **texts} or {"images": True}


def _gateway() -> ir.Gateway:
    """Compile routes with random rules: one for each kind of condition alone first."""
    rng = random.Random(SEED)
    alone = [
        [{"images": True}],
        [{"tools": True}, {"tools": False}],
        [{"json": True}],
        [{"promptTokens": {"below": 20}}, {"promptTokens": {"atLeast": 21, "below": 22}}],
        [{"maxOutputTokens": {"atLeast": 100}}, {"maxOutputTokens": {"below": 100}}],
        [{"lastUserContains": [one]} for one in LITERALS],
    ]
    several = [[_conditions(rng) for _ in range(rng.randint(1, 6))] for _ in range(ROUTES - len(alone))]
    rules = [
        [{"name": f"rule-{at}", "when": when, "route": "other"} for at, when in enumerate(found)]
        for found in (*alone, *several)
    ]
    made = compiled(
        provider("p", models=[model("m")]),
        route("other", target("p", "m"), namespace="team"),
        *(route(f"r{at}", target("p", "m"), namespace="team", rules=found) for at, found in enumerate(rules)),
        consumer("alice", namespace="team"),
        secrets={secret("alice", namespace="team"): "1", secret("p", namespace="fairlead"): "2"},
    )
    return made.gateways[US].ir


@pytest.mark.timeout(7200)
def test_no_difference_to_python() -> None:
    gateway = _gateway()
    rules = {one.name.partition("/")[2]: one.rules for one in gateway.routes}
    names = tuple(f"r{at}" for at in range(ROUTES))
    assert all(rules[name] for name in names)
    routes = [one.name for one in gateway.routes]
    configuration = bootstrap(echo_port=0, directory=directory.render(gateway), routes=routes)
    with Echo() as echo:
        configuration = bootstrap(echo_port=echo.port, directory=directory.render(gateway), routes=routes)
        with EnvoyProcess(configuration) as envoy:
            work = bodies(SEED, COUNT, names)
            seen = asyncio.run(_compare(envoy.port("in"), work, rules))
    assert sum(seen.values()) == COUNT
    # The bodies are worth it: every outcome was there, often.
    assert seen["none"] >= 0.1 * COUNT, seen
    assert seen["invalid_json"] >= 0.01 * COUNT, seen
    assert seen["rule-0"] >= 0.1 * COUNT, seen
    assert seen["invalid_max_tokens"] >= 0.001 * COUNT, seen


async def _compare(
    port: int, work: Iterator[tuple[bytes, str]], rules: dict[str, tuple[ir.RouteRule, ...]]
) -> Counter[str]:
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(_caller(port, work, rules)) for _ in range(IN_FLIGHT)]
    return sum((caller.result() for caller in callers), Counter())


async def _caller(
    port: int, work: Iterator[tuple[bytes, str]], rules: dict[str, tuple[ir.RouteRule, ...]]
) -> Counter[str]:
    seen: Counter[str] = Counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        for body, path in work:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:-2])
            answer = await reader.readexactly(int(headers["content-length"]))
            told = headers.get("x-metadata-rule") or json.loads(answer)["error"].get("code", "refused")
            wanted = _expected(body, path, rules)
            if path == "/v1/messages" and told == "refused":
                told = wanted if wanted.startswith("invalid") else told  # Anthropic's errors have no code
            assert told == wanted, f"seed {SEED}, {path}: {body!r}\ngot {told} {answer[:300]!r}, want {wanted}"
            seen[wanted] += 1
    finally:
        writer.close()
        await writer.wait_closed()
    return seen


def _expected(body: bytes, path: str, rules: dict[str, tuple[ir.RouteRule, ...]]) -> str:
    try:
        prompt = read(body, path)
        name = dict(json.loads(body.decode("utf-8", "surrogatepass")))["model"]
        rule = first_match(rules[name], prompt)
    except Amiss as refused:
        return str(refused)
    return rule.name if rule else "none"
