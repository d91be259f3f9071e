"""Child processes that never outlive this one: in sessions of their own, so that Ctrl-C reaches only the parent."""

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 10
READY_TIMEOUT_S = 60
LOG_TAIL = 1_000
"""Characters of a child's log that an error shows."""


class ChildError(Exception):
    """A child process ended or said nothing when it should have been ready."""


class Child:
    """A process, its standard input and output, and its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name, self.log = name, log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        talks: bool = True,
        dies_by: signal.Signals = signal.SIGTERM,
    ) -> Self:
        """Start a process whose standard error goes to `log`; it gets `dies_by` when this process dies.

        `talks`: its standard output is for `receive`; otherwise that goes to `log` too. One that may be held when this
        process dies must die by SIGKILL: it would never see another signal.
        """
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if talks else file,
                stderr=file,
                env=dict(env),
                start_new_session=True,
                preexec_fn=_death_wish(dies_by),
            )
        return cls(name, process, log)

    async def send(self, line: str) -> None:
        """Write one line to its standard input."""
        if self._process.stdin is not None:
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()

    async def receive(self) -> str:
        """Read one line of its standard output; raise `ChildError` if it ends, or says nothing for a minute."""
        if self._process.stdout is None:
            raise ChildError(f"{self.name}: no standard output")
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildError(f"{self.name}: silent for {READY_TIMEOUT_S} s; {self.tail()}") from None
        if not line:
            await self._process.wait()
            raise ChildError(f"{self.name}: ended with exit code {self._process.returncode}; {self.tail()}")
        return line.decode().strip()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def ended(self) -> None:
        """Wait until it ends."""
        await self._process.wait()

    def tail(self) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"the end of {self.log}:\n{text[-LOG_TAIL:]}"

    def hold(self) -> None:
        """Let it hang (SIGSTOP): its sockets stay open, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on from where it was held."""
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once (SIGKILL): a real death."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """Ask it to end (SIGTERM), insist after a while; return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            # First, since whoever is held sees no SIGTERM, and a signal after the end would poll and take the exit code
            self.go_on()
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            return -signal.SIGKILL


def _death_wish(number: signal.Signals) -> Callable[[], object] | None:
    """Make what a child runs before exec, on Linux: ask the kernel for a signal when the parent dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
