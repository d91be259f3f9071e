"""Asks the budget server who is at the end of a budget, so that the gateways know it without asking.

It is kept in a file: a `fairlead up` that starts while nobody can be asked goes on refusing whom the last one refused.
"""

import asyncio
import json
from collections.abc import Callable

from fairlead.adapters import disk
from fairlead.budget import exhaustion
from fairlead.budget.exhaustion import Exhaustions, remembered
from fairlead.errors import StateError
from fairlead.runtime import saved
from fairlead.standalone.budget_server import Accounts
from fairlead.standalone.state import StateFolder

EVERY_S = 2.0


class LocalExhaustion:
    """Who is known to be at the end."""

    def __init__(self, accounts: Accounts, state: StateFolder, warn: Callable[[str], None]) -> None:
        self._accounts, self._state, self._warn = accounts, state, warn
        self.known: Exhaustions = {}

    def go_on(self) -> None:
        """Know what was known when `fairlead up` last ran here."""
        self.known = saved.read(self._state.exhausted, exhaustion.read, warn=self._warn) or {}

    async def watch(self, changed: Callable[[], None]) -> None:
        """Ask again and again; `changed` is called when somebody else is at the end. Ends with its task."""
        while True:
            await asyncio.sleep(EVERY_S)
            before = self.known
            self.known = remembered(before, await self._accounts.spend())
            if self.known != before:
                changed()
                self._keep()

    def _keep(self) -> None:
        try:
            disk.write(self._state.exhausted, json.dumps(exhaustion.document(self.known)).encode())
        except StateError as error:
            self._warn(f"{error}; who is at the end of a budget is not remembered over a restart")
