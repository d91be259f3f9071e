"""What counts say of a candidate, and how often they say it wrongly."""

import random
from dataclasses import replace
from math import inf

import pytest

from fairlead.rollout.plan import Bounds, Query
from fairlead.rollout.sequential import is_broken, is_more, log_evidence, needed
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.rollout.verdict import Measure, Outcome, judge, judge_measured

BOUNDS = Bounds(error_rate=0.005, first_byte_p95_increase=0.25, cost_increase=0.1, min_requests=100)


def streams(fast: int, slow: int) -> ArmCounts:
    return ArmCounts(attempts=fast + slow, first_bytes={200.0: fast, 500.0: 0, 2_000.0: slow})


def costing(attempts: int, each: int) -> ArmCounts:
    return ArmCounts(attempts=attempts, nano_usd=attempts * each)


class TestErrors:
    @pytest.mark.parametrize(("failed", "of"), [(2, 2), (5, 5), (5, 60), (20, 400)])
    def test_many_failures_are_shown(self, failed: int, of: int) -> None:
        tally = Tally(candidate=ArmCounts(attempts=of, failed=failed))
        assert judge(tally, BOUNDS, steps=3).outcome is Outcome.FAILED

    @pytest.mark.parametrize(("failed", "of"), [(0, 1_000), (1, 1), (1, 150), (3, 400), (50, 10_000)])
    def test_what_chance_can_do_is_not(self, failed: int, of: int) -> None:
        tally = Tally(candidate=ArmCounts(attempts=of, failed=failed))
        assert judge(tally, BOUNDS, steps=3).outcome is not Outcome.FAILED

    def test_five_of_five_are_enough_whatever_the_bound(self) -> None:
        tally = Tally(candidate=ArmCounts(attempts=5, failed=5))
        assert judge(tally, replace(BOUNDS, error_rate=0.6), steps=3).outcome is Outcome.FAILED

    def test_a_bound_of_nothing_is_broken_by_one_failure_and_one_of_all_by_none(self) -> None:
        assert is_broken(1, 100, 0.0, 0.001)
        assert not is_broken(3, 3, 1.0, 0.001)

    def test_more_failures_than_attempts_are_refused(self) -> None:
        with pytest.raises(ValueError, match="got 2 failures of 1 attempts"):
            log_evidence(2, 1, 0.1)

    def test_looking_after_each_request_of_a_candidate_at_its_bound_is_seldom_wrong(self) -> None:
        chance, alpha, wrong = random.Random(7), 0.05, 0
        for _ in range(400):
            failed = 0
            for of in range(1, 1_001):
                failed += chance.random() < 0.01
                if is_broken(failed, of, 0.01, alpha):
                    wrong += 1
                    break
        assert wrong <= 400 * alpha

    def test_the_number_that_is_needed_is_about_what_is_needed(self) -> None:
        chance, wanted, found = random.Random(7), needed(0.05, 0.005, 0.001), []
        for _ in range(200):
            failed = of = 0
            while not is_broken(failed, of, 0.005, 0.001):
                of += 1
                failed += chance.random() < 0.05
            found.append(of)
        median = sorted(found)[100]
        assert wanted is not None
        assert wanted / 2 <= median <= wanted * 1.5


class TestFirstBytes:
    def test_streams_that_begin_late_are_shown(self) -> None:
        tally = Tally(stable=streams(1_000, 10), candidate=streams(100, 40))
        verdict = judge(tally, BOUNDS, steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.FAILED, Measure.FIRST_BYTE)
        assert "28%" in verdict.message or "29%" in verdict.message

    @pytest.mark.parametrize(
        ("stable", "candidate"),
        [
            (streams(1_000, 10), streams(100, 5)),
            (streams(1_000, 100), streams(100, 40)),  # the stable target's own percentile is there too
            (streams(10, 0), streams(0, 100)),  # of too few of the stable target's nobody knows its percentile
            (ArmCounts(first_bytes={inf: 500}), streams(0, 100)),
        ],
    )
    def test_what_is_not_known_to_be_late_is_not(self, stable: ArmCounts, candidate: ArmCounts) -> None:
        assert judge(Tally(stable=stable, candidate=candidate), BOUNDS, steps=3).outcome is not Outcome.FAILED

    def test_the_bucket_of_the_bound_itself_is_not_late(self) -> None:
        counts = ArmCounts(first_bytes={100.0: 1, 250.0: 1, 500.0: 1})
        assert (counts.later_than(100.0), counts.later_than(101.0), counts.later_than(250.0)) == (2, 1, 1)


