"""A stopped key that floods over 300 connections gets nothing and takes nobody down, whatever becomes of checks."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, consumer, secret, until

from budget.client import PASSED_UNCHECKED, budget, chat, gateway_metric
from budget.conftest import PATIENT_WITH_SERVERS, SOON_GIVEN_UP, hung, simulated, site, start
from budget.flood import flood
from fairlead.demo.provider import SimulatedProvider

__all__ = ["simulated", "site", "start"]

pytestmark = pytest.mark.envoy


@pytest.mark.parametrize(("policy", "others"), [("Open", 200), ("Closed", 503)])
def test_nothing_is_served_and_others_get_what_the_policy_says(
    site: Site, start: Callable[..., RunningUp], simulated: SimulatedProvider, policy: str, others: int
) -> None:
    """Where checks are answered: `budget/test_verdicts.py`."""
    site.write_config(budgets={**SOON_GIVEN_UP, "failurePolicy": policy})
    site.write("other.yaml", consumer("other", "k"), secret("other", k="sk-other"))
    stop = budget("stop", usd="0", consumers={"names": ["agent"]})
    site.write("budget.yaml", stop, budget("theirs", usd="100", consumers={"names": ["other"]}))
    running = start(site, before=PATIENT_WITH_SERVERS).serving()
    (port,) = site.ports
    until(lambda: (chat(port).status, chat(port, key="sk-other").status) == (429, 200))
    served, unchecked = simulated.control.stats().by_status[200], gateway_metric(site, PASSED_UNCHECKED)
    with hung(running):
        refused, answered = asyncio.run(flood(port, each=3, others=10))
        assert refused == Counter({429: 900})
        assert answered == Counter({others: 10})
        assert simulated.control.stats().by_status[200] == served + answered[200]
        # Each that passed unchecked is counted, and a stopped key's requests are none: nobody is asked about them.
        passed = gateway_metric(site, PASSED_UNCHECKED) - unchecked
        assert passed == (10 if policy == "Open" else 0)
