"""Routes: virtual host `*` answers by itself and carries the directory; each ModelRoute has a virtual host of its own.

Which virtual host is asked says `x-fl-route`, so a request finds its route by a hash, whatever the number of routes.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from fairlead.envoy import (
    budgets,
    cache,
    cascades,
    dialects,
    directory,
    filters,
    hops,
    logs,
    makers,
    names,
    own,
    recorder,
    retries,
    token_filter,
)
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, duration, packed, text, with_texts
from fairlead.ir import NEEDS, OTHER_PATHS, STREAMING, UNSAID, Arm, Gateway, ModelKind, Need, Plan, Route, Side, need_of
from fairlead.memo import Memo

ANSWERED_BY = {
    names.ANSWERED_BY_HEADER: logs.ROUTE,
    "x-fairlead-target": logs.TARGET,
    "x-fairlead-region": logs.REGION,
    "x-fairlead-attempts": logs.ALL_ATTEMPTS,
}
"""What every answer of a route says, its own errors included."""
_MIRRORS = "request_mirror_policies"
IDLE_MARGIN_MS = 1000
"""What a stream's idle timer leaves to the attempts beside their own timers."""


def render(gateway: Gateway, layout: Layout, memo: Memo, *, digest: str) -> str:
    """Render the route configuration, as JSON."""
    told = _told(gateway)
    configuration = {
        **packed("envoy.config.route.v3.RouteConfiguration"),
        "name": names.ROUTE_CONFIGURATION,
        "vhost_header": names.ROUTE_HEADER,
        "max_direct_response_body_size_bytes": 4096,
        # Once for all routes, and taken back in virtual host `*`: a header's format is longer than a route's name.
        "response_headers_to_add": _answered_by(),
        "most_specific_header_mutations_wins": True,
    }
    mine = text(own.host(gateway, layout, memo, digest, silent=sorted(ANSWERED_BY)))
    hosts = (_written(route, gateway, layout, told.get(route.name, ()), memo) for route in gateway.routes)
    return with_texts(configuration, "virtual_hosts", (mine, *hosts))


def _told(gateway: Gateway) -> dict[str, list[Json]]:
    """Make the headers that say which rule, and which category, led to a route: those of each route that answers so."""
    headers: dict[str, list[Json]] = {}
    for header, key, asked in (
        (names.RULE_HEADER, names.RULE_KEY, {route.name for route in gateway.routes if route.rules}),
        (names.CATEGORY_HEADER, names.CATEGORY_KEY, {route.name for route in gateway.routes if route.classifier}),
    ):
        for name in _answering(asked, gateway):
            headers.setdefault(name, []).append(filters.set_header(header, logs.of_request(key))["append"])
    return headers


def _answering(asked: Collection[str], gateway: Gateway) -> set[str]:
    """Return the routes that answer requests for routes with rules."""
    reached = {*asked, *(rule.route for route in gateway.routes if route.name in asked for rule in route.rules)}
    return reached | {route.downgrade_to for route in gateway.routes if route.name in reached and route.downgrade_to}


def _written(route: Route, gateway: Gateway, layout: Layout, told: Sequence[Json], memo: Memo) -> str:
    """Write a route's virtual host. What it is made of is what it is remembered by: of the gateway, these parts."""
    ladders = [gateway.ladders_by_name[arm.ladder] for plan in route.plans for arm in plan.arms]
    rungs = [rung for one in ladders for rung in one.rungs]
    lasts = [one.last_resort for one in ladders] + [one.last_resort for plan in route.plans for one in plan.dialects]
    given = (
        route,
        gateway.routes_by_name.get(route.downgrade_to or ""),
        told,
        layout,
        gateway.limits.request_bytes,
        cache.is_used(gateway),
        *ladders,
        *(gateway.targets_by_name[name] for name in rungs),
        *(gateway.last_resorts_by_name[name] for name in lasts),
        None if route.shadow is None else gateway.targets_by_name[route.shadow.target],
    )
    name = "virtual host", gateway.region, route.name
    return memo.of(name, given, lambda: text(_virtual_host(route, gateway, layout, told)))


