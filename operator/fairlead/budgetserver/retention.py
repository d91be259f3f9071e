"""Keeps what is spent in a window for as long as the window runs, also after an edit made it longer.

A counter is made with the time after which nobody asks for it. When the configuration changes, and at the start, the
counters of all windows that run now get the time that they would be made with today, if that is later.
"""

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.ledger import Posting
from fairlead.budget.policy import counter
from fairlead.budget.window import span
from fairlead.budgetserver.ledgerview import spenders
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.store import Store
from fairlead.budgetserver.terms import keep_ms

_AT_ONCE = 500
"""Counters in one step of the store: requests do not wait long behind it."""


class Retention:
    """Does its work once for each configuration; a step that fails is repeated the next time."""

    def __init__(self, service: RateLimitService, store: Store) -> None:
        self._service = service
        self._store = store
        self._done: BudgetConfiguration | None = None

    async def once(self) -> None:
        """Put off the end of counters, unless that was done for this configuration. Raises `StoreError`."""
        configuration, now_ms = self._service.configuration, self._service.now_ms()
        if configuration is self._done:
            return
        postings = [
            Posting(counter=counter(policy, who, window), cap=None, downgrade_at=None, keep_ms=keep_ms(window, now_ms))
            for policy in configuration.policies
            for window in (span(policy.window, now_ms),)
            for who in spenders(configuration, policy)
        ]
        for first in range(0, len(postings), _AT_ONCE):
            await self._store.keep(postings[first : first + _AT_ONCE], now_ms)
        self._done = configuration