class TestCost:
    def test_a_dear_candidate_is_shown_with_enough_requests(self) -> None:
        tally = Tally(stable=costing(5_000, 100), candidate=costing(5_000, 150))
        verdict = judge(tally, BOUNDS, steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.FAILED, Measure.COST)

    @pytest.mark.parametrize(("candidate", "each"), [(5_000, 100), (100, 150), (5_000, 50)])
    def test_a_cheap_one_or_few_requests_are_not(self, candidate: int, each: int) -> None:
        tally = Tally(stable=costing(5_000, 100), candidate=costing(candidate, each))
        assert judge(tally, BOUNDS, steps=3).outcome is not Outcome.FAILED

    def test_a_price_where_there_was_none_is_dearer(self) -> None:
        tally = Tally(stable=costing(200, 0), candidate=costing(200, 1))
        assert judge(tally, BOUNDS, steps=3).outcome is Outcome.FAILED


class TestTokens:
    @pytest.mark.parametrize("whose", ["candidate", "stable target"])
    def test_a_side_without_a_price_is_neither_dear_nor_cheap(self, whose: str) -> None:
        sides = {"candidate": costing(1_000, 20), "stable target": costing(1_000, 0)}
        sides[whose] = replace(sides[whose], nano_usd=0, unpriced_tokens=1)
        verdict = judge(Tally(candidate=sides["candidate"], stable=sides["stable target"]), BOUNDS, steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.INCONCLUSIVE, Measure.COST)
        assert verdict.message == f"the {whose} has no price to compare costs by"

    def test_a_talkative_candidate_is_shown_also_where_nothing_has_a_price(self) -> None:
        tally = Tally(
            stable=ArmCounts(attempts=5_000, input_tokens=500_000, output_tokens=500_000),
            candidate=ArmCounts(attempts=5_000, input_tokens=500_000, output_tokens=1_000_000),
        )
        verdict = judge(tally, Bounds(tokens_increase=0.1), steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.FAILED, Measure.TOKENS)
        assert verdict.message == "a request has 50% more tokens, 10% more may be"
        assert judge(tally, Bounds(tokens_increase=0.6), steps=3).outcome is Outcome.SUCCESSFUL


def whole(attempts: int, *, failed: int = 0, unended: int = 0, **reasons: int) -> ArmCounts:
    return ArmCounts(attempts=attempts, failed=failed, unended=unended, finish_reasons=reasons)


class TestWorse:
    BOUNDS = Bounds(worse_rate=0.02)

    @pytest.mark.parametrize(
        ("stable", "candidate"),
        [
            (whole(10_000), whole(100, unended=12)),
            (whole(10_000, failed=500), whole(1_000, failed=100, unended=50)),
            (whole(300), whole(6, failed=6)),
        ],
    )
    def test_what_errs_where_stable_does_not_is_shown(self, stable: ArmCounts, candidate: ArmCounts) -> None:
        verdict = judge(Tally(stable=stable, candidate=candidate), self.BOUNDS, steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.FAILED, Measure.WORSE_RATE)

    @pytest.mark.parametrize(
        ("stable", "candidate"),
        [
            (whole(10_000, failed=1_000), whole(1_000, failed=110)),  # both have a bad hour
            (whole(10_000, unended=10_000), whole(1_000, unended=1_000)),  # an API that says no reason
            (whole(0), whole(50, failed=50)),  # nobody knows what stable does
            (whole(10), whole(10, failed=3)),  # few of either
        ],
    )
    def test_what_stable_does_too_or_nobody_knows_is_not(self, stable: ArmCounts, candidate: ArmCounts) -> None:
        verdict = judge(Tally(stable=stable, candidate=candidate), self.BOUNDS, steps=3)
        assert verdict.outcome is not Outcome.FAILED

    def test_looking_after_each_request_of_two_sides_that_differ_as_they_may_is_seldom_wrong(self) -> None:
        chance, alpha, wrong = random.Random(7), 0.05, 0
        for _ in range(200):
            ours = theirs = 0
            for of in range(1, 401):
                ours += chance.random() < 0.07
                theirs += chance.random() < 0.05
                if is_more((ours, of), (theirs, of), 0.02, alpha):
                    wrong += 1
                    break
        assert wrong <= 200 * alpha

    def test_counts_that_cannot_be_are_refused(self) -> None:
        with pytest.raises(ValueError, match="got 2 of 1 attempts"):
            is_more((2, 1), (0, 5), 0.0, 0.01)


