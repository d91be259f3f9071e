"""How one budget server process runs: addresses, store, timeouts. What it decides by is the configuration."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Set at the start, from flags and the environment."""

    configuration: Path
    rpc: str
    """`host:port` or `unix:/path`: what gateways ask and report to."""
    usage: str
    """`/v1/usage`. Trusts `x-fl-consumer`, so only gateways may reach it (a socket file, or a NetworkPolicy)."""
    http: str
    """`/metrics`, `/healthz`, `/v1/budgets`: for the operator, people and Prometheus."""
    store: str
    """`redis://...`, `rediss://...`, `unix://...`, `sqlite:PATH` or `memory:`."""
    store_timeout_s: float
    """How long a step of the store may take: less than the gateways' timeout for a check."""
    gateways: tuple[str, ...]
    """Where gateways show their counters: `http://host:port/path` (every address of the name is read), or a file that
    holds one such line per gateway (`file:PATH`)."""
    answers_store: str = ""
    """Where answers are that gateways share: `redis://...`, `rediss://...`, `unix://...`; empty = beside `store`."""
    answers_key: Path | None = None
    """The file of the key that they are sealed by there, the same for all servers of an installation."""
    reconcile_every_s: float
    """Two readings in a row must agree, so what is missing is booked within twice this time."""
