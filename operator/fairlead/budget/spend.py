"""What everybody has spent at one moment, as a budget server tells the operator: versioned JSON, bounded in size.

Money is integers here, too. Of each policy the biggest spenders are named and all others counted, so that the document
grows with the policies and not with the consumers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairlead.budget.admission import Standing, is_spent
from fairlead.budget.baseline import SavingsAccount
from fairlead.budget.cached import CacheAccount
from fairlead.budget.policy import Action, Policy, Stage
from fairlead.budget.shadow import ShadowAccount
from fairlead.budget.window import span
from fairlead.errors import BudgetConfigurationError

VERSION: Literal[1] = 1
TOP = 10
"""How many spenders are named."""
MOST_EXHAUSTED = 1000
"""How many of each policy are named who are at its end, and ten times as many of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """A consumer, `namespace/name`, or `*` for all that share a limit."""

    consumer: str
    spent: int
    """Nano-dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How many spend a stage's share, or more."""

    stage: Stage
    threshold: int
    """The nano-dollars from which on the stage is reached."""
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One policy in the window that runs."""

    policy: str
    """`namespace/name`."""
    limit: int
    start_ms: int
    end_ms: int | None
    """None: the window never ends."""
    spent: int
    """By all consumers together."""
    consumers: int
    """How many spend under it; all that share a limit are one."""
    reached: tuple[Reached, ...]
    """For each stage, the implied rejection included, in the order of shares."""
    top: tuple[Spender, ...]
    """Who spent most, at most `TOP`; nobody who spent nothing."""
    refused: tuple[str, ...] = ()
    """Consumers whose requests found no room, at most `TOP`, as far as this server knows."""
    exhausted: tuple[str, ...] = ()
    """Consumers at the end of the limit, at most `MOST_EXHAUSTED`: all is spent, or as far as is known a request
    that fits into an empty window found no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendSnapshot:
    """All policies at one moment."""

    configuration: str
    """The digest of the configuration that the server decides by."""
    store_up: bool
    """False: the store does not answer, so nobody knows what is spent, and there are no accounts."""
    accounts: tuple[Account, ...]
    shadows: tuple[ShadowAccount, ...] = ()
    """What copies for shadows cost, by route and target."""
    savings: tuple[SavingsAccount, ...] = ()
    """What routes with a baseline cost, and would have cost there."""
    caches: tuple[CacheAccount, ...] = ()
    """What kept answers did, by route."""

    @property
    def routes(self) -> frozenset[str]:
        """Name the routes of which something is said: what a shadow costs, a baseline or kept answers save."""
        shadows, savings = (one.route for one in self.shadows), (one.route for one in self.savings)
        return frozenset((*shadows, *savings, *(one.route for one in self.caches)))

    def account(self, policy: str) -> Account | None:
        """Return the account of a policy, `namespace/name`."""
        return next((found for found in self.accounts if found.policy == policy), None)


Named = Callable[[str, int], Collection[str]]
"""Who is known, of a policy and its window that began then."""


def _nobody(_policy: str, _start_ms: int) -> Collection[str]:
    return ()


def accounts(
    policies: Iterable[Policy],
    standings: Iterable[tuple[str, Standing]],
    now_ms: int,
    refused: Named = _nobody,
    exhausted: Named = _nobody,
) -> tuple[Account, ...]:
    """Sum up by policy what each consumer spent, in the order of names, also of a policy that has no consumers.

    `refused`: who found no room; `exhausted`: for whom there would be room in an empty window.
    """
    by_policy: dict[str, list[tuple[str, Standing]]] = {}
    for who, standing in standings:
        by_policy.setdefault(standing.policy.name, []).append((who, standing))
    ordered = sorted(policies, key=lambda policy: policy.name)
    found = []
    room = 10 * MOST_EXHAUSTED
    for policy in ordered:
        own = by_policy.get(policy.name, [])
        one = _account(policy, own, now_ms)
        ended = {who for who, standing in own if is_spent(standing)}.union(exhausted(policy.name, one.start_ms))
        named = tuple(sorted(ended)[: min(MOST_EXHAUSTED, room)])
        room -= len(named)
        found.append(
            replace(one, refused=tuple(sorted(refused(policy.name, one.start_ms))[:TOP]), exhausted=named),
        )
    return tuple(found)


def _account(policy: Policy, standings: Sequence[tuple[str, Standing]], now_ms: int) -> Account:
    window = standings[0][1].span if standings else span(policy.window, now_ms)
    spenders = [Spender(consumer=who, spent=standing.counter.spent) for who, standing in standings]
    spenders.sort(key=lambda spender: (-spender.spent, spender.consumer))
    return Account(
        policy=policy.name,
        limit=policy.limit,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        spent=sum(spender.spent for spender in spenders),
        consumers=len(spenders),
        reached=tuple(
            Reached(
                stage=stage,
                threshold=policy.threshold(stage),
                consumers=sum(spender.spent >= policy.threshold(stage) for spender in spenders),
            )
            for stage in policy.all_stages
        ),
        top=tuple(spender for spender in spenders[:TOP] if spender.spent),
    )


