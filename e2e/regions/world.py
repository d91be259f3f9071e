"""What stands in the regions: in each a strict provider, a gateway, and an observer that probes all providers."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from fairlead.demo.provider.control import RemoteControl
from regions.load import ANYWHERE, GATEWAY_PORT, RESIDENT
from regions.network import REGIONS, Network, Region

PROVIDER_PORT, CONTROL_PORT = 9000, 9100
KEY = "sk-provider"
MODELS = {ANYWHERE: "sparrow", RESIDENT: "heron"}
FIRST_BYTE_MS = 60
CHECK = {"timeout": "500ms", "unhealthyThreshold": 2, "healthyThreshold": 2}
BREAKER = {"consecutiveFailures": 5, "openFor": "10s"}
TIMEOUTS = {"firstByte": "2s", "response": "2s", "streamIdle": "2s", "request": "10s"}
COMMAND = (sys.executable, "-c", "from fairlead.cli import main; main()")
PATIENCE_S = 60


class Provider:
    """A strict provider, as a process in its region."""

    def __init__(self, network: Network, region: Region) -> None:
        self._network, self.region = network, region
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "fairlead.demo.provider", "--address", self.region.address]
        for option, value in {
            "port": PROVIDER_PORT,
            "control-port": CONTROL_PORT,
            "models": ",".join(MODELS.values()),
            "region": self.region.name,
            "first-byte-ms": FIRST_BYTE_MS,
            "answer-tokens": 24,
            "tokens-per-chunk": 2,
            "chunk-gap-ms": 20,
        }.items():
            command += [f"--{option}", str(value)]
        environment = {**os.environ, "SIMULATED_PROVIDER_KEYS": KEY}
        with self._network.inside(self.region):
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), f"the provider of {self.region.name} did not start"

    def signal(self, number: int) -> None:
        """SIGSTOP or SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def command(self, call: Callable[[RemoteControl], Any]) -> Any:
        """Do something by its control port, from within its region."""
        with self._network.inside(self.region):
            return call(RemoteControl(self.region.address, CONTROL_PORT))


@dataclass(frozen=True, slots=True)
class Said:
    at_s: float
    """Monotonic, when it was read."""
    event: dict[str, Any]


class Observer:
    """`fairlead up` of one region: its gateway, its own judgement of all providers, its own memory."""

    def __init__(self, network: Network, region: Region, folder: Path, interval_s: int) -> None:
        self._network, self.region, self._folder, self._interval_s = network, region, folder, interval_s
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.said: list[Said] = []

    def start(self) -> None:
        config = self._folder / "fairlead.yaml"
        config.parent.mkdir(parents=True)
        config.write_text(yaml.safe_dump(_installation(self.region)))
        manifests = self._folder / "manifests.yaml"
        manifests.write_text(yaml.safe_dump_all(_manifests(self._interval_s), sort_keys=False))
        command = [*COMMAND, "up", "-f", str(manifests), "-c", str(config), "--log-format", "json", "--workers", "1"]
        with self._network.inside(self.region):
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(Said(time.monotonic(), json.loads(line)))

    def serving(self) -> None:
        until(lambda: self.find("listening"), lambda: f"{self.region.name} does not listen: {self.said}")
        until(lambda: self.states() == ["Healthy"] * len(REGIONS), lambda: f"not all are well: {self.states()}")

    def states(self) -> list[str]:
        """How all endpoints stand for it: its file says what `fairlead status` does, and costs no process."""
        path = self._folder / ".fairlead" / "status.json"
        written = json.loads(path.read_bytes()) if path.exists() else {"endpoints": []}
        return [one["state"] for one in written["endpoints"]]

    def find(self, event: str, *, since_s: float = 0) -> Said | None:
        """The first event of this name since then."""
        return next((one for one in list(self.said) if one.at_s >= since_s and one.event["event"] == event), None)

    def shares(self, endpoint: Region, *, since_s: float) -> list[tuple[float, str]]:
        """When it moved traffic of an endpoint, and what remained of it."""
        return [
            (one.at_s, one.event["share"])
            for one in list(self.said)
            if one.at_s >= since_s and one.event["event"] == "shifted" and one.event["endpoint"] == name_of(endpoint)
        ]

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


class World:
    """Observers, from `with` to its end; begun anew for each fault, so that none knows of another."""

    def __init__(
        self, network: Network, providers: Mapping[Region, Provider], folder: Path, *, interval_s: int = 1
    ) -> None:
        """`interval_s`: of probes, for short I."""
        self.network, self.providers = network, providers
        self.observers = {region: Observer(network, region, folder / region.name, interval_s) for region in REGIONS}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            for observer in self.observers.values():
                begun.callback(observer.stop)
                observer.start()
            for observer in self.observers.values():
                observer.serving()
            self._open = begun.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.network.cut(())
        self._open.close()

    def left_their_geo(self) -> int:
        """Requests that a provider outside their geo has seen."""
        outside = [provider for provider in self.providers.values() if provider.region.geo != "eu"]
        return sum(one.command(lambda control: control.stats().by_model[MODELS[RESIDENT]]) for one in outside)


def name_of(region: Region) -> str:
    """The endpoint of a region, as events name it."""
    return f"sim/{region.name}"


def until(condition: Callable[[], Any], otherwise: Callable[[], str], within_s: float = PATIENCE_S) -> Any:
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)
    return answer


def _installation(here: Region) -> dict[str, Any]:
    regions = [{"name": one.name, "geo": one.geo, "listen": f"{one.address}:{GATEWAY_PORT}"} for one in REGIONS]
    return {"regions": regions, "serve": [here.name], "anonymous": "Allow"}


def _manifests(interval_s: int) -> list[dict[str, Any]]:
    endpoints = [
        {
            "name": one.name,
            "region": one.name,
            "baseURL": f"http://{one.host}:{PROVIDER_PORT}/v1",
            "credential": {"secretName": "sim", "key": "key"},
        }
        for one in REGIONS
    ]
    price = {"input": "1", "output": "2"}
    provider = {
        "allowedRoutes": {"namespaces": {"from": "All"}},
        "endpoints": endpoints,
        "healthCheck": {**CHECK, "interval": f"{interval_s}s"},
        "circuitBreaker": BREAKER,
        "models": [{"name": model, "usdPerMillionTokens": price} for model in MODELS.values()],
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sim"}, "stringData": {"key": KEY}}
    return [_resource("ModelProvider", "sim", provider), secret, _route(ANYWHERE, "Any"), _route(RESIDENT, "Geo")]


def _route(name: str, residency: str) -> dict[str, Any]:
    primary = {"provider": "sim", "model": MODELS[name]}
    return _resource("ModelRoute", name, {"residency": residency, "primary": primary, "timeouts": TIMEOUTS})


def _resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
