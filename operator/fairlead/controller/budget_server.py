"""What the budget servers say, asked for every few seconds: what the status of BudgetPolicies rests on."""

from collections.abc import Iterable, Mapping
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead.adapters.budget_answer import PORT, BudgetAnswers
from fairlead.budget.exhaustion import Exhaustions, remembered
from fairlead.budget.spend import SpendSnapshot, together
from fairlead.controller.readback import is_ready
from fairlead.errors import BudgetServerError
from fairlead.manifests import COMPONENT_LABEL
from fairlead.runtime.parallel import each
from fairlead.status import Availability, Reading

Object = Mapping[str, Any]

COMPONENT = "budget-server"
CALM_S, EAGER_S = 5.0, 1.0
"""How long until they are asked again: when all is well, and while something is awaited or amiss."""
_AT_ONCE = 8
_PATIENCE = 3
"""So many times in a row nobody can decide before that is said: a server that is replaced is no news."""


class Budgets:
    """The last reading. One server with its store is enough: any of them decides for all gateways."""

    def __init__(self, answers: BudgetAnswers, log: FilteringBoundLogger) -> None:
        self._answers, self._log = answers, log
        self._failures = 0
        self.reading: Reading | None = None
        """None until it is known how things are."""
        self.expected = ""
        """The digest of the configuration that servers are to decide by."""
        self.exhaustions: Exhaustions = {}
        """Who is at the end of a budget."""
        self.behind: frozenset[str] = frozenset()
        """Names of the pods that answered, and decide by another one."""

    @property
    def pause_s(self) -> float:
        """How long until the next question."""
        spend = self.reading.spend if self.reading is not None else None
        is_calm = self._failures == 0 and spend is not None and spend.configuration == self.expected
        return CALM_S if is_calm else EAGER_S

    async def ask(self, pods: Iterable[Object]) -> bool:
        """Ask every pod; tell whether anything differs."""
        before = self.reading
        availability, spend = await self._ask(_addresses(pods))
        if availability is Availability.ANSWERS:
            self._failures = 0
            self.exhaustions = remembered(self.exhaustions, spend)
            self.reading = Reading(availability=availability, spend=spend)
        else:
            self._failures += 1
            if self._failures >= _PATIENCE:
                self.reading = Reading(availability=availability, spend=before.spend if before else None)
        return self.reading != before

    async def _ask(self, addresses: Mapping[str, str]) -> tuple[Availability, SpendSnapshot | None]:
        answers = await each(addresses.values(), self._spend, at_once=_AT_ONCE)
        found = {name: answer for name, answer in zip(addresses, answers, strict=True) if answer is not None}
        self.behind = frozenset(name for name, answer in found.items() if answer.configuration != self.expected)
        deciding = [spend for spend in found.values() if spend.store_up]
        if deciding:
            return Availability.ANSWERS, together(deciding)
        return (Availability.NO_STORE if found else Availability.NO_SERVER), None

    async def _spend(self, address: str) -> SpendSnapshot | None:
        try:
            return await self._answers.spend(address, PORT)
        except BudgetServerError as error:
            if self._failures == 0:
                self._log.warning("budget server", what=str(error))
            return None


def _addresses(pods: Iterable[Object]) -> Mapping[str, str]:
    """Choose the budget servers that take requests; return their addresses by the pods' names."""
    return {
        pod["metadata"]["name"]: pod["status"]["podIP"]
        for pod in pods
        if pod["metadata"].get("labels", {}).get(COMPONENT_LABEL) == COMPONENT and is_ready(pod)
    }
