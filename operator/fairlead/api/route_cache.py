"""Kept answers of a ModelRoute: who gets which of them again, and for how long."""

from enum import StrEnum

from fairlead.api.form import KeepingDuration
from fairlead.api.resource import Part


class CacheScope(StrEnum):
    """Whose answers a caller may get."""

    CONSUMER = "Consumer"
    NAMESPACE = "Namespace"


class CacheStore(StrEnum):
    """Where answers are kept."""

    WORKER = "Worker"
    SHARED = "Shared"


class RouteCache(Part):
    """Answers that are given again to the very same request, without asking a provider."""

    ttl: KeepingDuration
    """How long an answer is given again: `1s` to `8784h` (366 days)."""
    scope: CacheScope = CacheScope.CONSUMER
    """Whose answers a caller may get. `Consumer`: its own alone, and of callers without a key nobody's. `Namespace`:
    those of all consumers of its namespace, who so learn what others have asked."""
    store: CacheStore = CacheStore.WORKER
    """Where answers are kept. `Worker`: in the memory of each worker of a gateway. `Shared`: there, and where all
    gateways of the installation find them, too: in the budget servers' Redis, or the memory of the one budget server
    that has none."""
