"""`POST /v1/feedback`: what users think of answers, by route, target and side, for rollouts to be judged on.

Who can say which target gave an answer is this server, which gets a report of each: the request's id alone is enough
for a client, and a rating counts once whichever gateway it comes through. A shelf that fails costs ratings and nothing
else: no booking waits for it.
"""

import asyncio
from collections.abc import Callable

import structlog

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budgetserver import feedback
from fairlead.budgetserver.descriptor import Report
from fairlead.budgetserver.feedback import Outcome, Rating
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.shelf import Rated, Shelf
from fairlead.budgetserver.store import StoreError

WAITS_S = (0.05, 0.1, 0.2, 0.4)
"""An answer is known once its report has come, which a client may outrun: what is not known is looked for again."""
_WAITING = 64
"""Callers that are waited for at a time; an id of more is looked for once."""
_NOTING = 1_000
"""Answers on their way to the shelf at a time; more are not remembered."""
log = structlog.get_logger("fairlead.feedback")


class Ratings:
    """Remembers answers of routes that take feedback, and counts what is said of them."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        configuration: Callable[[], BudgetConfiguration],
        clock: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._shelf = shelf
        self._configuration = configuration
        self._clock = clock
        self._metrics = metrics
        self._noting: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def note(self, report: Report) -> None:
        """Remember the answer that a report is about, if its route or one that was asked before it takes feedback."""
        routes = self._configuration().routes
        if (
            report.shadow
            or report.free
            or not any((terms := routes.get(one)) and terms.feedback for one in report.routes)
        ):
            return
        answer = feedback.answer(
            request=report.id,
            route=report.route,
            target=report.target,
            cluster=report.cluster,
            status=report.status,
        )
        if answer is None:
            return
        labels = (answer.route, answer.target, answer.arm.value)
        self._metrics.count(self._metrics.ratable, *labels)
        for rating in Rating:  # Prometheus' `increase` does not see a series' first event
            self._metrics.count(self._metrics.ratings, *labels, rating.value, by=0)
        if len(self._noting) >= _NOTING:
            self._metrics.unratable.labels("busy").inc()
            return
        task = asyncio.get_running_loop().create_task(self._note(report, answer))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self, report: Report, answer: feedback.Answer) -> None:
        try:
            forgotten = await self._shelf.note(report.consumer, report.id, answer, self._clock())
        except StoreError as error:
            self._metrics.unratable.labels("failed").inc()
            log.warning("feedback.not_noted", error=str(error))
        else:
            self._metrics.unratable.labels("crowded").inc(forgotten)

    async def rate(self, consumer: str, request: str, rating: Rating) -> Outcome:
        """Take a rating. Raises `StoreError` when nobody knows the answers."""
        outcome, answer = await self._look(consumer, request, rating)
        if answer is not None and outcome is Outcome.TAKEN:
            self._metrics.count(self._metrics.ratings, answer.route, answer.target, answer.arm.value, rating.value)
        else:
            self._metrics.refused_ratings.labels(outcome.value).inc()
        return outcome

    def refused(self, reason: str) -> None:
        """Count a rating that did not come so far as to be looked at."""
        self._metrics.refused_ratings.labels(reason).inc()

    async def _look(self, consumer: str, request: str, rating: Rating) -> Rated:
        found = await self._shelf.rate(consumer, request, rating, self._clock())
        if found[0] is not Outcome.UNKNOWN or self._waiting >= _WAITING:
            return found
        self._waiting += 1
        try:
            for wait_s in WAITS_S:
                await asyncio.sleep(wait_s)
                found = await self._shelf.rate(consumer, request, rating, self._clock())
                if found[0] is not Outcome.UNKNOWN:
                    break
        finally:
            self._waiting -= 1
        return found

    async def close(self) -> None:
        """Let answers that are under way reach the shelf, then let go of it."""
        if self._noting:
            await asyncio.wait(set(self._noting))
        await self._shelf.close()
