"""What the request filter costs: CPU time of Envoy per request, without Lua, with an idle Lua filter, and with ours.

    PYTHONPATH=tests/envoy python -m benchmarks.request_filter [ROUNDS]

CPU time, not requests per second: it depends less on the other load of the machine, and not on this slow client. The
variants take turns within every round. Compared are the least costs of a round, since other load only ever adds; the
medians stand beside them.
"""

import json
import socket
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from echo import Echo
from filter_gateway import KEY, bootstrap
from gateway import EnvoyProcess

from benchmarks.cpu import cpu_seconds

ROUTE = "team/chat"
DIRECTORY = {
    "c:team/alice": "1893456000 chat,capped,qwen/* team|*",
    "l:team": "chat capped",
    "n:team|chat": f"{ROUTE} Chat - deepseek-ai/DeepSeek-V4-Flash flash-last global-api/us/flash",
    "n:team|capped": f"{ROUTE} Chat 2000 deepseek-ai/DeepSeek-V4-Flash flash-last global-api/us/flash",
}
IDLE = f"""
function envoy_on_request(h)
  h:headers():replace("x-fl-route", "{ROUTE}")
  h:clearRouteCache()
end
"""
BUFFERING = f"""
function envoy_on_request(h)
  local b = h:body(true)
  h:headers():replace("x-fl-route", "{ROUTE}")
  h:clearRouteCache()
end
"""
VARIANTS: dict[str, dict[str, str | None]] = {
    "no Lua": {"lua": "", "undecided": "echo"},
    "idle Lua": {"lua": IDLE},
    "buffering Lua": {"lua": BUFFERING},
    "request.lua": {"lua": None},
}


def chat(size: int, *, model: str = "chat", stream: bool = False) -> bytes:
    """Write a conversation of about `size` bytes, as the official client writes it: messages first."""
    turn = 'The quick brown fox "jumps" over the lazy dog.\nIt does so every day. ' * 4
    messages = [{"role": "system", "content": "You are a helpful assistant."}]
    while len(json.dumps(messages)) < size - 100:
        messages.append({"role": "user", "content": turn})
    return json.dumps(
        {"messages": messages, "model": model, "temperature": 0.2, "stream": stream}, separators=(",", ":")
    ).encode()


BODIES = {
    "1 KB chat": chat(1000),
    "1 KB stream, capped": chat(1000, model="capped", stream=True),
    "100 KB chat": chat(100_000),
}


@contextmanager
def connection(port: int) -> Iterator[Callable[[bytes, int], None]]:
    """Open a connection: call it with a whole request and the number of times to send it."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send(request: bytes, times: int) -> None:
            for _ in range(times):
                client.sendall(request)
                answer = client.recv(65536)
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(answer.decode())

        yield send


def main() -> None:
    """Run the rounds and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    costs: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(short=True))
        senders = {}
        for variant, options in VARIANTS.items():
            config = bootstrap(echo_port=echo.port, directory=DIRECTORY, routes=[ROUTE], **options)  # type: ignore[arg-type]  # a table of keyword arguments
            envoy = stack.enter_context(EnvoyProcess(config))
            senders[variant] = envoy, stack.enter_context(connection(envoy.port("in")))
        for turn in range(rounds + 1):
            for name, body in BODIES.items():
                head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
                times = 200 if len(body) > 10_000 else 500
                for variant, (envoy, send) in senders.items():
                    before = cpu_seconds(envoy.process.pid)
                    send(request, times)
                    cost = (cpu_seconds(envoy.process.pid) - before) / times * 1e6
                    if turn:  # the first round warms caches, connections and the compiler of LuaJIT
                        costs.setdefault((name, variant), []).append(cost)
    print(f"{'body':20} {'variant':14} {'least us':>9} {'more than no Lua':>18} {'median us':>11}")
    for (name, variant), values in costs.items():
        base, least = min(costs[name, "no Lua"]), min(values)
        more = f"{least - base:+10.1f} ({least / base:.2f})"
        print(f"{name:20} {variant:14} {least:9.1f} {more} {statistics.median(values):11.1f}")


if __name__ == "__main__":
    main()
