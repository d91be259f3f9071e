"""What a budget server says of its store, in words for a person: what it lost, and that it does not answer."""

from collections.abc import Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

SILENT = "budgets are not enforced: the budget server does not answer; see its log"


def warnings(health: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what could not be read of what was spent, since the server started."""
    found = health.get("warnings")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def outage(health: Mapping[str, Any]) -> str:
    """Return why the store does not answer, and what becomes of requests, or of counts; empty while it does."""
    if health.get("store") == "up":
        return ""
    problem = health.get("problem") or "its store does not answer"
    if not health.get("bounding", True):
        return f"what requests cost is not counted: {problem}; it is booked when that is mended"
    passing = "pass unchecked" if health.get("failure_policy") == "Open" else "are refused"
    return f"budgets are not enforced: {problem}; requests {passing} until it is mended"


def sharing(health: Mapping[str, Any]) -> str:
    """Return since when the store of shared answers does not answer, which hurts nobody; empty while it does."""
    found = health.get("answers")
    if not isinstance(found, Mapping):
        return ""
    return (
        f"shared answers: the store does not answer, since {found.get('since')}: {found.get('problem')};"
        " requests are asked anew"
    )


class BudgetHealth:
    """Tells each thing once, also when it comes while the server runs."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log
        self._warned: tuple[str, ...] = ()
        self._outage = self._sharing = ""

    def started(self) -> None:
        """Begin anew with another server: what it warns of happened to that one."""
        self._warned = ()

    def tell(self, health: Mapping[str, Any]) -> None:
        """Say what is new."""
        found, problem = warnings(health), outage(health)
        for what in found:
            if what not in self._warned:
                self._log.warning("warning", what=what)
        self._warned = found
        if problem and not self._outage:
            self._log.error("refused", what=problem)
        elif self._outage and not problem:
            self._log.info("mended", what="the store of the budgets answers again")
        self._outage = problem
        asked_anew = sharing(health)
        if asked_anew and not self._sharing:
            self._log.warning("warning", what=asked_anew)
        elif self._sharing and not asked_anew:
            self._log.info("mended", what="the store of shared answers answers again")
        self._sharing = asked_anew
