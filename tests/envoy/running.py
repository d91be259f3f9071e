"""A gateway made of IR, rendered and served by a real Envoy, and the words to make its IR."""

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from gateway import EnvoyProcess, new_folder

from fairlead import envoy, ir
from fairlead.demo.provider import SimulatedProvider

REGION = "eu-west-1"
KEY, CONSUMER = "sk-alice", "team/alice"
ROUTE = "team/chat"
CHAT = "/v1/chat/completions"
TIMEOUTS = ir.Timeouts(first_byte_ms=30_000, response_ms=30_000, stream_idle_ms=30_000, request_ms=60_000)
ALL = 10_000


def target(name: str, provider: SimulatedProvider, **fields: Any) -> ir.Target:
    """Make `provider/endpoint/model` at a simulated provider, which knows the model by its name unless `wire_model`."""
    made_by, endpoint, model = name.split("/", 2)
    made = ir.Target(
        name=name,
        provider=made_by,
        endpoint=endpoint,
        region=REGION,
        model=model,
        wire_model=model,
        upstream=upstream(provider),
        credential="",
        breaker=ir.Breaker(consecutive_failures=5, open_for_ms=60_000),
        max_in_flight=None,
    )
    return replace(made, **fields)


def upstream(provider: SimulatedProvider, **fields: Any) -> ir.Upstream:
    return replace(ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1"), **fields)


def credential(secret: str, header: str = "Authorization") -> ir.Credential:
    """Make a credential whose file holds `<secret>-key`."""
    default = header == "Authorization"
    return ir.Credential(
        name=f"{secret}/key" if default else f"{secret}/key/{header}",
        secret_name=secret,
        key="key",
        header=header,
        prefix="Bearer " if default else "",
    )


def plan(*ladders: str, last: ir.Target, **fields: Any) -> ir.Plan:
    """Make a plan of stable arms of equal weight, one per ladder."""
    arms = tuple(ir.Arm(ladder=name, weight=ALL // len(ladders), side=ir.Side.STABLE) for name in ladders)
    made = ir.Plan(key="", kind=ir.ModelKind.CHAT, arms=arms, last_model=last.wire_model, last_target=last.name)
    return replace(made, **fields)


def route(name: str, *plans: ir.Plan, **fields: Any) -> ir.Route:
    made = ir.Route(
        name=name,
        plans=plans,
        stickiness=ir.Stickiness.CONSUMER,
        max_attempts=4,
        timeouts=TIMEOUTS,
        shadow=None,
        max_output_tokens=None,
    )
    return replace(made, **fields)


def last_resort(of: ir.Target) -> ir.LastResort:
    return ir.LastResort(
        name=f"{of.provider}/{of.endpoint}",
        provider=of.provider,
        endpoint=of.endpoint,
        region=of.region,
        upstream=of.upstream,
        credential=of.credential,
    )


def gateway(
    routes: Mapping[str, ir.Route],
    ladders: Mapping[str, tuple[ir.Target, ...]],
    *,
    credentials: Iterable[ir.Credential] = (),
    others: Iterable[ir.Target] = (),
    consumers: Iterable[str] = (CONSUMER,),
    **fields: Any,
) -> ir.Gateway:
    """Make a gateway of routes by the model names that clients call, and ladders; each ends on its first target.

    Names of a wildcard route's plans are added to what clients may call. `others` are targets of no ladder.
    """
    targets = {one.name: one for rungs in ladders.values() for one in rungs} | {one.name: one for one in others}
    lasts = {last.name: last for last in (last_resort(rungs[0]) for rungs in ladders.values())}
    entries = {
        plan.key or name: ir.Entry(model_name=plan.key or name, route=one.name, plan=plan.key)
        for name, one in routes.items()
        for plan in one.plans
    }
    made = ir.Gateway(
        region=REGION,
        limits=ir.Limits(request_bytes=1 << 20),
        anonymous=None,
        consumers=tuple(
            ir.Consumer(name=name, scopes=("team",), allowed_model_names=None, expires_at=None)
            for name in sorted(consumers)
        ),
        scopes=(ir.Scope(name="team", entries=tuple(entries[name] for name in sorted(entries))),),
        routes=tuple(sorted({one.name: one for one in routes.values()}.values(), key=lambda one: one.name)),
        ladders=tuple(
            ir.Ladder(
                name=name,
                rungs=tuple(one.name for one in rungs),
                last_resort=f"{rungs[0].provider}/{rungs[0].endpoint}",
            )
            for name, rungs in sorted(ladders.items())
        ),
        targets=tuple(targets[name] for name in sorted(targets)),
        last_resorts=tuple(lasts[name] for name in sorted(lasts)),
        credentials=tuple(sorted(credentials, key=lambda one: one.name)),
    )
    return replace(made, **fields)


def simple(*rungs: ir.Target, credentials: Iterable[ir.Credential] = (), **fields: Any) -> ir.Gateway:
    """Make a gateway where `chat` is answered by one ladder; keywords are the route's."""
    chat = route(ROUTE, plan(f"{ROUTE}/0", last=rungs[0]), **fields)
    return gateway({"chat": chat}, {f"{ROUTE}/0": rungs}, credentials=credentials)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return self.headers["x-fairlead-target"]

    @property
    def message(self) -> str:
        """The message of OpenAI's error object."""
        message: str = json.loads(self.body)["error"]["message"]
        return message

    @property
    def code(self) -> str:
        """The code of OpenAI's error object."""
        assert self.headers["content-type"] == "application/json", self
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return str(error["code"])


class Gateway:
    """A running gateway. Keys are `sk-<name>` for consumers `team/<name>`, secrets hold `<secret>-key`."""

    def __init__(
        self,
        whole: ir.Gateway,
        *,
        ca_file: str = "/dev/null",
        concurrency: int = 1,
        budget: envoy.BudgetServer | None = None,
        keys: bytes | None = None,
        by_share: bool = False,
        packed: bool = False,
        held: Mapping[str, bytes | None] | None = None,
        tells_soon: bool = False,
    ) -> None:
        """Start none yet. `packed`: as where ConfigMaps bring gzip.

        `held`: what else files of credentials hold, by `<secret>/<key>`; None: there is none.

        `tells_soon`: collectors hear of spans and counts after a moment, not Envoy's five seconds.

        `by_share`: targets are ejected for their share of failures too, as by a gateway.

        That is a matter of how many requests come within a second: tests that share a gateway and let targets fail
        would pass on a slow machine and fail on a fast one.
        """
        self.whole = whole
        self.folder = new_folder()
        anywhere = ir.ListenAddress(address="127.0.0.1", port=0)
        self.layout = envoy.Layout(
            xds_dir=str(self.folder / "xds"),
            keys_dir=str(self.folder / "keys"),
            credentials_dir=str(self.folder / "credentials"),
            listen=anywhere,
            metrics_listen=anywhere,
            admin=str(self.folder / "admin.sock"),
            access_log=str(self.folder / "access.log"),
            ca_file=ca_file,
            budget=budget,
            packed=packed,
        )
        files = envoy.render(whole, self.layout)
        pairs = [(f"sk-{one.name.removeprefix('team/')}", one.name) for one in whole.consumers]
        self.keys = envoy.api_keys(pairs, whole.anonymous)
        self.write({**files, "keys/ecds.json": self.keys if keys is None else keys})
        for one in whole.credentials:
            file = f"{one.secret_name}/{one.key}"
            content = (held or {}).get(file, f"{one.secret_name}-key\n".encode())
            if content is not None:
                self.write({f"credentials/{file}": content})
        bootstrap = json.loads(files["bootstrap.json"])
        (layer,) = bootstrap["layered_runtime"]["layers"]
        if not by_share:
            layer["static_layer"]["outlier_detection.enforcing_failure_percentage"] = 0
        if tells_soon:
            layer["static_layer"]["tracing.opentelemetry.flush_interval_ms"] = 100
            bootstrap["stats_flush_interval"] = "0.1s"
        self.envoy = EnvoyProcess(
            bootstrap,
            folder=self.folder,
            arguments=("--reject-unknown-dynamic-fields",),
            concurrency=concurrency,
        )

    def __enter__(self) -> Self:
        self.envoy.__enter__()
        self.port = self.envoy.port("data")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.envoy.__exit__(kind, error, trace)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files as an operator does: beside, then renamed."""
        for path, content in files.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f"{place.name}.new")
            beside.write_bytes(content)
            beside.rename(place)

    def serve(self, whole: ir.Gateway) -> None:
        """Change to another gateway."""
        self.whole = whole
        files = envoy.render(whole, self.layout)
        for path in ("xds/cds.json", "xds/lds.json", "xds/rds.json"):
            self.write({path: files[path]})

    def ask(
        self,
        model: str = "chat",
        *,
        path: str = CHAT,
        key: str = KEY,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> Answer:
        """Ask for a chat answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **members}
        return self.send(path, json.dumps(body), key=key, headers=headers)

    def send(self, path: str, body: str | bytes, *, key: str = KEY, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", **(headers or {})}
            connection.request("POST", path, body, sent)
            response = connection.getresponse()
            got = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=got, body=response.read())
        finally:
            connection.close()

    def lines(self, kind: str = "") -> list[dict[str, Any]]:
        """What the access log has by now."""
        log = self.folder / "access.log"
        written = log.read_text().splitlines(keepends=True) if log.exists() else []
        lines = [json.loads(line) for line in written if line.endswith("\n")]
        return [line for line in lines if kind in ("", line["kind"])]

    def line(self, answer: Answer, kind: str = "request") -> list[dict[str, Any]]:
        """The lines of one answer, by its request id."""
        wanted = answer.headers["x-request-id"]
        return [line for line in self.lines(kind) if line["request_id"] == wanted]

    def metrics(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.envoy.port("metrics"), timeout=30)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def is_ejected(self, name: str) -> bool:
        """Whether a target of `ladders` is ejected by now: that is decided a moment after the last of its failures."""
        stat = f"cluster.{name}.outlier_detection.ejections_active"
        return self.envoy.counters(f"^{stat}$") == {stat: 1}

    def everything_written(self) -> str:
        """All that Envoy shows or writes: logs, stats, configuration, except its key and credential files."""
        shown = [self.envoy.admin(path) for path in ("/config_dump?include_eds", "/stats", "/clusters", "/listeners")]
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        secret = {self.folder / "keys", self.folder / "credentials"}
        shown += [file.read_text(errors="replace") for file in files if not secret & set(file.parents)]
        return "\n".join(shown)


def saw(provider: SimulatedProvider) -> list[tuple[str | None, str, str | None]]:
    """What a provider was asked since its last reset: model, path, and what a strict provider refuses about it."""
    return [(record.model, record.target, record.problem) for record in provider.control.requests()]
