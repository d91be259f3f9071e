"""What a gateway writes down: log lines, series, shadows; and what it must never write."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from running_up import until
from world import KEY, REGIONS, World, clean, consumer, credential, endpoint, provider, route, secret, to

__all__ = ["clean"]

pytestmark = pytest.mark.envoy

US, EU = REGIONS[:2]
CREDENTIALS = {"one": "credential-number-one", "two": "credential-number-two", "shade": "credential-of-the-shadow"}
PROMPT = "a prompt that nobody else may read"
WRONG_KEY = "sk-a-wrong-key-of-somebody"


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world(regions=2)
    regions = {"one": US, "two": EU, "shade": US}
    sims = {
        name: world.simulate(name, models=("m", "n"), embedding_models=("e",), keys=(CREDENTIALS[name],), region=region)
        for name, region in regions.items()
    }
    at = {
        name: endpoint(name, sim.base_url, regions[name], credential=credential("keys", key=name))
        for name, sim in sims.items()
    }
    vectors = {"name": "e", "type": "Embedding", "usdPerMillionTokens": {"input": "0.1"}}
    world.write(
        "world",
        # With a bulkhead, because its hop and the shadows' hop must not meet.
        provider("main", [at["one"], at["two"]], ["m", "n", vectors], circuitBreaker={"maxInFlight": 50}),
        provider("shade", [{**at["shade"], "models": [{"name": "copy", "id": "n"}]}], ["copy"]),
        secret("keys", **CREDENTIALS),
        route("chat", "main/m", fallbacks=[to("main/n")]),
        route("embed", "main/e"),
        route("watched", "main/m", shadow={"provider": "shade", "model": "copy", "sample": "100%"}),
        route("sampled", "main/m", shadow={"provider": "shade", "model": "copy", "sample": "20%"}),
        *consumer("client", KEY),
        *consumer("other", "sk-the-other-client"),
    )
    return world.start()


def ask(world: World, name: str = "chat", **fields: Any) -> httpx.Response:
    return world.chat(name, messages=[{"role": "user", "content": PROMPT}], **fields)


@pytest.mark.parametrize("stream", [False, True])
def test_the_line_of_a_request(world: World, *, stream: bool) -> None:
    answer = ask(world, stream=stream, max_tokens=9)
    line = world.line(answer)
    want = {
        "kind": "request",
        "gateway_region": US,
        "consumer": "fairlead/client",
        "route": "fairlead/chat",
        "model": "chat",
        "stream": stream,
        "target": "main/one/m",
        "provider": "main",
        "region": US,
        "model_sent": "m",
        "model_served": "m",
        "attempts": 1,
        "status": 200,
    }
    assert {name: line[name] for name in want} == want
    assert (int(line["completion_tokens"]), int(line["prompt_tokens"])) == (9, -(-len(PROMPT) // 4))
    assert int(line["cached_tokens"]) == int(line["prompt_tokens"]) * 25 // 100
    assert 0 <= line["first_byte_ms"] <= line["latency_ms"]


def test_the_lines_of_attempts(world: World) -> None:
    world.sims["one"].control.fault(status=429, model="m")
    world.sims["two"].control.fault(reset=True, model="m")
    answer = ask(world)
    assert answer.headers["x-fairlead-attempts"] == "3"
    line = world.line(answer)
    assert (line["attempts"], line["target"], line["model_sent"]) == (3, "main/one/n", "n")
    attempts = until(lambda: found if len(found := world.attempts(answer)) == 3 else None)
    assert [(each["target"], each["region"], each["status"]) for each in attempts] == [
        ("main/one/m", US, 429),
        ("main/two/m", EU, 502),  # what its hop makes of a reset: the prompt may be billed
        ("main/one/n", US, 200),
    ]
    assert {each["route"] for each in attempts} == {"fairlead/chat"}


def test_lines_of_refusals(world: World) -> None:
    refused = world.chat("nobody")
    line = world.line(refused)
    assert (line["status"], line["model"], line["consumer"], line["target"]) == (404, "nobody", "fairlead/client", None)
    unknown = world.chat("chat", key=WRONG_KEY)
    line = world.line(unknown)
    assert (line["status"], line["consumer"]) == (401, None)


def test_series_count_what_providers_counted(world: World) -> None:
    """Requests and tokens by consumer, route, target, region and model; sums as the providers made them."""

    def total(name: str, **wanted: str) -> float:
        return sum(
            value
            for region in (US, EU)
            for found, value in world.series(f"envoy_fairlead_{name}", region)
            if wanted.items() <= {key.removeprefix("envoy_"): text for key, text in found.items()}.items()
        )

    before = {name: total(name) for name in ("requests", "completion_tokens", "prompt_tokens")}
    mine_before = total("completion_tokens", consumer="fairlead/other")
    here, there = [], []
    for number in range(9):
        fields = {"stream": bool(number % 2), "max_tokens": 3 + number}
        if number % 3:
            here.append(world.chat("chat", **fields))
        else:
            there.append(world.chat("chat", key="sk-the-other-client", region=EU, **fields))
    with world.http() as client:
        here.append(client.post("/v1/embeddings", json={"model": "embed", "input": ["one", "two"]}))
    world.sims["one"].control.fault(status=500, model="m", count=1)
    here.append(world.chat("chat", max_tokens=5))
    answers = [*here, *there]
    assert all(answer.status_code == 200 for answer in answers)
    made = sum(sim.control.stats().completion_tokens for sim in world.sims.values())
    assert made == sum(3 + number for number in range(9)) + 5
    until(lambda: total("requests") - before["requests"] >= len(answers))
    assert total("requests") - before["requests"] == len(answers)
    assert total("completion_tokens") - before["completion_tokens"] == made
    assert total("completion_tokens", consumer="fairlead/other") - mine_before == 3 + 6 + 9
    assert total("completion_tokens", target="main/two/m", region=EU, model="m", route="fairlead/chat") > 0
    lines = [*(world.line(answer) for answer in here), *(world.line(answer, EU) for answer in there)]
    assert total("prompt_tokens") - before["prompt_tokens"] == sum(int(line["prompt_tokens"]) for line in lines)


def test_a_shadow_has_a_model_and_a_credential_of_its_own(world: World) -> None:
    shade = world.sims["shade"].control
    answer = ask(world, "watched", max_tokens=4)
    assert (answer.status_code, answer.headers["x-fairlead-target"]) == (200, "main/one/m")
    until(lambda: shade.stats().requests == 1)
    (copy,) = shade.requests()
    assert copy.header("authorization") == f"Bearer {CREDENTIALS['shade']}"
    assert copy.body == world.sims["one"].control.requests()[0].body.replace(b'"model":"m"', b'"model":"n"')
    wanted = answer.headers["x-request-id"]
    (line,) = until(lambda: world.lines(kind="shadow", request_id=wanted))
    assert (line["target"], line["consumer"], line["route"], line["model_sent"]) == (
        "shade/shade/copy",
        "fairlead/client",
        "fairlead/watched",
        "n",
    )
    assert int(line["completion_tokens"]) == 4
    # Failing or hanging, it is nobody's business but its own.
    shade.fault(hang=True)
    assert ask(world, "watched", stream=True).text.rstrip().endswith("[DONE]")
    shade.clear()
    shade.fault(reset=True)
    assert ask(world, "watched").status_code == 200


def test_a_shadow_takes_its_sample(world: World) -> None:
    shade = world.sims["shade"].control
    body = {"model": "sampled", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 1}
    with world.http() as client:
        answers = Counter(client.post("/v1/chat/completions", json=body).status_code for _ in range(100))
    assert answers == {200: 100}
    until(lambda: shade.stats().requests >= 6)
    assert 6 <= shade.stats().requests <= 38  # 20 of 100: outside of it once in 10,000 runs


def test_nothing_secret_is_written_anywhere(world: World) -> None:
    ask(world)
    ask(world, "watched", stream=True)
    world.chat("chat", key=WRONG_KEY)
    world.chat("chat", messages=[{"role": "user", "content": PROMPT}], temperature="hot")
    for sim in world.sims.values():
        sim.control.reset()  # the provider's own refusal of that
    answer = ask(world, "nobody")
    world.line(answer)
    secrets = {KEY, WRONG_KEY, PROMPT, *CREDENTIALS.values()}
    found = {}
    for path in world.site.state.rglob("*"):
        if path.is_file():
            text = path.read_text(errors="replace")
            holds = {each for each in secrets if each in text}
            if holds:
                found[str(path.relative_to(world.site.state))] = holds
                assert path.stat().st_mode & 0o777 == 0o600
    assert found == {f"{region}/keys/ecds.json": {KEY} for region in (US, EU)} | {
        f"{region}/credentials/keys/{name}": {value} for region in (US, EU) for name, value in CREDENTIALS.items()
    }
    shown = [world.admin(path, region) for region in (US, EU) for path in ("/stats", "/clusters", "/stats/prometheus")]
    processes = [world.up.process.pid, *until(world.up.children)]
    shown += [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes]
    shown += [json.dumps(world.up.events)]
    assert not [each for each in secrets if any(each in text for text in shown)]


def test_the_metrics_port_shows_series_and_nothing_else(world: World) -> None:
    ask(world)
    status = json.loads((world.site.state / "status.json").read_text())
    address = status["regions"][0]["metrics"]
    until(lambda: "envoy_fairlead_requests" in httpx.get(f"http://{address}/metrics").text)
    for path in ("/config_dump", "/stats", "/quitquitquit", "/", "/metrics/../config_dump", "/clusters"):
        assert httpx.get(f"http://{address}{path}").status_code == 404
    assert httpx.post(f"http://{address}/metrics").status_code == 404
