"""Routes: virtual host `*` answers by itself and carries the directory; each ModelRoute has a virtual host of its own.

Which virtual host is asked says `x-fl-route`, so a request finds its route by a hash, whatever the number of routes.
"""

from collections.abc import Iterable

from fairlead.envoy import budgets, directory, errors, filters, held, hops, keys, logs, names, token_filter
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, duration, packed
from fairlead.ir import Arm, Gateway, ModelKind, Plan, Route, Side, Stickiness

READY_PATH = "/fairlead/ready"
"""Answers 200 with the configuration's digest once routes and keys are there, 503 while draining; needs no key."""
CHAT_PATHS = "/v1/(chat/completions|completions|responses|messages)"
EMBEDDING_PATH = "/v1/embeddings"

RETRY_ON = "5xx,reset,connect-failure,refused-stream,retriable-headers"
RETRIED_STATUS = "3..|401|402|403|404|429"
"""3xx: the provider is elsewhere, where no client may be sent. 401, 403: it refuses our credential. 402: our account
there is empty. 404: it lacks our model. None of it is the client's doing."""
ANSWERED_BY = {
    names.ANSWERED_BY_HEADER: logs.ROUTE,
    "x-fairlead-target": logs.TARGET,
    "x-fairlead-region": logs.REGION,
    "x-fairlead-attempts": logs.ATTEMPTS,
}
"""What every answer of a route says, its own errors included."""
BACK_OFF = "0.001s"
"""The next rung is another provider: there is nothing to wait for."""
IDLE_MARGIN_MS = 1000
"""What a stream's idle timer leaves to the attempts beside their own timers."""


def render(gateway: Gateway, layout: Layout, *, digest: str) -> Json:
    """Render the route configuration."""
    return {
        **packed("envoy.config.route.v3.RouteConfiguration"),
        "name": names.ROUTE_CONFIGURATION,
        "vhost_header": names.ROUTE_HEADER,
        "max_direct_response_body_size_bytes": 4096,
        # Once for all routes, and taken back in virtual host `*`: a header's format is longer than a route's name.
        "response_headers_to_add": _answered_by(),
        "most_specific_header_mutations_wins": True,
        "virtual_hosts": [_own(gateway, layout, digest), *(_virtual_host(route, gateway) for route in gateway.routes)],
    }


def _own(gateway: Gateway, layout: Layout, digest: str) -> Json:
    """Answer what needs no provider, and all that comes before the request filter has chosen a route."""
    ready = {
        "name": "ready",
        "match": {"path": READY_PATH},
        "direct_response": {"status": 200, "body": {"inline_string": f'{{"digest":"{digest}"}}'}},
        # The key filter is there, and lets everybody in: while it has no keys, Envoy answers 500 in its place.
        "typed_per_filter_config": {
            names.API_KEY_FILTER: keys.open_to_all(),
            names.DIRECTORY_NAMESPACE: packed("envoy.config.route.v3.FilterConfig", {"disabled": True}),
        },
    }
    rest = {
        "name": "gateway",
        "match": {"prefix": "/"},
        "direct_response": errors.direct_response(errors.UNKNOWN_URL),
        "metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: _directory(gateway, layout)}},
        **budgets.at_rest(gateway, layout),
    }
    return {
        "name": "*",
        "domains": ["*"],
        "routes": [ready, held.route(), budgets.usage_route(gateway, layout), rest],
        "response_headers_to_remove": sorted(ANSWERED_BY),
    }


def _directory(gateway: Gateway, layout: Layout) -> dict[str, str]:
    entries = directory.render(gateway)
    if gateway.budget is not None and budgets.server_of(gateway, layout) is not None:
        entries[directory.BUDGETS] = gateway.budget.revision
    return entries


def _virtual_host(route: Route, gateway: Gateway) -> Json:
    host = {
        "name": route.name,
        "domains": [route.name],
        "request_body_buffer_limit": gateway.limits.request_bytes,
        "retry_policy": _retry(route, route.timeouts.response_ms),
        "routes": list(_forms(route, gateway)),
    }
    mirrors = hops.mirror(route, gateway)
    if mirrors:
        host["request_mirror_policies"] = mirrors
    return host


def _answered_by() -> list[Json]:
    return [filters.set_header(key, value)["append"] for key, value in ANSWERED_BY.items()]


