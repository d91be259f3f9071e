"""Consumers that a configuration no longer has, while gateways may still let them in.

A gateway learns of a removed consumer after the budget server, and of one that is added again before it. Requests in
between are paid by the policies that the consumer had, as far as these are still there.
"""

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import EXPIRES_AFTER_MS
from fairlead.budget.policy import Policy

KEPT_MS = EXPIRES_AFTER_MS
"""How long at least: as long as a reservation waits for its report."""


class Departed:
    """Remembers the policies of consumers that were removed: as many as were removed within `KEPT_MS`."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[tuple[str, ...], int]] = {}
        """Consumer -> the names of its policies, and when it was removed: milliseconds since the epoch."""

    def note(self, before: BudgetConfiguration, after: BudgetConfiguration, now_ms: int) -> None:
        """Take a change of the configuration; who left longer ago than `KEPT_MS` is forgotten."""
        kept = {
            consumer: (names, at_ms)
            for consumer, (names, at_ms) in self._left.items()
            if consumer not in after.consumers and 0 <= now_ms - at_ms <= KEPT_MS
        }
        gone = before.consumers.keys() - after.consumers.keys()
        self._left = kept | {consumer: (before.consumers[consumer], now_ms) for consumer in gone}

    def policies_of(
        self, consumer: str, routes: tuple[str, ...], configuration: BudgetConfiguration
    ) -> tuple[Policy, ...]:
        """Return the policies that counted a request of a consumer on these routes; none for who was never known.

        They are those of now: one that was deleted pays no more, and one whose limit was edited has the new one.
        """
        names, _ = self._left.get(consumer, ((), 0))
        found = (configuration.policy(name) for name in names)
        return tuple(policy for policy in found if policy is not None and policy.counts(routes))
