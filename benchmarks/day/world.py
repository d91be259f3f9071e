"""Three regions on this machine, each as a cluster of its own: provider, store, a `fairlead up` that serves it alone.

So a region is lost with all that it has: its gateway, its budget server, whoever observes. What lies between regions is
added by the providers, which listen once for each region that may ask, and by clients that go to another region.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from budget.redis_server import BINARY, RedisServer
from ports import free_port

PATIENCE_S = 60
CREDENTIAL = "sk-provider"
NANO_PER_TOKEN = {"open-chat": (180, 250), "open-code": (570, 780)}
"""What models cost, in nano-dollars: a token of the prompt, one of the answer."""
ROUTES = {"assistant": ("open-chat", "open-code"), "autocomplete": ("open-code", "open-chat")}
"""What clients call: the model that answers, and the one that does when no endpoint of it can."""
GATEWAY, BUDGET, UP, STORE, PROVIDER = "gateway", "budget server", "fairlead up", "Redis", "provider"
REAL_TIME = {GATEWAY: 2, BUDGET: 2, STORE: 2, PROVIDER: 2, UP: 1}
"""Priorities: whoever shares the machine takes nothing away, where that is allowed."""
LOAD_PRIORITY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region."""

    name: str
    geo: str
    link_ms: float
    """What its link adds to a round trip to any other region."""


REGIONS = (
    Region(name="eu-central-1", geo="eu", link_ms=5),
    Region(name="eu-west-1", geo="eu", link_ms=40),
    Region(name="us-east-1", geo="us", link_ms=90),
)
LOST = REGIONS[1]
"""The one that is lost in the spike."""


def round_trip_ms(one: Region, other: Region) -> float:
    """Return how long it takes from one region to another and back."""
    return 0.0 if one is other else one.link_ms + other.link_ms


class Process(Protocol):
    """What `subprocess.Popen` has of use here."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def kill(self) -> None:
        """End it without asking."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""


Start = Callable[[Sequence[str], Path], Process]
"""Starts `fairlead` with these words; what it says goes to a file."""


def fairlead(words: Sequence[str], log: Path) -> Process:
    """Start a command of `fairlead` as users do."""
    with log.open("ab") as file:
        command = [sys.executable, "-c", "from fairlead.cli import main; main()", *words]
        return subprocess.Popen(command, stdout=file, stderr=file)


def _spoken(process: subprocess.Popen[str]) -> None:
    """Wait for its first line: it has begun."""
    if process.stdout is None or not process.stdout.readline():
        raise RuntimeError(f"{process.args!r} did not begin")


def prefer(pid: int, priority: int) -> bool:
    """Put all threads of a process before everything else on the machine; False = not allowed."""
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(priority))
    except PermissionError:
        return False
    except (FileNotFoundError, ProcessLookupError):
        return True  # it has ended meanwhile
    return True


class Site:
    """One region: started, lost in two steps, started again with what it had on disk."""

    def __init__(self, region: Region, folder: Path, wire: Path, start: Start) -> None:
        self.region, self.folder = region, folder
        self._wire, self._start = wire, start
        self.port = free_port()
        self.provider_ports = {caller.name: free_port() for caller in REGIONS}
        self.journal = folder / "journal"
        self._redis = RedisServer(folder) if BINARY else None
        self._up: Process | None = None
        self._provider: subprocess.Popen[str] | None = None
        self.in_real_time = True

    @property
    def address(self) -> str:
        """Where its gateway listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def state(self) -> Path:
        """The state folder of its `fairlead up`."""
        return self.folder / ".fairlead"

    def begin(self) -> None:
        """Start what is not there."""
        if self._provider is None:
            self._begin_provider()
        if self._redis is not None:
            self._redis.start()
        words = ["up", "-f", str(self.folder / "manifests.yaml"), "-c", str(self.folder / "fairlead.yaml")]
        self._up = self._start([*words, "--log-format", "json", "--workers", "1"], self.folder / "up.log")

    def serving(self) -> None:
        """Wait until the gateway serves."""
        deadline = time.monotonic() + PATIENCE_S
        while not serves(self.port):
            if self._up is None or self._up.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.region.name} does not serve: {(self.folder / 'up.log').read_text()[-2000:]}")
            time.sleep(0.05)
        for (part, _), pid in self.processes().items():
            self.in_real_time &= prefer(pid, REAL_TIME[part])

    def _begin_provider(self) -> None:
        self._provider = subprocess.Popen(
            [self._wire, "provide", str(self.folder / "provider.json")], stdout=subprocess.PIPE, text=True
        )
        _spoken(self._provider)

    def processes(self) -> dict[tuple[str, str], int]:
        """Return what runs of it, by part and region."""
        found: dict[str, int] = {}
        if self._provider is not None:
            found[PROVIDER] = self._provider.pid
        if self._up is not None:
            found[UP] = self._up.pid
            with suppress(OSError):
                children = Path(f"/proc/{self._up.pid}/task/{self._up.pid}/children").read_text().split()
                for child in map(int, children):
                    found[GATEWAY if b"envoy" in Path(f"/proc/{child}/cmdline").read_bytes() else BUDGET] = child
            if self._redis is not None:
                found[STORE] = self._redis.pid
        return {(part, self.region.name): pid for part, pid in found.items()}

    def lose_provider(self) -> None:
        """End its provider as a power cut does."""
        if self._provider is not None:
            self._provider.kill()
            self._provider.communicate()
            self._provider = None

    def silence_provider(self) -> None:
        """Let its provider take requests and answer none, as when a network swallows what is sent."""
        if self._provider is not None:
            self._provider.send_signal(signal.SIGSTOP)

    def lose_gateway(self) -> None:
        """End everything else of it: its gateway and budget server do not outlive `fairlead up`."""
        if self._up is not None:
            self._up.kill()
            self._up.wait()
            self._up = None
            if self._redis is not None:
                self._redis.stop()
        while serves(self.port):
            time.sleep(0.01)

    def write(self, sites: Mapping[str, "Site"]) -> None:
        """Write the files of its `fairlead up` and of its provider; all ports are known by now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        installation = {
            "regions": [
                {"name": one.region.name, "geo": one.region.geo, "listen": one.address} for one in sites.values()
            ],
            "serve": [self.region.name],
            "anonymous": "Deny",
            "budgets": {} if self._redis is None else {"store": self._redis.url},
        }
        (self.folder / "fairlead.yaml").write_text(yaml.safe_dump(installation))
        ports = {name: one.provider_ports[self.region.name] for name, one in sites.items()}
        (self.folder / "manifests.yaml").write_text(yaml.safe_dump_all(manifests(ports), sort_keys=False))
        places = [
            {
                "caller": caller.name,
                "address": f"127.0.0.1:{self.provider_ports[caller.name]}",
                "round_trip_ms": round_trip_ms(caller, self.region),
            }
            for caller in REGIONS
        ]
        provider = {"key": CREDENTIAL, "models": list(NANO_PER_TOKEN), "journal": str(self.journal), "places": places}
        (self.folder / "provider.json").write_text(json.dumps(provider))


