"""How much a request can cost before it runs, and what is booked when nobody counted its tokens.

The reservation is an upper bound for text: a token is never less than one byte of the JSON body, whose own syntax is
longer than the few tokens that a chat template adds. For each picture or file, and for tools, the gateway adds to those
bytes what they may have of tokens. Two things can pass it, and the docs say so: a file, or a picture of a model that
counts more for one, and a provider that does not obey the output limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fairlead.budget.price import USD, Price, whole, with_units
from fairlead.budget.unit import Asked, Unit

DEFAULT_OUTPUT_TOKENS = 4096
"""What a request may answer when neither it, its route nor its model says, and the context window is not known."""
LARGEST = 1_000_000 * USD
"""No request is held for more, whatever numbers it brings: sums stay far inside 64 bits in every store."""
LARGEST_WINDOW = 10_000_000
"""Tokens of a model whose context window nobody declared: no model reads or writes more."""
_INPUT_BYTES_PER_TOKEN = 2
"""Prose has 4 bytes to a token, code 3, base64 and digits 2: an estimate that is not below what was sent."""
_OUTPUT_BYTES_PER_TOKEN = 2
"""The same of an answer, whatever stands around the text: a chunk may have any number of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the gateway knows of a request before it runs."""

    body_bytes: int
    """Of its body, 16,384 more for each picture or file in it, and 2,048 for tools."""
    output_limit: int | None
    """The request's own `max_tokens`, `max_completion_tokens` or `max_output_tokens`."""
    choices: int = 1
    """The request's `n`: how many answers it wants."""
    asked: Asked | None = None
    """What it asks for by another unit than tokens; None: text, vectors, verdicts."""
    goes_on: bool = False
    """It goes on from an answer that the provider keeps: all of that conversation is input, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A target that may answer: its price and what bounds its answer."""

    price: Price
    max_output_tokens: int | None
    context_window: int | None
    generates: bool
    """False for embeddings and the like: no output tokens."""
    text: bool = True
    """False: it makes images, audio, an order, or verdicts, for which no text stands in."""


