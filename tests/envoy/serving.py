"""A gateway of hand-made IR on a real Envoy, and strict simulated providers behind it.

Each rung is a provider of its own: another path, another model id, another key. Whatever is mixed up is refused there.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import certifi
from filter_gateway import Answer, Client
from gateway import EnvoyProcess

from fairlead import envoy
from fairlead.demo.provider import Record, SimulatedProvider
from fairlead.envoy import Layout
from fairlead.ir import (
    Arm,
    Breaker,
    Consumer,
    Credential,
    Entry,
    Gateway,
    Ladder,
    LastResort,
    Limits,
    ListenAddress,
    ModelKind,
    Plan,
    Recording,
    Route,
    Scope,
    Shadow,
    Side,
    Stickiness,
    Target,
    Timeouts,
    Upstream,
)

MODEL = "small"
NEVER_EJECTED = Breaker(consecutive_failures=1000, open_for_ms=1000)
PATIENT = Timeouts(first_byte_ms=30_000, response_ms=30_000, stream_idle_ms=30_000, request_ms=60_000)
ASK = [{"role": "user", "content": "Where are you?"}]

PATIENCE_S = 60

Alter = Callable[[dict[str, bytes]], dict[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A target, and the provider behind it."""

    target: Target
    credential: Credential | None
    secret: str
    sim: SimulatedProvider

    @property
    def name(self) -> str:
        return self.target.provider

    @property
    def records(self) -> tuple[Record, ...]:
        return self.sim.control.requests()


