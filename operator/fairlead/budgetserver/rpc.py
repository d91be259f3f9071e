"""The gRPC side: `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`."""

from typing import Any

import grpc
import structlog

from fairlead.budgetserver import descriptor
from fairlead.budgetserver.answer import NOTED, oversized
from fairlead.budgetserver.descriptor import OversizedError, Report
from fairlead.budgetserver.messages import METHOD, SERVICE, Request
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.ratings import Ratings
from fairlead.budgetserver.store import StoreError

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is a mistake, not a share
    # Above the longest check that is read: gRPC's own refusal would look like a server that is away.
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    # gRPC drops calls at random when 1,000 wait, and a burst of requests is just that. How long they may wait, their
    # gateway knows.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
)
_REASONS = 10
"""Each reason for which a message is not understood is logged once, so many at most: they come as often as requests."""
log = structlog.get_logger("fairlead.budget")


def make_server(service: RateLimitService, ratings: Ratings, metrics: Metrics) -> grpc.aio.Server:
    """Make a server that asks the service, and tells of answers; it listens nowhere yet."""
    told: set[str] = set()

    async def should_rate_limit(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            asked = descriptor.read(request)
        except OversizedError:
            metrics.malformed.inc()
            metrics.checks.labels("oversized").inc()
            return oversized()
        except ValueError as error:
            # A gateway of another version, until it has its new configuration: its check goes by the failurePolicy, and
            # what its reports would have told is found in its counters. As below, it must not take this server for ill.
            metrics.malformed.inc()
            reason = str(error)
            if reason not in told and len(told) < _REASONS:
                told.add(reason)
                log.warning("budget.malformed", error=reason)
            return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        if isinstance(asked, Report):
            ratings.note(asked)
            await service.report(asked)
            return NOTED
        try:
            return await service.check(asked)
        except StoreError as error:
            # The gateway lets the request pass or refuses it, as the installation's failurePolicy says. The status is
            # one that its outlier detection takes for a 400: this server is well, and its reports must keep arriving.
            (metrics.shadow_checks if asked.shadow else metrics.checks).labels("unavailable").inc()
            return await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    # The service's answers are bytes already, so there is no serializer: the stubs know no such handler.
    method: Any = grpc.unary_unary_rpc_method_handler(should_rate_limit, request_deserializer=Request.FromString)
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
    return server
