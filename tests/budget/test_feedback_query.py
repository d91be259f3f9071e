"""The measure of a rollout that the recipe writes, asked of a real Prometheus that scrapes a real budget server."""

import asyncio
import json
import re
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from budget.configurations import write
from budget.prometheus import BINARY, Prometheus
from budget.server import Gateway, Server
from documents import ROOT
from fairlead.adapters.prometheus import HttpPrometheus
from fairlead.budget.configuration import decode, encode
from fairlead.rollout.plan import Bounds, Plan, Query, Source, Step
from fairlead.rollout.transition import kept, start
from fairlead.runtime.measurements import Measured, measured

CANDIDATE, RATED, DOWN = "p/m", 40, 10


def written() -> tuple[Query, ...]:
    """The query as `docs/recipes/feedback.md` has it."""
    page = (ROOT / "docs" / "recipes" / "feedback.md").read_text()
    (block,) = (one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "prometheus:" in one)
    (query,) = yaml.safe_load(block)["rollout"]["analysis"]["prometheus"]
    return (Query(name=query["name"], expression=query["query"], at_most=float(query["atMost"])),)


def ask(url: str) -> Measured:
    source = Source(url=url, timeout_ms=30_000)
    plan = Plan(primary=CANDIDATE, steps=(Step(traffic=100),), bounds=Bounds(queries=written()), source=source)
    return asyncio.run(measured(HttpPrometheus(), plan, "t/chat", start(kept("p/old", 0), plan.primary, 0)))


async def answered(server: Server) -> None:
    """Report an answer of the candidate for each that will be rated."""
    gateway = Gateway(server.rpc)
    for number in range(RATED):
        known = f"t/a r{number} chat 100 t/chat none p/e/m false 200 - 1 500 eu-1"
        await gateway.send("report", f"{known} 100 5 - - - - @t/chat/1-candidate ; 50 1 ; 1 30 40 0 0 0 0 0")
    await gateway.close()


def rate(server: Server, number: int) -> None:
    body = {"request_id": f"r{number}", "rating": "down" if number < DOWN else "up"}
    url, headers = f"http://127.0.0.1:{server.usage}/v1/feedback", {"x-fl-consumer": "t/a"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=20) as response:  # noqa: S310 - ours
        assert response.status == 200


@pytest.mark.timeout(300)
def test_thumbs_are_a_measure(tmp_path: Path) -> None:
    if BINARY is None:
        pytest.skip("prometheus is not installed: `make system` installs it")
    path = write(tmp_path / "configuration.json", 10**12)
    found = decode(path.read_bytes())
    routes = {name: replace(terms, feedback=True) for name, terms in found.routes.items()}
    path.write_bytes(encode(replace(found, routes=routes)))
    with (
        Server(path, "memory:") as server,
        Prometheus(tmp_path, scrapes=f"127.0.0.1:{server.http}", labels={}) as prometheus,
    ):
        asyncio.run(answered(server))
        prometheus.until(lambda: prometheus.value("sum(fairlead_feedback_ratings_total)") == 0)
        assert ask(prometheus.url).values == {"thumbs-down": None}, "nobody has rated"
        for number in range(RATED):
            rate(server, number)
        prometheus.until(lambda: prometheus.value("sum(fairlead_feedback_ratings_total)") == RATED)
        assert ask(prometheus.url).values == {"thumbs-down": pytest.approx(DOWN / RATED)}
