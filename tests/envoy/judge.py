"""A classifier that does as a test says: a service, and a model, on one port."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wire import PATIENCE_S, LoopbackServer

Answer = tuple[int, bytes]
"""A status and a body."""


def service(category: str | None, **members: Any) -> Answer:
    return 200, json.dumps({"category": category, **members}).encode()


def model(content: str | None) -> Answer:
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return 200, json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def text(self) -> str:
        """What is to be classified."""
        text: str = self.body["text"] if "text" in self.body else self.body["messages"][-1]["content"]
        return text


@dataclass(slots=True)
class Held:
    """An answer that waits for the test."""

    go: threading.Event = field(default_factory=threading.Event)
    answer: Answer = (500, b"")

    def release(self, answer: Answer) -> None:
        self.answer = answer
        self.go.set()


class Judge(LoopbackServer):
    """Answers each question with `say(text)`, one in `held` when the test releases it."""

    def __init__(self, say: Callable[[str], Answer]) -> None:
        self.say = say
        self.questions: list[Question] = []
        self.held: dict[str, Held] = {}
        judge = self

        class Connection(socketserver.StreamRequestHandler):
            timeout = PATIENCE_S
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # who asked has left
                    while (question := self._read()) is not None:
                        judge.questions.append(question)
                        status, body = judge._answer(question.text)
                        head = f"HTTP/1.1 {status} S\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
                        self.wfile.write(head.encode() + b"\r\n\r\n" + body)

            def _read(self) -> Question | None:
                first = self.rfile.readline().decode()
                if not first:
                    return None
                headers = {}
                while (line := self.rfile.readline().decode().strip()) != "":
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = json.loads(self.rfile.read(int(headers["content-length"])))
                return Question(path=first.split(" ")[1], headers=headers, body=body)

        super().__init__(Connection)

    def _answer(self, text: str) -> Answer:
        if text in self.held:
            held = self.held[text]
            assert held.go.wait(PATIENCE_S)
            return held.answer
        return self.say(text)

    def hold(self, text: str) -> Held:
        return self.held.setdefault(text, Held())

    @property
    def texts(self) -> list[str]:
        return [question.text for question in list(self.questions)]

    def __exit__(self, *error: object) -> None:
        for held in self.held.values():
            held.go.set()
        super().__exit__(*error)
