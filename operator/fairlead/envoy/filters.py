"""The HTTP filters, in their two ordered lists: once per request, and once per attempt."""

from collections.abc import Sequence
from importlib import resources

from fairlead.envoy import (
    allow_list,
    budgets,
    cache,
    cors,
    errors,
    held,
    logs,
    matching,
    names,
    overload,
    probe,
    recorder,
    request_filter,
    response_ids,
    signing,
    token_filter,
    upstream_filter,
    words,
)
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, file_source, packed
from fairlead.ir import Gateway

HTTP = "envoy.extensions.filters.http"

ENCODINGS = ("gzip", "zstd")
DEFLATES_RATIO = 1032
"""How many bytes one byte of deflate can stand for, at most. Envoy gives a body up at a hundred, unless told otherwise:
it decodes in one step what has come at once, and looks at limits after that."""
FEW_BYTES = "[0-9]{1,4}"
"""A content-length that may be decoded whatever comes of it: 10 MB at most."""
"""Of requests' bodies: what coding agents send long prompts in."""
REFUSALS = "fairlead-refusals"
REDIRECTED = "3xx"
"""A client that followed would post its prompt, and its key, to wherever a provider says."""
CUSTOM_RESPONSE = f"{HTTP}.custom_response.v3.CustomResponse"


def per_request(gateway: Gateway, layout: Layout, *, probed: Sequence[str]) -> list[Json]:
    """List the filters of the data listener, except the router that ends them.

    `probed` are paths of which none is logged, and each is 503 while the process drains.
    """
    asks = request_filter.source(checked=budgets.server_of(gateway, layout) is not None)
    return [
        # First: a draining gateway says 503 here before anything else looks at the request.
        extension(
            "envoy.filters.http.health_check",
            f"{HTTP}.health_check.v3.HealthCheck",
            {
                "pass_through_mode": True,
                "headers": [{"name": ":path", "string_match": {"safe_regex": {"regex": "|".join(probed)}}}],
            },
        ),
        # Whose pages may call: before anybody refuses, so that a page can read why.
        *cors.filters(gateway),
        _bearer(),
        # Who calls. By a file of its own, because it holds keys.
        {
            "name": names.API_KEY_FILTER,
            "config_discovery": {
                "config_source": file_source(layout.keys_dir, "ecds.json", mounted=layout.mounted),
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"],
            },
        },
        # Bodies in an encoding become what was encoded, for those who may call at all.
        _encoded(),
        _small(),
        *(_decompressor(encoding) for encoding in ENCODINGS),
        # Large bodies, of those who may call at all: so many at once. Behind those, which take content-length away.
        overload.sized(gateway.limits),
        *overload.at_once(gateway.limits, layout),
        # What is asked; chooses the route. Needs the consumer.
        extension(
            names.DIRECTORY_NAMESPACE,
            f"{HTTP}.lua.v3.Lua",
            {
                "default_source_code": {"inline_string": response_ids.located(asks, layout)},
                "source_codes": {
                    held.SOURCE: {"inline_string": held.source(gateway, layout)},
                    **probe.sources(gateway),
                },
            },
        ),
        # Whether there is room for it, and whether another route answers. Needs the route: Envoy limits no others.
        *budgets.per_request(gateway, layout, admission=admission()),
        # Whether the answer is there already: for those who may ask at all.
        *cache.per_request(gateway),
        # On the way back: a provider's refusal of our credential or model never reaches the client. Only
        # where a route answered: in virtual host `*` a 401 is our own.
        {"name": REFUSALS, "typed_config": _refusals(gateway)},
        # Draws what is copied and recorded; on the way back posts the answer as the client gets it.
        *recorder.per_request(gateway, layout),
        # On the way back: answers in the words of another API than the client's.
        *words.filters(gateway),
        # On the way back: ids of answers that their provider keeps.
        *response_ids.filters(gateway, layout),
        # On the way back: reads usage. Nearest to the router, so that it sees the provider's answer.
        token_filter.render(),
    ]


def _bearer() -> Json:
    """Spell the scheme of a client's key as the next filter takes it; most do already, and pass by."""
    lua = {"default_source_code": {"inline_string": source("bearer.lua")}}
    made = extension("bearer", f"{HTTP}.lua.v3.Lua", lua)
    spelled = {"prefix": "Bearer "}
    return matching.others("fairlead-bearer", made, "authorization", spelled, label="authorization")


def _encoded() -> Json:
    """Look at bodies in an encoding before it is taken off; most have none, and pass by."""
    lua = {"default_source_code": {"inline_string": source("encoded.lua")}}
    made = extension("encoded", f"{HTTP}.lua.v3.Lua", lua)
    return matching.only("fairlead-encoded", made, "content-encoding", matching.pattern(".+"), label="encoding")


