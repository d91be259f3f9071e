"""Who calls and what their names mean: consumers, scopes, entries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A caller, as the gateway knows it after its key was checked. Keys themselves are not part of the IR."""

    name: str
    """`namespace/name`: the value of `x-fl-consumer` and of every `consumer` label."""
    scopes: tuple[str, ...]
    """Names of scopes in the order of look-up: routes of the consumer's own namespace, then shared ones."""
    allowed_model_names: tuple[str, ...] | None
    """Exact names, prefixes (`qwen/*`) or `*`; None = all. Applies to the name that the client sends."""
    expires_at: int | None
    """Unix time in seconds from which the key is refused; None = never. The gateway checks it by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name that a scope answers, wildcards already expanded to names of the catalogue."""

    model_name: str
    """As the client sends it; case matters."""
    route: str
    """Name of a route of the gateway."""
    plan: str
    """`Plan.model` of that route: empty unless the route is a wildcard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A table of names that is shared by all consumers who see the same routes."""

    name: str
    """Stable: it depends on what the consumers are (namespace, labels that a selector asks for), not on the routes."""
    entries: tuple[Entry, ...]
    """Sorted by `model_name`, each name once."""
