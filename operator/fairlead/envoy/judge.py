"""The judge of a cascade: Lua's source, and what it is told of a route.

It knows chat/completions, completions, responses and messages, and reads an answer as strict JSON: what a client's
library cannot read goes on to the next model. What it holds against an answer is the first of these that fails:

- `unreadable`: no answer of its API;
- `finishReason`: it ended otherwise than it may; one that does not say how counts as another way;
- `toolCalls`: a call names no tool of the request, or its arguments are no JSON object;
- `refusal`: the provider says so, or a phrase of `lua/cascade/phrases.lua` stands near the text's beginning;
- `json`: the request asks for JSON, and the text is none, or is not as the request's schema has it (the words of
  `lua/cascade/schema.lua`);
- `minCharacters`, `contains`, `notContains`: of the text; an answer that calls tools and says nothing has none;
- `minMeanLogprob`: where the answer has log probabilities.

Of several choices all must hold.
"""

from fairlead.envoy import chunk
from fairlead.ir import Accept, fold

PARTS = ("json", "schema", "answers", "phrases", "verdict")
"""The files of `lua/cascade/` that judge, in the order in which they are joined."""
OF_FILTER = (*PARTS, "filter")
"""The same with what ties them to Envoy."""
CHECKS = (
    *("unreadable", "finishReason", "toolCalls", "refusal", "json"),
    *("minCharacters", "contains", "notContains", "minMeanLogprob"),
)
"""What the judge can hold against an answer, in the order in which it looks."""


def source(parts: tuple[str, ...] = PARTS) -> str:
    """Read the Lua source, one chunk of all parts: code, not input."""
    pairs = fold.pairs()
    text = chunk.parts("cascade", parts)
    return text.replace("@letters@", "".join(pairs)).replace("@folded@", "".join(pairs.values()))


def filter_source() -> str:
    """Read the Lua source of the filter behind a cascade's hop."""
    return source(OF_FILTER)


def accept(wanted: Accept) -> str:
    """Write what an answer must be like, as the judge reads it: see `lua/cascade/verdict.lua`."""
    written = {
        "finish": ",".join(wanted.finish_reasons),
        "json": "1" if wanted.json else "",
        "tools": "1" if wanted.tool_calls else "",
        "refusal": "1" if wanted.refusal else "",
        "min": str(wanted.min_characters) if wanted.min_characters else "",
        "with": _hex(wanted.contains),
        "without": _hex(wanted.not_contains),
        "logprob": wanted.min_mean_logprob or "",
    }
    return ";".join(f"{name}={value}" for name, value in written.items() if value)


def _hex(literals: tuple[str, ...]) -> str:
    return ",".join(literal.encode().hex() for literal in literals)
