"""A real `fairlead up` in a subprocess, its folder, and load on its gateways."""

import asyncio
import contextlib
import http.client
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import preloaded
import yaml
from click.testing import CliRunner

from fairlead.cli import main
from ports import free_port

COMMAND = (sys.executable, "-c", "from fairlead.cli import main; main()")
PATIENCE_S = 60
"""Whoever waits longer waits in vain: a busy machine takes its time."""
SECRET_KEY = "sk-consumer-1"
CREDENTIAL = "sk-provider-1"

Event = dict[str, Any]


class Site:
    """A folder with manifests and an installation of one or more regions."""

    def __init__(self, root: Path, regions: int = 1) -> None:
        self.root = root
        self.manifests = root / "m"
        self.manifests.mkdir()
        self.config = root / "fairlead.yaml"
        self.ports = [free_port() for _ in range(regions)]
        self.regions = ["us-east-1", "eu-west-1", "eu-central-1"][:regions]
        self.installation: dict[str, Any] = {
            "regions": [
                {"name": name, "geo": name[:2], "listen": f"127.0.0.1:{number}"}
                for name, number in zip(self.regions, self.ports, strict=True)
            ]
        }
        self.write_config()

    @property
    def state(self) -> Path:
        return self.root / ".fairlead"

    def write_config(self, **fields: Any) -> None:
        self.installation |= fields
        self.config.write_text(yaml.safe_dump(self.installation))

    def write(self, name: str, *documents: Mapping[str, Any]) -> Path:
        """Write by rename, as careful editors do."""
        path = self.manifests / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.swp")
        draft.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        draft.rename(path)
        return path


def provider(base_url: str, *models: str, name: str = "sim", key: str = "key") -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": {"name": name},
        "spec": {
            "allowedRoutes": {"namespaces": {"from": "All"}},
            "endpoints": [
                {"name": "one", "baseURL": base_url, "credential": {"secretName": name, "key": key}},
            ],
            "models": [{"name": model, "usdPerMillionTokens": {"input": "1", "output": "2"}} for model in models],
        },
    }


def route(name: str, model: str, *, provider: str = "sim", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelRoute",
        "metadata": {"name": name},
        "spec": {"residency": "Any", "primary": {"provider": provider, "model": model}, **spec},
    }


def secret(name: str, **values: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def consumer(name: str, *keys: str) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "ModelConsumer",
        "metadata": {"name": name},
        "spec": {"keys": [{"secretName": name, "key": key} for key in keys]},
    }


def budget(usd: str, name: str = "all", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "BudgetPolicy",
        "metadata": {"name": name},
        "spec": {"limit": {"usd": usd}, **spec},
    }


