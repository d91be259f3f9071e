"""Virtual host `*`: what needs no provider, and all that comes before the request filter has chosen a route.

It carries the directory, which that filter reads.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

from fairlead.envoy import budgets, cors, directory, held, keys, names, probe
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, packed, text
from fairlead.ir import Gateway
from fairlead.memo import Memo

READY_PATH = "/fairlead/ready"
"""Answers 200 with the configuration's digest once routes and keys are there, 503 while draining; needs no key."""
HEALTH_PATH = "/healthz"
"""Says load balancers whether clients may come: 200, or 503 while the region is drained or the process drains; needs no
key. Not a pod's readiness: a pod of a drained region serves."""
GREETING = """{"message":"This is a model gateway. Its API is at /v1, and needs a key."}"""
_READING = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}


def host(gateway: Gateway, layout: Layout, memo: Memo, digest: str, *, silent: Sequence[str]) -> Json:
    """Make the virtual host. `silent`: headers of answers that say which route answered; here none does."""
    entries = _directory(gateway, layout, memo)
    ready = {
        "name": "ready",
        "match": {"path": READY_PATH},
        "direct_response": {"status": 200, "body": {"inline_string": f'{{"digest":"{digest}"}}'}},
        "typed_per_filter_config": _without_a_key(),
    }
    rest = {
        "name": "gateway",
        "match": {"prefix": "/"},
        # No direct response: of those Envoy does not take how long a body may be.
        "route": {"cluster_header": names.NOWHERE_HEADER, "cluster_not_found_response_code": "NOT_FOUND"},
        "metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: entries}},
        **budgets.at_rest(gateway, layout),
    }
    return {
        "name": "*",
        "domains": ["*"],
        "metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: {names.VERSION_KEY: _version(entries)}}},
        "request_body_buffer_limit": gateway.limits.request_bytes,
        "routes": [
            *(
                ready,
                _health(gateway),
                _greeting(),
                *cors.routes(gateway),
                held.route(),
                *probe.routes(gateway, layout),
            ),
            *(budgets.usage_route(gateway, layout), rest),
        ],
        "response_headers_to_remove": list(silent),
    }


def _health(gateway: Gateway) -> Json:
    return {
        "name": "health",
        "match": {"path": HEALTH_PATH, "headers": [_READING]},
        "direct_response": {
            "status": 503 if gateway.drained else 200,
            "body": {"inline_string": json.dumps({"region": gateway.region, "drained": gateway.drained})},
        },
        "typed_per_filter_config": _without_a_key(),
    }


def _greeting() -> Json:
    """Answer who asks whether something is there, as coding agents do before their first request."""
    return {
        "name": "greeting",
        "match": {"safe_regex": {"regex": "/(v1/?)?"}, "headers": [_READING]},
        "direct_response": {"status": 200, "body": {"inline_string": GREETING}},
        "typed_per_filter_config": _without_a_key(),
    }


def _without_a_key() -> Json:
    """Let everybody in, past a key filter that is there: while it has no keys, Envoy answers 500 in its place."""
    return {
        names.API_KEY_FILTER: keys.open_to_all(),
        names.DIRECTORY_NAMESPACE: packed("envoy.config.route.v3.FilterConfig", {"disabled": True}),
    }


def _version(entries: Mapping[str, str]) -> str:
    """Name a directory by what is in it."""
    return hashlib.sha256(text(entries).encode()).hexdigest()[:16]


def _directory(gateway: Gateway, layout: Layout, memo: Memo) -> dict[str, str]:
    entries = directory.render(gateway, memo)
    if gateway.budget is not None and budgets.server_of(gateway, layout) is not None:
        # `Closed` promises that without an answer nobody passes, whoever has a budget: there everybody is checked.
        entries[directory.BUDGETS] = directory.ALL if gateway.budget.fail_closed else directory.ASKED
        if gateway.budget.terms:
            entries[directory.TERMS] = gateway.budget.terms
        if any(route.feedback for route in gateway.routes):
            entries[directory.FEEDBACK] = directory.ASKED
    return entries
