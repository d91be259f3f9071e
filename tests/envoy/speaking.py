"""A provider whose models say what a test tells them to, with usage; it keeps what each was asked."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

TOKENS_IN, TOKENS_OUT = 11, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What a model answers."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    hangs: bool = False
    """It never answers; the connection ends with the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that came."""

    model: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


def says(content: Any, finish: str | None = "stop", **message: Any) -> Saying:
    """Make an answer of chat/completions."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return answers({"object": "chat.completion", "choices": [choice]})


def answers(body: dict[str, Any], **fields: Any) -> Saying:
    """Make an answer of any API, with usage."""
    usage = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
    return Saying(body=json.dumps({"id": "x", "created": 1, "model": "m", **body, "usage": usage}).encode(), **fields)


def fails(status: int) -> Saying:
    return Saying(body=b'{"error":{"message":"no","type":"x","param":null,"code":"x"}}', status=status)


class Speaker:
    """An HTTP/1.1 server on a free port of the loopback. `said` is by `/<folder>/<model>`, or by the model alone."""

    def __init__(self) -> None:
        self.said: dict[str, Saying] = {}
        self.asked: list[Asked] = []
        self._ended = threading.Event()
        speaker = self

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                folder = self.path.partition("/v1/")[0]
                headers = {name.lower(): value for name, value in self.headers.items()}
                speaker.asked.append(Asked(model=body["model"], path=self.path, headers=headers, body=body))
                saying = speaker.said.get(f"{folder}/{body['model']}") or speaker.said[body["model"]]
                if saying.hangs:
                    speaker._ended.wait()
                    return
                self.send_response(saying.status)
                for name, value in {"content-type": "application/json", **saying.headers}.items():
                    self.send_header(name, value)
                if saying.chunked:
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(saying.body), saying.body))
                else:
                    self.send_header("content-length", str(len(saying.body)))
                    self.end_headers()
                    self.wfile.write(saying.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="speaker")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def models(self) -> list[str]:
        """Which models were asked, in order."""
        return [one.model for one in self.asked]
