"""What the page shows, out of the documents of `status`, `rollout status` and `budgets`: of JSON's types only. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.budget import cached

Json = dict[str, Any]
WELL = "All is well"
NO_BUDGET = "Nobody has a budget: write a BudgetPolicy"
SERVES, UNKNOWN = "Serves", "Unknown"
_STEADY = ("Healthy", "Unknown", "")
_ALL = 100.0
_ANY_MODEL = "/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All of it."""

    source: str
    """Whose picture it is, for people."""
    alerts: Sequence[str] = ()
    """What is wrong as a whole: nobody runs there, nobody answers."""
    regions: Sequence[Json] = ()
    """The gateways, each with what it serves."""
    routes: Sequence[Json] = ()
    """By name, each with its ladders by region."""
    endpoints: Sequence[Json] = ()
    failing: Sequence[Json] = ()
    """What is declared well and fails all the same; each with `subject` and `message`."""
    rollouts: Sequence[Json] = ()
    budgets: Json | None = None
    """None: nobody has a budget, or nobody can tell; then `money` says which."""
    money: str = ""
    refusals: Sequence[Json] = ()
    """Each with `subject`, `where` and `message`."""
    classifiers: Sequence[Json] = ()
    """Of each route that asks one, as `status.counted` describes it."""
    feedback: Sequence[Json] = ()
    """What users thought of answers, as `runtime.feedback` describes it."""

    @property
    def verdict(self) -> str:
        """Say in one line how it stands; read aloud when it changes."""
        ill = [one for one in self.endpoints if one["ill"]]
        back = [one for one in self.rollouts if one["degraded"]]
        unasked = [one for one in self.classifiers if one["openSince"]]
        unbound = [one for one in (self.budgets or {}).get("policies", ()) if one["note"]]
        told = [
            *self.alerts,
            *(f"{one['name']}: {one['state']}" for one in self.regions if not one["well"]),
            *([f"{len(ill)} of {_count(self.endpoints, 'endpoint')} fail or have less traffic"] if ill else []),
            *([f"{len(self.failing)} failing"] if self.failing else []),
            *([f"{len(self.refusals)} refused"] if self.refusals else []),
            *([f"{_count(back, 'rollout')} went back"] if back else []),
            *([f"{_count(unbound, 'budget')} not enforced"] if unbound else []),
            *([f"{_count(unasked, 'classifier')} not asked"] if unasked else []),
        ]
        return "; ".join(told) or WELL

    @property
    def is_well(self) -> bool:
        """Whether nothing wants a look."""
        return self.verdict == WELL