def _virtual_host(route: Route, gateway: Gateway, layout: Layout, told: Sequence[Json]) -> Json:
    forms = [*_pinned(route), *_forms(route, gateway)]
    if recorder.recording(route, layout) is not None:
        forms = [one for form in forms for one in (_drawn(form) if _MIRRORS in form["route"] else (form,))]
    return {
        "name": route.name,
        "domains": [route.name],
        "request_body_buffer_limit": gateway.limits.request_bytes,
        "retry_policy": retries.policy(route.max_attempts - 1, attempt_ms=route.timeouts.response_ms),
        "routes": forms,
        **_told_clients(route, gateway, told),
        **_told_filters(route, gateway, layout),
    }


def _told_clients(route: Route, gateway: Gateway, told: Sequence[Json]) -> Json:
    """Make the headers of all of a route's answers; the cache takes off the one that it reads."""
    headers = list(told)
    if route.cache is not None:
        headers += makers.told()["response_headers_to_add"]
    removed = cache.is_used(gateway) and route.cache is None
    return {
        **({"response_headers_to_add": headers} if headers else {}),
        **({"response_headers_to_remove": [names.MADE_HEADER]} if removed else {}),
    }


def _told_filters(route: Route, gateway: Gateway, layout: Layout) -> Json:
    told = {**recorder.of_route(route, layout), **_kept(route, Side.STABLE, gateway)}
    return {"typed_per_filter_config": told} if told else {}


def _kept(route: Route, side: Side, gateway: Gateway) -> Json:
    if route.cache is None:
        return {}
    made_by = (*makers.of_side(route, side, gateway), *cascades.made_by(route, side, gateway))
    return cache.of_side(route, side, made_by)


def _drawn(form: Json) -> tuple[Json, Json]:
    """Make two forms of one on a route that records: what was drawn to be copied takes the first, others the second."""
    action = {key: value for key, value in form["route"].items() if key != _MIRRORS}
    drawn = {
        "filter": names.METADATA_NAMESPACE,
        "path": [{"key": names.COPIED_KEY}],
        "value": {"bool_match": True},
    }
    recorded = filters.set_header(names.SHADOW_RECORD_HEADER, logs.of_request(names.RECORD_KEY))
    mirrors = [
        {
            **mirror,
            "runtime_fraction": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
            "request_headers_mutations": [*mirror["request_headers_mutations"], recorded],
        }
        for mirror in form["route"][_MIRRORS]
    ]
    match = {**form["match"], "dynamic_metadata": [*form["match"].get("dynamic_metadata", ()), drawn]}
    copied = {**form, "match": match, "route": {**action, _MIRRORS: mirrors}}
    return copied, {**form, "route": action}


def _answered_by() -> list[Json]:
    return [filters.set_header(key, value)["append"] for key, value in ANSWERED_BY.items()]


def _pinned(route: Route) -> Iterable[Json]:
    """Make the routes of requests that go on from an answer which one endpoint keeps: it is asked, or nobody.

    They stand before all others; there are none where no answer can be gone on from. The request filter names the
    cluster. No copy goes to a shadow, which has no such answer, and no other route answers under a budget's pressure.
    """
    if not any(plan.pins for plan in route.plans):
        return
    timeouts = route.timeouts
    for streamed in (True, False):
        keys = (names.PINNED_KEY, *([names.STREAM_KEY] if streamed else []))
        matched = [
            {"filter": names.METADATA_NAMESPACE, "path": [{"key": key}], "value": {"bool_match": True}} for key in keys
        ]
        action: Json = {
            "cluster_header": names.ladder_header(0),
            "auto_host_rewrite": True,
            "timeout": duration(timeouts.request_ms),
            "idle_timeout": duration(_idle_ms(route)) if streamed else "0s",
            "retry_policy": retries.connecting(timeouts.first_byte_ms if streamed else timeouts.response_ms),
        }
        form: Json = {
            "name": route.name,
            "match": {"path": "/v1/responses", "dynamic_metadata": matched},
            "route": action,
        }
        yield form | (cascades.told(judged=False) if route.cascade is not None else {})


