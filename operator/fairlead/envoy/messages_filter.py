"""Messages at providers of chat/completions: who says what to whom in which words.

**On the way out** the request filter says the body in the other API's words (`lua/messages/request.lua`), once, and
leaves that beside the request; the upstream filter sends it to hosts that want it. A request that the other API cannot
say is refused before anything is sent, or passes over such hosts.

**On the way back** this filter says the answer in the client's words: whole, event by event, or an error. It stands
behind the token filter, which so reads what the provider wrote. A stream that breaks has no end; an answer that cannot
be said is a 502.
"""

from fairlead.envoy import chunk, names
from fairlead.envoy.protobuf import Json, extension

PARTS = ("names", "spans", "answer", "stream", "filter")
"""The files of `lua/messages/` for answers, in the order in which they are joined."""
OF_REQUESTS = ("spans", "request")
"""Those of them that the request filter has within it."""
_PATH = "/v1/messages"


def source() -> str:
    """Read the Lua source, one chunk of all parts: code, not input."""
    return chunk.parts("messages", PARTS)


def request_source() -> str:
    """Read what the request filter needs of it."""
    return chunk.parts("messages", OF_REQUESTS)


def render() -> Json:
    """Make the filter; requests to other paths pass it by."""
    asked = {
        "input": extension("path", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": ":path"}),
        "value_match": {"prefix": _PATH},
    }
    skip = extension("skip", "envoy.extensions.filters.common.matcher.action.v3.SkipFilter")
    others = {"not_matcher": {"single_predicate": asked}}
    lua = {"default_source_code": {"inline_string": source()}}
    return extension(
        names.MESSAGES_FILTER,
        "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        {
            "extension_config": extension("messages", "envoy.extensions.filters.http.lua.v3.Lua", lua),
            "xds_matcher": {"matcher_list": {"matchers": [{"predicate": others, "on_match": {"action": skip}}]}},
        },
    )
