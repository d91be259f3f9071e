"""Who calls and what their names mean: consumers, scopes, entries."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Ending:
    """A budget that is at its end: where nobody can say what is left, a request is refused."""

    route: str
    """`namespace/name`; empty = all."""
    until_s: int
    """Unix time in seconds at which its window ends; 0 = never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A caller, as the gateway knows it after its key was checked. Keys themselves are not part of the IR."""

    name: str
    """`namespace/name`: the value of `x-fl-consumer` and of every `consumer` label."""
    scopes: tuple[str, ...]
    """Names of scopes in the order of look-up: routes of the consumer's own namespace, then shared ones. The first
    scope that has the name decides, also when its entry is a refusal. At most four; scopes without entries are left
    out."""
    allowed_model_names: tuple[str, ...] | None
    """Exact names, prefixes (`qwen/*`) or `*`; None = all. Applies to the name that the client sends."""
    expires_at: int | None
    """Unix time in seconds from which the key is refused; None = never. The gateway checks it by itself."""
    budgeted_routes: tuple[str, ...] | None = ()
    """Routes on which a budget counts what this consumer spends, sorted; None = all. Only there a request must say
    plainly how much it may cost."""
    budget_revision: str = ""
    """Of the policies that match it, `BudgetConfiguration.revision_of`: a verdict of another one is void. Empty without
    a policy."""
    stopped: bool = False
    """A policy of no dollars for all routes matches it: the gateway answers 429 by itself, whoever else is away."""
    endings: tuple[Ending, ...] = ()
    """Where its budgets are at their end, sorted."""
    max_in_flight: int | None = None
    """Requests that it may have under way at a time, wherever they entered; None = no limit of its own. The budget
    server counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name that a scope answers, wildcards already expanded to names of the catalogue."""

    model_name: str
    """What the client sends, as a word; case matters."""
    route: str
    """Name of a route of the gateway. Empty = a refusal: the name belongs to a route that this gateway may not or
    cannot serve (`regions`, `residency`), so that the caller gets 404 and no later scope is asked: a name that a team
    keeps in one region must not be captured by a shared route in another."""
    plan: str
    """`Plan.key` of that route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A table of names that is shared by all consumers who see the same routes.

    What only some consumers of a namespace see (a selector, a list of names) stands in a small scope of its own that is
    asked first, so that a large table exists once.
    """

    name: str
    """A namespace, or `*` for shared routes; what only some consumers see adds what is asked of them, in brackets, e.g.
    `team-web[tier=pro]`. No `|`."""
    entries: tuple[Entry, ...]
    """Sorted by `model_name`, each name once."""