def believable(rung: Rung, *, inputs: int, outputs: int, requests: int = 1) -> bool:
    """Say whether a provider can have counted that: no count of a request is larger than the model's context window."""
    most = (rung.context_window or LARGEST_WINDOW) * max(1, requests)
    return inputs <= most and outputs <= most


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a rung can cost, worked out once: prices of a million tokens, and how many may come out."""

    per_input: int
    """Audio is no dearer than its bytes as text: a token of it has at least a hundred of them."""
    per_output: int
    """0 for embeddings."""
    most: int
    """The smallest of the caps of route and model and of its context window: no more can come out."""
    otherwise: int
    """How many tokens may come out when the request does not say."""
    price: Price | None = None
    """Of a model that is billed by other units, too."""
    window: int | None = None
    """The context window of a model that generates: no more can go in for an answer."""
    longer: "LongBound | None" = None
    """Of a model that takes another price for long prompts."""

    def of(self, inputs: int, outputs: int) -> int:
        """Return the most that so many tokens can cost, in millionths of a nano-dollar: more tokens are never less."""
        longer = self.longer
        if longer is None or inputs <= longer.above:
            return inputs * self.per_input + outputs * self.per_output
        return inputs * max(self.per_input, longer.per_input) + outputs * max(self.per_output, longer.per_output)


@dataclass(frozen=True, slots=True, kw_only=True)
class LongBound:
    """The same prices of prompts with more than so many tokens."""

    above: int
    per_input: int
    per_output: int


def bounds(rungs: Sequence[Rung], route_limit: int | None) -> tuple[Bound, ...]:
    """Return the bounds of the rungs that may answer a route with this cap, each once."""
    return tuple(dict.fromkeys(_bound(rung, route_limit) for rung in rungs))


def _bound(rung: Rung, route_limit: int | None) -> Bound:
    price = rung.price
    declared = [cap for cap in (route_limit, rung.max_output_tokens, rung.context_window) if cap is not None]
    longer = price.long_prompts
    return Bound(
        per_input=_per_input(price),
        per_output=_per_output(price, rung),
        most=min(declared, default=LARGEST_WINDOW),
        otherwise=min(declared, default=DEFAULT_OUTPUT_TOKENS),
        price=None if rung.text else price,
        window=rung.context_window if rung.generates else None,
        longer=None
        if longer is None
        else LongBound(
            above=longer.above, per_input=_per_input(longer.price), per_output=_per_output(longer.price, rung)
        ),
    )


def _per_input(price: Price) -> int:
    return max(price.input, price.cached_input, price.written, price.written_1h, price.seen)


def _per_output(price: Price, rung: Rung) -> int:
    return max(price.output, price.spoken) if rung.generates else 0


def reservation(ask: Ask, bounds: Sequence[Bound]) -> int:
    """Return the most that the request can cost at the dearest of the rungs, in nano-dollars. Without rungs: 0."""
    dearest, choices = 0, max(1, ask.choices)
    for bound in bounds:
        output = output_tokens(ask, bound)
        window = None if bound.window is None else bound.window * choices  # of prompts, too
        inputs = ask.body_bytes if window is None or (not ask.goes_on and ask.body_bytes < window) else window
        dearest = max(dearest, bound.of(inputs, output * choices))
    if ask.asked is None:
        return min(LARGEST, whole(dearest))
    return min(LARGEST, max((_reserved(ask, ask.asked, bound) for bound in bounds), default=0))


def _reserved(ask: Ask, asked: Asked, bound: Bound) -> int:
    inputs = ask.body_bytes if asked.inputs is None else asked.inputs
    tokens = bound.of(inputs, output_tokens(ask, bound) * max(1, ask.choices))
    each = bound.price.of(asked.unit) if bound.price is not None else None
    return with_units(tokens, each or 0, asked.unit, asked.most(ask.body_bytes))


def likely(ask: Ask, asked: Asked, rung: Rung, *, inputs: int | None, outputs: int | None, count: int | None) -> int:
    """Return what a request is taken to have cost at a rung where not all was counted, in nano-dollars.

    None: to be estimated. No more than what was reserved at that rung.
    """
    (bound,) = bounds((rung,), None)
    if inputs is None:
        inputs = _inputs(ask, asked)
    outputs = output_tokens(ask, bound) * max(1, ask.choices) if outputs is None else outputs
    each, count = rung.price.of(asked.unit), asked.likely if count is None else count
    return min(LARGEST, with_units(bound.of(inputs, outputs), each or 0, asked.unit, count))


def _inputs(ask: Ask, asked: Asked) -> int:
    """Return how many tokens went in when nobody counted them: all that files can have; of text by its bytes."""
    if asked.inputs is None or asked.unit is Unit.SEARCH:
        return input_tokens(ask.body_bytes if asked.inputs is None else asked.inputs)
    return asked.inputs


def output_tokens(ask: Ask, bound: Bound) -> int:
    """Return the most tokens that one of the answers to a request can have."""
    output = bound.otherwise if ask.output_limit is None else min(ask.output_limit, bound.most)
    return max(0, output)


def input_tokens(body_bytes: int) -> int:
    """Return how many tokens a body is taken for when nobody counted them."""
    return -(-max(0, body_bytes) // _INPUT_BYTES_PER_TOKEN)


def asked_tokens(ask: Ask, rung: Rung) -> int:
    """Return how many tokens went in with a request when nobody counted them: of what is kept nobody knows the size."""
    if ask.goes_on and rung.context_window is not None:
        return rung.context_window
    return input_tokens(ask.body_bytes)


def shown_tokens(sent_bytes: int) -> int:
    """Return how many tokens an answer of so many bytes is taken for when nobody counted them."""
    return -(-max(0, sent_bytes) // _OUTPUT_BYTES_PER_TOKEN)


def uncounted(rung: Rung, *, inputs: int, outputs: int) -> int:
    """Return the most that so many tokens can have cost whose kinds nobody counted, in nano-dollars."""
    (bound,) = bounds((rung,), None)
    return min(LARGEST, whole(bound.of(inputs, outputs)))
