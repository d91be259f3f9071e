"""A real redis-server on a free port, with its files in a folder of its own."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from ports import free_port

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
_READY_S = 20


class RedisServer:
    """Can be killed, stopped, started again with what it had on disk, and told to be full."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert BINARY
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    BINARY,
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                    *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec", *self._arguments),
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_S
        while not self.answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def command(self, *words: str) -> bytes:
        """Run one command and return the raw reply (one packet of it)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            parts = [f"*{len(words)}\r\n", *(f"${len(word.encode())}\r\n{word}\r\n" for word in words)]
            connection.sendall("".join(parts).encode())
            return connection.recv(65536)

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait()
