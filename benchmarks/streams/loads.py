"""The ways in which providers answer, as the bytes that they send."""

import json
from dataclasses import dataclass

from benchmarks.gateways.upstream import USAGE, chat_answer

EVENT = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A way of answering, and how often a round asks each gateway for it."""

    name: str
    events: int
    """0: no stream, but JSON of 1 KB."""
    burst: bool
    """All of it in one write; else each event in a write of its own, after the one before has arrived."""
    answers: int


LOADS = (
    Load(name="chat of 1 KB, no stream", events=0, burst=True, answers=40),
    Load(name="100 events, one write", events=100, burst=True, answers=20),
    Load(name="100 events, one write each", events=100, burst=False, answers=3),
    Load(name="1,000 events, one write each", events=1000, burst=False, answers=1),
)


def request(load: Load, number: int) -> bytes:
    """Write a chat request of about 1 KB; `user` says which one it is."""
    message = {"role": "user", "content": "Tell me what a gateway adds to a request. " * 20}
    members = {"model": "chat", "user": str(number), "messages": [message]}
    return json.dumps({**members, "stream": True} if load.events else members).encode()


def answer(load: Load) -> tuple[bytes, list[bytes]]:
    """Write the head of an answer, and its body in pieces: one token each, then usage, then the end."""
    if not load.events:
        body = chat_answer().encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body), [body]
    deltas = [{**EVENT, "choices": [{"index": 0, "delta": {"content": f" word{i}"}}]} for i in range(load.events)]
    texts = [json.dumps(one, separators=(",", ":")) for one in (*deltas, {**EVENT, "choices": [], "usage": USAGE})]
    events = [f"data: {text}\n\n".encode() for text in (*texts, "[DONE]")]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head, [*(b"%x\r\n%s\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"]
