"""The token filter of a gateway: reads usage from answers, and takes out the chunk of a stream that nobody asked for.

It stands nearest to the router, so that it sees the provider's answer. What it costs does not grow with the JSON in a
stream: it searches each chunk for `"usage":{` and reads only the event around it.

**It needs** answers as providers write them, without a content encoding; and, for streams whose provider was asked for
usage by the gateway alone, dynamic metadata `names.UNASKED_KEY` of the request filter.

**It reads** the members `usage` of an answer or of an event, and those of its `message`, `response`, `error` and
`x_groq`; of several the last one that is not null, each of its counts by itself. Answers in one piece are read as they
come, whatever their length; of a stream at most one event of `LARGE` bytes is kept, and a larger one is read as it
comes. So there is no length, and no number of events, at which usage is lost.

**It sets** dynamic metadata `names.USAGE_KEY`, absent where the provider said nothing:
- `input`, `output`: all tokens, hidden reasoning and what went through the cache included; absent where not known;
  `cached`: input from the cache; numbers;
- `status`: 1 = both sides are known, 2 = one side or none, 3 = they contradict their own total, or one is no whole
  number up to 10^9, 4 = as 1, of what may be billed by other units, which the counters for reconciliation do not have;
- `units`, `unit`: what was counted by another unit than tokens; absent where nothing was, and alone of speech in one
  piece, which has no usage: its characters are the request filter's count;
- `model`: what the provider says, as a word (`fairlead.ir.word`);
- `log`: members of a log line: counts, and where there are any, further kinds of tokens, and units with what they are;
  of speech in one piece, which has no usage, that alone;
- `report`: `REPORT`, words with a space between, and up to two more. The first where
  units were counted: images in `data`, Cohere's `search_units`, milliseconds of a `usage` or a `duration` in seconds;
  the second where images went in: their tokens, behind a `-` for units that nobody counted.

The output of a stream that was cut is not known, whatever its running counts said; Anthropic's count is whole once it
names a reason to stop.

An answer to a request for a stream is one, unless its type is JSON: some servers name `text/plain`, or nothing.

It sets `names.FINISH_KEY` at the end of an answer that says why it ended: `stop`, `length`, `tool_calls`,
`content_filter` or `other`, whatever the API calls it.

It sets `names.BATCHED_KEY` at the end of an answer whose `status` is 1, of a request that took a unit of a lease and
lost no attempt.

It sets `names.BROKEN_KEY` for a stream that begins with an error, or ends with nothing in it.

**It takes out** of a stream of `names.UNASKED_KEY` the events without choices whose own usage is not null,
unless they bring an `error`. Everything else passes byte by byte; of an event that has not ended and may be such a one,
the bytes wait for its end.
"""

from fairlead.envoy import chunk
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import ModelKind

PARTS = ("reader", "usage", "units", "events", "answers")
"""The files of `lua/tokens/`, in the order in which they are joined: each sees the locals of those before it."""
NAME = "fairlead-tokens"
REPORT = ("status", "input", "output", "cached", "cache_write", "cache_write_1h", "audio_input", "audio_output")
"""The words of `report`; input and output are `-` where not known."""
_LUA = "envoy.extensions.filters.http.lua.v3"


def source() -> str:
    """Read the Lua source, one chunk of all parts: code, not input."""
    return chunk.joined("tokens", PARTS)


def render() -> Json:
    """Make the filter."""
    return extension(NAME, f"{_LUA}.Lua", {"default_source_code": {"inline_string": source()}})


def of_kind(kind: ModelKind) -> Json:
    """Make what the filter is told on routes to others than chat.

    Vectors, orders and verdicts have no output, and some servers count but a total; images and searches are counted.
    """
    return packed(f"{_LUA}.LuaPerRoute", {"filter_context": {"kind": str(kind)}})
