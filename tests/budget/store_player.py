"""Plays steps of the ledger on a store, so that stores can be compared."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from fairlead.budget import lease
from fairlead.budget.lease import unit_name
from fairlead.budget.ledger import EXPIRES_AFTER_MS, Counter, Hold, Plan, Posting, Settlement, Wish
from fairlead.budget.reconciliation import Count, UsageCounter, UsageCounterKey
from fairlead.budgetserver.store import Booking, Settled, Store, UsageCounterUpdate

NOW = 1_800_000_000_000
PAYER = "t/a"
PAYERS = (PAYER, "t/b")
EXAMPLES = count()
"""Whoever plays takes the next, so that no two have names in common."""
TIMEOUT_S = 10.0
BIG = 3_000_000_000 * 10**9  # three billion dollars: far above 2 ** 53 nano-dollars
CAPS = {"a": 100, "b": 60, "c": None, "big": BIG + 7, "rich": 20_000}


class Player:
    """Plays steps on a store, under names of its own."""

    def __init__(self, store: Store, example: int) -> None:
        self._store = store
        self._example = example

    def posting(self, name: str) -> Posting:
        downgrade_at = {"a": 50, "big": BIG}.get(name)
        return Posting(
            counter=self.name(name), cap=CAPS[name], downgrade_at=downgrade_at, keep_ms=None if name == "c" else 10**9
        )

    def name(self, name: str) -> str:
        return f"{self._example}/{name}"

    def key(self, route: str) -> UsageCounterKey:
        return UsageCounterKey(gateway=f"g{self._example}", consumer="t/a", route=route, target="p/e/m")

    def postings(self, names: Sequence[str]) -> tuple[Posting, ...]:
        return tuple(self.posting(name) for name in names)

    def payer(self, request: int) -> str:
        """Two of them: what one has open is not the other's."""
        return self.name(PAYERS[request % len(PAYERS)])

    def request(self, request: int) -> str:
        return f"{self.payer(request)}|{request}"

    def lease(self, request: int) -> str:
        return lease.name(self.payer(request), self.request(request))

    async def opened(self) -> list[int]:
        return list(await self._store.opened([self.name(payer) for payer in (*PAYERS, "nobody")]))

    async def play(self, step: tuple[Any, ...]) -> Any:
        match step:
            case ("reserve", request, amount, names, smaller, most_open, wished):
                wish = Wish(lease=self.lease(request), units=wished[0], amount=wished[1]) if wished else None
                hold = Hold(
                    request=self.request(request),
                    payer=self.payer(request),
                    plan=Plan(amount=amount, postings=self.postings(names)),
                    downgrade=Plan(amount=smaller[0], postings=self.postings(smaller[1])) if smaller else None,
                    now_ms=NOW,
                    most_open=most_open,
                    in_flight=most_open % 2 == 1,
                    wish=wish,
                )
                return await self._store.reserve(hold)
            case ("settle unit", (request, number), cost, names, estimated, after):
                settlement = Settlement(
                    request=unit_name(self.lease(request), number),
                    payer=self.payer(request),
                    cost=cost,
                    estimated=estimated,
                    postings=self.postings(names),
                    now_ms=NOW + after,
                    reserved=True,
                )
                (settled,) = await self._store.settle_all([(settlement, None)])
                assert isinstance(settled, Settled)
                return settled.cost, {name for name, spent in settled.counters.items() if spent < 2**53}
            case ("give back", units):
                return await self._store.give_back(
                    [unit_name(self.lease(request), number) for request, number in units], NOW
                )
            case ("settle", request, cost, names, estimated, tokens, after, reserved):
                settlement = Settlement(
                    request=self.request(request),
                    payer=self.payer(request),
                    cost=cost,
                    estimated=estimated,
                    postings=self.postings(names),
                    now_ms=NOW + after,
                    reserved=reserved,
                )
                key = self.key("t/asked,t/led,t/chat" if tokens % 2 else "t/chat")
                metered = (key, Count(requests=1, input=tokens, output=2 * tokens, cached=0)) if tokens else None
                settled = await self._store.settle(settlement, metered)
                return settled.cost, {
                    name: int(float(spent)) for name, spent in settled.counters.items() if spent < 2**53
                }
            case ("expire", ripe):
                return list(await self._store.expire(NOW + (EXPIRES_AFTER_MS if ripe else 0), 3))
            case ("reconcile", requests, names, stale):
                return await self.reconcile(requests, names, stale=stale)
        raise AssertionError(step)

    async def reconcile(self, requests: int, names: Sequence[str], *, stale: bool) -> Any:
        known = await self._store.read_usage_counters(NOW)
        key = self.key("t/chat")
        update = UsageCounterUpdate(
            version=known.version - 1 if stale else known.version,
            usage_counters={key: UsageCounter(seen=Count(requests=requests), due=Count(input=3))},
            gateways=(f"g{self._example}",),
            bookings=(
                Booking(
                    payer=self.name(PAYER),
                    requests=requests,
                    cost=requests * 3,
                    postings=self.postings(names),
                    at_ms=NOW,
                ),
            ),
            now_ms=NOW + 1,
        )
        written = await self._store.write_usage_counters(update)
        after = await self._store.read_usage_counters(NOW)
        return (
            written,
            after.usage_counters.get(key),
            [after.booked.get(one) for one in (key, self.key("t/asked,t/led,t/chat"))],
            f"g{self._example}" in after.known_gateways,
        )

    async def counters(self) -> list[Counter]:
        return list(await self._store.counters([self.name(name) for name in sorted(CAPS)]))
