"""Kept answers of a ModelRoute: who gets which of them again, and for how long."""

from enum import StrEnum
from typing import ClassVar

from fairlead.api.form import LongDuration
from fairlead.api.resource import Part
from fairlead.api.rule import Rule


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

    ttl: LongDuration
    """How long an answer is given again, at least a second."""
    scope: CacheScope = CacheScope.CONSUMER
    """Whose answers a caller may get. `Consumer`: its own alone, and of callers without a key nobody's. `Namespace`:
    those of all consumers of its namespace, who so learn what others have asked."""
    store: CacheStore = CacheStore.WORKER
    """Where answers are kept. `Worker`: in the memory of each worker of a gateway. `Shared`: not in this version."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value.get("store") != CacheStore.SHARED,
            cel="!has(self.store) || self.store != 'Shared'",
            message="got `Shared`, want `Worker`: this version keeps answers in the memory of workers alone, remove"
            " `store`",
            reads=("store",),
            field="store",
        ),
    )
