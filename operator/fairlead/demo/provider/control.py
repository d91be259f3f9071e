"""Commands to a simulated provider: over HTTP on a port of its own, which stays up while the provider is dead.

POST   /_control/faults     a fault as JSON; DELETE clears all
POST   /_control/settings   some of the settings as JSON
POST   /_control/die        close the listening socket and every connection; /_control/revive: same port again
GET    /_control/stats      counters; GET /_control/requests: the last requests; DELETE on either starts anew
"""

import base64
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, fields, replace
from typing import Any, Protocol

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from fairlead.demo.provider.fault import Fault
from fairlead.demo.provider.journal import Outcome, Record, Stats
from fairlead.demo.provider.settings import Settings

TIMEOUT_S = 30
_FAULT = TypeAdapter(Fault)
_SETTINGS = TypeAdapter(Settings)
_RECORD = TypeAdapter(Record)
_STATS = TypeAdapter(Stats)


class Provider(Protocol):
    """What can be commanded."""

    @property
    def settings(self) -> Settings:
        """How it behaves."""

    def set_settings(self, settings: Settings) -> None:
        """Behave otherwise."""

    def add_fault(self, fault: Fault) -> None:
        """Fail from now on."""

    def clear_faults(self) -> None:
        """Be well again."""

    def stats(self) -> Stats:
        """Count what was seen."""

    def requests(self) -> tuple[Record, ...]:
        """Show the last requests, oldest first."""

    def reset(self) -> None:
        """Start counting anew."""

    async def die(self) -> None:
        """Refuse connections, break those that are open."""

    async def revive(self) -> None:
        """Listen again on the same port."""


class ControlService:
    """The HTTP side of the commands."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Obey one command."""
        provider = self._provider
        command = (request.method, request.path)
        actions: Mapping[tuple[str, str], Callable[[], Any]] = {
            ("GET", "/_control/stats"): lambda: _STATS.dump_python(provider.stats(), mode="json"),
            ("GET", "/_control/requests"): lambda: [_record_json(record) for record in provider.requests()],
            ("DELETE", "/_control/stats"): provider.reset,
            ("DELETE", "/_control/requests"): provider.reset,
            ("DELETE", "/_control/faults"): provider.clear_faults,
            ("POST", "/_control/die"): provider.die,
            ("POST", "/_control/revive"): provider.revive,
        }
        try:
            if command == ("POST", "/_control/faults"):
                provider.add_fault(_FAULT.validate_json(await request.read(), strict=True))
                return _json({})
            if command == ("POST", "/_control/settings"):
                provider.set_settings(_merged(provider.settings, await request.read()))
                return _json({})
        except ValidationError as error:
            return _json({"error": str(error)}, status=400)
        if command not in actions:
            return _json({"error": f"no such command: {request.method} {request.path}"}, status=404)
        result = actions[command]()
        return _json(await result if isinstance(result, Awaitable) else result)


def _merged(settings: Settings, raw: bytes) -> Settings:
    change = TypeAdapter(dict[str, Any]).validate_json(raw)
    return _SETTINGS.validate_python(
        {each.name: getattr(settings, each.name) for each in fields(settings)} | change, strict=False
    )


def _json(body: Any, *, status: int = 200) -> web.Response:
    return web.json_response({} if body is None else body, status=status)


def _record_json(record: Record) -> dict[str, Any]:
    return asdict(record) | {"body": base64.b64encode(record.body).decode()}


class RemoteControl:
    """Commands to a provider that runs in another process."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = address, port

    def fault(self, **how: Any) -> None:
        """Fail from now on; the fields of `Fault`."""
        self._call("POST", "/_control/faults", how)

    def clear(self) -> None:
        """Be well again."""
        self._call("DELETE", "/_control/faults")

    def set(self, **settings: Any) -> None:
        """Change some of the `Settings`."""
        self._call("POST", "/_control/settings", settings)

    def stats(self) -> Stats:
        """Count what was seen."""
        return _STATS.validate_python(self._call("GET", "/_control/stats"))

    def requests(self) -> tuple[Record, ...]:
        """Show the last requests, oldest first."""
        found = self._call("GET", "/_control/requests")
        return tuple(_RECORD.validate_python({**each, "body": base64.b64decode(each["body"])}) for each in found)

    def reset(self) -> None:
        """Start counting anew."""
        self._call("DELETE", "/_control/stats")

    def die(self) -> None:
        """Refuse connections, break those that are open."""
        self._call("POST", "/_control/die")

    def revive(self) -> None:
        """Listen again on the same port."""
        self._call("POST", "/_control/revive")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection(self._address, self._port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ValueError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)


class LocalControl:
    """The same commands to a provider in a thread of this process; `run` brings a call into its event loop."""

    def __init__(self, provider: Provider, run: Callable[[Callable[[], Any]], Any]) -> None:
        self._provider, self._run = provider, run

    def fault(self, **how: Any) -> None:
        """Fail from now on; the fields of `Fault`."""
        self._run(lambda: self._provider.add_fault(Fault(**how)))

    def clear(self) -> None:
        """Be well again."""
        self._run(self._provider.clear_faults)

    def set(self, **settings: Any) -> None:
        """Change some of the `Settings`."""
        self._run(lambda: self._provider.set_settings(replace(self._provider.settings, **settings)))

    def stats(self) -> Stats:
        """Count what was seen."""
        found: Stats = self._run(lambda: deepcopy(self._provider.stats()))
        return found

    def requests(self) -> tuple[Record, ...]:
        """Show the last requests, oldest first."""
        found: tuple[Record, ...] = self._run(self._provider.requests)
        return found

    def reset(self) -> None:
        """Start counting anew."""
        self._run(self._provider.reset)

    def die(self) -> None:
        """Refuse connections, break those that are open."""
        self._run(self._provider.die)

    def revive(self) -> None:
        """Listen again on the same port."""
        self._run(self._provider.revive)


__all__ = ["ControlService", "LocalControl", "Outcome", "Provider", "RemoteControl"]