def _forms(route: Route, gateway: Gateway) -> Iterable[Json]:
    """Make the route's Envoy routes: one per kind of answer, since the timers differ, and per form of plan."""
    for plan in _shapes(route):
        for paths, found in _matches(route, plan, gateway):
            for streamed in (True, False) if plan.kind in STREAMING else (False,):
                for side in (Side.CANDIDATE, Side.STABLE) if directory.is_sticky(route, plan) else (None,):
                    form = _form(route, plan, gateway, paths, found, streamed=streamed, side=side)
                    yield form | budgets.downgrade_metadata(found.pressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """Paths whose requests are treated alike."""

    apart: Need | None = None
    """Of a plan without a key, where not every rung has it: what one must have to be asked."""
    mirrored: bool = True
    """Whether the route's shadow gets copies of them."""
    unsaid: str = ""
    """They cannot be said in words that some rungs want, so that others are asked: the key that says so."""
    pressed: str = ""
    """What another route needs to know that answers them when a budget says so; empty = none does."""
    cascade: cascades.Meeting = cascades.Meeting.NONE
    """Whether they meet the route's cascade."""


def _matches(route: Route, plan: Plan, gateway: Gateway) -> Iterable[tuple[Json, _Match]]:
    """Group the paths that a plan answers, so that no more Envoy routes are made than differ.

    The request filter lets nothing else come here. So where all plans answer chat, the last group is what is left:
    Envoy compiles each regular expression for each route, a quarter of what new routes took it.
    """
    if plan.kind is not ModelKind.CHAT:
        return [({"path": f"/v1/{path}"}, _Match()) for path in OTHER_PATHS[plan.kind]]
    groups: dict[_Match, list[str]] = {}
    for path, needs, left, flag in _unsaid(plan) if not route.keyed else ():
        unsaid = _Match(
            apart=left,
            unsaid=flag,
            mirrored=_is_mirrored(route, needs, gateway),
            cascade=cascades.meeting(route, plan, needs, gateway),
        )
        groups.setdefault(unsaid, []).append(path)
    for paths, needs in NEEDS.items():
        # Which of its plans a keyed route takes is the request filter's word, and so is that it answers.
        if needs is None or any(one.speaks(needs) for one in route.plans if one.kind is plan.kind):
            found = _Match(
                apart=dialect.need if needs and (dialect := plan.apart(needs)) and not route.keyed else None,
                mirrored=_is_mirrored(route, needs, gateway),
                pressed=budgets.downgrade(route, gateway, needs),
                cascade=cascades.meeting(route, plan, needs, gateway),
            )
            groups.setdefault(found, []).extend(paths)
    matches = [_of_paths(paths) for paths in groups.values()]
    if all(one.kind is ModelKind.CHAT for one in route.plans):
        matches[-1] = {"prefix": "/v1/"}
    return zip(matches, groups, strict=True)


def _of_paths(paths: Sequence[str]) -> Json:
    if len(paths) == 1:
        return {"path": f"/v1/{paths[0]}"}
    return {"safe_regex": {"regex": f"/v1/({'|'.join(paths)})"}}


def _unsaid(plan: Plan) -> Iterable[tuple[str, Need | None, Need, str]]:
    """Yield the paths that some rungs want in other words and others do not: both needs, and what tells them."""
    if (plan.translated or plan.converse) and plan.apart(Need.ANTHROPIC):
        yield "messages", None, Need.ANTHROPIC, names.UNSAID_KEY
    if (plan.worded or (plan.converse and plan.converse.chat)) and plan.apart(Need.OPENAI):
        yield "chat/completions", Need.CHAT, Need.OPENAI, names.UNSAID_KEY
    for need, path in UNSAID.items():
        if plan.apart(need):
            yield path, need_of(path), need, f"{names.UNSAID_KEY}:{need}"


def _is_mirrored(route: Route, needs: Need | None, gateway: Gateway) -> bool:
    """Tell whether a shadow is asked, too; a count of tokens is nothing to compare.

    What was said in other words does not travel with a copy.
    """
    if route.shadow is None:
        return True
    shadow = gateway.targets_by_name[route.shadow.target]
    if needs is None:
        return not shadow.translates_messages
    return needs is not Need.ANTHROPIC and not shadow.translates_chat and needs.met_by(shadow)


def _shapes(route: Route) -> list[Plan]:
    """One plan for each form that plans of the route take; those with most arms first, the plain ones are the rest."""
    forms = {(plan.kind, directory.shape(plan)): plan for plan in route.plans}
    return [forms[key] for key in sorted(forms, key=lambda key: (-len(forms[key].arms), key))]


def _form(
    route: Route, plan: Plan, gateway: Gateway, paths: Json, found: _Match, *, streamed: bool, side: Side | None
) -> Json:
    """Make one Envoy route. Of a `side`: for the consumers in its buckets, candidate first, and stable for the rest."""
    match = dict(paths)
    flags = [*([names.STREAM_KEY] if streamed else []), *([found.unsaid] if found.unsaid else [])]
    if flags:
        match["dynamic_metadata"] = [
            {"filter": names.METADATA_NAMESPACE, "path": [{"key": key}], "value": {"bool_match": True}} for key in flags
        ]
    headers: list[Json] = []
    if route.keyed and len(plan.arms) > 1:
        headers.append({"name": names.ARMS_HEADER, "string_match": {"exact": directory.shape(plan)}})
    if side is Side.CANDIDATE:
        # The last buckets: a candidate that grows takes callers, and gives none back.
        ours = {"start": names.BUCKETS - _weight(plan, side), "end": names.BUCKETS}
        headers.append({"name": names.BUCKET_HEADER, "range_match": ours})
    if headers:
        match["headers"] = headers
    judged = found.cascade is cascades.Meeting.JUDGED and not streamed
    action = _action(route, plan, gateway, found, streamed=streamed, side=side, judged=judged)
    form = {"name": route.name, "match": match, "route": action}
    if found.cascade is not cascades.Meeting.NONE:
        form |= cascades.told(judged=judged)
    if plan.kind is not ModelKind.CHAT:
        form["typed_per_filter_config"] = {token_filter.NAME: token_filter.of_kind(plan.kind)}
    return form


def _action(
    route: Route, plan: Plan, gateway: Gateway, found: _Match, *, streamed: bool, side: Side | None, judged: bool
) -> Json:
    timeouts = route.timeouts
    ladders = [dialects.cluster(arm, plan, found.apart, gateway) for arm in plan.arms]
    mirrors = hops.mirror(route, gateway, attempt_ms=timeouts.first_byte_ms if streamed else timeouts.response_ms)
    action = {
        **_clusters(route, plan, side, [names.cascade_cluster(one) for one in ladders] if judged else ladders, gateway),
        "auto_host_rewrite": True,
        "timeout": duration(timeouts.request_ms),
        "idle_timeout": duration(_idle_ms(route)) if streamed else "0s",
    }
    if judged:
        action["retry_policy"] = cascades.retry(route, plan, found.apart, gateway)
    elif streamed:
        action["retry_policy"] = retries.policy(route.max_attempts - 1, attempt_ms=timeouts.first_byte_ms)
    if mirrors and found.mirrored:
        action[_MIRRORS] = mirrors
    return action


def _idle_ms(route: Route) -> int:
    """Tell how long a stream may be silent.

    The timer runs from the request on, and must not end a ladder of hung rungs. `per_try_idle_timeout` would be the
    exact one, but beside `per_try_timeout` it never fires (Envoy 1.40).
    """
    return max(route.timeouts.stream_idle_ms, route.max_attempts * route.timeouts.first_byte_ms + IDLE_MARGIN_MS)


def _weight(plan: Plan, side: Side) -> int:
    return sum(arm.weight for arm in plan.arms if arm.side is side)


def _clusters(route: Route, plan: Plan, side: Side | None, ladders: Sequence[str], gateway: Gateway) -> Json:
    """Draw an arm for each request: of all, or of one side's, so that health and spread mean requests on both.

    `ladders` are the arms' clusters, where the route has one plan.
    """
    if len(plan.arms) == 1:
        return {"cluster_header": names.ladder_header(0)} if route.keyed else {"cluster": ladders[0]}
    drawn = [(number, arm) for number, arm in enumerate(plan.arms) if side is None or arm.side is side]
    weightless = not any(arm.weight for _, arm in drawn)
    # Envoy refuses a draw of nothing; nobody comes there.
    made = [
        {
            **({"cluster_header": names.ladder_header(number)} if route.keyed else {"name": ladders[number]}),
            "weight": 1 if weightless else arm.weight,
            **_kept_by_arm(route, arm, gateway),
        }
        for number, arm in drawn
    ]
    return {"weighted_clusters": {"clusters": made}}


def _kept_by_arm(route: Route, arm: Arm, gateway: Gateway) -> Json:
    """Tell the cache of a side what the route's virtual host tells it of the stable one."""
    told = _kept(route, arm.side, gateway) if arm.side is not Side.STABLE else {}
    return {"typed_per_filter_config": told} if told else {}
