"""The budget server that stands by in a `fairlead up` of tests: a fork of `up` itself, which has loaded what it needs.

Loading is half of what such an `up` takes of a processor. A server that is started later, in the place of one that
died, loads as ever.
"""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

NAME = b"budget-server"
"""What the kernel calls the process: its command line is that of what was forked."""
LOADS = "import standing_by; standing_by.load_servers()"
"""What an `up` does first whose server is to be a program of its own: its environment is what it was given."""
_NAME = Path("/proc/self/comm")


class _Told:
    """Where the server is told what it is for."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def write(self, line: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is told elsewhere
            os.write(self._pipe, line)

    def close(self) -> None:
        os.close(self._pipe)


class _Forked:
    """The process, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid, self.stdin = pid, _Told(pipe)
        self.returncode: int | None = None
        self._exit = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._exit, self._reap)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._exit)
        os.close(self._exit)
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)


def fork_servers() -> None:
    """Let the `up` that this process is going to be fork the server that stands by, and load none."""
    from fairlead.adapters import standby

    _LOADING.append(standby.Standby.start)

    async def start(environment: Mapping[str, str]) -> standby.Standby:
        theirs, ours = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            _stand_by(theirs, standby.inherited(environment), parent)
        os.close(theirs)
        return standby.Standby(_Forked(pid, ours))  # type: ignore[arg-type]

    standby.Standby.start = start  # type: ignore[method-assign,assignment]


def load_servers() -> None:
    """Let it load its servers after all."""
    from fairlead.adapters import standby

    standby.Standby.start = _LOADING[-1]  # type: ignore[method-assign]


_LOADING: list[Any] = []


def _stand_by(pipe: int, environment: Mapping[str, str], parent: int) -> NoReturn:
    """Be what `adapters.standby` starts: nothing of the process that was forked is left but what it has loaded."""
    from fairlead.adapters.lifeline import dies_with
    from fairlead.cli.budget_server import stand_by

    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if ask := dies_with(parent):
            ask()
        os.setpgid(0, 0)
        _NAME.write_bytes(NAME)
        with Path(os.devnull).open("r+b") as nothing:
            for number, file in enumerate((pipe, nothing.fileno(), nothing.fileno())):
                os.dup2(file, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        asyncio.events._set_running_loop(None)
        stand_by()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
