"""A recorder as a child of this process."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from fairlead.adapters import disk
from fairlead.adapters.child_environment import inherited
from fairlead.adapters.lifeline import dies_with
from fairlead.errors import RecorderError

_COMMAND = (sys.executable, "-c", "from fairlead.cli import main; main()", "recorder", "serve")


class RecorderProcess:
    """A running recorder. It never outlives this process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, *, socket: Path, folder: Path, keep: str, megabytes: int, log: Path, environment: Mapping[str, str]
    ) -> "RecorderProcess":
        """Start one; raises `RecorderError`."""
        arguments = ("--listen", f"unix:{socket}", "--dir", str(folder), "--keep", keep, "--megabytes", str(megabytes))
        try:
            file = disk.appending(log)
        except OSError as error:
            raise RecorderError(f"{log}: {disk.reason(error)}") from None
        with file:
            try:
                process = await asyncio.create_subprocess_exec(
                    *_COMMAND,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env=inherited(environment),
                    process_group=0,  # a Ctrl-C in the terminal goes to the whole group
                    preexec_fn=dies_with(os.getpid()),  # two system calls and nothing else
                )
            except OSError as error:
                raise RecorderError(f"cannot start the recorder: {error}") from None
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Return its exit code, when it has ended."""
        return await self._process.wait()

    async def end(self, *, within_s: float) -> None:
        """Ask it to end; then make it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        # Not by `wait_for`: in Python 3.11 it can swallow a cancellation.
        end = asyncio.ensure_future(self._process.wait())
        done, _ = await asyncio.wait({end}, timeout=within_s)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await end
