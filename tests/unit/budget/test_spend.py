"""What everybody spent: sums, who is named, and the way over JSON and back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fairlead.budget.admission import Standing
from fairlead.budget.ledger import Counter
from fairlead.budget.policy import SHARED, Action, Policy, Scope, Stage
from fairlead.budget.price import USD
from fairlead.budget.shadow import ShadowAccount
from fairlead.budget.spend import TOP, Account, Spender, SpendSnapshot, accounts, decode, document, together
from fairlead.budget.window import Every, span
from fairlead.errors import BudgetConfigurationError

HOUR = 3_600_000
NOW = 10 * HOUR + 1


def _policy(name: str, scope: Scope = Scope.PER_CONSUMER, limit: int = 5 * USD) -> Policy:
    return Policy(
        name=f"team-web/{name}",
        scope=scope,
        limit=limit,
        window=Every(length_ms=HOUR),
        stages=(Stage(at=8000, action=Action.NOTIFY),),
        routes=None,
    )


def _standing(policy: Policy, spent: int) -> Standing:
    return Standing(
        policy=policy, span=span(policy.window, NOW), counter=Counter(spent=spent, reserved=7 * USD, estimated=0)
    )


def _accounts() -> tuple[Account, ...]:
    each, shared, idle = _policy("b"), _policy("a", Scope.SHARED), _policy("c")
    spent = [("team-web/x", USD), ("team-web/y", 5 * USD), ("team-web/z", 4 * USD), ("team-web/idle", 0)]
    standings = [(who, _standing(each, nano)) for who, nano in spent]
    return accounts((each, shared, idle), [*standings, (SHARED, _standing(shared, 3 * USD))], NOW)


def test_sums_by_policy() -> None:
    shared, each, idle = _accounts()
    assert (shared.policy, each.policy, idle.policy) == ("team-web/a", "team-web/b", "team-web/c")
    assert (each.spent, each.consumers, each.limit) == (10 * USD, 4, 5 * USD)
    assert [one.consumer for one in each.top] == ["team-web/y", "team-web/z", "team-web/x"]
    assert [(one.stage.action, one.threshold, one.consumers) for one in each.reached] == [
        (Action.NOTIFY, 4 * USD, 2),
        (Action.REJECT, 5 * USD, 1),
    ]
    assert (each.start_ms, each.end_ms) == (10 * HOUR, 11 * HOUR)
    assert shared.top == (Spender(consumer="*", spent=3 * USD),)
    assert (idle.consumers, idle.top, idle.start_ms) == (0, (), 10 * HOUR)


def test_only_the_biggest_are_named() -> None:
    policy = _policy("many")
    (account,) = accounts((policy,), [(f"t/{n:03}", _standing(policy, 5 * USD)) for n in range(500)], NOW)
    assert len(account.top) == TOP
    assert account.reached[-1].consumers == 500
    assert account.top[0].consumer == "t/000", "equal ones by name: the same ones every time"


def test_who_was_refused_in_the_window_that_runs() -> None:
    refused = {("team-web/many", 10 * HOUR): {f"t/{n:03}" for n in range(20)}}
    (account,) = accounts((_policy("many"),), [], NOW, lambda policy, start_ms: refused[policy, start_ms])
    assert account.refused == tuple(f"t/{n:03}" for n in range(TOP))


def test_who_is_at_the_end() -> None:
    shared, each, _ = _accounts()
    assert (shared.exhausted, each.exhausted) == ((), ("team-web/y",)), "all of $5 is spent; reservations are no end"
    (account,) = accounts((_policy("many"),), [], NOW, exhausted=lambda _policy, start_ms: {f"t/{start_ms // HOUR}"})
    assert account.exhausted == ("t/10",), "or a server refused a request that fits into an empty window"


def test_a_snapshot_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead.budget.spend.MOST_EXHAUSTED", 2)
    policies = [_policy(f"{number:02}") for number in range(30)]
    found = accounts(policies, [], NOW, exhausted=lambda _policy, _start_ms: {"t/a", "t/b", "t/c"})
    assert {len(account.exhausted) for account in found[:10]} == {2}
    assert not any(account.exhausted for account in found[10:])


def test_servers_know_together_who_is_at_the_end() -> None:
    one, two = (
        SpendSnapshot(
            configuration="b", store_up=True, accounts=tuple(replace(found, exhausted=(who,)) for found in _accounts())
        )
        for who in ("t/b", "t/a")
    )
    assert {account.exhausted for account in together([one, two]).accounts} == {("t/a", "t/b")}


def test_a_server_of_before_names_nobody() -> None:
    found = document(SpendSnapshot(configuration="b", store_up=True, accounts=_accounts()))
    for account in found["accounts"]:
        del account["exhausted"]
    assert not any(account.exhausted for account in decode(found).accounts)


def test_servers_know_together_whom_they_refused() -> None:
    one = SpendSnapshot(
        configuration="b", store_up=True, accounts=tuple(replace(found, refused=("t/b",)) for found in _accounts())
    )
    two = SpendSnapshot(
        configuration="b", store_up=True, accounts=tuple(replace(found, refused=("t/a",)) for found in _accounts()[1:])
    )
    later = replace(two, accounts=tuple(replace(found, start_ms=0, refused=("t/c",)) for found in two.accounts))
    merged = together([one, two, later])
    assert [account.refused for account in merged.accounts] == [("t/b",), ("t/a", "t/b"), ("t/a", "t/b")]
    assert replace(merged, accounts=()) == replace(one, accounts=())


def test_there_and_back() -> None:
    accounts_ = tuple(replace(account, refused=("t/x",)) for account in _accounts())
    copies = ShadowAccount(route="team-web/chat", target="vllm/v/owl", spent=5, since_ms=HOUR)
    spend = SpendSnapshot(configuration="0123456789abcdef", store_up=True, accounts=accounts_, shadows=(copies,))
    told = json.loads(json.dumps(document(spend)))
    assert decode(told) == spend
    del told["shadows"]
    assert decode(told) == replace(spend, shadows=()), "a server of a version before"
    assert spend.account("team-web/a") == spend.accounts[0]
    assert spend.account("team-web/none") is None


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"version": 2}, "version: got `2`, want `1`", "another version"),
    ({}, "version: got `None`", "something else"),
    ({"version": 1, "configuration": "x", "store_up": True}, "accounts: ", "half of it"),
    (
        {"version": 1, "configuration": "x", "store_up": True, "accounts": [{"policy": 1}]},
        "accounts.0.policy: ",
        "a type",
    ),
]


@pytest.mark.parametrize(("given", "said", "why"), WRONG, ids=[case[-1] for case in WRONG])
def test_what_cannot_be_read(given: dict[str, Any], said: str, why: str) -> None:
    with pytest.raises(BudgetConfigurationError) as refused:
        decode(given)
    assert str(refused.value).startswith(said), why


def test_what_a_newer_server_adds_is_no_hindrance() -> None:
    found = document(SpendSnapshot(configuration="x", store_up=False, accounts=())) | {"mood": "calm"}
    assert decode(found) == SpendSnapshot(configuration="x", store_up=False, accounts=())
