"""What gateways say to the budget server is what it reads."""

from types import SimpleNamespace
from typing import Any

import pytest

from fairlead import ir
from fairlead.budgetserver import answer, descriptor
from fairlead.budgetserver.messages import Response
from fairlead.envoy import budgets, logs, names, probe, token_filter


def test_a_shadows_check_has_the_words_that_the_server_reads() -> None:
    *words, ask = budgets.SHADOW_CHECK
    assert len(words) + len(["77", "1"]) == len(descriptor.SHADOW_CHECK)
    for format_, name in zip(words, descriptor.SHADOW_CHECK, strict=False):
        assert {"id": "x-request-id", "bytes": "content-length"}.get(name, name) in format_
    assert "ask" in ask


def test_a_shadows_report_differs_by_its_route_only() -> None:
    own, copy = budgets.report("gateway"), budgets.report("gateway", route=logs.SHADOW_ROUTE)
    assert [pair for pair in zip(own, copy, strict=True) if pair[0] != pair[1]] == [(logs.ROUTE, logs.SHADOW_ROUTE)]


def test_a_report_has_the_words_that_the_server_reads() -> None:
    assert len((*budgets.REPORT, "gateway")) == len(descriptor.REPORT)
    for format_, name in zip(budgets.REPORT, descriptor.REPORT, strict=False):
        alike = {
            "id": "x-request-id",
            "bytes": "content-length",
            "status": "RESPONSE_CODE",
            "sent": "BYTES_SENT",
            "attempts": "ATTEMPT_COUNT",
        }.get(name, name)
        assert alike.lower() in format_.lower()


def test_what_a_report_says_of_attempts_is_what_the_server_reads() -> None:
    for format_, name in zip(budgets.ATTEMPTS, descriptor.ATTEMPTS, strict=True):
        assert name in format_.lower()


def test_usage_has_the_words_that_the_server_reads() -> None:
    assert token_filter.REPORT == descriptor.USAGE
    *_, end, ask, and_, usage = budgets.report("gateway")
    assert (end, and_) == (";", ";")
    assert ":ask" in ask
    assert ":usage:report" in usage


def test_a_refusal_for_requests_in_flight_is_known_by_what_the_server_says() -> None:
    said = dict(Response.FromString(answer.too_many_in_flight("t/a", 3)).dynamic_metadata)
    assert said == {names.REFUSED_KEY: names.TOO_MANY_IN_FLIGHT}


def test_no_format_has_a_space_in_it() -> None:
    assert not [format_ for format_ in (*budgets.SHADOW_CHECK, *budgets.report("gateway")) if " " in format_]


def test_a_probe_with_a_credential_is_neither_checked_nor_reported() -> None:
    gateway: Any = SimpleNamespace(budget=object(), keyed_probes=(object(),))
    layout: Any = SimpleNamespace(budget=object())
    (route,) = probe.routes(gateway, layout)
    filters = route["typed_per_filter_config"]
    assert filters[names.RATE_LIMIT_FILTER]["disabled"]
    assert filters["report"]["disabled"]


@pytest.mark.parametrize(
    ("asked", "only_told", "off"),
    [
        pytest.param(False, False, {names.RATE_LIMIT_FILTER, "admission", "report"}, id="nobody wants anything"),
        pytest.param(True, True, {names.RATE_LIMIT_FILTER, "admission"}, id="told, and nobody bounded"),
        pytest.param(True, False, set(), id="somebody bounded"),
    ],
)
def test_what_is_off_where_nothing_is_decided(asked: bool, only_told: bool, off: set[str]) -> None:
    check = ir.BudgetCheck(timeout_ms=250, fail_closed=True, asked=asked, only_told=only_told)
    gateway: Any = SimpleNamespace(budget=check)
    layout: Any = SimpleNamespace(budget=object())
    assert set(budgets.at_rest(gateway, layout).get("typed_per_filter_config", {})) == off
