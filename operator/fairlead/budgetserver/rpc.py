"""The gRPC side: `envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit`."""

from typing import Any

import grpc
import structlog

from fairlead.budgetserver import descriptor
from fairlead.budgetserver.messages import METHOD, OK, SERVICE, Request, Response
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.store import StoreError
from fairlead.budgetserver.teller import Teller

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is a mistake, not a share
    ("grpc.max_receive_message_length", 64 * 1024),
)
log = structlog.get_logger("fairlead.budget")


def make_server(teller: Teller, metrics: Metrics) -> grpc.aio.Server:
    """Make a server that asks the teller; it listens nowhere yet."""
    recorded = Response(overall_code=OK)

    async def should_rate_limit(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if not request.descriptors:
            return recorded
        values = descriptor.fields(request.descriptors[0].entries)
        if values.get("kind") == "report":
            await teller.report(descriptor.report(values))
            return recorded
        try:
            return await teller.check(descriptor.check(values))
        except StoreError as error:
            # The gateway lets the request pass or refuses it, as the installation's failurePolicy says. The status is
            # one that its outlier detection takes for a 400: this server is well, and its reports must keep arriving.
            metrics.checks.labels("unavailable").inc()
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    method = grpc.unary_unary_rpc_method_handler(
        should_rate_limit,
        request_deserializer=Request.FromString,
        response_serializer=Response.SerializeToString,
    )
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
    return server
