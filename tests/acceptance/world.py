"""A user's whole world: manifests, a running `fairlead up`, strict providers behind it, clients in front of it."""

import http.client
import json
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import openai
import pytest
from running_up import PATIENCE_S, RunningUp, Site, until

from fairlead.demo.provider import SimulatedProvider

HOME = "fairlead"
REGIONS = ("us-east-1", "eu-west-1", "eu-central-1")
KEY = "sk-client-of-the-suite"
Manifest = dict[str, Any]


def resource(kind: str, name: str, namespace: str, spec: Mapping[str, Any], **metadata: Any) -> Manifest:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": dict(spec),
    }


def endpoint(name: str, url: str, region: str | None = None, **fields: Any) -> Manifest:
    return {"name": name, "baseURL": url, **({"region": region} if region else {}), **fields}


def model(name: str, **fields: Any) -> Manifest:
    kind = fields.get("type", "Chat")
    price = {"input": "0.10"} if kind == "Embedding" else {"input": "0.10", "output": "0.40"}
    return {"name": name, "usdPerMillionTokens": price, **fields}


def provider(name: str, endpoints: Iterable[Manifest], models: Iterable[Manifest | str], **spec: Any) -> Manifest:
    """Make a provider for every namespace, whose breaker opens so late that no test meets it by chance."""
    catalogue = [model(each) if isinstance(each, str) else each for each in models]
    return resource(
        "ModelProvider",
        name,
        HOME,
        {
            "allowedRoutes": {"namespaces": {"from": "All"}},
            "circuitBreaker": {"consecutiveFailures": 100},
            "endpoints": list(endpoints),
            "models": catalogue,
            **spec,
        },
    )


def route(
    name: str, target: str, *, namespace: str = HOME, metadata: Mapping[str, Any] | None = None, **spec: Any
) -> Manifest:
    """Make a route whose `target` is `provider` or `provider/model`."""
    return resource("ModelRoute", name, namespace, {"primary": to(target), **spec}, **(metadata or {}))


def to(target: str) -> dict[str, str]:
    found, _, name = target.partition("/")
    return {"provider": found, "model": name} if name else {"provider": found}


def consumer(
    name: str, *keys: str, namespace: str = HOME, labels: Mapping[str, str] | None = None, **spec: Any
) -> list[Manifest]:
    """Make a consumer and the Secret with its keys."""
    entries = {f"key-{number}": key for number, key in enumerate(keys)}
    refs = [{"secretName": name, "key": entry} for entry in entries]
    return [
        resource("ModelConsumer", name, namespace, {"keys": refs, **spec}, labels=dict(labels or {})),
        secret(name, namespace=namespace, **entries),
    ]


def secret(name: str, *, namespace: str = HOME, **values: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": values,
    }


