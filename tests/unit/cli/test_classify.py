"""`fairlead classify` against a gateway that says what a test wants."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from command_line import run

SEEN: list[tuple[str | None, Any]] = []


class _Gateway(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        SEEN.append((self.headers["authorization"], body))
        text = body["messages"][0]["content"]
        self.send_response(429 if text == "spent" else 200)
        if text not in ("spent", "plain"):
            self.send_header("x-fairlead-category", text.partition(" ")[0])
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has left would be told on the stderr that a test reads."""


@pytest.fixture
def url() -> Iterator[str]:
    SEEN.clear()
    with _Server(("127.0.0.1", 0), _Gateway) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def classify(folder: Path, url: str, pairs: list[tuple[str, str]], *options: str) -> Any:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps({"text": text, "category": category}) + "\n" for text, category in pairs))
    return run("classify", "--file", file, "--model", "chat", "--url", url, *options)


def test_it_prints_accuracy_and_confusion(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRLEAD_API_KEY", "sk-caller")
    pairs = [("code 1", "code"), ("simple 2", "code"), ("simple 3", "simple"), ("plain", "simple"), ("spent", "code")]
    result = classify(tmp_path, url, pairs)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "accuracy 40.0% (2 of 5)",
        "",
        "is \\ said  code  simple  (not asked)  (failed)",
        "code          1       1            0         1",
        "simple        0       1            1         0",
        "(not asked): no rule needed a category, or one without matched before",
        "(failed): 1 x status 429",
    ]
    assert {key for key, _ in SEEN} == {"Bearer sk-caller"}
    assert {(body["model"], body["max_tokens"]) for _, body in SEEN} == {("chat", 1)}


def test_its_exit_code_says_whether_it_is_good_enough(tmp_path: Path, url: str) -> None:
    pairs = [("code", "code")] * 9 + [("simple", "code")]
    assert classify(tmp_path, url, pairs, "--at-least", "90").exit_code == 0
    assert classify(tmp_path, url, pairs, "--at-least", "90.1").exit_code == 1
    assert classify(tmp_path, url, [("plain", "code")]).exit_code == 1, "nothing was sorted"
    told = json.loads(classify(tmp_path, url, pairs, "-o", "json").output)
    assert told == {
        "accuracy": 0.9,
        "right": 9,
        "total": 10,
        "confusion": {"code": {"code": 9, "simple": 1}},
        "failures": {},
    }
    assert {key for key, _ in SEEN} == {None}


def test_nobody_there_is_said(tmp_path: Path) -> None:
    result = classify(tmp_path, "http://127.0.0.1:1", [("code", "code")])
    assert result.exit_code == 1
    assert "(failed): 1 x no answer: " in result.output


def test_a_wrong_file_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    file.write_text("{}\n")
    result = run("classify", "--file", file, "--model", "chat")
    assert (result.exit_code, "line 1: got other members" in result.output) == (2, True)
    file.write_text("\n")
    assert run("classify", "--file", file, "--model", "chat").exit_code == 2