class World:
    """All regions, and the way that clients take."""

    def __init__(self, folder: Path, wire: Path, start: Start = fairlead) -> None:
        self.folder, self._wire = folder, wire
        self.sites = {one.name: Site(one, folder / one.name, wire, start) for one in REGIONS}
        for site in self.sites.values():
            site.write(self.sites)
        self._load: subprocess.Popen[str] | None = None
        self.real_time = False

    def begin(self) -> None:
        """Start all regions."""
        for site in self.sites.values():
            site.begin()
        for site in self.sites.values():
            site.serving()
        self.real_time = all(site.in_real_time for site in self.sites.values())

    def end(self) -> None:
        """End what runs."""
        if self._load is not None and self._load.poll() is None:
            self._load.kill()
            self._load.wait()
        for site in self.sites.values():
            site.lose_gateway()
            site.lose_provider()

    def processes(self) -> dict[tuple[str, str], int]:
        """Return what runs, by part and region; the load has none."""
        found = {key: pid for site in self.sites.values() for key, pid in site.processes().items()}
        return found | ({} if self._load is None else {("load", ""): self._load.pid})

    @contextmanager
    def load(self, plan: Sequence[Any], results: Path) -> Iterator[subprocess.Popen[str]]:
        """Send what is due; begins with the block, and is over at its end."""
        place = self.folder / "plan"
        place.write_text("".join(json.dumps(one) + "\n" for one in plan))
        configuration = self.folder / "load.json"
        document = {
            "gateways": [{"region": name, "address": site.address} for name, site in self.sites.items()],
            "ways": {one.name: _ways(one) for one in REGIONS},
            "keys": {one.name: key_of(one) for one in REGIONS},
            "plan": str(place),
            "results": str(results),
        }
        configuration.write_text(json.dumps(document))
        command = [self._wire, "load", str(configuration)]
        with ExitStack() as stack:
            self._load = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(self._load.kill)
            prefer(self._load.pid, LOAD_PRIORITY)
            _spoken(self._load)
            yield self._load
            if self._load.wait():
                raise RuntimeError(f"the load ended with {self._load.returncode}")
        self._load = None


def _ways(home: Region) -> list[dict[str, Any]]:
    """Return the gateways that a client of a region asks, one after the other: its own, then the nearest."""
    nearest = sorted(REGIONS, key=lambda one: round_trip_ms(home, one))
    return [{"gateway": one.name, "round_trip_ms": round_trip_ms(home, one)} for one in nearest]


def key_of(region: Region) -> str:
    """Return the API key of a region's clients."""
    return f"sk-clients-of-{region.name}"


def serves(port: int) -> bool:
    """Whether a gateway says there that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def manifests(provider_ports: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the resources as one region applies them; they differ in the ports of providers alone."""
    endpoints = [
        {
            "name": name,
            "region": name,
            "baseURL": f"http://127.0.0.1:{port}/v1",
            "credential": {"secretName": "cloud", "key": "key"},
        }
        for name, port in provider_ports.items()
    ]
    models = [
        {
            "name": name,
            "usdPerMillionTokens": {"input": f"{prompt / 1000}", "output": f"{completion / 1000}"},
            "contextWindow": 128_000,
            "maxOutputTokens": 8192,
        }
        for name, (prompt, completion) in NANO_PER_TOKEN.items()
    ]
    provider = {"allowedRoutes": {"namespaces": {"from": "All"}}, "endpoints": endpoints, "models": models}
    found = [_resource("ModelProvider", "cloud", provider), _secret("cloud", {"key": CREDENTIAL})]
    for name, (model, other) in ROUTES.items():
        ladder = {
            "primary": {"provider": "cloud", "model": model},
            "fallbacks": [{"provider": "cloud", "model": other}],
            "residency": "Any",
        }
        found.append(_resource("ModelRoute", name, ladder))
    for region in REGIONS:
        secret = f"clients-{region.name}"
        found.append(_secret(secret, {"key": key_of(region)}))
        found.append(_resource("ModelConsumer", region.name, {"keys": [{"secretName": secret, "key": "key"}]}))
    budget = {"limit": {"usd": "100000"}, "stages": [{"at": "80%", "action": "Notify"}]}
    return [*found, _resource("BudgetPolicy", "all", budget)]


def _resource(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _secret(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)}
