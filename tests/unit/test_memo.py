"""What a compilation remembers of the one before: each thing once, however it is found to be the same."""

from dataclasses import dataclass

from fairlead.memo import Memo


@dataclass(frozen=True)
class Word:
    text: str


def test_what_is_equal_is_not_made_again_and_kept_once() -> None:
    first, second = Word("a"), Word("a")
    memo = Memo()
    made = memo.of("one", (first,), lambda: [1])
    after = Memo(memo.done())
    assert after.of("one", (second,), lambda: [2]) is made
    (kept,), _ = after.made["one"]
    assert kept is second  # the first one may go, and whoever has the second finds it the same without comparing


def test_what_differs_is_made_again() -> None:
    memo = Memo()
    memo.of("one", (Word("a"),), lambda: 1)
    after = Memo(memo.done())
    assert after.of("one", (Word("b"),), lambda: 2) == 2
    assert Memo(after.done()).of("one", (Word("a"),), lambda: 3) == 3  # it was true of the one before that


def test_a_value_that_is_equal_stays_the_one_that_it_was() -> None:
    first, second = Word("a"), Word("a")
    memo = Memo()
    memo.same("one", first)
    after = Memo(memo.done())
    assert after.same("one", second) is first
    assert all(part is not second for part in after.made["one"])
    assert Memo(after.done()).same("one", Word("b")) == Word("b")