def _small() -> Json:
    """Take gzip off small bodies, however well they pack; others, and those of unknown length, pass by."""
    made = _decompressor("gzip", max_inflate_ratio=DEFLATES_RATIO)
    return matching.only("fairlead-gzip-small", made, "content-length", matching.pattern(FEW_BYTES), label="length")


def _decompressor(encoding: str, **fields: int) -> Json:
    """Take an encoding off requests; what a provider answers is never touched."""
    library = packed(f"envoy.extensions.compression.{encoding}.decompressor.v3.{encoding.capitalize()}", fields)
    off = {"enabled": {"default_value": False, "runtime_key": errors.NEVER}}
    return extension(
        f"fairlead-{encoding}",
        f"{HTTP}.decompressor.v3.Decompressor",
        {
            "decompressor_library": {"name": encoding, "typed_config": library},
            "request_direction_config": {"advertise_accept_encoding": False},
            "response_direction_config": {"common_config": off},
        },
    )


def set_header(key: str, value: str) -> Json:
    """Make a header mutation that sets a header, whatever it was."""
    return {"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}


def per_attempt(gateway: Gateway, layout: Layout) -> list[Json]:
    """Upstream filters of the router: they run for every attempt, after its host is chosen.

    Attempts share one header map: what one writes the next one finds, so everything is written absolutely.
    """
    return [
        # What the host is goes in; what the client, or the attempt before, left as a credential goes out.
        extension(
            "host",
            f"{HTTP}.header_mutation.v3.HeaderMutation",
            {
                "mutations": {
                    "request_mutations": _host(gateway),
                    "response_mutations": [allow_list.removed_from_answers(gateway)],
                }
            },
        ),
        # The host's credential, model, path, and the headers that it wants besides; what is no answer. By another name
        # than the request filter's: what a route says to that one is not said to this one.
        extension(
            "fairlead-attempt",
            f"{HTTP}.lua.v3.Lua",
            {"default_source_code": {"inline_string": upstream_filter.source(gateway, layout)}},
        ),
        # What signs the attempt as it has become: behind all that writes it.
        *signing.filters(gateway, layout),
        extension("envoy.filters.http.upstream_codec", f"{HTTP}.upstream_codec.v3.UpstreamCodec"),
    ]


def admission() -> str:
    """Write into the filter after the check what is said where nobody answers one: the words of Envoy's own refusal."""
    return source("admission.lua").replace("@unavailable@", errors.UNCHECKED.body())


def _host(gateway: Gateway) -> list[Json]:
    # The way is last, because the path that a client sent is last in it.
    words = (
        *(logs.of_host(key) for key in (names.HOST_KEY, names.TARGET_KEY)),
        *(logs.SENT_BY_ATTEMPTS, logs.ATTEMPT_MEMBERS, logs.of_request(names.WAY_KEY)),
    )
    credentials = {credential.header.lower() for credential in gateway.credentials}  # of the attempt before
    if signing.signers(gateway):
        credentials.update(signing.HEADERS)
    return [
        allow_list.removed_from_requests(gateway),
        *({"remove": header} for header in sorted(credentials)),
        set_header(names.HOST_HEADER, " ".join(words)),
    ]


def _refusals(gateway: Gateway) -> Json:
    """Make what a provider says to the gateway alone a 502 that names the status, without any of its headers."""
    refusals = {status: _refusal(error, cors.headers(gateway)) for status, error in errors.PROVIDER_REFUSED.items()}
    refused = {status: {"matcher": {"matcher_list": refusal}} for status, refusal in refusals.items()}
    class_tree = {
        "input": extension("class", "envoy.type.matcher.v3.HttpResponseStatusCodeClassMatchInput"),
        "exact_match_map": {"map": {REDIRECTED: refused.pop(REDIRECTED)}},
    }
    tree = {
        "input": extension("status", "envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput"),
        "exact_match_map": {"map": refused},
    }
    matcher = {"matcher_tree": tree, "on_no_match": {"matcher": {"matcher_tree": class_tree}}}
    return packed(CUSTOM_RESPONSE, {"custom_response_matcher": matcher})


def _refusal(error: errors.ApiError, headers: list[Json]) -> Json:
    """Answer with this error in place of a route's provider; filters of answers are past by then."""
    answer = extension(
        "refused",
        "envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy",
        {
            "status_code": error.status,
            "body": {"inline_string": error.body()},
            "response_headers_to_add": [set_header("content-type", "application/json")["append"], *headers],
            "response_code_details": error.code,
        },
    )
    by_a_route = {
        "input": extension(
            "route",
            "envoy.type.matcher.v3.HttpResponseHeaderMatchInput",
            {"header_name": names.ANSWERED_BY_HEADER},
        ),
        "value_match": {"contains": "/"},  # every route has one in its name
    }
    return {"matchers": [{"predicate": {"single_predicate": by_a_route}, "on_match": {"action": answer}}]}


def source(name: str) -> str:
    """Read a Lua filter's text: package data, code and not input."""
    return resources.files("fairlead.envoy").joinpath("lua", name).read_text("utf-8")