def rung(
    name: str, sim: SimulatedProvider, *, host: str | None = None, breaker: Breaker = NEVER_EJECTED, **fields: Any
) -> Rung:
    """Make the rung of a provider that takes one key, or none, and serves one model."""
    settings = sim._settings
    url = urlsplit(sim.base_url)
    credential = None
    if settings.keys:
        bearer = settings.header == "Authorization"
        credential = Credential(
            name=f"{name}/key" if bearer else f"{name}/key/{settings.header}",
            secret_name=name,
            key="key",
            header=settings.header,
            prefix="Bearer " if bearer else "",
        )
    return Rung(
        target=Target(
            **{
                "name": f"{name}/only/{MODEL}",
                "provider": name,
                "endpoint": "only",
                "region": "us-east-1",
                "model": MODEL,
                "wire_model": settings.models[0],
                "upstream": Upstream(
                    host=host or url.hostname or "", port=sim.port, tls=url.scheme == "https", base_path=settings.base
                ),
                "credential": credential.name if credential else "",
                "breaker": breaker,
                "max_in_flight": None,
                **fields,
            }
        ),
        credential=credential,
        secret=settings.keys[0] if settings.keys else "",
        sim=sim,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """An arm: its weight in basis points and its rungs."""

    weight: int
    rungs: tuple[Rung, ...]
    side: Side = Side.STABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A route with all that it needs."""

    route: Route
    ladders: tuple[Ladder, ...]
    rungs: tuple[Rung, ...]


def route(
    name: str,
    *rungs: Rung,
    arms: Sequence[Share] = (),
    shadow: tuple[Rung, int] | None = None,
    recording: Recording | None = None,
    **fields: Any,
) -> Served:
    """Make a route `team/<name>` that answers its name: one ladder of rungs, or arms."""
    plans_by_key = fields.pop("plans_by_key", {"": arms or [Share(weight=10_000, rungs=rungs)]})
    kind = fields.pop("kind", ModelKind.CHAT)
    ladders: list[Ladder] = []
    plans: list[Plan] = []
    used: dict[str, Rung] = {}
    for key, shares in sorted(plans_by_key.items()):
        stem = f"team/{name}/{key}" if key else f"team/{name}"
        last = shares[0].rungs[0].target
        for number, share in enumerate(shares):
            used |= {each.name: each for each in share.rungs}
            ladders.append(
                Ladder(
                    name=f"{stem}/{number}",
                    rungs=tuple(each.target.name for each in share.rungs),
                    last_resort=f"{last.provider}/{last.endpoint}",
                )
            )
        plans.append(
            Plan(
                key=key,
                kind=kind,
                arms=tuple(
                    Arm(ladder=f"{stem}/{number}", weight=share.weight, side=share.side)
                    for number, share in enumerate(shares)
                ),
                last_model=last.wire_model,
                last_target=last.name,
            )
        )
    if shadow:
        used[shadow[0].name] = shadow[0]
    made = Route(
        **{
            "name": f"team/{name}",
            "plans": tuple(plans),
            "stickiness": Stickiness.CONSUMER,
            "max_attempts": 4,
            "timeouts": PATIENT,
            "shadow": Shadow(target=shadow[0].target.name, sample=shadow[1], recording=recording) if shadow else None,
            "max_output_tokens": None,
            **fields,
        }
    )
    return Served(route=made, ladders=tuple(ladders), rungs=tuple(used.values()))


def gateway(served: Iterable[Served], *, consumers: Sequence[str]) -> Gateway:
    """Put routes together: every consumer may ask all of them."""
    served = sorted(served, key=lambda each: each.route.name)
    rungs = {each.name: each for one in served for each in one.rungs}
    targets = [rungs[name].target for name in sorted(rungs)]
    credentials = {each.credential.name: each.credential for each in rungs.values() if each.credential}
    lasts = {ladder.last_resort for one in served for ladder in one.ladders}
    entries = [
        Entry(model_name=plan.key or one.route.name.partition("/")[2], route=one.route.name, plan=plan.key)
        for one in served
        for plan in one.route.plans
    ]
    return Gateway(
        region="us-east-1",
        limits=Limits(request_bytes=1_000_000),
        anonymous=None,
        consumers=tuple(
            Consumer(name=name, scopes=("team",), allowed_model_names=None, expires_at=None)
            for name in sorted(consumers)
        ),
        scopes=(Scope(name="team", entries=tuple(sorted(entries, key=lambda entry: entry.model_name))),),
        routes=tuple(one.route for one in served),
        ladders=tuple(sorted((each for one in served for each in one.ladders), key=lambda each: each.name)),
        targets=tuple(targets),
        last_resorts=tuple(
            LastResort(
                name=f"{target.provider}/{target.endpoint}",
                provider=target.provider,
                endpoint=target.endpoint,
                region=target.region,
                upstream=target.upstream,
                credential=target.credential,
            )
            for target in targets
            if f"{target.provider}/{target.endpoint}" in lasts
        ),
        credentials=tuple(credentials[name] for name in sorted(credentials)),
    )


class Serving:
    """The running gateway. Consumer `team/<name>` has the key `sk-<name>`."""

    def __init__(
        self,
        folder: Path,
        *served: Served,
        consumers: Sequence[str] = ("team/alice",),
        ca_file: Path | None = None,
        alter: Alter = dict,
        without: Sequence[str] = (),
        before: Callable[[Path], None] | None = None,
    ) -> None:
        self.folder = folder
        self.log = folder / "access.log"
        layout = Layout(
            xds_dir=str(folder / "xds"),
            keys_dir=str(folder / "keys"),
            credentials_dir=str(folder / "credentials"),
            listen=ListenAddress(address="127.0.0.1", port=0),
            metrics_listen=None,
            admin="admin.sock",  # EnvoyProcess has one of its own
            access_log=str(self.log),
            mounted=False,
            ca_file=str(ca_file or certifi.where()),
        )
        files = alter(envoy.render(gateway(served, consumers=consumers), layout))
        files["keys/ecds.json"] = envoy.api_keys([(key_of(name), name) for name in consumers], None)
        for one in served:
            for each in one.rungs:
                if each.credential:
                    files[f"credentials/{each.credential.secret_name}/{each.credential.key}"] = each.secret.encode()
        for path, content in files.items():
            if path not in without:
                write(folder / path, content)
        if before:
            before(folder)
        bootstrap = json.loads(files["bootstrap.json"])
        if all(each.target.breaker == NEVER_EJECTED for one in served for each in one.rungs):
            # Nor for its share of failures, which hangs on how many requests come within a second.
            (layer,) = bootstrap["layered_runtime"]["layers"]
            layer["static_layer"]["outlier_detection.enforcing_failure_percentage"] = 0
        self.envoy = EnvoyProcess(bootstrap, arguments=["--reject-unknown-dynamic-fields"], concurrency=1)
        self._clients: dict[str, Client] = {}

    def __enter__(self) -> Self:
        self.envoy.__enter__()
        self.port = self.envoy.port("data")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            client.__exit__()
        self.envoy.__exit__(kind, error, trace)

    def ask(
        self, model: str, *, consumer: str = "team/alice", headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Answer:
        """Ask for a chat answer."""
        body = json.dumps({"model": model, "messages": ASK, **fields})
        return self.post(body, consumer=consumer, headers=headers)

    def post(self, body: Any, *, consumer: str = "team/alice", headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a chat answer with these bytes."""
        client = self._clients.setdefault(consumer, Client(self.port, key=key_of(consumer)))
        return client.post(body, headers=headers)

    def stream(self, model: str) -> bytes:
        """Ask for a stream on a connection of its own; what arrived of it."""
        with Client(self.port, key=key_of("team/alice")) as client:
            try:
                return client.post(json.dumps({"model": model, "messages": ASK, "stream": True})).body
            except http.client.IncompleteRead as broken:
                return broken.partial

    def lines(self, **fields: Any) -> list[dict[str, Any]]:
        """Read the lines of the access log that have these fields."""
        text = self.log.read_text() if self.log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if fields.items() <= line.items()]

    def ejected(self, *rungs: Rung) -> bool:
        """Whether all of them are ejected now."""
        return all(
            self.envoy.counters(f"^cluster.{each.target.name}.outlier_detection.ejections_active$")
            == {f"cluster.{each.target.name}.outlier_detection.ejections_active": 1}
            for each in rungs
        )


def seen(rung: Rung, count: int) -> tuple[Record, ...]:
    """Wait until a provider has seen so many requests; all of them."""
    deadline = time.monotonic() + PATIENCE_S
    while len(rung.records) < count:
        assert time.monotonic() < deadline, rung.records
        time.sleep(0.02)
    return rung.records


def key_of(consumer: str) -> str:
    return f"sk-{consumer.partition('/')[2]}"


def answered(answer: Answer) -> tuple[int, str, str]:
    """Status, provider and attempts of an answer."""
    provider = answer.headers.get("x-fairlead-target", "").partition("/")[0]
    return answer.status, provider, answer.headers.get("x-fairlead-attempts", "")


def write(file: Path, content: bytes) -> None:
    """Write as installations do: a rename tells Envoy."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_bytes(content)
    draft.replace(file)
