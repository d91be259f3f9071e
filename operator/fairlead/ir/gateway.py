"""One region's gateway: the whole of what its Envoy must know."""

from dataclasses import dataclass

from fairlead.ir.budget import BudgetCheck
from fairlead.ir.consumer import Consumer, Scope
from fairlead.ir.route import Ladder, Route
from fairlead.ir.target import Credential, LastResort, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """Where Envoy listens."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may be at most."""

    request_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
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
