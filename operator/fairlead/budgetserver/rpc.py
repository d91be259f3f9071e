"""The gRPC side: checks and reports one by one, and reports in batches.

One by one is `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`; in batches, OpenTelemetry's
`LogsService/Export`: the body of each record is a report, in the same words.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import structlog

from fairlead.budgetserver import descriptor
from fairlead.budgetserver.answer import NOTED, oversized
from fairlead.budgetserver.descriptor import OversizedError, Report
from fairlead.budgetserver.messages import (
    EXPORT,
    EXPORTED,
    LOGS,
    METHOD,
    SERVICE,
    DecodeError,
    ExportRequest,
    ExportResponse,
    Request,
)
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.ratings import Ratings
from fairlead.budgetserver.store import StoreError
from fairlead.http2.listener import Listener, Service
from fairlead.http2.unary import CallError, Status

_REASONS = 10
"""Each reason for which a message is not understood is logged once, so many at most: they come as often as requests."""
_MOST_RECORDS = 4_096
"""Reports in one batch: gateways send them every tenth of a second."""
_LONGEST = 200
"""Characters of an error that a gateway is told."""
log = structlog.get_logger("fairlead.budget")


def make_listener(service: RateLimitService, ratings: Ratings, metrics: Metrics) -> Listener:
    """Make a listener that asks the service, and tells of answers; it listens nowhere yet."""
    calls = _Calls(service, ratings, metrics)
    handlers = {f"/{SERVICE}/{METHOD}": calls.should_rate_limit, f"/{LOGS}/{EXPORT}": calls.export}
    return Listener(Service(handlers=handlers, broken=calls.broken, crowded=calls.crowded))


class _Calls:
    """What gateways ask and tell."""

    def __init__(self, service: RateLimitService, ratings: Ratings, metrics: Metrics) -> None:
        self._service = service
        self._ratings = ratings
        self._metrics = metrics
        self._told: set[str] = set()

    async def should_rate_limit(self, message: bytes) -> bytes:
        """Answer a check, or take a report. Raises `CallError`."""
        try:
            asked = descriptor.read(Request.FromString(message))
        except OversizedError:
            self._metrics.malformed.inc()
            self._metrics.checks.labels("oversized").inc()
            return oversized()
        except DecodeError as error:
            raise self._malformed("got no RateLimitRequest") from error
        except ValueError as error:
            raise self._malformed(str(error)) from error
        if isinstance(asked, Report):
            self._ratings.note(asked)
            await self._service.report(asked)
            return NOTED
        try:
            return await self._service.check(asked)
        except StoreError as error:
            # The gateway lets the request pass or refuses it, as the installation's failurePolicy says. The status is
            # one that its outlier detection takes for a 400: this server is well, and its reports must keep arriving.
            (self._metrics.shadow_checks if asked.shadow else self._metrics.checks).labels("unavailable").inc()
            raise CallError(Status.FAILED_PRECONDITION, str(error)) from error

    async def export(self, message: bytes) -> bytes:
        """Take reports; one that cannot be read hurts none of the others. Raises `CallError`."""
        try:
            request = ExportRequest.FromString(message)
        except DecodeError as error:
            raise self._malformed("got no ExportLogsServiceRequest") from error
        reports, rejected, problem = [], 0, ""
        for text in islice(_bodies(request), _MOST_RECORDS):
            try:
                reports.append(descriptor.report(text.decode()))
            except ValueError as error:
                rejected, problem = rejected + 1, str(error)
        beyond = sum(1 for _ in islice(_bodies(request), _MOST_RECORDS, None))
        if beyond:
            rejected, problem = rejected + beyond, f"got more than {_MOST_RECORDS} records"
        for report in reports:
            self._ratings.note(report)
        self._metrics.batched.inc(len(reports))
        await self._service.report_all(reports)
        if not rejected:
            return EXPORTED
        self._metrics.malformed.inc(rejected)
        self._tell("budget.malformed", problem)
        answer: bytes = ExportResponse(rejected={"records": rejected, "error": problem[:_LONGEST]}).SerializeToString()
        return answer

    def broken(self, reason: str) -> None:
        """Count a connection that sent no HTTP/2."""
        self._metrics.broken_connections.inc()
        self._tell("budget.connection_broken", reason)

    def crowded(self) -> None:
        """Count a connection that too many others left no room for."""
        self._metrics.crowded_connections.inc()
        self._tell("budget.connections_crowded", "too many connections at once")

    def _malformed(self, reason: str) -> CallError:
        """Count a message of a gateway of another version, until it has its new configuration.

        Its check goes by the failurePolicy, and what its reports would have told is found in its counters. As of a
        store that is away, it must not take this server for ill.
        """
        self._metrics.malformed.inc()
        self._tell("budget.malformed", reason)
        return CallError(Status.INVALID_ARGUMENT, reason)

    def _tell(self, event: str, reason: str) -> None:
        if reason not in self._told and len(self._told) < _REASONS:
            self._told.add(reason)
            log.warning(event, error=reason)


def _bodies(request: Any) -> Iterator[bytes]:
    for resource in request.resources:
        for scope in resource.scopes:
            for record in scope.records:
                yield record.body.text
