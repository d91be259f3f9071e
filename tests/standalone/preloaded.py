"""Commands of `fairlead`, each a process of its own by a fork of one that has loaded what they need.

Loading is most of what a start takes: of two seconds of a processor, all but a fifth of one. What a command does from
its first line on, it does as ever. Who tests loading itself starts a process of his own.
"""

import array
import atexit
import contextlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import standing_by

MOST_BYTES = 1 << 20
NOTHING = Path(os.devnull)
PROVIDER = ("-m", "fairlead.demo.provider")
"""What a command's words begin with that is no `fairlead`, but `python` with these: a simulated provider."""


class Forked:
    """A process, as `subprocess.Popen` shows one."""

    def __init__(self, parent: "Parent", pid: int, *pipes: io.TextIOWrapper) -> None:
        self._parent, self.pid = parent, pid
        self.stdout, self.stderr = pipes or (None, None)
        self.returncode: int | None = None
        self._exit = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self.returncode is None and select.select([self._exit], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._exit], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("fairlead", timeout or 0)
            self._ended()
        assert self.returncode is not None
        return self.returncode

    def _ended(self) -> None:
        self.returncode = self._parent.exit_code(self.pid)
        os.close(self._exit)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Parent:
    """The process that forks, for as long as this one runs."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen([sys.executable, __file__], stdin=theirs, stdout=subprocess.DEVNULL)
        atexit.register(self._end)

    def start(
        self, words: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None, before: str = ""
    ) -> Forked:
        """Run `fairlead` with these words, and read what it says; `before`: what is to be done first, as Python."""
        (out, told), (err, complained) = os.pipe(), os.pipe()
        try:
            with NOTHING.open() as nothing:
                pid = self._fork(words, environment, cwd, before, nothing.fileno(), told, complained)
        finally:
            os.close(told)
            os.close(complained)
        return Forked(self, pid, *(open(file, encoding="utf-8") for file in (out, err)))  # noqa: PTH123

    def start_with_log(self, words: Sequence[str], log: BinaryIO, *, environment: Mapping[str, str]) -> Forked:
        """Run it, and let all that it says stand in a file."""
        with NOTHING.open() as nothing:
            pid = self._fork(words, environment, None, "", nothing.fileno(), log.fileno(), log.fileno())
        return Forked(self, pid)

    def start_with_files(
        self, words: Sequence[str], files: Sequence[int], *, environment: Mapping[str, str], cwd: Path
    ) -> Forked:
        """Run it with these files as its input, its output and what it complains to."""
        return Forked(self, self._fork(words, environment, cwd, "", *files))

    def _fork(
        self, words: Sequence[str], environment: Mapping[str, str], cwd: Path | None, before: str, *files: int
    ) -> int:
        asked = {
            "words": list(words),
            "environment": dict(environment),
            "cwd": str(cwd or Path.cwd()),
            "before": before,
        }
        return self._ask(asked, *files)

    def exit_code(self, pid: int) -> int:
        """Of a process that has ended."""
        return self._ask({"pid": pid})

    def _ask(self, asked: Mapping[str, Any], *files: int) -> int:
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(asked).encode()], files)
            return int(json.loads(self._ours.recv(MOST_BYTES)))

    def _end(self) -> None:
        self._ours.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)


_PARENT: list[Parent] = []


def parent() -> Parent:
    """Return the one of this process."""
    if not _PARENT:
        _PARENT.append(Parent())
    return _PARENT[0]


def _serve() -> None:
    """Fork whenever it is asked; ends with whoever asks."""
    asking = socket.socket(fileno=os.dup(0))
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES)
    while True:
        content, ancillary, _, _ = asking.recvmsg(MOST_BYTES, socket.CMSG_LEN(3 * array.array("i").itemsize))
        if not content:
            return
        files = array.array("i", b"".join(one[2] for one in ancillary))
        asked = json.loads(content)
        if "pid" in asked:
            status = os.waitpid(asked["pid"], 0)[1]
            asking.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
            continue
        pid = os.fork()
        if pid == 0:
            asking.close()
            _become(asked, *files)
        for file in files:
            os.close(file)
        asking.send(json.dumps(pid).encode())


def _become(asked: Mapping[str, Any], *files: int) -> NoReturn:
    """Be the command."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="utf-8")  # noqa: SIM115
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), encoding="utf-8", line_buffering=True)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    standing_by.fork_servers()
    words = tuple(asked["words"])
    provides = words[: len(PROVIDER)] == PROVIDER
    sys.argv = ["fairlead", *(words[len(PROVIDER) :] if provides else words)]
    code: Any = 0
    try:
        exec(asked["before"], {})  # noqa: S102  the test's own
        if provides:
            from fairlead.demo.provider.__main__ import main as provide

            provide()
        from fairlead.cli import main

        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(int(code or 0))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import uvloop  # noqa: F401

    import fairlead.budgetserver.server
    import fairlead.cli.budget_server
    import fairlead.cli.budgets
    import fairlead.cli.check
    import fairlead.cli.explain
    import fairlead.cli.journal
    import fairlead.cli.kill
    import fairlead.cli.logs
    import fairlead.cli.rollout
    import fairlead.cli.status
    import fairlead.cli.up
    import fairlead.cli.zero_files
    import fairlead.demo.provider.__main__
    import fairlead.standalone.context
    import fairlead.standalone.up  # noqa: F401

    _serve()
