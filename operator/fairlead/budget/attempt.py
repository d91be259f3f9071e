"""What an attempt may have cost whose tokens nobody counted: its provider may bill it all the same.

    nothing was sent: refused, no connection, TLS   $0: gateways do not even tell of it
    3xx, 4xx (429 too), 501, 503, 505, 529          $0: the provider says that it did not do it
    500, 502, 504, any other 5xx                    possible: it may have failed after it generated
    no answer: timeout, reset, the client left      possible
    a 2xx that was no answer                        possible

What is possible: the prompt, and as much output as the request allowed, or as a model can make in the time that the
attempt took, whichever is less. So a provider that fails at once costs little more than the prompt.
"""

from dataclasses import dataclass

from fairlead.budget.estimate import LARGEST, Ask, Rung, bounds, input_tokens, output_tokens
from fairlead.budget.price import whole

TOKENS_PER_SECOND = 4_000
"""No provider writes an answer faster."""
_SECOND_MS = 1000
_REDIRECTED, _FAILED = 300, 500
_REFUSALS = frozenset({501, 503, 505, 529})
"""Of the 5xx those by which a server says that it did not begin: RFC 9110, 15.6; 529 is Anthropic's `overloaded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt whose request went out, wholly or in part, and that brought no count."""

    target: str
    status: int
    """What the provider said; 0 = it gave no answer."""
    elapsed_ms: int | None
    """How long it took, or longer; None = not known."""

    @property
    def is_possibly_billed(self) -> bool:
        """Whether its provider may take money for it."""
        if self.status >= _FAILED:
            return self.status not in _REFUSALS
        return self.status < _REDIRECTED


def possible_cost(attempt: Attempt, ask: Ask, rung: Rung, route_limit: int | None) -> int:
    """Return the most that an attempt at a rung can have cost, in nano-dollars: at most the request's reservation."""
    if not attempt.is_possibly_billed:
        return 0
    (bound,) = bounds((rung,), route_limit)
    outputs = output_tokens(ask, bound)
    if attempt.elapsed_ms is not None:
        outputs = min(outputs, -(-TOKENS_PER_SECOND * attempt.elapsed_ms // _SECOND_MS))
    choices = max(1, ask.choices)
    return min(LARGEST, whole(input_tokens(ask.body_bytes) * bound.per_input + outputs * choices * bound.per_output))
