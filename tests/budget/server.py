"""A real `fairlead budget-server`, and what a gateway says to it."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import preloaded
from preloaded import Forked

from fairlead.budgetserver.messages import (
    EXPORT,
    LOGS,
    METHOD,
    SERVICE,
    ExportRequest,
    ExportResponse,
    Request,
    Response,
)
from ports import free_port

PATIENCE_S = 30
CALL_S = 20
STORE_S = 5
"""A store that is well is late on a busy machine; tests of stores that are not well say their own."""


class Server:
    """One process, on ports of its own."""

    def __init__(self, configuration: Path, store: str, *options: str) -> None:
        self.rpc, self.usage, self.http = (free_port() for _ in range(3))
        self._command = [
            "budget-server",
            *("--config", str(configuration), "--rpc", f"127.0.0.1:{self.rpc}", "--usage", f"127.0.0.1:{self.usage}"),
            *("--http", f"127.0.0.1:{self.http}", "--store-timeout", str(STORE_S), *options),
        ]
        self._environment = {**os.environ, "FAIRLEAD_BUDGET_STORE": store}
        self._log = configuration.parent / f"server-{self.rpc}.log"
        self.process: Forked

    def start(self) -> Self:
        with self._log.open("ab") as log:
            self.process = preloaded.parent().start_with_log(self._command, log, environment=self._environment)
        deadline = time.monotonic() + PATIENCE_S
        while not self.healthy():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    def healthy(self) -> bool:
        try:
            return bool(self.get("/healthz")["ok"])
        except OSError:
            return False

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=20) as response:
            return json.loads(response.read())

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=20) as response:
            text: bytes = response.read()
            return text.decode()

    def usage_of(self, consumer: str) -> dict[str, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.usage}/v1/usage", headers={"x-fl-consumer": consumer})
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - ours
            document: dict[str, Any] = json.loads(response.read())
            return document

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._log.exists():
            print(self._log.read_text()[-3000:])  # noqa: T201 - pytest shows it with the failure
        self.stop(signal.SIGKILL)


def told(request: str, reservation: str, *, consumer: str = "t/a", back: str = "-") -> str:
    """Write a report."""
    known = f"{consumer} {request} chat 100 t/chat {reservation} p/e/m false 200 - 1 500 eu-1"
    return f"{known} - - - - - - - - {back} ; 50 1 ; 1 30 40 0 0 0 0 0"


class Gateway:
    """Asks and reports as Envoy does."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._call = self._channel.unary_unary(
            f"/{SERVICE}/{METHOD}",
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )
        self._export = self._channel.unary_unary(
            f"/{LOGS}/{EXPORT}",
            request_serializer=ExportRequest.SerializeToString,
            response_deserializer=ExportResponse.FromString,
        )

    async def check(self, request: str, *, consumer: str = "t/a", patience_s: float = CALL_S) -> Any:
        return await self.send("check", f"{consumer} {request} chat 100 t/chat 50 1", patience_s)

    async def report(
        self, request: str, *, consumer: str = "t/a", checked: bool = True, patience_s: float = CALL_S
    ) -> None:
        await self.send("report", told(request, request if checked else "-", consumer=consumer), patience_s)

    async def lease(self, request: str, *, units: int = 8, back: str = "-", consumer: str = "t/a") -> str:
        """Check a request, and return the name of the lease that it got besides; empty where it got none."""
        words = f"{consumer} {request} chat 100 t/chat 50 1 - false {units},100,50,1 {back}"
        answer = await self.send("check", words)
        return str(answer.dynamic_metadata.fields["lease"].string_value.partition(" ")[0])

    async def export(self, *bodies: str | bytes, patience_s: float = CALL_S) -> Any:
        """Send the bodies of records in one message."""
        records = [{"body": {"text": body.encode() if isinstance(body, str) else body}} for body in bodies]
        request = ExportRequest(resources=[{"scopes": [{"records": records}]}])
        return await self._export(request, timeout=patience_s)

    async def send(self, key: str, value: str, patience_s: float = CALL_S) -> Any:
        request = Request(domain="fairlead")
        request.descriptors.add().entries.add(key=key, value=value)
        return await self._call(request, timeout=patience_s)

    async def close(self) -> None:
        await self._channel.close()
