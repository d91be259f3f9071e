"""A provider's word is believed only if it can be true."""

from dataclasses import replace

import pytest

from fairlead.budget.belief import Belief, Claim, Doubt, believe
from fairlead.budget.estimate import LARGEST_WINDOW, Rung
from fairlead.budget.price import FREE

CHAT = Rung(price=FREE, max_output_tokens=None, context_window=1000, generates=True)
UNDECLARED = replace(CHAT, context_window=None)
VECTORS = replace(CHAT, generates=False)
NOTHING = Belief(input=None, output=None, doubt=None)


def nothing(doubt: Doubt) -> Belief:
    return replace(NOTHING, doubt=doubt)


CASES = [
    (CHAT, Claim(input=11, output=22), 90, Belief(input=11, output=22, doubt=None), "both sides"),
    (CHAT, Claim(input=11, output=0), 90, Belief(input=11, output=0, doubt=None), "an answer may end at once"),
    (CHAT, Claim(input=11, output=0), 4000, Belief(input=11, output=None, doubt=Doubt.ZERO), "no text is zero tokens"),
    (CHAT, Claim(input=11, output=2, cached=12), 90, nothing(Doubt.CONTRADICTORY), "more from the cache than came in"),
    (CHAT, Claim(input=9, output=2, cached=5, cache_write=5), 90, nothing(Doubt.CONTRADICTORY), "cached and written"),
    (
        CHAT,
        Claim(input=9, output=2, cached=4, cache_write_1h=5),
        90,
        Belief(input=9, output=2, doubt=None),
        "all of it",
    ),
    (CHAT, Claim(input=9, output=2, audio_output=3), 90, nothing(Doubt.CONTRADICTORY), "more spoken than came out"),
    (CHAT, Claim(input=9, output=2, image_input=10), 90, nothing(Doubt.CONTRADICTORY), "more seen than came in"),
    (CHAT, Claim(input=9, output=2, audio_input=5, image_input=5), 90, nothing(Doubt.CONTRADICTORY), "seen and heard"),
    (CHAT, Claim(input=0, output=0), 0, Belief(input=0, output=0, doubt=None), "nothing in, nothing out"),
    (CHAT, Claim(), 90, nothing(Doubt.ABSENT), "not a word"),
    (CHAT, Claim(input=0, output=0), 400, nothing(Doubt.ZERO), "zeros beside text"),
    (CHAT, Claim(input=0, output=7), 90, Belief(input=None, output=7, doubt=Doubt.ZERO), "no prompt is nothing"),
    (CHAT, Claim(output=7), 90, Belief(input=None, output=7, doubt=Doubt.INCOMPLETE), "only the output"),
    (CHAT, Claim(input=7), 90, Belief(input=7, output=None, doubt=Doubt.INCOMPLETE), "only the input"),
    (CHAT, Claim(input=7, output=9, contradictory=True), 90, nothing(Doubt.CONTRADICTORY), "less than its parts"),
    (CHAT, Claim(input=1000, output=1000), 90, Belief(input=1000, output=1000, doubt=None), "a window of each"),
    (CHAT, Claim(input=1001, output=1), 90, nothing(Doubt.TOO_LARGE), "more went in than the window holds"),
    (CHAT, Claim(input=1, output=1001), 90, nothing(Doubt.TOO_LARGE), "more came out than the window holds"),
    (CHAT, Claim(output=1001), 90, nothing(Doubt.TOO_LARGE), "one side, and that too large"),
    (CHAT, Claim(input=1, output=900), 9, Belief(input=1, output=900, doubt=None), "hidden reasoning"),
    (
        UNDECLARED,
        Claim(input=LARGEST_WINDOW, output=1),
        9,
        Belief(input=LARGEST_WINDOW, output=1, doubt=None),
        "no model reads more",
    ),
    (UNDECLARED, Claim(input=LARGEST_WINDOW + 1, output=1), 9, nothing(Doubt.TOO_LARGE), "no model reads that much"),
    (VECTORS, Claim(input=812), 9000, Belief(input=812, output=0, doubt=None), "vectors are long and no output"),
    (VECTORS, Claim(input=812), 90, Belief(input=812, output=0, doubt=None), "embeddings have no output"),
    (VECTORS, Claim(input=0), 90, nothing(Doubt.ZERO), "vectors of nothing"),
]


@pytest.mark.parametrize(("rung", "claim", "sent", "expected", "why"), CASES, ids=[case[-1] for case in CASES])
def test_belief(rung: Rung, claim: Claim, sent: int, expected: Belief, why: str) -> None:
    assert believe(claim, rung, sent_bytes=sent) == expected, why
