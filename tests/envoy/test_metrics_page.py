"""What the metrics page has, and what of it Fairlead's own readers are given."""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from leasing import LeaseServer
from running import Gateway, simple, target
from test_admission import with_revision

from fairlead.adapters.exposition import samples
from fairlead.budgetserver import reconciliation
from fairlead.demo.provider import SimulatedProvider
from fairlead.runtime.scrape import Metrics, Scraper, Unread

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="module")
def running() -> Iterator[Gateway]:
    """A gateway whose requests are metered, and on whose target a bulkhead stands, so that each passes two routers."""
    with SimulatedProvider(models=("sparrow",), keys=()) as provider:
        only = target("sim/one/sparrow", provider, max_in_flight=5)
        with Gateway(with_revision(simple(only), "r1"), budget=LeaseServer().server) as started:
            assert started.ask().status == 200
            yield started


def scraped(running: Gateway) -> tuple[Metrics | Unread, ...]:
    """What the budget server gets when it reads the gateway."""

    async def read() -> tuple[Metrics | Unread, ...]:
        scraper = Scraper([f"http://127.0.0.1:{running.envoy.port('metrics')}/metrics"], only=reconciliation.ONLY)
        try:
            return await scraper.read()
        finally:
            await scraper.close()

    return asyncio.run(read())


def test_the_budget_server_is_given_what_it_books_by_and_nothing_else(running: Gateway, wait_until: Wait) -> None:
    whole = wait_until(lambda: reconciliation.counts((now := running.metrics()), gateway="") and now)
    (told,) = scraped(running)
    assert isinstance(told, Metrics)
    assert reconciliation.counts(told.text, gateway="") == reconciliation.counts(whole, gateway="")
    assert reconciliation.uptime_s(told.text) is not None
    families = set(re.findall(r"^# TYPE (\S+)", told.text, re.MULTILINE))
    assert families <= {*reconciliation.SERIES, "envoy_server_uptime"}, families


def test_a_target_that_was_asked_has_no_times_nor_codes_beside_ours(running: Gateway, wait_until: Wait) -> None:
    page = wait_until(lambda: "envoy_fairlead_attempt_total{" in (now := running.metrics()) and now)
    by_code_or_time = re.findall(r"^envoy_cluster_\w*upstream_rq(?:_xx|_time_\w+|)\{.*sim.*", page, re.MULTILINE)
    assert by_code_or_time == []
    assert {one.value for one in samples(page, {"envoy_cluster_upstream_rq_total"}) if "sim" in str(one.labels)} >= {1}