def say(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command of `fairlead` in this process: one of its own takes a second to load, each time."""
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


class RunningUp:
    """The process, and what it says."""

    def __init__(
        self,
        site: Site,
        *options: str,
        command: tuple[str, ...] = (),
        before: str = "",
        files: bool = True,
        **environment: str,
    ) -> None:
        """`before`: what it does first, as Python; `command`: what starts it, where loading is looked at, too."""
        self.site = site
        self.events: list[Event] = []
        self._queue: queue.Queue[Event | None] = queue.Queue()
        paths = ("-f", str(site.manifests), "-c", str(site.config)) if files else ()
        words = ["up", *paths, "--log-format", "json", *options]
        whole, cwd = {**os.environ, **environment}, None if files else site.root
        self.process = (
            subprocess.Popen(
                [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=whole, cwd=cwd
            )
            if command
            else preloaded.parent().start(words, environment=whole, cwd=cwd, before=before)
        )
        self._errors: list[str] = []
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr
        self._errors.extend(self.process.stderr)

    @property
    def errors(self) -> str:
        """What it wrote to stderr; complete once it ended."""
        self._readers[1].join(PATIENCE_S)
        return "".join(self._errors)

    def wait_for(self, event: str, what: str = "", *, count: int = 1) -> Event:
        """Read on until events of this name, with this in their text, have come so many times; the last of them."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                said = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no `{event}` with `{what}` among {self.events}") from None
            assert said is not None, f"it ended without `{event}`: {self.events} {self.errors}"
            self.events.append(said)
            if said["event"] == event and what in said.get("what", ""):
                count -= 1
                if not count:
                    return said

    def serving(self) -> Self:
        """Wait until every region listens."""
        self.wait_for("listening", count=len(self.site.regions))
        return self

    def children(self) -> dict[int, str]:
        """Its Envoys: process id to region."""
        lines = {pid: line for pid in self._all_children() if "envoy" in (line := _command_line(pid))}
        return {pid: name for pid, line in lines.items() for name in self.site.regions if name in line}

    def family(self) -> dict[int, str]:
        """Itself and its children: process id to what it is."""
        words = {pid: _command_line(pid) for pid in self._all_children()}
        children = {pid: "envoy" if "envoy" in line else "budget server" for pid, line in words.items()}
        return {self.process.pid: "up", **children}

    def environments(self) -> list[Path]:
        """Where the environments of all its children can be read."""
        return [Path(f"/proc/{pid}/environ") for pid in self._all_children()]

    def _all_children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = PATIENCE_S) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := condition()):
        assert time.monotonic() < deadline, what or "it never came true"
        time.sleep(0.02)
    return answer


def ask(number: int, model: str = "chat", *, key: str | None = None) -> tuple[int, str, dict[str, Any]]:
    """Send one chat request on a connection of its own: status, target, body."""
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/chat/completions", _body(model), _headers(key))
        response = connection.getresponse()
        return response.status, response.headers.get("x-fairlead-target", ""), json.loads(response.read())
    finally:
        connection.close()


def stream(number: int, model: str = "chat", *, key: str | None = None) -> Iterator[bytes]:
    """Send a streamed chat request; yields after the headers, then the events of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=PATIENCE_S)
    try:
        connection.request("POST", "/v1/chat/completions", _body(model, stream=True), _headers(key))
        response = connection.getresponse()
        assert response.status == 200
        yield b""
        while line := response.readline():
            if line.strip():
                yield line.strip()
    finally:
        connection.close()


def _body(model: str, **fields: Any) -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **fields})


def _headers(key: str | None) -> dict[str, str]:
    return {"content-type": "application/json"} | ({} if key is None else {"authorization": f"Bearer {key}"})


def fill_up(disk: Path) -> Path:
    """Leave no room on a disk; returns the file that takes it."""
    full = disk / "full"
    with contextlib.suppress(OSError), full.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0
    return full


class Load:
    """Requests at a steady rate from a thread of its own, whatever the answers; every one must be a 200."""

    def __init__(self, numbers: list[int], *, per_second: float, model: str = "chat", key: str | None = None) -> None:
        self._numbers, self._per_second, self._model, self._key = numbers, per_second, model, key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.sent = 0
        self.outcomes: Counter[str] = Counter()
        """`200`, or what happened instead."""
        self.models: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.outcomes["200"] > 5, f"the load gets no answer: {self.outcomes}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def failed(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.outcomes.items() if outcome != "200"}

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        session = aiohttp.ClientSession(timeout=timeout, headers=_headers(self._key))
        async with session, asyncio.TaskGroup() as group:
            start = time.monotonic()
            while not self._stop.is_set():
                group.create_task(self._ask(session, self._numbers[self.sent % len(self._numbers)]))
                self.sent += 1
                await asyncio.sleep(max(0.0, start + self.sent / self._per_second - time.monotonic()))

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        url = f"http://127.0.0.1:{number}/v1/chat/completions"
        try:
            async with session.post(url, data=_body(self._model)) as response:
                body = await response.json()
                self.outcomes[str(response.status) if response.status == 200 else f"{response.status} {body}"] += 1
                self.models[body.get("model", "")] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.outcomes[repr(error)] += 1
