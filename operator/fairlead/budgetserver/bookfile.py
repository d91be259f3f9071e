"""The book on disk: read strictly, looked at again and again, kept when a newer one is wrong.

The file is polled, four times a second: that sees edits in place, renames and the swapped links of a Kubernetes mount
alike, and `fairlead kill` acts within a second.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from fairlead.budget.book import Book, decode, digest
from fairlead.budgetserver.metrics import Metrics
from fairlead.errors import BookError

POLL_S = 0.25
log = structlog.get_logger("fairlead.budget")


class BookFile:
    """One path, and what was last read there."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path = path
        self._metrics = metrics
        self._text = b""
        self.digest = ""

    def load(self) -> Book:
        """Read the book. Raises `BookError` when it is missing or wrong."""
        try:
            text = self._path.read_bytes()
        except OSError as error:
            raise BookError(f"{self._path}: {error.strerror}") from error
        self._text = text
        try:
            book = decode(text)
        except BookError as error:
            raise BookError(f"{self._path}: {error}") from error
        self.digest = digest(text)
        self._metrics.book.clear()
        self._metrics.book.labels(self.digest).set(1)
        return book

    async def watch(self, use: Callable[[Book], None]) -> None:
        """Hand on each new book, for as long as the server lives; a wrong one is reported once and left."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._changed():
                continue
            try:
                book = self.load()
            except BookError as error:
                self._metrics.book_errors.inc()
                log.error("budget.book_refused", error=str(error), kept=self.digest)  # noqa: TRY400 - a message, no bug
            else:
                use(book)
                log.info("budget.book", digest=self.digest)

    def _changed(self) -> bool:
        """Say whether there is another text; a file that is away for a moment has not changed."""
        try:
            return self._path.read_bytes() != self._text
        except OSError:
            return False
