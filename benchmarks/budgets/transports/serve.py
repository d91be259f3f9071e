"""Servers that answer the same thing to everybody: `python -m benchmarks.budgets.transports.serve NAME PORT`."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop

from fairlead.budgetserver.messages import METHOD, OK, SERVICE, Request, Response

PATH = f"/{SERVICE}/{METHOD}"
ANSWER: bytes = Response(overall_code=OK).SerializeToString()
FRAMED = b"\0" + len(ANSWER).to_bytes(4) + ANSWER


def _grpc_handlers(handle: Any) -> Any:
    import grpc  # noqa: PLC0415 - each server loads what it measures, and no more

    method = grpc.unary_unary_rpc_method_handler(handle, request_deserializer=Request.FromString)
    return (grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),)


async def _grpc_aio(port: int) -> None:
    import grpc  # noqa: PLC0415

    async def handle(_request: Any, _context: Any) -> bytes:
        return ANSWER

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(_grpc_handlers(handle))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def _grpc_sync(port: int) -> None:
    import grpc  # noqa: PLC0415

    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(_grpc_handlers(lambda _request, _context: ANSWER))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


async def _grpclib(port: int) -> None:
    from grpclib.const import Cardinality, Handler  # noqa: PLC0415
    from grpclib.server import Server  # noqa: PLC0415

    class Service:
        async def limit(self, stream: Any) -> None:
            await stream.recv_message()
            await stream.send_message(Response(overall_code=OK))

        def __mapping__(self) -> dict[str, Any]:
            return {PATH: Handler(self.limit, Cardinality.UNARY_UNARY, Request, Response)}

    server = Server([Service()])
    await server.start("127.0.0.1", port)
    await server.wait_closed()


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Answer as an application of ASGI, with its extension for trailers."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    Request.FromString(body[5:])
    headers = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": FRAMED})
    await send({"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]})


async def _hypercorn(port: int) -> None:
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    await serve(_application, config)


def _granian(port: int) -> None:
    from granian import Granian  # noqa: PLC0415
    from granian.constants import HTTPModes, Interfaces, Loops  # noqa: PLC0415

    Granian(
        f"{__spec__.name}:_application",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http2,
        loop=Loops.uvloop,
        workers=1,
        log_enabled=False,
    ).serve()


def _h2_protocol() -> asyncio.Protocol:
    """Answer by the `h2` library, with nothing around it."""
    import h2.config  # noqa: PLC0415
    import h2.connection  # noqa: PLC0415
    import h2.events  # noqa: PLC0415

    class Link(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.bodies: dict[int, bytes] = {}
            self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
            self.h2.initiate_connection()
            transport.write(self.h2.data_to_send())

        def data_received(self, data: bytes) -> None:
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    Request.FromString(self.bodies.pop(event.stream_id)[5:])
                    headers = [(b":status", b"200"), (b"content-type", b"application/grpc")]
                    self.h2.send_headers(event.stream_id, headers)
                    self.h2.send_data(event.stream_id, FRAMED)
                    self.h2.send_headers(event.stream_id, [(b"grpc-status", b"0")], end_stream=True)
            self.transport.write(self.h2.data_to_send())

    return Link()


async def _h2(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_h2_protocol, "127.0.0.1", port)
    await server.serve_forever()


async def _ours(port: int) -> None:
    from fairlead.http2.listener import Listener, Service  # noqa: PLC0415

    async def handle(message: bytes) -> bytes:
        Request.FromString(message)
        return ANSWER

    await Listener(Service(handlers={PATH: handle}, broken=print)).start(f"127.0.0.1:{port}")
    await asyncio.Event().wait()


def _on(loop: Callable[[], asyncio.AbstractEventLoop] | None, serve: Callable[[int], Any]) -> Callable[[int], None]:
    def run(port: int) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(serve(port))

    return run


SERVERS: dict[str, Callable[[int], None]] = {
    "grpc.aio, asyncio": _on(None, _grpc_aio),
    "grpc.aio, uvloop": _on(uvloop.new_event_loop, _grpc_aio),
    "grpc, threads": _grpc_sync,
    "grpclib, uvloop": _on(uvloop.new_event_loop, _grpclib),
    "hypercorn, uvloop": _on(uvloop.new_event_loop, _hypercorn),
    "granian": _granian,
    "h2 alone, uvloop": _on(uvloop.new_event_loop, _h2),
    "fairlead.http2, asyncio": _on(None, _ours),
    "fairlead.http2, uvloop": _on(uvloop.new_event_loop, _ours),
}
"""By name; those of libraries that are not installed end at once."""

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
