from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.translate.spread import ALL, MAX_ARMS, rotations, weights


@pytest.mark.parametrize(
    ("groups", "expected", "reason"),
    [
        ((), (), "nothing can answer"),
        ((("a",),), (("a",),), "one endpoint, one arm"),
        ((("a",), ("b",), ("c",)), (("a", "b", "c"),), "one endpoint at each distance, one arm"),
        ((("a", "b"),), (("a", "b"), ("b", "a")), "two share"),
        ((("a",), ("b", "c")), (("a", "b", "c"), ("a", "c", "b")), "the load of a dead region is shared too"),
        (
            (("a", "b"), ("c", "d")),
            (("a", "b", "c", "d"), ("b", "a", "d", "c")),
            "groups rotate together: two arms do for both",
        ),
        ((("a",), ("a", "b")), (("a", "b"),), "a target keeps its first place, and its group shrinks"),
        ((("a", "b"), ("b", "a")), (("a", "b"), ("b", "a")), "a fallback that is the primary adds nothing"),
    ],
)
def test_rotations(groups: tuple[tuple[str, ...], ...], expected: tuple[tuple[str, ...], ...], reason: str) -> None:
    assert rotations(groups) == expected, reason


def test_a_group_further_down_is_shared_as_far_as_arms_allow() -> None:
    near = tuple(f"n{i}" for i in range(5))
    far = tuple(f"f{i}" for i in range(7))
    arms = rotations((near, far))
    assert len(arms) == 5, "35 arms would cost more place than an even share of a far group is worth"
    assert Counter(arm[0] for arm in arms) == dict.fromkeys(near, 1)


def test_a_large_nearest_group_is_always_shared_evenly() -> None:
    assert len(rotations((tuple(f"n{i}" for i in range(MAX_ARMS + 5)),))) == MAX_ARMS + 5


names = st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1, max_size=5).map(tuple)


@given(st.lists(names, max_size=4).map(tuple))
def test_every_arm_has_every_target_once_and_the_first_group_is_even(groups: tuple[tuple[str, ...], ...]) -> None:
    arms = rotations(groups)
    everything = {name for group in groups for name in group}
    for arm in arms:
        assert sorted(arm) == sorted(everything)
    if groups:
        shares = Counter(arm[0] for arm in arms)
        assert set(shares) == set(groups[0])
        assert len(set(shares.values())) == 1


@pytest.mark.parametrize(
    ("arms", "expected"),
    [(1, (10_000,)), (2, (5_000, 5_000)), (3, (3_334, 3_333, 3_333)), (6, (1_667,) * 4 + (1_666,) * 2)],
)
def test_weights(arms: int, expected: tuple[int, ...]) -> None:
    assert weights(arms) == expected


@given(st.integers(1, 200))
def test_weights_sum_exactly(arms: int) -> None:
    assert sum(weights(arms)) == ALL
