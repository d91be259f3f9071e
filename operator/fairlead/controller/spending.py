"""What a cluster's consumers spent, for `fairlead budgets`: read from the objects' status, and from nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairlead.adapters.kube import Kube
from fairlead.api import quantity
from fairlead.budget import baseline, cached, shadow
from fairlead.controller import load, overview
from fairlead.controller.overview import listed
from fairlead.errors import ClusterError
from fairlead.status.counted import Cache

Json = dict[str, Any]
Object = Mapping[str, Any]


async def read(kube: Kube, *, namespace: str | None) -> Json:
    """Read every policy, consumer and route of a namespace, or of all; raises `ClusterError`, which says what to do."""
    found = await listed(kube, ("BudgetPolicy", "ModelConsumer", "ModelRoute"), namespace=namespace)
    return describe(found, (await _load(kube)).caches)


async def _load(kube: Kube) -> load.Load:
    """Read what the operator wrote of its gateways, beside the providers; nothing where one may not."""
    try:
        return await overview.load_beside(kube, await kube.list("ModelProvider", namespace=None))
    except ClusterError:
        return load.Load()


def describe(found: Iterable[Object], counted: Sequence[Cache] = ()) -> Json:
    """Describe policies with their window, and name the consumers that none of them bounds.

    `counted`: what gateways say of kept answers, for routes of which the ledger says nothing.
    """
    objects = sorted(found, key=_name)
    routes = {_name(one) for one in objects if one["kind"] == "ModelRoute"}
    return {
        "object": "budgets",
        "in_flight": [
            {"consumer": _name(one), "most": most}
            for one in objects
            if one["kind"] == "ModelConsumer" and (most := one.get("spec", {}).get("maxInFlight")) is not None
        ],
        "policies": [_policy(one) for one in objects if one["kind"] == "BudgetPolicy"],
        "unbudgeted": [_name(one) for one in objects if one["kind"] == "ModelConsumer" and _is_unbudgeted(one)],
        "shadow": [
            {"route": _name(one), **{field: found[field] for field in ("target", "spentUSD", "since")}}
            for one in objects
            if one["kind"] == "ModelRoute"
            for found in one.get("status", {}).get("shadow", ())
        ],
        "savings": [
            _savings(_name(one), found)
            for one in objects
            if one["kind"] == "ModelRoute" and (found := one.get("status", {}).get("savings")) is not None
        ],
        "caches": cached.beside(
            [
                {"route": _name(one), **{field: value for field, value in found.items() if field != "observedAt"}}
                for one in objects
                if one["kind"] == "ModelRoute" and (found := one.get("status", {}).get("cache")) is not None
            ],
            [one for one in counted if one["route"] in routes],
        ),
    }


def _savings(route: str, found: Object) -> Json:
    spent, there, estimated = (
        quantity.nanodollars(found[name]) for name in ("spentUSD", "baselineUSD", "estimatedUSD")
    )
    money = baseline.told(spent=spent, cost_there=there, estimated=estimated)
    return {"route": route, "baseline": found["baseline"], **money, "since": found["since"]}


def _is_unbudgeted(consumer: Object) -> bool:
    """Tell whether no policy bounds a consumer; one that is not judged yet, or is no caller, lacks none."""
    return bool(consumer.get("status", {}).get("budgets") == [])


def _policy(one: Object) -> Json:
    status = one.get("status", {})
    budget = status.get("budget", {})
    enforced = condition(one, "Enforced")
    return {
        "name": _name(one),
        "scope": one["spec"].get("scope", "PerConsumer"),
        "limitUSD": one["spec"]["limit"]["usd"],
        "enforced": {field: enforced.get(field, "") for field in ("status", "reason", "message")},
        **{field: budget.get(field) for field in ("spentUSD", "windowStart", "windowEnd", "observedAt", "consumers")},
        "topSpenders": budget.get("topSpenders", []),
        "stages": budget.get("stages", []),
    }


def condition(one: Object, kind: str) -> Object:
    """Return a condition of an object by its type, {} if it has none."""
    conditions: Iterable[Object] = one.get("status", {}).get("conditions", ())
    return next((found for found in conditions if found["type"] == kind), {})


def _name(one: Object) -> str:
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


def lines(document: Json) -> list[str]:
    """Write a description for a person."""
    written = [line for policy in document["policies"] for line in (*_policy_lines(policy), "")]
    if not document["policies"]:
        written = ["nobody has a budget", ""]
    unbudgeted = document["unbudgeted"]
    if unbudgeted:
        written += [f"without a budget: {', '.join(unbudgeted)}", ""]
    if document["shadow"]:
        written += [*shadow.lines(document["shadow"]), ""]
    if document["savings"]:
        written += [*baseline.lines(document["savings"]), ""]
    if document["caches"]:
        written += [*cached.lines(document["caches"]), ""]
    if document["in_flight"]:
        limits = (f"  {one['consumer']:<40} at most {one['most']:,} requests" for one in document["in_flight"])
        written += ["in flight:", *limits, ""]
    return written[:-1]


def _policy_lines(policy: Json) -> list[str]:
    each = "together" if policy["scope"] == "Shared" else "each"
    if policy["spentUSD"] is None:
        until, spent = "", "nothing is known of it yet"
    else:
        until = f", resets {policy['windowEnd']}" if policy["windowEnd"] else ", never resets"
        spent = f"${policy['spentUSD']} spent by {policy['consumers']}, as of {policy['observedAt']}"
    written = [f"{policy['name']}: ${policy['limitUSD']} {each}{until}; {spent}"]
    enforced = policy["enforced"]
    if enforced["status"] != "True":
        written.append(f"  {enforced['reason'] or 'Pending'}: {enforced['message'] or 'no operator has judged it yet'}")
    for one in policy["topSpenders"]:
        who = "all together" if one["consumer"] == "*" else one["consumer"]
        stages = [stage["action"] for stage in policy["stages"] if one["consumer"] in stage["named"]]
        written.append(f"  {who:<40} ${one['spentUSD']:>13} spent{'  ' + stages[-1] if stages else ''}")
    return written
