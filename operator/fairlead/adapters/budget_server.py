"""A budget server as a child of this process, and what it says over its socket."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairlead.adapters import disk, exchange
from fairlead.adapters.answer import decoded
from fairlead.adapters.budget_places import Places
from fairlead.adapters.child_environment import inherited
from fairlead.adapters.lifeline import dies_with
from fairlead.adapters.standby import Standby
from fairlead.errors import AnswerError, BudgetServerError

LOST = 3
"""Exit code of a budget server that ended in order, but with bookings that its store did not take."""
_COMMAND = (sys.executable, "-c", "from fairlead.cli import main; main()", "budget-server")


class BudgetServerProcess:
    """A running budget server. It never outlives this process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        places: Places,
        *,
        store: str | None,
        answers_store: str | None,
        check_timeout_s: float,
        environment: Mapping[str, str],
        standby: Standby | None = None,
    ) -> "BudgetServerProcess":
        """Start one, or let the one that stands by be it.

        The stores' addresses go through the environment, since they may carry a password.
        """
        arguments = [
            "--config", str(places.configuration),
            "--rpc", f"unix:{places.rpc}",
            "--usage", f"unix:{places.usage}",
            "--http", f"unix:{places.http}",
            "--answers-key", str(places.answers_key),
            "--gateway", f"file:{places.gateways}",
            # The store must give up before the gateway does, so that the answer says so.
            "--store-timeout", f"{0.8 * check_timeout_s:.3f}",
        ]  # fmt: skip
        try:
            log = disk.appending(places.log)
        except OSError as error:
            raise BudgetServerError(f"{places.log}: {disk.reason(error)}") from None
        stores = {
            "FAIRLEAD_BUDGET_STORE": store or f"sqlite:{places.database}",
            "FAIRLEAD_ANSWERS_STORE": answers_store or "",
        }
        with log:
            if standby is not None and (ready := standby.become(arguments, stores, log=places.log)) is not None:
                return cls(ready)
            try:
                process = await asyncio.create_subprocess_exec(
                    *_COMMAND,
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**inherited(environment), **stores},
                    # A Ctrl-C in the terminal goes to the whole group; requests in flight still report.
                    process_group=0,
                    preexec_fn=dies_with(os.getpid()),  # two system calls and nothing else
                )
            except OSError as error:
                raise BudgetServerError(f"cannot start the budget server: {error}") from None
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it without asking."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self, *, within_s: float) -> None:
        """Ask it to end, so that it books what waits; then make it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


async def ask(socket: Path, path: str) -> dict[str, Any]:
    """Ask a budget server's operator interface.

    Raises:
        BudgetServerError: nobody answers, not with a JSON object, or with an error: its store does not answer, say.

    """
    try:
        document = decoded(await _content(socket, path))
    except AnswerError as error:
        raise BudgetServerError(f"{socket}: the budget server does not answer: {error}") from None
    if not isinstance(document, dict):
        raise BudgetServerError(f"{socket}: the budget server answered something else")
    if (wrong := document.get("error")) is not None:
        message = wrong.get("message") if isinstance(wrong, dict) else wrong
        raise BudgetServerError(f"the budget server cannot tell: {message}")
    return document


async def counted(socket: Path) -> str:
    """Return what a budget server shows to Prometheus; raises `BudgetServerError`."""
    try:
        return (await _content(socket, "/metrics")).decode()
    except (AnswerError, UnicodeDecodeError) as error:
        raise BudgetServerError(f"{socket}: the budget server does not answer: {error}") from None


async def _content(socket: Path, path: str) -> bytes:
    async with exchange.client(exchange.at_socket(socket), "http://budget") as client:
        return (await exchange.get(client, path)).content
