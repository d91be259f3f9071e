"""`POST /v1/answers/...`: takes answers that gateways leave for each other, and gives them again.

For gateways alone: whoever reaches it can name any caller. It stands in the way of nothing else: so many at a time,
each within its own time, and what fails is counted and forgotten.
"""

from collections.abc import Callable

import structlog

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.usage import moment
from fairlead.budgetserver.answer_stores import AnswerStore, Damaged
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import Outage
from fairlead.budgetserver.shared_answer import Offer, SharedAnswer
from fairlead.budgetserver.store import StoreError

MOST_AT_ONCE = 64
"""Requests that are looked at at a time, each of which may be `shared_answer.LARGEST` long; more are refused. As many
as one gateway has under way."""
log = structlog.get_logger("fairlead.answers")


class BusyError(StoreError):
    """Too many at a time."""


class SharedAnswers:
    """Answers that gateways share, while some route wants that."""

    def __init__(
        self,
        store: AnswerStore,
        *,
        configuration: Callable[[], BudgetConfiguration],
        clock: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._configuration = configuration
        self._clock = clock
        self._metrics = metrics
        self._busy = 0
        self._outage = Outage()
        self._since_ms: int | None = None

    def enter(self) -> None:
        """Begin to look at a request, before its body is read; `leave` ends that. Raises `BusyError`."""
        if self._busy >= MOST_AT_ONCE:
            raise BusyError("too many requests for answers at a time")
        self._busy += 1

    def leave(self) -> None:
        """End what `enter` began."""
        self._busy -= 1

    async def find(self, key: bytes) -> SharedAnswer | None:
        """Return the answer to a request. Raises `StoreError`."""
        if not self._configuration().shared_answers_bytes:
            self.unsought("absent")
            return None
        try:
            found = await self._store.find(key, self._clock())
        except StoreError as error:
            self.unsought("failed")
            log.warning("answers.not_looked", error=str(error))
            self._failed(error)
            raise
        self._works()
        if isinstance(found, Damaged):
            self.unsought("damaged")
            log.warning("answers.damaged", what="what the store has under a request's name is no answer to it")
            return None
        self._metrics.count(self._metrics.answers_sought, "absent" if found is None else "found")
        return found

    async def keep(self, offer: Offer) -> None:
        """Keep an answer, as long as there is room. Raises `StoreError`."""
        most_bytes = self._configuration().shared_answers_bytes
        try:
            total = await self._store.keep(offer, self._clock(), most_bytes)
        except StoreError as error:
            self.unkept("failed")
            log.warning("answers.not_kept", error=str(error))
            self._failed(error)
            raise
        self._works()
        self._metrics.count(self._metrics.answers_left, "crowded" if total is None else "kept")
        if total is not None:
            self._metrics.answers_bytes.set(total)

    def unkept(self, reason: str) -> None:
        """Count an answer that was not kept."""
        self._metrics.count(self._metrics.answers_left, reason)

    def unsought(self, reason: str) -> None:
        """Count a question that nothing was found for."""
        self._metrics.count(self._metrics.answers_sought, reason)

    async def ping(self) -> None:
        """Find out whether the store answers, while some route wants that: `outage` says so."""
        if not self._configuration().shared_answers_bytes:
            self._works()
            return
        try:
            await self._store.ping()
        except StoreError as error:
            self._failed(error)
        else:
            self._works()

    def outage(self) -> dict[str, str] | None:
        """Say since when the store does not answer, RFC 3339, and what it said last; None while it does."""
        if self._since_ms is None:
            return None
        return {"since": moment(self._since_ms), "problem": self._outage.problem}

    def _failed(self, error: StoreError) -> None:
        self._outage.failed(error)
        if self._outage.is_on and self._since_ms is None:
            self._since_ms = self._clock()
            self._metrics.answers_store_up.set(0)

    def _works(self) -> None:
        self._outage.over()
        self._since_ms = None
        self._metrics.answers_store_up.set(1)

    async def close(self) -> None:
        """Let go of the store."""
        await self._store.close()
