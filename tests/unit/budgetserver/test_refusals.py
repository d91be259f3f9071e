"""Who was refused, by policy and window; bounded."""

from fairlead.budgetserver.refusals import Refusals


def test_names_of_the_newest_window() -> None:
    refusals = Refusals()
    refusals.note("t/p", "t/a", 1000)
    refusals.note("t/p", "t/b", 1000)
    refusals.note("t/q", "t/c", 1000)
    assert refusals.of("t/p", 1000) == {"t/a", "t/b"}
    refusals.note("t/p", "t/c", 2000)
    assert refusals.of("t/p", 2000) == {"t/c"}
    assert refusals.of("t/p", 1000) == frozenset(), "over"
    assert refusals.of("t/none", 1000) == frozenset()


def test_not_more_than_anybody_reads() -> None:
    refusals = Refusals()
    for number in range(5000):
        refusals.note("t/p", f"t/{number}", 0)
    assert len(refusals.of("t/p", 0)) == 1000
