"""What other words cost: CPU time of Envoy per answer, as a ratio to the same client's request that passes as it came.

    PYTHONPATH=tests:tests/envoy python -m benchmarks.translation [--rounds N] [--against CHECKOUT]

A client of Messages is answered by a provider of Messages, by one of chat/completions, and by Bedrock, whose requests
are signed, too; a client of chat/completions likewise. The gateways take turns, answer by answer, one client, in one
process with the provider, so that an event is sent when the one before has arrived, or all in one write. `--against`
measures the gateway of another checkout, too.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gateway import EnvoyProcess, new_folder

from benchmarks.cpu import cpu_seconds
from benchmarks.gateways.upstream import chat_answer
from fairlead.demo.provider import event_stream

MESSAGES, CHAT, CONVERSE = "/messages", "/chat/completions", "/converse"
WARM = 5
PATIENCE_S = 60
TEXT = "All the tokens of a static answer. " * 20
QUESTION = "Tell me what a gateway adds to a request. " * 20
WORD = b" word"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A way of answering, and how often a round asks each gateway for it."""

    name: str
    events: int
    burst: bool
    answers: int


LOADS = (
    Load(name="1 KB, whole", events=0, burst=True, answers=30),
    Load(name="200 events, one write each", events=200, burst=False, answers=2),
    Load(name="200 events, one write", events=200, burst=True, answers=8),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A gateway: what its client asks, and what its provider is."""

    asks: str
    spec: Mapping[str, str]
    plain: str
    """The variant that it is a ratio to."""


VARIANTS = {
    "Messages, as they come": Variant(asks=MESSAGES, spec={"protocol": "Anthropic"}, plain="Messages, as they come"),
    "Messages at chat/completions": Variant(
        asks=MESSAGES, spec={"messages": "Translate"}, plain="Messages, as they come"
    ),
    "chat/completions, as they come": Variant(asks=CHAT, spec={}, plain="chat/completions, as they come"),
    "chat/completions at Messages": Variant(
        asks=CHAT,
        spec={"protocol": "Anthropic", "chatCompletions": "Translate"},
        plain="chat/completions, as they come",
    ),
    "Messages at Bedrock": Variant(asks=MESSAGES, spec={"protocol": "Bedrock"}, plain="Messages, as they come"),
    "chat/completions at Bedrock": Variant(
        asks=CHAT, spec={"protocol": "Bedrock"}, plain="chat/completions, as they come"
    ),
}
COMMAND = """
import json
import sys
from dataclasses import replace
from pathlib import Path
from builders import compiled, consumer, endpoint, installation, model, provider, route, secret, target
from fairlead import envoy, ir
folder, port, spec = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
signed = spec.get("protocol") == "Bedrock"
more = {"awsRegion": "us-east-1"} if signed else {}
url = f"http://127.0.0.1:{port}" + ("" if signed else "/v1")
one = endpoint("api", "us", baseURL=url, credential={"secretName": "p", "key": "key"}, **more)
id_ = "anthropic.claude" if signed else "m"
made = compiled(
    provider("p", endpoints=[one], models=[model("m", id=id_)], **spec), route("m", target("p", "m")), consumer("app"),
    secrets={secret("app"): "sk-app"},
    installed=installation(regions=[{"name": "us", "geo": "us", "listen": "127.0.0.1:8101"}]),
)
whole = replace(made.gateways["us"].ir, absent=frozenset())
anywhere = ir.ListenAddress(address="127.0.0.1", port=0)
layout = envoy.Layout(
    xds_dir=str(folder / "xds"), keys_dir=str(folder / "keys"), credentials_dir=str(folder / "credentials"),
    listen=anywhere, metrics_listen=anywhere, admin=str(folder / "admin.sock"),
    access_log=str(folder / "access.log"), ca_file="/dev/null", budget=None,
)
keys = envoy.api_keys([("sk-app", one.name) for one in whole.consumers], None)
files = {**envoy.render(whole, layout), "keys/ecds.json": keys, "credentials/p/key": b"p-key"}
if signed:
    files["credentials/p/key"] = b"[default]\\naws_access_key_id = A\\naws_secret_access_key = b\\n"
for path, content in files.items():
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
"""


def start(stack: ExitStack, checkout: Path, port: int, spec: Mapping[str, str]) -> EnvoyProcess:
    """Start a gateway whose files a checkout of this repository makes."""
    folder = new_folder()
    path = os.pathsep.join(str(checkout / part) for part in ("operator", "tests", "tests/envoy"))
    command = [sys.executable, "-c", COMMAND, str(folder), str(port), json.dumps(spec)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, timeout=60)
    bootstrap = json.loads((folder / "bootstrap.json").read_bytes())
    return stack.enter_context(EnvoyProcess(bootstrap, folder=folder, concurrency=1))


def _message(**members: object) -> dict[str, object]:
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    return {**head, "stop_sequence": None, "usage": {"input_tokens": 180, "output_tokens": 160}, **members}


def _events(path: str, count: int) -> list[bytes]:
    words = [f" word{number}" for number in range(count)]
    if path == CONVERSE:
        return _frames(words)
    if path == CHAT:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        deltas = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in words]
        said = [{**head, "choices": [one]} for one in [*deltas, {"index": 0, "delta": {}, "finish_reason": "stop"}]]
        usage = {"prompt_tokens": 180, "completion_tokens": 160, "total_tokens": 340}
        texts = [json.dumps(one, separators=(",", ":")) for one in [*said, {**head, "choices": [], "usage": usage}]]
        return [f"data: {text}\n\n".encode() for text in [*texts, "[DONE]"]]
    block = {"type": "text", "text": ""}
    told: list[dict[str, object]] = [
        {"type": "message_start", "message": _message()},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 160}},
        {"type": "message_stop"},
    ]
    return [f"event: {one['type']}\ndata: {json.dumps(one, separators=(',', ':'))}\n\n".encode() for one in told]


def _frames(words: Sequence[str]) -> list[bytes]:
    said = [("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in words]
    usage = {"inputTokens": 180, "outputTokens": 160, "totalTokens": 340}
    events: list[tuple[str, dict[str, object]]] = [
        ("messageStart", {"role": "assistant"}),
        *said,
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("messageStop", {"stopReason": "end_turn"}),
        ("metadata", {"metrics": {"latencyMs": 1}, "usage": usage}),
    ]
    noise = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # which hides how long a text is
    return [event_stream.event(name, {**one, "p": noise[: number % 30]}) for number, (name, one) in enumerate(events)]


@cache
def answer(path: str, load: Load) -> tuple[bytes, list[bytes]]:
    """Write the head of an answer, and its body in pieces."""
    if load.events:
        kind = b"application/vnd.amazon.eventstream" if path == CONVERSE else b"text/event-stream"
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n" % kind
        pieces = (b"%x\r\n%s\r\n" % (len(event), event) for event in _events(path, load.events))
        return head, [*pieces, b"0\r\n\r\n"]
    whole = chat_answer()
    if path == MESSAGES:
        whole = json.dumps(_message(content=[{"type": "text", "text": TEXT}], stop_reason="end_turn"))
    if path == CONVERSE:
        output = {"message": {"role": "assistant", "content": [{"text": TEXT}]}}
        usage = {"inputTokens": 180, "outputTokens": 160, "totalTokens": 340}
        whole = json.dumps({"output": output, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}})
    body = whole.encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body), [body]


@dataclass(slots=True)
class Exchange:
    """Serves a load to whoever asks, and asks for it; one at a time."""

    load: Load = LOADS[0]
    arrived: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    connections: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer who asks at a connection, until it ends."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(_length(head))
                line = head.partition(b"\r")[0]
                path = next((one for one in (MESSAGES, CONVERSE) if one.encode() in line), CHAT)
                await self._answer(writer, *answer(path, self.load))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # or the measurement is over
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, head: bytes, pieces: Sequence[bytes]) -> None:
        if self.load.burst:
            writer.write(b"".join([head, *pieces]))
            return
        writer.write(head)
        sent = 0
        for piece in pieces:
            writer.write(piece)
            if WORD in piece:
                sent += 1
                while self.arrived < sent:
                    self.changed.clear()
                    await self.changed.wait()

    async def cost(self, name: str, process: EnvoyProcess, asks: str, load: Load) -> float:
        """Ask for one answer; return the microseconds of CPU that it takes the gateway."""
        self.load, self.arrived = load, 0
        if name not in self.connections:
            self.connections[name] = await asyncio.open_connection("127.0.0.1", process.port("data"), limit=1 << 20)
        before = cpu_seconds(process.process.pid)
        async with asyncio.timeout(PATIENCE_S):
            await self._ask(asks, load, *self.connections[name])
        return (cpu_seconds(process.process.pid) - before) * 1e6

    async def _ask(self, asks: str, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        members = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": QUESTION}]}
        body = json.dumps({**members, "stream": True} if load.events else members).encode()
        head = f"POST /v1{asks} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-app\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answered = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in answered[:20]:
            raise RuntimeError(answered.decode())
        if not load.events:
            await reader.readexactly(_length(answered))
            return
        end = b""
        while not end.endswith(b"\r\n0\r\n\r\n"):
            piece = await reader.read(1 << 16)
            end = (end + piece)[-(1 << 10) :]
            self.arrived += piece.count(WORD)
            self.changed.set()


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    if found is None:
        raise RuntimeError(head.decode())
    return int(found[1])


def table(costs: Mapping[tuple[str, str], Sequence[float]], plain: Mapping[str, str]) -> str:
    """Write a row for each load and gateway that says it otherwise."""
    rows = [
        "| answer | request | us of CPU, as it came | in other words | ratio | quartiles |",
        "|---|---|---|---|---|---|",
    ]
    for (load, name), mine in costs.items():
        if plain[name] == name:
            continue
        yardstick = costs[load, plain[name]]
        ratios = [one / other for one, other in zip(mine, yardstick, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        spent = f"{statistics.median(yardstick):,.0f} | {statistics.median(mine):,.0f}"
        rows.append(f"| {load} | {name} | {spent} | {middle:.2f}x | {low:.2f} to {high:.2f} |")
    return "\n".join(rows)


async def measure(
    provider: socket.socket, running: Mapping[str, tuple[EnvoyProcess, str]], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Run rounds against a provider that listens there."""
    exchange = Exchange()
    server = await asyncio.start_server(exchange.serve, sock=provider, limit=1 << 20)
    costs: dict[tuple[str, str], list[float]] = {(load.name, name): [] for load in LOADS for name in running}
    for turn in range(WARM + rounds):
        for load in LOADS:
            for _ in range(load.answers):
                for name, (process, asks) in running.items():
                    found = await exchange.cost(name, process, asks, load)
                    if turn >= WARM:
                        costs[load.name, name].append(found)
    server.close()
    return costs


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with ExitStack() as stack:
        provider = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = provider.getsockname()[1]
        variants = {name: (here, one) for name, one in VARIANTS.items()}
        plain = {name: one.plain for name, one in VARIANTS.items()}
        if options.against:
            other = {f"{name}, before": one for name, one in VARIANTS.items() if one.plain != name}
            variants |= {name: (options.against.resolve(), one) for name, one in other.items()}
            plain |= {name: one.plain for name, one in other.items()}
        running = {
            name: (start(stack, checkout, port, one.spec), one.asks) for name, (checkout, one) in variants.items()
        }
        print(table(asyncio.run(measure(provider, running, options.rounds)), plain))


if __name__ == "__main__":
    main()
