"""A compilation that remembers the one before comes to what one from nothing comes to, whatever was edited between."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import REGIONS, compiled, installation
from fairlead.compiler import Compiled
from fairlead.memo import Itself, Memo
from golden_cases import Case, layouts
from strategies import SECRETS, garbage, worlds

NAMES = [str(region["name"]) for region in REGIONS]
FEATURES = [
    "aliases",
    "bedrock",
    "breaker",
    "budgets",
    "cache",
    "cache-shared",
    "cascade",
    "chat-at-messages",
    "classifier",
    "health-demoted",
    "in-flight",
    "last-good",
    "protocols",
    "regions-divide-a-name",
    "rollout-shadow",
    "rollout-traffic",
    "rules",
    "shadow",
    "spread",
    "tiers-of-customers",
]
Objects = list[dict[str, Any]]


def run(objects: Objects, before: Compiled | None, memo: Memo | None, **observed: Any) -> Compiled:
    return compiled(
        *objects,
        secrets=SECRETS,
        before=before,
        memo=memo or Memo(),
        installed=installation(anonymous="Allow"),
        layouts=layouts(NAMES),
        **observed,
    )


def key(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


@st.composite
def edits(draw: st.DrawFn) -> list[Objects]:
    """Worlds one after the other, of which each has most objects of the one before: the same, as a watch keeps them."""
    now, others = draw(worlds()), draw(worlds())
    found = [now]
    for _ in range(3):
        now = list(now)
        match draw(st.integers(0, 3)):
            case 0:
                now.pop(draw(st.integers(0, len(now) - 1)))
            case 1:
                one = draw(st.sampled_from(others))
                now = [*(other for other in now if key(other) != key(one)), one]
            case 2 if any("spec" in one for one in now):
                at = draw(st.sampled_from([at for at, one in enumerate(now) if "spec" in one]))
                now[at] = draw(garbage(now[at]))
            case _:
                now = draw(st.permutations(now))
        found.append(now or found[-1])
    return found


@settings(max_examples=12)
@given(story=edits(), shares=st.lists(st.sampled_from([0, 50, 100]), min_size=4, max_size=4))
def test_edits_one_after_the_other_come_to_what_each_alone_comes_to(story: list[Objects], shares: list[int]) -> None:
    before, memo = None, None
    for objects, share in zip(story, shares, strict=True):
        observed = {"health": {"p/e0": share}, "drained": frozenset(NAMES[:1] if share else ())}
        fresh, now = run(objects, before, None, **observed), run(objects, before, memo, **observed)
        assert now == fresh
        before, memo = fresh, now.memo


@pytest.mark.parametrize("name", FEATURES)
def test_each_object_of_a_case_can_go_and_come_back(name: str) -> None:
    case = Case(name=name)
    whole, memo = case.manifests, case.compile().memo
    for left_out in [one for one in whole if "spec" in one][:3]:
        some = [one for one in whole if one is not left_out]
        now = case.compile_some(some, case.compile(), memo)
        assert now == case.compile_some(some, case.compile())
        memo = now.memo
    assert case.compile_again() == case.compile_some(whole, case.compile(), memo)


def test_what_is_not_asked_for_is_forgotten() -> None:
    memo = Memo()
    assert memo.of("a", (1,), lambda: "one") == "one"
    memo = Memo(memo.done())
    assert memo.of("b", (1,), lambda: "two") == "two"
    assert memo.done().made.keys() == {"b"}


def test_the_same_comes_back_and_another_is_made_anew() -> None:
    first, text = Memo(), "x" * 3
    made = first.of("a", (text, 1), lambda: ["one"])
    assert Memo(first).of("a", ("xxx", 1), lambda: ["two"]) is made
    assert Memo(first).of("a", (text, 2), lambda: ["two"]) == ["two"]
    assert Memo(first).of("a", (text,), lambda: ["two"]) == ["two"]
    assert Memo(first).same("a", 1) == 1


def test_what_python_calls_equal_may_be_another_in_json() -> None:
    one: list[Any] = [1]
    assert Itself(one) == Itself(one)
    assert Itself(one) != Itself([True])
    assert Itself(one) != one
