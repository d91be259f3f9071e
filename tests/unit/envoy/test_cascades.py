"""Which models a cascade asks, in which order, and whose answers are judged."""

import pytest

from fairlead.ir import Accept, Cascade

ACCEPT = Accept(finish_reasons=("stop",), json=True, tool_calls=True, refusal=True, min_characters=1)
CASCADE = Cascade(accept=ACCEPT, models=("small", "large", "org/best"))


@pytest.mark.parametrize(
    ("rungs", "judged", "why"),
    [
        (["p/a/small", "p/b/small", "p/a/large", "q/a/org/best"], {"small", "large"}, "the last is not"),
        (["p/a/small", "p/b/small"], set(), "there is no other"),
        (["p/a/large", "q/a/org/best", "p/a/small"], {"large"}, "one that is down stands behind, and is no better"),
        (["p/a/small", "q/a/org/best", "p/a/large"], {"small"}, "the best one is not, whatever follows"),
        (["p/a/fresh", "p/a/small", "p/a/large"], {"fresh", "small"}, "a candidate is judged"),
        (["p/a/org/best", "p/a/small", "p/a/large"], {"small"}, "a candidate that is the best one is not"),
        (["p/a/small", "p/a/large", "p/b/small"], {"small"}, "each model is asked once"),
    ],
)
def test_a_models_answers_are_judged_where_a_better_one_follows(rungs: list[str], judged: set[str], why: str) -> None:
    assert CASCADE.judged(rungs) == judged, why
