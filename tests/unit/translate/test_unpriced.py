"""A model whose price nobody knows: it serves, and whoever counts dollars by it hears that they are not bounded."""

from typing import Any

import pytest

import builders
from builders import HOME, compiled, model, provider, route, target
from fairlead.budget.configuration import decode, encode
from fairlead.budget.price import FREE, UNKNOWN, Tokens, cost, unpriced
from fairlead.compiler import Compiled

MYSTERY = {"name": "mystery", "pricing": "Unknown"}
PROVIDER = provider("p", models=[model("small"), MYSTERY])
WANT = "want `usdPerMillionTokens` in its ModelProvider"
SAID = f"spec.limit: got `p/us/mystery` without a price, whose tokens spend nothing of this limit, {WANT}"


def warnings(made: Compiled, kind: str) -> list[str]:
    (report,) = [one for one in made.reports if one.key.kind == kind]
    assert report.problems == ()
    return [str(warning) for warning in report.warnings]


def test_it_is_served_and_has_no_price() -> None:
    made = compiled(PROVIDER, route("chat", target("p", "mystery")))
    targets = decode(made.configuration).targets
    assert targets["p/us/mystery"].price == UNKNOWN
    assert targets["p/us/small"].price.known
    assert decode(encode(decode(made.configuration))) == decode(made.configuration)
    assert warnings(made, "ModelRoute") == []


def test_its_tokens_cost_nothing_and_are_named() -> None:
    tokens = Tokens(input=3, output=0)
    assert (cost(UNKNOWN, tokens), unpriced(UNKNOWN, tokens)) == (0, ("input",))
    assert unpriced(FREE, tokens) == ()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (builders.budget("b"), [SAID]),
        (builders.budget("b", routes=["chat"]), [SAID]),
        (builders.budget("b", routes=["other"]), []),
        (builders.budget("b", limit={"usd": "0"}), []),
        (builders.budget("b", namespace="team-api"), []),
        (builders.budget("b", namespace=HOME, consumers={"namespaces": {"from": "All"}}), [SAID]),
    ],
    ids=["all", "its route", "another route", "the kill switch", "another team", "everybody"],
)
def test_a_policy_says_what_it_does_not_bound(policy: dict[str, Any], expected: list[str]) -> None:
    made = compiled(PROVIDER, route("chat", target("p", "mystery")), route("other", target("p", "small")), policy)
    assert warnings(made, "BudgetPolicy") == expected


def test_a_baseline_and_a_bound_on_cost_need_prices() -> None:
    rollout = {"steps": [{"traffic": "50%"}], "analysis": {"maxCostIncrease": "10%"}}
    written = route("chat", target("p", "mystery"), baseline=target("p", "mystery"), rollout=rollout)
    assert warnings(compiled(PROVIDER, written), "ModelRoute") == [
        f"spec.baseline: got a model without a price, so that no savings are counted, {WANT}",
        (
            "spec.rollout.analysis.maxCostIncrease: got `p/us/mystery` without a price, by which no step is judged"
            f" successful, {WANT}"
        ),
    ]
