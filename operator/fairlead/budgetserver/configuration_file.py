"""The configuration on disk: read strictly, looked at again and again, kept when a newer one is wrong.

The file is polled, four times a second: that sees edits in place, renames and the swapped links of a Kubernetes mount
alike, and `fairlead kill` acts within a second.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from fairlead.adapters import disk
from fairlead.budget.configuration import BudgetConfiguration, decode, digest
from fairlead.budgetserver.metrics import Metrics
from fairlead.errors import BudgetConfigurationError, StateError

POLL_S = 0.25
log = structlog.get_logger("fairlead.budget")


class BudgetConfigurationFile:
    """One path, and what was last read there."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._text = b""
        self.digest = ""

    def load(self) -> BudgetConfiguration:
        """Read the configuration. Raises `BudgetConfigurationError` when it is missing or wrong."""
        try:
            text = disk.read(self._path)
        except StateError as error:
            raise BudgetConfigurationError(str(error)) from error
        if text is None:
            raise BudgetConfigurationError(f"{self._path}: got no such file, want a budget configuration")
        self._text = text
        try:
            configuration = decode(text)
        except BudgetConfigurationError as error:
            raise BudgetConfigurationError(f"{self._path}: {error}") from error
        self.digest = digest(text)
        self._metrics.configuration.clear()
        self._metrics.configuration.labels(self.digest).set(1)
        return configuration

    async def watch(self, use: Callable[[BudgetConfiguration], None]) -> None:
        """Hand on each new configuration, for as long as the server lives; a wrong one is reported once and left."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._changed():
                continue
            try:
                configuration = self.load()
            except BudgetConfigurationError as error:
                self._metrics.book_errors.inc()
                log.error("budget.book_refused", error=str(error), kept=self.digest)  # noqa: TRY400 - a message, no bug
            else:
                use(configuration)
                log.info("budget.configuration", digest=self.digest)

    def _changed(self) -> bool:
        """Say whether there is another text; a file that is away for a moment has not changed."""
        try:
            text = disk.read(self._path)
        except StateError:
            return False
        return text is not None and text != self._text
