"""Whatever a provider answers, the gateway lives, no client gets what was not judged, and money stays in its bounds."""

import http.client
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from answers import MARK, AnswersProvider, answer
from running_up import CREDENTIAL, RunningUp, Site, budget, consumer, provider, route, secret, until

from budget.client import COST, usage
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("FAIRLEAD_FUZZ_SEED", "20260601"))
COUNT = max(600, int(os.environ.get("FAIRLEAD_FUZZ_COUNT", "0")) // 100)
AT_ONCE = 8
KEY = "sk-agent"
TOKENS = 100
WINDOW = 1_000
DEAREST = WINDOW * 1_000 + WINDOW * 2_000
"""Nano-dollars of one attempt, at most: what its provider says is believed up to the model's window, at $1 and $2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client got of one answer."""

    number: int
    status: int
    target: str
    headers: str
    body: bytes
    whole: bool


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    """Serve `alone`, where the hostile provider answers, and `chat`, where another one is the next rung."""
    site = Site(tmp_path_factory.mktemp("answers"))
    with AnswersProvider() as hostile, SimulatedProvider(models=("heron",), keys=(CREDENTIAL,)) as good:
        made = provider(f"http://127.0.0.1:{hostile.port}/v1", "sparrow", name="hostile")
        del made["spec"]["endpoints"][0]["credential"]
        made["spec"]["models"][0]["contextWindow"] = WINDOW
        made["spec"] |= {"healthCheck": {"type": "None"}, "circuitBreaker": {"consecutiveFailures": 100}}
        site.write("hostile.yaml", made)
        site.write("good.yaml", provider(good.base_url, "heron"), secret("sim", key=CREDENTIAL))
        limits = {"maxOutputTokens": TOKENS, "timeouts": {"response": "5s"}}
        more = {"fallbacks": [{"provider": "sim", "model": "heron"}], "maxAttempts": 2}
        site.write(
            "routes.yaml",
            route("alone", "sparrow", provider="hostile", maxAttempts=1, **limits),
            route("chat", "sparrow", provider="hostile", **limits, **more),
        )
        site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=KEY), budget("1000000"))
        with RunningUp(site) as running:
            yield running.serving()


def ask(port: int, number: int) -> Seen:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    content = f"answer {number} of {SEED}"
    body = {
        "model": "chat" if number % 2 else "alone",
        "messages": [{"role": "user", "content": content}],
        "stream": number % 3 == 0,
    }
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {KEY}"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        try:
            got, whole = response.read(), True
        except http.client.IncompleteRead as cut:
            got, whole = cut.partial, False
        return Seen(
            number=number,
            status=response.status,
            target=headers.get("x-fairlead-target", ""),
            headers=str(headers),
            body=got,
            whole=whole,
        )
    finally:
        connection.close()


def check(seen: Seen) -> str:
    """See to it that a client got nothing that was not judged; return what it got."""
    sent = answer(SEED, seen.number)
    assert MARK not in seen.headers, seen
    assert MARK.encode() not in seen.body, seen
    if seen.target.startswith("sim/"):
        assert (seen.status, seen.whole) == (200, True), seen
        assert b"error" not in seen.body.replace(b'"error": null', b""), seen
        return "the next rung"
    if seen.status == 200:
        assert seen.target.startswith("hostile/"), seen
        if sent.plain and seen.whole and sent.whole:
            assert seen.body == sent.body, seen
            assert seen.body.strip(), seen
            check_judged(seen.body)
        assert is_left_of(seen.body, sent.body), seen
        return "its answer"
    assert 201 <= seen.status < 600, seen
    if not is_left_of(seen.body, sent.body):
        assert json.loads(seen.body)["error"]["code"], seen
        return "an error of the gateway"
    return "another status"


def is_left_of(got: bytes, sent: bytes) -> bool:
    """Whether bytes came in the order in which they were sent: events that nobody asked for are left out."""
    rest = iter(sent)
    return all(byte in rest for byte in got)


def check_judged(body: bytes) -> None:
    """Hold what a client got whole for JSON against Python's parser: no error is an answer, nor is half a one."""
    text = body.decode("utf-8", "replace").strip()
    assert text[0] + text[-1] == "{}", body
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return
    answered = any(members.get(name) for name in ("choices", "content", "data", "output"))
    assert answered or not members.get("error"), body


class Reserved:
    """The dollars that are reserved, while somebody asks each second: too rarely for a lease.

    What workers held of leases that have ended goes back with what they say next.
    """

    def __init__(self, port: int) -> None:
        self._port, self._number, self._asked = port, COUNT, 0.0

    def now(self) -> float:
        """Read them. A report that a busy machine lost holds its reservation until that expires."""
        if time.monotonic() > self._asked + 1:
            self._asked, self._number = time.monotonic(), self._number + 1
            ask(self._port, self._number)
        return float(usage(self._port, key=KEY)["budget"]["reserved"])


@pytest.mark.timeout(7200)
def test_answers_of_a_provider_that_means_harm(up: RunningUp) -> None:
    (port,) = up.site.ports
    children = up.children()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = Counter(check(seen) for seen in pool.map(lambda number: ask(port, number), range(COUNT)))
    # Else it shows nothing.
    assert found["its answer"] > COUNT / 6, found
    assert found["the next rung"] > COUNT / 10, found
    assert found["an error of the gateway"] > COUNT / 20, found
    assert up.children() == children, "no Envoy was started again"
    reserved = Reserved(port)
    until(lambda: reserved.now() <= COUNT * DEAREST / 10**9 / 1_000)
    spent = round(usage(port, key=KEY)["budget"]["spent"] * 10**9)
    assert found["the next rung"] * COST <= spent <= COUNT * DEAREST + found["the next rung"] * COST, (spent, found)
    log = (up.site.state / "_budget" / "server.log").read_text()
    assert "Traceback" not in log
    envoy = "".join(path.read_text() for path in Path(up.site.state).glob("*/envoy.log"))
    assert "lua" not in envoy.lower(), "no script failed"
