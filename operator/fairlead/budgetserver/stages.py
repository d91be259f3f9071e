"""Tells, once, that what is spent passed into another stage of a policy."""

from bisect import bisect_right
from typing import Protocol

import structlog

from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budgetserver.answer import exact
from fairlead.budgetserver.metrics import Metrics

log = structlog.get_logger("fairlead.budget")


class Rules(Protocol):
    """Who knows the policies."""

    @property
    def configuration(self) -> BudgetConfiguration:
        """The configuration that rules."""


class Stages:
    """Compares what was spent before with what is spent after."""

    def __init__(self, rules: Rules, metrics: Metrics) -> None:
        self._rules = rules
        self._metrics = metrics
        self._thresholds: dict[str, tuple[int, ...]] = {}

    def forget(self) -> None:
        """Work out thresholds anew: the configuration is another."""
        self._thresholds.clear()

    def note(self, name: str, consumer: str, *, before: int, after: int) -> None:
        """Tell that a counter passed into another stage, if it did."""
        policy = self._rules.configuration.policy(name.split("|", 1)[0])
        if policy is None:
            return
        thresholds = self._thresholds.get(policy.name)
        if thresholds is None:
            thresholds = self._thresholds[policy.name] = policy.thresholds
        if bisect_right(thresholds, before) == bisect_right(thresholds, after):
            return
        stage = policy.reached(after)
        if stage is not None and stage != policy.reached(before):
            self._metrics.stages.labels(policy.name, stage.action.value).inc()
            log.info(
                "budget.stage",
                policy=policy.name,
                consumer=consumer,
                action=stage.action.value,
                spent_usd=exact(after),
                limit_usd=exact(policy.limit),
            )
