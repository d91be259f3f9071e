"""The Secret of keys holds whole consumers, the oldest first, and never more than an API server takes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from fairlead.controller.keys_secret import LIMIT_BYTES, Keys, rendered

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=30)


def _in(keys: Keys) -> list[tuple[str, str]]:
    credentials = json.loads(keys.content)["resources"][0]["typed_config"]["credentials"]
    return [(one["key"], one["client"]) for one in credentials]


def test_another_content_has_another_mark() -> None:
    marks = {rendered(pairs, None).mark for pairs in ([], [("k", "t/a")], [("k", "t/b")], [("k2", "t/a")])}
    assert len(marks) == 4


def test_what_fits_is_there_whole() -> None:
    pairs = [("k1", "team/a"), ("k2", "team/b")]
    keys = rendered(pairs, None)
    assert _in(keys) == [*pairs, (keys.mark, "fairlead read-back")]
    assert keys.refused == frozenset()


def test_eleven_thousand_keys_and_more() -> None:
    pairs = [(f"{number:064d}", f"team-{number % 50}/consumer-{number}") for number in range(20_000)]
    keys = rendered(pairs, "team/anonymous")
    assert len(keys.content) <= LIMIT_BYTES
    assert len(keys.content) > LIMIT_BYTES * 0.8
    assert "team-0/consumer-0" not in keys.refused
    assert "team-49/consumer-19999" in keys.refused


def test_one_with_huge_keys_is_left_out_alone() -> None:
    huge = [(f"{number:04096d}", "team/huge") for number in range(LIMIT_BYTES // 4096)]
    first, last = ("a", "team/first"), ("b", "team/last")
    keys = rendered([first, *huge, last], None)
    assert keys.refused == {"team/huge"}
    assert keys.content == rendered([first, last], None).content


def test_a_key_that_no_client_can_send_takes_no_room() -> None:
    keys = rendered([("x" * LIMIT_BYTES, "team/a"), ("k", "team/a")], None)
    assert keys.content == rendered([("k", "team/a")], None).content


@given(
    st.lists(
        st.tuples(_TEXT, st.sampled_from(["t/a", "t/b", "t/c", "t/d"])), max_size=30, unique_by=lambda one: one[0]
    ),
    st.integers(200, 3000),
    st.sampled_from([None, "t/nobody"]),
)
def test_never_above_the_limit_and_never_half_a_consumer(
    pairs: list[tuple[str, str]], limit: int, anonymous: str | None
) -> None:
    least = len(rendered([], anonymous).content)
    keys = rendered(pairs, anonymous, limit=least + limit)
    assert len(keys.content) <= least + limit
    kept = [pair for pair in pairs if pair[1] not in keys.refused]
    assert keys.content == rendered(kept, anonymous).content