class TestFinishReasons:
    BOUNDS = Bounds(finish_reason_shift=0.1)
    STABLE = whole(10_000, stop=9_500, length=500)

    def test_answers_that_end_for_another_reason_are_shown(self) -> None:
        verdict = judge(Tally(stable=self.STABLE, candidate=whole(200, stop=120, length=80)), self.BOUNDS, steps=3)
        assert (verdict.outcome, verdict.measure) == (Outcome.FAILED, Measure.FINISH_REASON)
        assert verdict.message == "60.0% of 200 answers ended with `stop`, 95.0% of stable's; 10.0% more or less may"

    @pytest.mark.parametrize("mine", [whole(200, stop=175, length=25), whole(8, length=2, stop=6), whole(200)])
    def test_a_small_shift_or_few_answers_are_not(self, mine: ArmCounts) -> None:
        assert judge(Tally(stable=self.STABLE, candidate=mine), self.BOUNDS, steps=3).outcome is not Outcome.FAILED


def test_bounds_that_are_judged_share_their_error() -> None:
    mine = ArmCounts(attempts=200, failed=9)
    one, three = Bounds(error_rate=0.01), Bounds(error_rate=0.01, worse_rate=0.5, finish_reason_shift=0.5)
    found = [judge(Tally(candidate=mine), bounds, steps=1).outcome for bounds in (one, three)]
    assert found == [Outcome.FAILED, Outcome.SUCCESSFUL]


class TestMeasuredElsewhere:
    QUERIES = (Query(name="errors", expression="e", at_most=0.5), Query(name="thumbs", expression="t", at_least=0.9))

    @pytest.mark.parametrize(
        ("measured", "outcome", "message"),
        [
            ({"errors": 0.5, "thumbs": 0.9}, None, ""),
            ({"errors": 0.6, "thumbs": 0.9}, Outcome.FAILED, "`errors` is 0.6, at most 0.5 may be"),
            ({"errors": None, "thumbs": 0.8}, Outcome.FAILED, "`thumbs` is 0.8, at least 0.9 must be"),
            ({"errors": 0.1, "thumbs": None}, Outcome.INCONCLUSIVE, "`thumbs` has no data"),
            ({}, Outcome.INCONCLUSIVE, "`errors` has no data"),
            ({"errors": float("nan"), "thumbs": 1.0}, Outcome.FAILED, "`errors` is nan, at most 0.5 may be"),
        ],
    )
    def test_only_a_number_within_its_bound_keeps_it(
        self, measured: dict[str, float | None], outcome: Outcome | None, message: str
    ) -> None:
        verdict = judge_measured(self.QUERIES, measured)
        assert (verdict and verdict.outcome, verdict.message if verdict else "") == (outcome, message)


def test_bounds_that_are_not_asked_for_are_not_judged() -> None:
    tally = Tally(stable=streams(1_000, 0), candidate=ArmCounts(attempts=200, failed=200, first_bytes={2_000.0: 200}))
    assert judge(tally, Bounds(), steps=3).outcome is Outcome.SUCCESSFUL
