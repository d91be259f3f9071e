"""Answers that two real gateways share through a real Redis: `cache: {store: Shared}`."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, route, say, secret, until

from budget.client import Answer, budget, chat, metric, metrics, request
from budget.conftest import (
    IN_TIME,
    KEY,
    PATIENT_WITH_SERVERS,
    SOON_GIVEN_UP,
    agents_site,
    hung,
    make_redis,
    server_pid,
)
from budget.redis_server import RedisServer
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy.cache import LEAVE_MS, MOST_UNDER_WAY

pytestmark = pytest.mark.envoy

Start = Callable[..., RunningUp]
OTHER = "sk-other"
MANY = 10
"""Answers of which some are found, however slow the machine is."""
LONG_S = 10
LONG = {"timeout": f"{LONG_S}s"}
_numbers = count()


def ask(port: int, said: str, *, key: str = KEY, **fields: Any) -> Answer:
    return chat(port, key=key, messages=[{"role": "user", "content": said}], **fields)


def news() -> str:
    """What nobody has asked before."""
    return f"question {next(_numbers)}"


def kept(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["x-fairlead-cache"]


def shared(site: Site, **fields: Any) -> tuple[Answer, Answer]:
    """Ask the first gateway something new, then the second, until that one gives what the first has kept."""

    def once() -> tuple[Answer, Answer] | None:
        said = news()
        first, second = (ask(port, said, **fields) for port in site.ports)
        assert kept(first) == "miss"
        return (first, second) if kept(second) == "hit" else None

    found: tuple[Answer, Answer] = until(once, "nothing is shared")
    return found


def lookups(site: Site, found: str) -> float:
    """How often the gateways have found an answer so."""
    total = 0.0
    for url in (site.state / "_budget" / "gateways").read_text().split():
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - ours
            total += metric(response.read().decode(), "envoy_fairlead_cache_lookups", found=found)
    return total


def two_gateways(folder: Path, simulated: SimulatedProvider, **budgets: Any) -> Site:
    site = agents_site(folder, simulated, regions=2)
    site.write_config(budgets={**IN_TIME, **budgets})
    site.write("route.yaml", route("chat", "sparrow", cache={"ttl": "1h", "store": "Shared"}))
    site.write("other.yaml", consumer("other", "k"), secret("other", k=OTHER))
    return site


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = make_redis(tmp_path_factory.mktemp("answers"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Site]:
    with SimulatedProvider(models=("sparrow", "heron"), keys=(CREDENTIAL,)) as simulated:
        site = two_gateways(tmp_path_factory.mktemp("shared"), simulated, store=redis.url)
        with RunningUp(site, "--workers", "1") as running:
            running.serving()
            yield site


def test_what_one_gateway_kept_the_other_gives(serving: Site) -> None:
    first, second = shared(serving)
    assert second.body == first.body
    assert second.headers["x-fairlead-attempts"] == "0"
    assert int(second.headers["age"]) >= 0
    assert "x-fairlead-target" not in second.headers
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    until(lambda: lookups(serving, "shared") >= 1 and lookups(serving, "absent") >= 1)


def test_the_second_time_it_is_the_gateways_own(serving: Site) -> None:
    said = news()
    until(lambda: kept(ask(serving.ports[1], said)) == "hit")
    until(lambda: lookups(serving, "worker") >= 1)


@pytest.mark.parametrize("path", ["/v1/answers/find", "/v1/answers/keep", "/v1/answers"])
def test_no_client_reaches_what_is_shared(serving: Site, path: str) -> None:
    for port in serving.ports:
        for method in ("GET", "POST"):
            answer = request(port, method, path, {"key": "c:fairlead/other"})
            assert (answer.status, answer.json["error"]["code"]) == (404, "unknown_url")


def test_a_stream_is_shared_as_it_came(serving: Site) -> None:
    first, second = shared(serving, stream=True)
    assert second.headers["content-type"] == "text/event-stream"
    assert second.body == first.body
    assert second.body.endswith(b"data: [DONE]\n\n")


def test_another_callers_answer_is_no_ones(serving: Site) -> None:
    shared(serving)
    for _ in range(5):
        said = news()
        mine = ask(serving.ports[0], said)
        theirs = ask(serving.ports[1], said, key=OTHER)
        assert (kept(mine), kept(theirs)) == ("miss", "miss")
        assert mine.json["id"] != theirs.json["id"]


def test_a_shared_hit_costs_nothing_and_is_counted_as_saved(serving: Site) -> None:
    def hits() -> int:
        said = say("budgets", "-c", serving.config, "--state", serving.state, "-o", "json")
        (one,) = json.loads(said.stdout)["caches"]
        assert one["route"] == "fairlead/chat"
        return int(one["hits"]) if float(one["savedUSD"]) else 0

    before = hits()
    shared(serving)
    until(lambda: hits() > before)


def entries(redis: RedisServer) -> list[str]:
    keys = redis.command("KEYS", "{fairlead}:a:*:*").split()
    return [key.decode() for key in keys if key.startswith(b"{")]


def arrived(redis: RedisServer) -> None:
    """Wait for what is on its way to the store: longer than a gateway gives it."""
    known, since = entries(redis), time.monotonic()

    def quiet() -> bool:
        nonlocal known, since
        if known != (now := entries(redis)):
            known, since = now, time.monotonic()
        return time.monotonic() - since > 2 * LEAVE_MS / 1000

    until(quiet)


def test_a_poisoned_store_gives_nobody_an_answer(serving: Site, redis: RedisServer) -> None:
    redis.command("FLUSHDB")
    said, ids = [], set()

    for _ in range(10):
        said.append(news())
        answer = ask(serving.ports[0], said[-1])
        assert kept(answer) == "miss"
        ids.add(answer.json["id"])
    until(lambda: entries(redis), "nothing was left")
    arrived(redis)
    for name in entries(redis):
        redis.command("SET", name, '{"choices":[{"finish_reason":"stop"}]}')
    for one in said:
        answer = ask(serving.ports[1], one)
        assert kept(answer) == "miss"
        assert answer.json["id"] not in ids

    def damaged() -> float:
        text = metrics(serving.state / "_budget" / "http.sock")
        return metric(text, "fairlead_shared_answers_sought_total", outcome="damaged")

    until(lambda: damaged() > 0)
    redis.command("FLUSHDB")
    shared(serving)


def test_a_changed_ladder_finds_nothing_of_before(serving: Site) -> None:
    said = news()
    until(lambda: kept(ask(serving.ports[1], said)) == "hit")
    try:
        serving.write("route.yaml", route("chat", "heron", cache={"ttl": "1h", "store": "Shared"}))
        for port in serving.ports:
            until(lambda port=port: "heron" in ask(port, news()).headers.get("x-fairlead-target", ""))
        # Clusters change before routes: a gateway may answer with the new ladder, and give what is kept of the old one.
        until(lambda: ask(serving.ports[0], said).headers.get("x-fairlead-target") == "sim/one/heron")
    finally:
        serving.write("route.yaml", route("chat", "sparrow", cache={"ttl": "1h", "store": "Shared"}))
        for port in serving.ports:
            until(lambda port=port: "sparrow" in ask(port, news()).headers.get("x-fairlead-target", ""))
    until(lambda: ask(serving.ports[0], said).headers["x-fairlead-cache"] == "hit")


def test_one_server_that_hangs_and_dies_costs_hits_alone(
    tmp_path: Path, simulated: SimulatedProvider, start: Start, own_redis: RedisServer
) -> None:
    site = two_gateways(tmp_path, simulated, **SOON_GIVEN_UP, store=own_redis.url)
    running = start(site, "--workers", "1", before=PATIENT_WITH_SERVERS).serving()
    shared(site)
    with hung(running):
        until(lambda: kept(ask(site.ports[1], news())) == "miss" and lookups(site, "timeout") >= 1)
        until(lambda: kept(ask(site.ports[1], news())) == "miss" and lookups(site, "open") >= 1)
    shared(site)
    known: list[str] = []

    def left() -> bool:
        known.append(news())
        ask(site.ports[0], known[-1])
        text = metrics(site.state / "_budget" / "http.sock")
        return metric(text, "fairlead_shared_answers_left_total", outcome="kept") >= MANY

    until(left)
    os.kill(server_pid(running), signal.SIGKILL)
    assert kept(ask(site.ports[1], news())) == "miss"
    running.wait_for("budget server is back")
    shared(site)
    assert "hit" in {kept(ask(site.ports[1], said)) for said in known}, "the key outlives the server"


def at_once(port: int, many: int) -> None:
    """Ask so many new questions in the same moment."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=60))) for _ in range(many)]
        for client in clients:
            client.connect()
        for client in clients:
            body = {"model": "chat", "messages": [{"role": "user", "content": news()}]}
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            client.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        assert {client.getresponse().status for client in clients} == {200}