def together(snapshots: Sequence[SpendSnapshot]) -> SpendSnapshot:
    """Put together what several servers on one store tell: the first one's, and whom any of them refused."""
    refused: dict[tuple[str, int], set[str]] = {}
    exhausted: dict[tuple[str, int], set[str]] = {}
    for spend in snapshots:
        for account in spend.accounts:
            refused.setdefault((account.policy, account.start_ms), set()).update(account.refused)
            exhausted.setdefault((account.policy, account.start_ms), set()).update(account.exhausted)
    first = snapshots[0]
    merged = (
        replace(
            account,
            refused=tuple(sorted(refused[account.policy, account.start_ms])[:TOP]),
            exhausted=tuple(sorted(exhausted[account.policy, account.start_ms])[:MOST_EXHAUSTED]),
        )
        for account in first.accounts
    )
    return replace(first, accounts=tuple(merged))


def document(spend: SpendSnapshot) -> dict[str, Any]:
    """Return a spend as JSON."""
    return _SpendSnapshot(
        version=VERSION,
        configuration=spend.configuration,
        store_up=spend.store_up,
        accounts=[
            _Account(
                policy=account.policy,
                limit=account.limit,
                start_ms=account.start_ms,
                end_ms=account.end_ms,
                spent=account.spent,
                consumers=account.consumers,
                reached=[
                    _Reached(
                        at=found.stage.at,
                        action=found.stage.action.value,
                        threshold=found.threshold,
                        consumers=found.consumers,
                    )
                    for found in account.reached
                ],
                top=[_Spender(consumer=found.consumer, spent=found.spent) for found in account.top],
                refused=list(account.refused),
                exhausted=list(account.exhausted),
            )
            for account in spend.accounts
        ],
        shadows=[
            _ShadowAccount(route=one.route, target=one.target, spent=one.spent, since_ms=one.since_ms)
            for one in spend.shadows
        ],
        savings=[
            _SavingsAccount(**{name: getattr(one, name) for name in _SavingsAccount.model_fields})
            for one in spend.savings
        ],
        caches=[
            _CacheAccount(**{name: getattr(one, name) for name in _CacheAccount.model_fields}) for one in spend.caches
        ],
    ).model_dump()


def decode(found: Mapping[str, Any]) -> SpendSnapshot:
    """Read a spend. Raises `BudgetConfigurationError` for one of another version, or form."""
    if found.get("version") != VERSION:
        raise BudgetConfigurationError(
            f"version: got `{found.get('version')}`, want `{VERSION}`, upgrade what is older"
        )
    try:
        read = _SpendSnapshot.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BudgetConfigurationError(f"{place}: {first['msg']}") from None
    return SpendSnapshot(
        configuration=read.configuration,
        store_up=read.store_up,
        accounts=tuple(
            Account(
                policy=account.policy,
                limit=account.limit,
                start_ms=account.start_ms,
                end_ms=account.end_ms,
                spent=account.spent,
                consumers=account.consumers,
                reached=tuple(
                    Reached(
                        stage=Stage(at=one.at, action=Action(one.action)),
                        threshold=one.threshold,
                        consumers=one.consumers,
                    )
                    for one in account.reached
                ),
                top=tuple(Spender(consumer=one.consumer, spent=one.spent) for one in account.top),
                refused=tuple(account.refused),
                exhausted=tuple(account.exhausted),
            )
            for account in read.accounts
        ),
        shadows=tuple(
            ShadowAccount(route=one.route, target=one.target, spent=one.spent, since_ms=one.since_ms)
            for one in read.shadows
        ),
        savings=tuple(SavingsAccount(**one.model_dump()) for one in read.savings),
        caches=tuple(CacheAccount(**one.model_dump()) for one in read.caches),
    )


class _Part(BaseModel):
    # A server that is a version ahead may tell more than this one reads.
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Spender(_Part):
    consumer: str
    spent: int


class _Reached(_Part):
    at: int
    action: Literal["Notify", "Downgrade", "Reject"]
    threshold: int
    consumers: int = Field(ge=0)


class _Account(_Part):
    policy: str
    limit: int = Field(ge=0)
    start_ms: int
    end_ms: int | None
    spent: int
    consumers: int = Field(ge=0)
    reached: list[_Reached]
    top: list[_Spender]
    refused: list[str]
    exhausted: list[str] = []


class _ShadowAccount(_Part):
    route: str
    target: str
    spent: int
    since_ms: int


class _SavingsAccount(_Part):
    route: str
    baseline: str
    spent: int
    cost_there: int
    estimated: int
    since_ms: int


class _CacheAccount(_Part):
    route: str
    requests: int
    hits: int
    saved: int
    estimated: int
    since_ms: int


class _SpendSnapshot(_Part):
    version: int
    configuration: str
    store_up: bool
    accounts: list[_Account]
    shadows: list[_ShadowAccount] = []  # a server of a version before tells of none
    savings: list[_SavingsAccount] = []
    caches: list[_CacheAccount] = []