def _count(things: Sequence[Any], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def endpoints(found: Iterable[Json], ill: Iterable[bool]) -> list[Json]:
    """Describe endpoints, with whether each is ill."""
    return [
        {
            "name": f"{one['provider']}/{one['endpoint']}",
            "region": one["region"] or "",
            "state": one["state"],
            "share": one["share"],
            "since": one["since"],
            "why": one["message"] or one["reason"] or "",
            "used": one["used"],
            "ill": wrong,
        }
        for one, wrong in zip(found, ill, strict=True)
    ]


def ladders(
    route: str, region: str, served: Json, known: Sequence[Json], ejected: Collection[str] = ()
) -> list[tuple[str, str, Json]]:
    """Describe a route's ladders at a gateway, as `status.answers` tells them; each with its route and region."""
    return [
        (
            route,
            region,
            {
                "names": ", ".join(answer["names"]),
                "further": answer.get("furtherNames", 0),
                "weight": ladder["share"],
                "rungs": rungs(ladder["targets"], known, ejected, judged=ladder.get("judged", ())),
                "last": answer["lastResort"],
                "shadow": served["shadow"] or "",
                "left": served.get("furtherLadders", 0),
            },
        )
        for answer in served["answers"]
        for ladder in answer["ladders"]
    ]


def rungs(
    targets: Sequence[str], known: Sequence[Json], ejected: Collection[str] = (), *, judged: Collection[str] = ()
) -> list[Json]:
    """Describe the rungs of a ladder in the order of attempts: where each is, and how its endpoint stands."""
    by_name = {one["name"]: one for one in known}
    found = []
    for target in targets:
        endpoint = by_name.get("/".join(target.split("/", 2)[:2]), {})
        state = _ejected(target, ejected) or str(endpoint.get("state", ""))
        found.append(
            {
                "target": target,
                "region": endpoint.get("region", ""),
                "state": state,
                "share": "0%" if state == "Ejected" else endpoint.get("share", ""),
                "since": endpoint.get("since"),
                "why": endpoint.get("why", "") if state not in _STEADY else "",
                "steady": state in _STEADY,
                "judged": target in judged,
            }
        )
    return found


def _ejected(target: str, ejected: Collection[str]) -> str:
    """Say that gateways leave a target out by themselves; of `provider/endpoint/*`, that they do some of its models."""
    if target in ejected:
        return "Ejected"
    whole = target.endswith(_ANY_MODEL) and any(one.startswith(target[:-1]) for one in ejected)
    return "Partly ejected" if whole else ""


def routes(found: Iterable[tuple[str, str, Json]]) -> list[Json]:
    """Group ladders, each with its route and region, by route."""
    grouped: dict[str, list[Json]] = {}
    for route, region, ladder in found:
        grouped.setdefault(route, []).append({"region": region, **ladder})
    return [
        {
            "name": name,
            "ladders": sorted(grouped[name], key=lambda ladder: str(ladder["region"])),
            "steady": all(rung["steady"] for ladder in grouped[name] for rung in ladder["rungs"]),
        }
        for name in sorted(grouped)
    ]


def serving(region: str, found: Iterable[tuple[str, str, Json]]) -> list[Json]:
    """Say of a gateway who answers each of its routes now: a rung passes on what its endpoint may not have."""
    shares: dict[str, dict[tuple[str, str], Json]] = {}
    for route, where, ladder in found:
        if where == region and ladder["rungs"]:
            _share_out(ladder, shares.setdefault(route, {}))
    return [
        {
            "route": route,
            "answers": [
                {**one, "here": one["region"] == region, "share": _shown(one["share"])}
                for one in sorted(shares[route].values(), key=lambda one: -one["share"])
            ],
        }
        for route in sorted(shares)
    ]


def gateway(state: str, serves: Iterable[Json]) -> Json:
    """Say how a gateway stands: `Degraded` is one that runs, and of which a route has no rung that is well."""
    if state != SERVES:
        return {"state": state, "well": state == UNKNOWN}
    degraded = any(all(one["state"] for one in route["answers"]) for route in serves)
    return {"state": "Degraded" if degraded else SERVES, "well": not degraded}


def _share_out(ladder: Json, into: dict[tuple[str, str], Json]) -> None:
    left = whole = _number(ladder["weight"])
    for rung in ladder["rungs"]:
        mine = left * _number(rung["share"] or "100%") / _ALL
        if mine > 0:
            _add(into, ladder, rung["target"], rung["region"], mine, state="" if rung["steady"] else rung["state"])
        left -= mine
    if left > 0 and left >= whole / _ALL:  # where all are down they are asked all the same, in their order
        asked = next((rung for rung in ladder["rungs"] if rung["state"] != "Ejected"), None)
        if asked is None:
            _add(into, ladder, ladder["last"], ladder["rungs"][0]["region"], left, state="Last resort")
        else:
            _add(into, ladder, asked["target"], asked["region"], left, state=asked["state"])


def _add(
    into: dict[tuple[str, str], Json], ladder: Json, target: str, region: str, share: float, *, state: str
) -> None:
    names = ladder["names"] + (f" and {ladder['further']} more" if ladder["further"] else "")
    one = into.setdefault(
        (names, target), {"names": names, "target": target, "region": region, "share": 0.0, "state": state}
    )
    one["share"] += share


def _number(percent: str) -> float:
    return float(percent.removesuffix("%"))


def _shown(share: float) -> str:
    return "" if share >= _ALL else f"{share:.2f}".rstrip("0").rstrip(".") + "%"


def budgets(
    policies: Iterable[Json],
    savings: Sequence[Json],
    unbudgeted: Sequence[Json],
    caches: Iterable[Mapping[str, Any]] = (),
    in_flight: Sequence[Json] = (),
    *,
    sharing: str = "",
) -> Json:
    """Describe policies, each with `name`, `limit`, `each`, `resets`, `note` and its spenders; money in dollars.

    `in_flight`: who may have at `most` so many requests under way, and how many it has where that is known.
    `sharing`: that no answers are shared at the moment, and why.
    """
    return {
        "policies": list(policies),
        "savings": list(savings),
        "unbudgeted": list(unbudgeted),
        "in_flight": [{**one, "under_way": one.get("in_flight")} for one in in_flight],
        "caches": [{**one, "share": cached.percentage(one)} for one in caches],
        "sharing": sharing,
    }


def spender(who: str, *, spent: float, limit: float, stage: str | None) -> Json:
    """Describe who spends of a limit."""
    return {
        "who": "all together" if who == "*" else who,
        "spent": spent,
        "left": max(0.0, limit - spent),
        "limit": limit,
        "share": min(1.0, spent / limit) if limit > 0 else 1.0,
        "stage": stage or ("Used up" if spent >= limit else ""),
    }
