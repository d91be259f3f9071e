"""A `grpc.aio` server that answers the same thing to everybody: `constant.py PORT asyncio|uvloop`."""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

from fairlead.budgetserver.messages import METHOD, OK, SERVICE, Request, Response


async def _main(port: str) -> None:
    answer = Response(overall_code=OK)

    async def handle(_request: Any, _context: Any) -> Any:
        return answer

    method = grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=Request.FromString, response_serializer=Response.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


factory = uvloop.new_event_loop if sys.argv[2] == "uvloop" else None
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(_main(sys.argv[1]))