def namespace(name: str, **labels: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def credential(secret_name: str, **fields: str) -> dict[str, str]:
    return {"secretName": secret_name, "key": "apiKey", **fields}


class World:
    """A `fairlead up` in its own folder."""

    def __init__(self, root: Path, *, regions: int = 1, **installation: Any) -> None:
        self.site = Site(root, regions=regions)
        self.site.write_config(namespace=HOME, anonymous="Deny", **installation)
        self._stack = ExitStack()
        self.sims: dict[str, SimulatedProvider] = {}
        self._up: RunningUp | None = None

    def simulate(self, name: str, **settings: Any) -> SimulatedProvider:
        self.sims[name] = self._stack.enter_context(SimulatedProvider(**settings))
        return self.sims[name]

    def write(self, name: str, *manifests: Manifest) -> None:
        self.site.write(f"{name}.yaml", *manifests)

    def start(self, *options: str) -> Self:
        self._up = self._stack.enter_context(RunningUp(self.site, *options)).serving()
        return self

    @property
    def up(self) -> RunningUp:
        assert self._up
        return self._up

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def port(self, region: str = REGIONS[0]) -> int:
        return self.site.ports[self.site.regions.index(region)]

    def url(self, region: str = REGIONS[0]) -> str:
        return f"http://127.0.0.1:{self.port(region)}"

    @contextmanager
    def openai(self, key: str = KEY, region: str = REGIONS[0]) -> Iterator[openai.OpenAI]:
        with openai.OpenAI(api_key=key, base_url=f"{self.url(region)}/v1", max_retries=0, timeout=PATIENCE_S) as client:
            yield client

    @contextmanager
    def http(self, key: str | None = KEY, region: str = REGIONS[0]) -> Iterator[httpx.Client]:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=self.url(region), headers=headers, timeout=PATIENCE_S) as client:
            yield client

    def chat(self, name: str, *, key: str | None = KEY, region: str = REGIONS[0], **fields: Any) -> httpx.Response:
        """Ask a name once, on a connection of its own."""
        body = {"model": name, "messages": [{"role": "user", "content": "Where are you?"}], **fields}
        with self.http(key, region) as client:
            return client.post("/v1/chat/completions", json=body)

    def names(self, key: str | None = KEY, region: str = REGIONS[0]) -> list[str]:
        with self.http(key, region) as client:
            answer = client.get("/v1/models")
            assert answer.status_code == 200, answer.text
            return [each["id"] for each in answer.json()["data"]]

    def folder(self, region: str = REGIONS[0]) -> Path:
        return self.site.state / region

    def lines(self, region: str = REGIONS[0], **fields: Any) -> list[dict[str, Any]]:
        """Read the lines of the access log that have these fields."""
        text = (self.folder(region) / "access.log").read_text()
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if fields.items() <= line.items()]

    def line(self, answer: httpx.Response, region: str = REGIONS[0]) -> dict[str, Any]:
        """Wait for the request's line of an answer."""
        wanted = answer.headers["x-request-id"]
        found: list[dict[str, Any]] = until(
            lambda: self.lines(region, request_id=wanted, kind="request"), f"no line of request {wanted}"
        )
        (line,) = found
        return line

    def attempts(self, answer: httpx.Response, region: str = REGIONS[0]) -> list[dict[str, Any]]:
        """Return the attempts' lines of an answer."""
        self.line(answer, region)
        return self.lines(region, request_id=answer.headers["x-request-id"], kind="attempt")

    def admin(self, path: str, region: str = REGIONS[0]) -> str:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.folder(region) / "admin.sock"))) as client:
            return client.get(f"http://envoy{path}").text

    def series(self, name: str, region: str = REGIONS[0]) -> list[tuple[dict[str, str], float]]:
        """Read a Prometheus series: labels and value of each of its lines."""
        found = []
        for line in self.admin("/stats/prometheus", region).splitlines():
            match = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
            if match:
                found.append((dict(re.findall(r'(\w+)="([^"]*)"', match[1] or "")), float(match[2])))
        return found

    def says(self, kind: str, name: str, namespace: str = HOME, **wanted: tuple[str, str]) -> bool:
        """Whether an object's conditions are these by now; status is written a moment after what it is about."""
        return wanted.items() <= self.conditions(kind, name, namespace).items()

    def conditions(self, kind: str, name: str, namespace: str = HOME) -> dict[str, tuple[str, str]]:
        """Read an object's conditions from `status.json`: type to status and reason."""
        status = json.loads((self.site.state / "status.json").read_text())
        for each in status["objects"]:
            if (each["kind"], each["namespace"], each["name"]) == (kind, namespace, name):
                return {one["type"]: (one["status"], one["reason"]) for one in each["conditions"]}
        return {}


@pytest.fixture(autouse=True)
def clean(world: World) -> Iterator[None]:
    """Let a module that imports it have providers without faults in each test, which none of them had to refuse."""
    for sim in world.sims.values():
        sim.control.clear()
        sim.control.reset()
    yield
    for name, sim in world.sims.items():
        sim.control.revive()
        sim.control.clear()
        assert sim.control.stats().problems == {}, f"{name} had to refuse something"


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """Return an answer's error after a look at its shape: OpenAI's."""
    assert answer.headers["content-type"] == "application/json", answer.headers
    body = answer.json()
    assert body.keys() == {"error"}, body
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert "x-request-id" in answer.headers
    found: dict[str, Any] = body["error"]
    return found


def raw(port: int, head: str) -> tuple[int, str, bytes]:
    """Send exactly these bytes, and return status, content type and body of what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status, answer.headers["content-type"], answer.read()
