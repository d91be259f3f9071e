"""A client of a budgeted gateway."""

import http.client
import json
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from running_up import Site, until

from budget.conftest import KEY
from fairlead.adapters.clock import SystemClock

COST = 25_000
"""Nano-dollars of one answer of the simulated provider: 1 token in for $1, 12 out for $2 a million."""
TOKENS = 13
ROOM_S, MIDNIGHT_S = 600, 45


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(port: int, method: str, path: str, body: Any = None, *, key: str = KEY, patience_s: float = 20) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)
    try:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )
    finally:
        connection.close()


class Open:
    """A connection that stays open from one request to the next."""

    def __init__(self, port: int, *, key: str = KEY) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self.opened = 0

    def chat(self) -> int:
        """Ask, and return the status."""
        if self._connection.sock is None:
            self.opened += 1
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hi"}]})
        self._connection.request("POST", "/v1/chat/completions", body, self._headers)
        response = self._connection.getresponse()
        response.read()
        return response.status

    def close(self) -> None:
        self._connection.close()


def chat(port: int, model: str = "chat", *, key: str = KEY, patience_s: float = 20, **fields: Any) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    return request(port, "POST", "/v1/chat/completions", body, key=key, patience_s=patience_s)


def usage(port: int, *, key: str = KEY) -> dict[str, Any]:
    answer = request(port, "GET", "/v1/usage", key=key)
    assert answer.status == 200, answer.body
    document: dict[str, Any] = answer.json
    return document


def spent(port: int, *, key: str = KEY) -> int:
    """What the tightest budget says is spent, in nano-dollars; nothing may be reserved."""
    budget = usage(port, key=key)["budget"]
    return -1 if budget["reserved"] else round(budget["spent"] * 10**9)


def budget(name: str = "agents", usd: str = "1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "BudgetPolicy",
        "metadata": {"name": name},
        "spec": {"limit": {"usd": usd}, **spec},
    }


def hours_with_room() -> int:
    """Return the length of a window that does not end in the next minutes."""
    seconds = _now_s()
    return next(hours for hours in (5, 7, 11) if hours * 3600 - seconds % (hours * 3600) > ROOM_S)


def window_with_room() -> dict[str, str]:
    """Write such a window as policies do."""
    return {"every": f"{hours_with_room()}h"}


def day_with_room() -> None:
    """Wait until it is not about to be midnight UTC: days, months and what was spent in them begin anew then."""
    until(lambda: 86_400 - _now_s() % 86_400 > MIDNIGHT_S)


def _now_s() -> int:
    return int(SystemClock().now().timestamp())


def metrics(path: Path) -> str:
    """What a budget server shows to Prometheus at a socket file."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return connection.makefile().read()


PASSED_UNCHECKED = "envoy_cluster_ratelimit_budget_failure_mode_allowed"


def gateway_metric(site: Site, name: str) -> float:
    """What the only gateway counts under a name."""
    (url,) = (site.state / "_budget" / "gateways").read_text().split()
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - ours
        return metric(response.read().decode(), name)


def metric(text: str, name: str, **labels: str) -> float:
    """Sum the series of a name that carry these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.partition("{")[0].partition(" ")[0] == name and all(label in line for label in wanted)
    )


EXHAUSTED = "0.0004"
"""One answer of `COST` fits beside a reservation; a second of the same size does not."""


def exhaust(port: int) -> Answer:
    """Ask until the budget refuses, in each worker of the gateway: each knows what it was told. Return an answer."""
    for _ in range(20):
        answer = chat(port)
        if answer.status == 429:
            break
        until(lambda: spent(port) > 0)
    assert [chat(port).status for _ in range(40)] == [429] * 40, "each over a connection of its own"
    return answer