def _forms(route: Route, gateway: Gateway) -> Iterable[Json]:
    """Make the route's Envoy routes: one per kind of answer, since the timers differ, and per form of plan."""
    for plan in _shapes(route):
        if plan.kind is ModelKind.CHAT:
            pressed = budgets.downgrade_metadata(route, gateway)
            yield _form(route, plan, streamed=True) | pressed
            yield _form(route, plan, streamed=False) | pressed
        else:
            yield _form(route, plan, streamed=False)


def _shapes(route: Route) -> list[Plan]:
    """One plan for each form that plans of the route take; those with most arms first, the plain ones are the rest."""
    forms = {(plan.kind, directory.shape(plan)): plan for plan in route.plans}
    return [forms[key] for key in sorted(forms, key=lambda key: (-len(forms[key].arms), key))]


def _form(route: Route, plan: Plan, *, streamed: bool) -> Json:
    chat = plan.kind is ModelKind.CHAT
    match: Json = {"safe_regex": {"regex": CHAT_PATHS}} if chat else {"path": EMBEDDING_PATH}
    if streamed:
        match["dynamic_metadata"] = [
            {
                "filter": names.METADATA_NAMESPACE,
                "path": [{"key": names.STREAM_KEY}],
                "value": {"bool_match": True},
            }
        ]
    if route.keyed and len(plan.arms) > 1:
        match["headers"] = [{"name": names.ARMS_HEADER, "string_match": {"exact": directory.shape(plan)}}]
    form = {"name": route.name, "match": match, "route": _action(route, plan, streamed=streamed)}
    if not chat:
        form["typed_per_filter_config"] = {token_filter.NAME: token_filter.of_embeddings()}
    return form


def _action(route: Route, plan: Plan, *, streamed: bool) -> Json:
    timeouts = route.timeouts
    action = {
        **_clusters(route, plan),
        "auto_host_rewrite": True,
        "timeout": duration(timeouts.request_ms),
        "idle_timeout": duration(_idle_ms(route)) if streamed else "0s",
    }
    if streamed:
        action["retry_policy"] = _retry(route, timeouts.first_byte_ms)
    return action


def _retry(route: Route, attempt_ms: int) -> Json:
    """Make the retries whose every attempt has so much time until its response headers.

    The virtual host has those for answers in one piece, and routes of streams have their own.
    """
    return {
        "retry_on": RETRY_ON,
        "retriable_headers": [{"name": ":status", "string_match": {"safe_regex": {"regex": RETRIED_STATUS}}}],
        "num_retries": route.max_attempts - 1,
        "retry_back_off": {"base_interval": BACK_OFF, "max_interval": BACK_OFF},
        "per_try_timeout": duration(attempt_ms),
    }


def _idle_ms(route: Route) -> int:
    """Tell how long a stream may be silent.

    The timer runs from the request on, and must not end a ladder of hung rungs. `per_try_idle_timeout` would be the
    exact one, but beside `per_try_timeout` it never fires (Envoy 1.40).
    """
    return max(route.timeouts.stream_idle_ms, route.max_attempts * route.timeouts.first_byte_ms + IDLE_MARGIN_MS)


def _clusters(route: Route, plan: Plan) -> Json:
    if len(plan.arms) == 1:
        if route.keyed:
            return {"cluster_header": names.ladder_header(0)}
        return {"cluster": names.ladder_cluster(plan.arms[0].ladder)}
    weighted: Json = {"clusters": [_arm(route, number, arm) for number, arm in enumerate(plan.arms)]}
    if not _sticky(route, plan):
        return {"weighted_clusters": weighted}
    return {
        "weighted_clusters": {**weighted, "use_hash_policy": True},
        "hash_policy": [{"header": {"header_name": names.CONSUMER_HEADER}}],
    }


def _arm(route: Route, number: int, arm: Arm) -> Json:
    if route.keyed:
        return {"cluster_header": names.ladder_header(number), "weight": arm.weight}
    return {"name": names.ladder_cluster(arm.ladder), "weight": arm.weight}


def _sticky(route: Route, plan: Plan) -> bool:
    """Whether a consumer stays on its side: only while there are two, for a spread is drawn per request."""
    return route.stickiness is Stickiness.CONSUMER and {arm.side for arm in plan.arms} == set(Side)
