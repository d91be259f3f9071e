"""What is remembered of who was at the end of a budget."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget import exhaustion
from fairlead.budget.exhaustion import Exhaustion, remembered
from fairlead.budget.spend import MOST_EXHAUSTED, Account, SpendSnapshot

ACCOUNT = Account(
    policy="t/p", limit=5, start_ms=1, end_ms=9, spent=0, consumers=0, reached=(), top=(), exhausted=("t/a",)
)


def snapshot(*accounts: Account, store_up: bool = True) -> SpendSnapshot:
    return SpendSnapshot(configuration="c", store_up=store_up, accounts=accounts)


KNOWN = remembered({}, snapshot(ACCOUNT))


def test_what_a_server_says() -> None:
    assert dict(KNOWN) == {"t/p": Exhaustion(limit=5, start_ms=1, end_ms=9, consumers=frozenset({"t/a"}))}
    assert remembered({}, snapshot(replace(ACCOUNT, exhausted=()))) == {}


@pytest.mark.parametrize("found", [None, snapshot(store_up=False)], ids=["no server", "no store"])
def test_who_does_not_know_changes_nothing(found: SpendSnapshot | None) -> None:
    assert remembered(KNOWN, found) == KNOWN


def test_a_server_that_started_anew_makes_nobody_forgotten() -> None:
    found = remembered(KNOWN, snapshot(replace(ACCOUNT, exhausted=("t/b",))))
    assert found["t/p"].consumers == {"t/a", "t/b"}
    assert remembered(KNOWN, snapshot(replace(ACCOUNT, exhausted=()))) == KNOWN


@pytest.mark.parametrize("change", [{"limit": 6}, {"start_ms": 9, "end_ms": 17}], ids=["limit", "window"])
def test_another_limit_or_window_begins_anew(change: dict[str, int]) -> None:
    assert remembered(KNOWN, snapshot(replace(ACCOUNT, exhausted=(), **change))) == {}  # type: ignore[arg-type]


def test_a_policy_that_is_gone_is_forgotten() -> None:
    assert remembered(KNOWN, snapshot()) == {}


def test_not_more_than_gateways_have_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustion, "MOST", 3)
    many = tuple(f"t/{number:04}" for number in range(2 * MOST_EXHAUSTED))
    found = remembered({}, snapshot(*(replace(ACCOUNT, policy=f"t/{name}", exhausted=many[:2]) for name in "pqr")))
    assert [len(one.consumers) for one in found.values()] == [2, 1]
    monkeypatch.setattr(exhaustion, "MOST", 10 * MOST_EXHAUSTED)
    assert len(remembered({}, snapshot(replace(ACCOUNT, exhausted=many)))["t/p"].consumers) == MOST_EXHAUSTED == 1000


def test_it_outlives_whoever_knew_it() -> None:
    endless = {**KNOWN, "t/q": replace(KNOWN["t/p"], end_ms=None, consumers=frozenset({"*"}))}
    assert exhaustion.read(json.loads(json.dumps(exhaustion.document(endless)))) == endless


@pytest.mark.parametrize("change", [{"limit": -1}, {"start": "1"}, {"end": 1.5}, {"consumers": [1]}, {"policy": None}])
def test_what_nobody_wrote_is_not_read(change: dict[str, Any]) -> None:
    (entry,) = exhaustion.document(KNOWN)["policies"]
    with pytest.raises((ValueError, TypeError)):
        exhaustion.read({"policies": [{**entry, **change}]})
