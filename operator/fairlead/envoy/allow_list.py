"""Which headers travel, both ways: by allow-list, written as the regular expression of all other names.

Envoy removes headers by a matcher of their names, but has none for "all but these". Told by Lua, header by header, it
took a fifth of a gateway's time.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from fairlead.envoy import names
from fairlead.envoy.protobuf import Json
from fairlead.ir import Gateway

TRACING = (
    *("b3", "traceparent", "tracestate", "x-b3-flags", "x-b3-parentspanid", "x-b3-sampled", "x-b3-spanid"),
    *("x-b3-traceid", "x-request-id"),
)
BOTH = ("cache-control", "content-length", "content-type", "transfer-encoding", *TRACING)
TO_PROVIDERS = (
    *("accept", "anthropic-beta", "anthropic-version", "idempotency-key", "openai-beta", "user-agent"),
    *("x-fairlead-rule", *BOTH),
)
"""Of the clients' own those that say how to answer; none that says for which account (`openai-project`)."""
TO_CLIENTS = (
    *("content-disposition", "content-encoding", "content-language", "openai-processing-ms", "openai-version"),
    *("request-id", "retry-after", "retry-after-ms", "traceresponse", "x-should-retry", *BOTH),
)
"""None that tells of the provider's account, which all callers share: who has it, and how much of it is left."""
OF_CASCADES = (names.JUDGED_HEADER,)
"""What comes back over a cascade's hop, as far as the router: the upstream filter takes it off what a provider says."""
OF_CACHES = (names.MADE_HEADER,)
"""The same on gateways that keep answers, as far as the cache."""
OF_COPIES = (names.WAY_HEADER, names.MODEL_HEADER, names.STREAM_HEADER)
"""What a shadow's copy carries over its hop, beside names that begin as all others of shadows do."""
FAMILIES_TO_PROVIDERS = (":", names.SHADOW_HEADER_PREFIX)
FAMILIES_TO_CLIENTS = (":",)
"""Beginnings of names. With a colon begin those of HTTP/2, and what is left to logs."""
_KEPT = 64
"""Expressions that are not written anew: gateways ask for the same few, at each of their rungs and in each version."""


def forwarded(gateway: Gateway) -> tuple[str, ...]:
    """List the headers that some provider wants besides."""
    return tuple(sorted({name for target in gateway.targets for name in target.forward_headers}))


def removed_from_requests(gateway: Gateway) -> Json:
    """Make the mutation that takes off what no provider gets."""
    return _remove_all_but((*TO_PROVIDERS, *OF_COPIES, *forwarded(gateway)), FAMILIES_TO_PROVIDERS)


def removed_from_answers(gateway: Gateway) -> Json:
    """Make the mutation that takes off what neither Envoy's router nor a client gets."""
    over_hops = OF_CASCADES if gateway.cache_bytes is None else (*OF_CASCADES, *OF_CACHES)
    return _remove_all_but((*TO_CLIENTS, *over_hops, *forwarded(gateway)), FAMILIES_TO_CLIENTS)


def _remove_all_but(allowed: tuple[str, ...], families: tuple[str, ...]) -> Json:
    return {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": _written(allowed, families)}}}}


@lru_cache(maxsize=_KEPT)
def _written(allowed: tuple[str, ...], families: tuple[str, ...]) -> str:
    return all_but(allowed, families)


def all_but(allowed: Collection[str], families: Collection[str]) -> str:
    """Write the expression that matches every name, as a whole, that is not allowed and begins as no family does."""
    heads = sorted({word[0] for word in (*allowed, *families) if word})
    ways = [f"[^{''.join(map(re.escape, heads))}].*" if heads else ".+"]
    for head in heads:
        rest = [{word[1:] for word in words if word.startswith(head)} for words in (allowed, families)]
        if "" not in rest[1]:
            ways.append(re.escape(head) + all_but(*rest))
    return f"(?:{'|'.join(ways)})" + ("" if "" in allowed else "?")
