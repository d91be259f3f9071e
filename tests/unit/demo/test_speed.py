"""Speeds and percentiles; every figure worked out by hand."""

import pytest

from fairlead.demo.speed import Speed, percentile


def test_an_answer_takes_its_first_token_and_then_its_tokens() -> None:
    assert Speed(first_token_ms=200, tokens_per_second=50).whole_ms(30) == 800


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.5, 1), (0.501, 2), (0.75, 2), (0.751, 9), (0.99, 9), (1.0, 9), (0.001, 1)]
)
def test_a_percentile_is_a_time_within_which_so_many_were_answered(share: float, wanted: float) -> None:
    assert percentile({9.0: 1, 1.0: 2, 2.0: 1}, share) == wanted


def test_nobody_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="got no request"):
        percentile({}, 0.5)
