"""How soon a rollout sends a bad candidate back, by kind of fault, with `fairlead up` and real gateways.

    python -m benchmarks.rollout_faults [--per-second 40] [--interval 2s]

One installation, one route, a candidate with a quarter of the requests, half of them streams. For each fault the
candidate is rolled out, and the time runs from its first share of traffic until it has none.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from fairlead.demo.port import PortClaims
from fairlead.demo.provider import SimulatedProvider
from fairlead.standalone import status
from fairlead.standalone.state import StateFolder

KEY = "sk-provider"
SHARE = "25%"
PATIENCE_S = 240.0
ROUTE = "fairlead/chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to be bad."""

    name: str
    fault: Mapping[str, Any] = field(default_factory=dict)
    dead: bool = False
    model: str = "new"


CASES = (
    Case(name="every answer is 500", fault={"status": 500}),
    Case(name="5 % of the answers are 500", fault={"status": 500, "probability": 0.05}),
    Case(name="the credential is refused (401)", fault={"status": 401}),
    Case(name="every connection is reset", fault={"reset": True}),
    Case(name="nobody listens", dead=True),
    Case(name="it hangs (timers of 1 s)", fault={"hang": True}),
    Case(name="first bytes take 100 ms more", fault={"slow_first_byte_ms": 100}),
    Case(name="a request costs three times as much", model="dear"),
)


class Site:
    """The folder of one installation."""

    def __init__(self, root: Path, port: int, interval: str) -> None:
        self.root, self.port, self.interval = root, port, interval
        self.config, self.state = root / "fairlead.yaml", StateFolder.beside(root / "fairlead.yaml")
        region = {"name": "eu-west-1", "geo": "eu", "listen": f"127.0.0.1:{port}"}
        self.config.write_text(yaml.safe_dump({"regions": [region]}))
        (root / "m").mkdir()

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        """Write by rename, as editors do."""
        draft = self.root / f"{name}.draft"
        draft.write_text(yaml.safe_dump_all(documents))
        draft.rename(self.root / "m" / name)

    def asks_for(self, provider: str, model: str) -> None:
        """Write the route."""
        analysis = {
            "interval": self.interval,
            "minRequests": 50,
            "maxErrorRate": "1%",
            "maxFirstByteP95Increase": "50%",
            "maxCostIncrease": "20%",
        }
        rollout = {"stickiness": "Request", "steps": [{"traffic": SHARE, "hold": "1h"}], "analysis": analysis}
        timeouts = {"firstByte": "1s", "response": "1s"}
        primary = {"provider": provider, "model": model}
        spec = {"residency": "Any", "primary": primary, "rollout": rollout, "timeouts": timeouts}
        self.write("route.yaml", _object("ModelRoute", "chat", spec))

    @property
    def rollout(self) -> Mapping[str, Any]:
        """What is said of it now."""
        document = status.read(self.state)
        found = [] if document is None else [one for one in document["rollouts"] if one["route"] == ROUTE]
        return {**found[0]} if found else {}


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _provider(name: str, base_url: str, prices: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {
        "allowedRoutes": {"namespaces": {"from": "All"}},
        "endpoints": [{"name": "one", "baseURL": base_url, "credential": {"secretName": name, "key": "key"}}],
        "circuitBreaker": {"openFor": "1s"},
        "models": [
            {"name": model, "usdPerMillionTokens": {"input": price, "output": price}} for model, price in prices.items()
        ],
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": KEY}}
    return _object("ModelProvider", name, spec), secret


class Load:
    """Requests at a steady rate, every second one a stream; what came of them."""

    def __init__(self, port: int, per_second: float) -> None:
        self._url, self._per_second = f"http://127.0.0.1:{port}/v1/chat/completions", per_second
        self.outcomes: Counter[int] = Counter()

    async def run(self) -> None:
        """Go on until cancelled."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            began, sent = time.monotonic(), 0
            while True:
                group.create_task(self._ask(session, streamed=bool(sent % 2)))
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / self._per_second - time.monotonic()))

    async def _ask(self, session: aiohttp.ClientSession, *, streamed: bool) -> None:
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "stream": streamed}
        try:
            async with session.post(self._url, json=body) as response:
                await response.read()
                self.outcomes[response.status] += 1
        except aiohttp.ClientError:
            self.outcomes[0] += 1


async def _until(site: Site, *phases: str) -> Mapping[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while (found := site.rollout).get("phase") not in phases:
        if time.monotonic() > until:
            raise TimeoutError(f"not {phases} within {PATIENCE_S:g} s, but {found}")
        await asyncio.sleep(0.05)
    return found


async def measure(case: Case, site: Site, candidate: SimulatedProvider, load: Load) -> str:
    """Play one case; return its row."""
    if case.fault:
        candidate.control.fault(**case.fault)
    if case.dead:
        candidate.control.die()
    before = load.outcomes.copy()
    site.asks_for("cand", case.model)
    await _until(site, "Progressing")
    began = time.monotonic()
    found = await _until(site, "RolledBack", "Paused")
    took = time.monotonic() - began
    verdict = found["verdicts"][-1]
    answers = load.outcomes - before
    failed = sum(count for code, count in answers.items() if code != 200)
    if case.dead:
        candidate.control.revive()
    candidate.control.clear()
    site.asks_for("stable", "old")
    await _until(site, "Stable")
    await asyncio.sleep(3)  # an ejection ends, and its probes succeed
    return (
        f"| {case.name} | {took:.0f} s | {found['phase']}, `{verdict['measure']}`: {verdict['message']} |"
        f" {failed} of {answers.total()} |"
    )


async def play(site: Site, candidate: SimulatedProvider, per_second: float) -> None:
    """Play all cases one after the other."""
    await _until(site, "Stable")
    load = Load(site.port, per_second)
    running = asyncio.create_task(load.run())
    try:
        await asyncio.sleep(3)
        print("| the candidate | sent back after | by | requests that failed at clients |\n|---|---|---|---|")
        for case in CASES:
            print(await measure(case, site, candidate, load), flush=True)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-second", type=float, default=40)
    parser.add_argument("--interval", default="2s")
    asked = parser.parse_args()
    models = ("old", "new", "dear")
    with (
        tempfile.TemporaryDirectory() as folder,
        PortClaims() as claims,
        SimulatedProvider(models=models, keys=(KEY,)) as stable,
        SimulatedProvider(models=models, keys=(KEY,)) as candidate,
    ):
        site = Site(Path(folder), claims.claim({18_610})[18_610], asked.interval)
        site.write("stable.yaml", *_provider("stable", stable.base_url, {"old": "1"}))
        site.write("cand.yaml", *_provider("cand", candidate.base_url, {"new": "1", "dear": "3"}))
        site.asks_for("stable", "old")
        command = [sys.executable, "-c", "from fairlead.cli import main; main()", "up", "-f", str(site.root / "m")]
        log = Path(folder) / "log"
        with log.open("w") as out:
            up = subprocess.Popen([*command, "-c", str(site.config), "--log-format", "json"], stdout=out, stderr=out)
        try:
            print(
                f"{asked.per_second:g} requests a second, {SHARE} at the candidate, a verdict each {asked.interval};"
                " maxErrorRate 1%, maxFirstByteP95Increase 50%, maxCostIncrease 20%\n"
            )
            asyncio.run(play(site, candidate, asked.per_second))
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)
            problems = [line for line in log.read_text().splitlines() if json.loads(line)["event"] == "refused"]
            print(*problems, sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