def test_more_at_a_time_than_a_gateway_asks_are_counted_and_open_no_breaker(
    tmp_path: Path, simulated: SimulatedProvider, start: Start
) -> None:
    site = two_gateways(tmp_path, simulated)
    running = start(site, "--workers", "1", before=PATIENT_WITH_SERVERS).serving()
    shared(site)

    def crowded() -> bool:
        with hung(running):
            at_once(site.ports[1], MOST_UNDER_WAY + 40)
        return lookups(site, "busy") > 0

    until(crowded)
    shared(site)


def test_closed_refuses_nobody_where_nobody_has_a_budget(
    tmp_path: Path, simulated: SimulatedProvider, start: Start
) -> None:
    """Until somebody has one: then it is for all."""
    site = two_gateways(tmp_path, simulated, **LONG, failurePolicy="Closed")
    site.write("plain.yaml", route("plain", "sparrow"))
    running = start(site, "--workers", "1", before=PATIENT_WITH_SERVERS).serving()
    shared(site)
    with hung(running):
        began = time.monotonic()
        for model in ("chat", "plain"):
            assert ask(site.ports[0], news(), model=model).status == 200
        assert time.monotonic() - began < LONG_S, "nobody waits for it"
    site.write("budget.yaml", budget(usd="10"))
    for port in site.ports:
        until(lambda port=port: "x-fairlead-budget-remaining" in ask(port, news(), model="plain").headers)
    with hung(running):
        answer = ask(site.ports[0], news(), model="plain", patience_s=6 * LONG_S)
        assert (answer.status, answer.json["error"]["code"]) == (503, "budget_unavailable")


def test_a_redis_that_is_away_or_hangs_costs_hits_alone(
    tmp_path: Path, simulated: SimulatedProvider, start: Start, own_redis: RedisServer
) -> None:
    site = two_gateways(tmp_path, simulated, **SOON_GIVEN_UP)
    site.write_config(cache={"store": own_redis.url})
    start(site, "--workers", "1").serving()
    shared(site)
    own_redis.signal(signal.SIGSTOP)
    try:
        until(lambda: kept(ask(site.ports[1], news())) == "miss" and lookups(site, "open") >= 1)
    finally:
        own_redis.signal(signal.SIGCONT)
    shared(site)
    own_redis.signal(signal.SIGKILL)
    assert [kept(ask(port, news())) for port in site.ports] == ["miss", "miss"]
    own_redis.start()
    shared(site)


def test_without_redis_the_one_server_keeps_them(tmp_path: Path, simulated: SimulatedProvider, start: Start) -> None:
    site = two_gateways(tmp_path, simulated)
    start(site, "--workers", "1").serving()
    first, second = shared(site)
    assert second.body == first.body
