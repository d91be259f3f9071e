"""One region's gateway: the whole of what its Envoy must know."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fairlead.ir.budget import BudgetCheck
from fairlead.ir.consumer import Consumer, Scope
from fairlead.ir.route import Ladder, Route
from fairlead.ir.target import Credential, KeyedProbe, LastResort, Signer, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """Where Envoy listens."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request, and what all of them together, may be at most."""

    request_bytes: int
    request_timeout_ms: int = 120_000
    """How long the whole of a request may take to arrive."""
    idle_timeout_ms: int = 620_000
    """How long a connection may stand between two requests."""
    connection_duration_ms: int = 600_000
    """After how long a client is asked to open another."""
    connections: int = 10_000
    """Of clients, at one process."""
    memory_bytes: int | None = None
    """What one process may take; None = what its place gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Where OpenTelemetry's signals go, by OTLP."""

    host: str
    port: int
    grpc: bool
    """OTLP over gRPC; else over HTTP."""
    sample: int
    """Requests whose spans are sent, of 10,000, besides those whose caller is sampled."""

    @property
    def authority(self) -> str:
        """Host and port, as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Everything that one region's Envoy serves. Names are unique per kind and every name that is used exists."""

    region: str
    limits: Limits
    anonymous: str | None
    """Name of the consumer that callers without a key are; None = they are refused with 401."""
    consumers: tuple[Consumer, ...]
    scopes: tuple[Scope, ...]
    routes: tuple[Route, ...]
    ladders: tuple[Ladder, ...]
    targets: tuple[Target, ...]
    last_resorts: tuple[LastResort, ...]
    credentials: tuple[Credential, ...]
    budget: BudgetCheck | None = None
    """None = nothing is ever asked."""
    allow_origins: tuple[str, ...] | None = None
    """Origins of pages in browsers that may call, or `*`; None = of no page."""
    keyed_probes: tuple[KeyedProbe, ...] = ()
    """Sorted by endpoint; each has a last resort of its endpoint."""
    signers: tuple[Signer, ...] | None = None
    """Sorted by provider: those of the plans' pins. None: no plan has any."""
    telemetry: Telemetry | None = None
    """None = nothing is sent anywhere."""
    cache_bytes: int | None = None
    """Bytes of all answers that one worker keeps, with the requests that they answer; None = no route keeps any."""
    drained: bool = False
    """Whether clients are to go to another region's gateway. This one serves whoever comes all the same."""
    absent: tuple[str, ...] = ()
    """Files that requests are signed by, `<secret>/<key>`, and that are known not to be there, sorted."""

    @property
    def signing_files(self) -> frozenset[str]:
        """Files that requests are signed by, `<secret>/<key>`."""
        hosts: tuple[Target | LastResort, ...] = (*self.targets, *self.last_resorts)
        return frozenset(host.credential for host in hosts if host.aws_region and host.credential)

    @cached_property
    def routes_by_name(self) -> Mapping[str, Route]:
        """The same routes, as `ladders_by_name`."""
        return {route.name: route for route in self.routes}

    @cached_property
    def ladders_by_name(self) -> Mapping[str, Ladder]:
        """The same ladders. Once: who looks one up for each route has thousands to look through."""
        return {ladder.name: ladder for ladder in self.ladders}

    @cached_property
    def targets_by_name(self) -> Mapping[str, Target]:
        """The same targets, as `ladders_by_name`."""
        return {target.name: target for target in self.targets}

    @cached_property
    def last_resorts_by_name(self) -> Mapping[str, LastResort]:
        """The same last resorts, as `ladders_by_name`."""
        return {last.name: last for last in self.last_resorts}
