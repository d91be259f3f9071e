"""Pages in browsers: who may call, by the origin that the browser states (CORS: Fetch standard, section 3.2).

A browser asks before each request that brings a key, and brings none with that question. So preflights need no key, and
where a page may not call, the answer says why. What may be read is said on each answer of the gateway, errors included;
what a provider says of origins is on no allow-list.

Envoy's own filter does nothing where the route of the moment answers by itself (1.40), as virtual host `*` does. So
routes answer preflights, and a mutation writes the headers where the request came from an origin that may call.
"""

import re

from fairlead.envoy import errors, keys, logs, matching, names
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import Gateway

HTTP = "envoy.extensions.filters.http"
METHODS = "GET, POST"
SENT = (
    *("authorization", "api-key", "x-api-key", "content-type", "accept", "user-agent", "idempotency-key"),
    *("anthropic-beta", "anthropic-dangerous-direct-browser-access", "anthropic-version"),
    *("openai-beta", "openai-organization", "openai-project", "x-fairlead-rule", "cache-control", "*"),
)
"""Headers that a page may send. `*` is all but `authorization`; browsers that do not know it have the list."""
SHOWN = (
    *("x-request-id", "request-id", "x-fairlead-route", "x-fairlead-target", "x-fairlead-region"),
    *("x-fairlead-attempts", "x-fairlead-left-out", "x-fairlead-rule", "x-fairlead-budget-remaining"),
    *("x-fairlead-cascade", "x-fairlead-cache", "age"),
    *("retry-after", "retry-after-ms", "x-should-retry"),
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)
"""Headers of answers that a page may read besides those that it always may."""
KEPT_S = 600
"""How long a browser need not ask again; none keeps it for longer than two hours."""
_WRITTEN = {
    "access-control-allow-origin": (names.ORIGIN_KEY, "", errors.OVERWRITE),
    "access-control-expose-headers": ("exposed", ", ".join(SHOWN), errors.OVERWRITE),
    "vary": ("vary", "origin", "APPEND_IF_EXISTS_OR_ADD"),
}
"""Headers of answers: the metadata that they come from, what is noted there (empty: the request's origin), and how."""


def filters(gateway: Gateway) -> list[Json]:
    """Make the filters, which stand before whoever may refuse; none where no page may call.

    The first notes the origin, since attempts take it off; the second answers by it.
    """
    if not gateway.allow_origins:
        return []
    rules = [_noted(key, value) for key, value, _ in _WRITTEN.values()]
    mutations = [{"append": one} for one in headers(gateway)]
    made = {
        "origin": extension("origin", f"{HTTP}.header_to_metadata.v3.Config", {"request_rules": rules}),
        "cors": extension(
            "cors", f"{HTTP}.header_mutation.v3.HeaderMutation", {"mutations": {"response_mutations": mutations}}
        ),
    }
    allowed = matching.pattern(_allowed(gateway))
    return [matching.only(f"fairlead-{name}", one, "origin", allowed, label="origin") for name, one in made.items()]


def _noted(key: str, value: str) -> Json:
    noted = {"metadata_namespace": names.METADATA_NAMESPACE, "key": key, "type": "STRING"}
    return {"header": "origin", "on_header_present": {**noted, "value": value} if value else noted, "remove": False}


def headers(gateway: Gateway) -> list[Json]:
    """Make the headers that say who may read an answer, and what of its headers; they are none for other callers."""
    if not gateway.allow_origins:
        return []
    return [_set(name, logs.of_request(key), action=action) for name, (key, _, action) in _WRITTEN.items()]


def _allowed(gateway: Gateway) -> str:
    """Write the expression of the origins that may call, as a whole."""
    origins = gateway.allow_origins or ()
    return ".+" if "*" in origins else "|".join(map(re.escape, origins))


def routes(gateway: Gateway) -> list[Json]:
    """Make the routes of preflights: yes to whose pages may call, no to all others."""
    no = _preflight([{"name": "origin", "present_match": True}], errors.direct_response(errors.NO_ORIGIN))
    if not gateway.allow_origins:
        return [no]
    said = {
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": ", ".join(SENT),
        "access-control-max-age": str(KEPT_S),
    }
    allowed = {"safe_regex": {"regex": _allowed(gateway)}}
    yes = _preflight([{"name": "origin", "string_match": allowed}], {"status": 200})
    return [{**yes, "response_headers_to_add": [_set(name, value) for name, value in said.items()]}, no]


def _preflight(origin: list[Json], answer: Json) -> Json:
    asked = [
        {"name": ":method", "string_match": {"exact": "OPTIONS"}},
        {"name": "access-control-request-method", "present_match": True},
    ]
    return {
        "name": "preflight",
        "match": {"prefix": "/", "headers": [*asked, *origin]},
        "direct_response": answer,
        "typed_per_filter_config": {
            names.API_KEY_FILTER: keys.open_to_all(),
            names.DIRECTORY_NAMESPACE: packed("envoy.config.route.v3.FilterConfig", {"disabled": True}),
        },
    }


def _set(name: str, value: str, *, action: str = errors.OVERWRITE) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": action}
