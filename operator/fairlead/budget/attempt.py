"""What an attempt may have cost whose tokens nobody counted: its provider may bill it all the same.

    nothing was sent: refused, no connection, TLS   $0: gateways do not even tell of it
    3xx, 4xx (429 too), 501, 503, 505, 529          $0: the provider says that it did not do it
    500, 502, 504, any other 5xx                    possible: it may have failed after it generated
    no answer: timeout, reset, the client left      possible
    a 2xx that was no answer                        possible

What is possible: the prompt, and as much output as the request allowed, or as a model can make in the time that the
attempt took, whichever is less: whatever it made, and showed or hid, it made in that time. So a provider that fails at
once costs little more than the prompt. The time bounds nothing where the provider may go on when nobody waits any
more: it writes an answer in one piece to its end.
"""

from dataclasses import dataclass

from fairlead.budget.estimate import LARGEST, Ask, Rung, asked_tokens, bounds, likely, output_tokens
from fairlead.budget.price import whole

TOKENS_PER_SECOND = 4_000
"""No provider writes an answer faster."""
UNNOTICED_MS = 250
"""How long a provider may go on before it notices that nobody reads its stream any more."""
_SECOND_MS = 1000
_REDIRECTED, _FAILED = 300, 500
_REFUSALS = frozenset({501, 503, 505, 529})
"""Of the 5xx those by which a server says that it did not begin: RFC 9110, 15.6; 529 is Anthropic's `overloaded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt whose request went out, wholly or in part, and that brought no count."""

    target: str
    status: int
    """What the provider said; 0 = it gave no answer, or none that came to its end."""
    elapsed_ms: int | None
    """How long it took, or longer; None = not known."""

    @property
    def is_possibly_billed(self) -> bool:
        """Whether its provider may take money for it."""
        if self.status >= _FAILED:
            return self.status not in _REFUSALS
        return self.status < _REDIRECTED


def possible_cost(attempt: Attempt, ask: Ask, rung: Rung, route_limit: int | None, *, stream: bool) -> int:
    """Return the most that an attempt at a rung can have cost, in nano-dollars: at most the request's reservation."""
    if not attempt.is_possibly_billed:
        return 0
    if ask.asked is not None:
        return likely(ask, ask.asked, rung, inputs=None, outputs=None, count=None)
    (bound,) = bounds((rung,), route_limit)
    outputs = possible_output(attempt, ask, rung, route_limit, stream=stream)
    return min(LARGEST, whole(bound.of(asked_tokens(ask, rung), outputs)))


def possible_output(attempt: Attempt, ask: Ask, rung: Rung, route_limit: int | None, *, stream: bool) -> int:
    """Return the most tokens that an attempt at a rung can have written, in all answers to its request together."""
    if not attempt.is_possibly_billed or not rung.generates:
        return 0
    (bound,) = bounds((rung,), route_limit)
    outputs, took_ms = output_tokens(ask, bound), _wrote_ms(attempt, stream=stream)
    if took_ms is not None:
        outputs = min(outputs, -(-TOKENS_PER_SECOND * took_ms // _SECOND_MS))
    return outputs * max(1, ask.choices)


def _wrote_ms(attempt: Attempt, *, stream: bool) -> int | None:
    """Return how long the provider can have been writing; None = nobody knows when it stopped."""
    if attempt.elapsed_ms is None or attempt.status:
        return attempt.elapsed_ms
    return attempt.elapsed_ms + UNNOTICED_MS if stream else None
