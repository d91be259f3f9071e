"""Two thousand requests at once against one dollar: what is spent never passes it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from running_up import CREDENTIAL, RunningUp, Site, provider, route, secret

from budget import configurations
from budget.client import budget, usage
from budget.configurations import RESERVED
from budget.conftest import KEY, READS_OFTEN
from budget.server import Gateway, Server
from fairlead.budgetserver.messages import OK
from fairlead.demo.provider import SimulatedProvider

AT_ONCE = 2_000
USD = 10**9
PATIENT = {"firstByte": "200s", "response": "200s", "streamIdle": "200s", "request": "200s"}
"""Timers of a route: client and provider share a process, and what is given up there is an answer that costs."""
DEAR = 26_000_000
"""Nano-dollars of an answer at $1,000 and $2,000 a million: 2 tokens in, 12 out."""


@pytest.mark.parametrize("store", ["memory", "sqlite", "redis"])
def test_at_the_server(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> None:
    addresses = {"memory": "memory:", "sqlite": f"sqlite:{tmp_path / 'b.db'}"}
    address = addresses.get(store) or request.getfixturevalue("own_redis").url
    limit = 400 * RESERVED + RESERVED - 1
    with Server(configurations.write(tmp_path / "book.json", limit), address, "--store-timeout", "60") as server:

        async def run() -> int:
            gateway = Gateway(server.rpc)

            async def ask(name: str) -> str | None:
                answer = await gateway.check(name, patience_s=90)
                return name if answer.overall_code == OK else None

            asked = await asyncio.gather(*(ask(f"r{number}") for number in range(AT_ONCE)))
            granted = [name for name in asked if name]
            assert len(granted) == 400
            # Each costs all that it had reserved, and its report comes twice: still within the limit.
            words = "t/a {} chat 100 t/chat {} p/e/m false 200 - 1 500 eu-1 ; 50 1 ; 1 100 50 0 0 0 0 0"
            reports = [gateway.send("report", words.format(name, name), 90) for name in granted * 2]
            await asyncio.gather(*reports)
            assert await ask("one more") is None
            await gateway.close()
            return len(granted)

        granted = asyncio.run(run())
        found = server.usage_of("t/a")["budget"]
        assert round(found["spent"] * USD) == granted * RESERVED <= limit
        assert found["reserved"] == 0


async def burst(port: int, count: int) -> Counter[int]:
    """Send so many requests at once; count the statuses."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "go on"}], "max_tokens": 20}
    statuses: Counter[int] = Counter()
    timeout, connector = aiohttp.ClientTimeout(total=240), aiohttp.TCPConnector(limit=0)
    headers = {"authorization": f"Bearer {KEY}"}

    async def ask(session: aiohttp.ClientSession) -> None:
        async with session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body) as response:
            await response.read()
            statuses[response.status] += 1

    async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers) as session:
        await asyncio.gather(*(ask(session) for _ in range(count)))
    return statuses


@pytest.mark.envoy
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_through_a_gateway(site: Site, start: Callable[..., RunningUp], simulated: SimulatedProvider) -> None:
    # An answer may cost some $0.13: seven fit at a time.
    dear = provider(simulated.base_url, "sparrow", "heron")
    for model in dear["spec"]["models"]:
        model["usdPerMillionTokens"] = {"input": "1000", "output": "2000"}
    site.write_config(budgets={"failurePolicy": "Closed", "timeout": "5s"})
    site.write("provider.yaml", dear, secret("sim", key=CREDENTIAL))
    chat, small = (
        route(name, model, maxOutputTokens=100, timeouts=PATIENT, **more)
        for name, model, more in (("chat", "sparrow", {"downgradeTo": "small"}), ("small", "heron", {}))
    )
    site.write("route.yaml", chat, small)
    site.write("budget.yaml", budget(usd="1"))
    start(site, before=READS_OFTEN).serving()
    (port,) = site.ports

    statuses = asyncio.run(burst(port, AT_ONCE))
    assert set(statuses) <= {200, 429, 503}, "503: not checked within 5 s, and so not let through"
    more = statuses
    while more[200]:
        more = asyncio.run(burst(port, 20))
        statuses += more
    # A report that a busy server took too long for is found in the gateway's counters.
    patience = time.monotonic() + 180
    while (spent := round(usage(port)["budget"]["spent"] * USD)) != statuses[200] * DEAR:
        assert time.monotonic() < patience, (spent, statuses)
        time.sleep(0.5)
    assert 0 < spent <= USD
    assert simulated.control.stats().by_status[200] == statuses[200]
