"""What holds for every compilation, whatever went in. Goldens record; these judge."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from fairlead import envoy, ir
from fairlead.api.conditions import REASONS, ConditionStatus, ConditionType
from fairlead.api.installation import Installation
from fairlead.compiler import Compiled, Report, Served
from fairlead.ir.rule import PRIMARY

_TIME = re.compile(r"\d\d:\d\d:\d\d|\b20\d\d-\d\d-\d\d")
_ALL = 10_000


def check(result: Compiled, installation: Installation, manifests: Iterable[Mapping[str, Any]]) -> None:
    """Check everything that can be said without knowing what was meant."""
    written = list(manifests)
    assert list(result.gateways) == [region.name for region in installation.served]
    for gateway in result.gateways.values():
        check_gateway(gateway.ir)
    for report in result.reports:
        check_report(report)
    assert [report.key for report in result.reports] == sorted({report.key for report in result.reports})
    assert {report.key for report in result.reports if report.served is not Served.NOTHING} <= set(result.last_good)
    check_residency(result, installation, written)


def check_report(report: Report) -> None:
    assert [condition.type for condition in report.conditions] == [ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS]
    for condition in report.conditions:
        assert condition.reason in REASONS[condition.type, condition.status]
        assert condition.observed_generation == report.generation
        check_text(condition.message)
    for text in (*map(str, report.problems), *report.warnings):
        check_text(text)
    well = all(condition.status is ConditionStatus.TRUE for condition in report.conditions)
    assert report.served is Served.CURRENT or not well, "an object that is not in effect says why"


def check_text(text: str) -> None:
    """Messages are one line, end without a period, and say the same every time."""
    assert text
    assert "\n" not in text
    assert not text.endswith(".")
    assert not _TIME.search(text), text
    assert text.count("`") % 2 == 0, text


def check_gateway(gateway: ir.Gateway) -> None:
    """Names are unique and sorted, every name that is used exists, and nothing stands there for nobody."""
    for named in (
        gateway.consumers,
        gateway.scopes,
        gateway.routes,
        gateway.ladders,
        gateway.targets,
        gateway.last_resorts,
        gateway.credentials,
    ):
        check_sorted([one.name for one in named])
    targets = {target.name: target for target in gateway.targets}
    ladders = {ladder.name: ladder for ladder in gateway.ladders}
    routes = {route.name: route for route in gateway.routes}
    used_ladders = [arm.ladder for route in gateway.routes for plan in route.plans for arm in plan.arms]
    assert sorted(used_ladders) == sorted(ladders)
    for ladder in gateway.ladders:
        assert ladder.rungs
        assert len(set(ladder.rungs)) == len(ladder.rungs)
        assert set(ladder.rungs) <= set(targets)
    shadows = {route.shadow.target for route in gateway.routes if route.shadow is not None}
    assert {rung for ladder in gateway.ladders for rung in ladder.rungs} | shadows == set(targets)
    spoken = {one.last_resort for route in gateway.routes for plan in route.plans for one in plan.dialects}
    pins = [pin for route in gateway.routes for plan in route.plans for pin in plan.pins or ()]
    spoken |= {pin.target.rpartition(f"/{targets[pin.target].model}")[0] for pin in pins}
    assert {ladder.last_resort for ladder in gateway.ladders} | spoken == {last.name for last in gateway.last_resorts}
    assert [signer.provider for signer in gateway.signers or ()] == sorted(
        {targets[pin.target].provider for pin in pins}
    )
    carried = {one.credential for one in (*gateway.targets, *gateway.last_resorts)} - {""}
    assert carried == {credential.name for credential in gateway.credentials}
    for route in gateway.routes:
        check_route(route, ladders, targets)
        check_rules(route, routes)
    scopes = {scope.name for scope in gateway.scopes}
    for consumer in gateway.consumers:
        assert set(consumer.scopes) <= scopes
        assert len(consumer.scopes) <= 4
    for scope in gateway.scopes:
        assert scope.entries
        assert "|" not in scope.name
        check_sorted([entry.model_name for entry in scope.entries])
        for entry in scope.entries:
            if entry.route:
                assert entry.plan in {plan.key for plan in routes[entry.route].plans}
            else:
                assert entry.plan == ""
    if gateway.anonymous is not None:
        assert gateway.anonymous in {consumer.name for consumer in gateway.consumers}


def check_rules(route: ir.Route, routes: Mapping[str, ir.Route]) -> None:
    """A rule leads to another route of the gateway that answers with one model of chat, and asks for something."""
    assert len({rule.name for rule in route.rules}) == len(route.rules)
    for rule in route.rules:
        assert rule.name != PRIMARY
        assert rule.conditions != ir.Conditions()
        assert rule.route != route.name
        (plan,) = routes[rule.route].plans
        assert (plan.key, plan.kind) == ("", ir.ModelKind.CHAT)


def check_route(route: ir.Route, ladders: Mapping[str, ir.Ladder], targets: Mapping[str, ir.Target]) -> None:
    check_sorted([plan.key for plan in route.plans])
    assert route.keyed or [plan.key for plan in route.plans] == [""]
    longest = 0
    for plan in route.plans:
        rungs = [ladders[arm.ladder].rungs for arm in plan.arms]
        longest = max(longest, *map(len, rungs))
        assert sum(arm.weight for arm in plan.arms) == _ALL
        sides = {side: [arm for arm in plan.arms if arm.side is side] for side in ir.Side}
        assert sides[ir.Side.STABLE] + sides[ir.Side.CANDIDATE] == list(plan.arms), "a side's arms stand together"
        for arms in filter(None, sides.values()):
            assert max(arm.weight for arm in arms) - min(arm.weight for arm in arms) <= 1
            same = {frozenset(ladders[arm.ladder].rungs) for arm in arms}
            assert len(same) == 1, "arms of a spread have the same rungs"
        stable = frozenset(ladders[sides[ir.Side.STABLE][0].ladder].rungs)
        for arm in sides[ir.Side.CANDIDATE]:
            assert stable < frozenset(ladders[arm.ladder].rungs), "a candidate's caller falls back to what is stable"
        assert plan.last_target == rungs[0][0]
        first = targets[plan.last_target]
        assert plan.last_model == first.wire_model
        assert {ladders[arm.ladder].last_resort for arm in plan.arms} == {f"{first.provider}/{first.endpoint}"}
    assert 1 <= route.max_attempts <= longest + 1


def check_residency(result: Compiled, installation: Installation, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Every rung and every shadow of a route is within its residency, seen from the gateway."""
    geos = {region.name: region.geo for region in installation.regions}
    current = {report.key for report in result.reports if report.served is Served.CURRENT}
    residency = {}
    for manifest in manifests:
        if manifest.get("kind") == "ModelRoute" and isinstance(manifest.get("spec"), Mapping):
            namespace = manifest["metadata"].get("namespace", installation.namespace)
            residency[f"{namespace}/{manifest['metadata']['name']}"] = manifest["spec"].get("residency", "Any")
    names = {f"{key.namespace}/{key.name}" for key in current if key.kind == "ModelRoute"}
    for region, gateway in result.gateways.items():
        where = {target.name: target.region for target in gateway.ir.targets}
        rungs = {ladder.name: ladder.rungs for ladder in gateway.ir.ladders}
        for route in gateway.ir.routes:
            if route.name not in names:
                continue
            used = {rung for plan in route.plans for arm in plan.arms for rung in rungs[arm.ladder]}
            used |= set() if route.shadow is None else {route.shadow.target}
            for endpoint in {where[name] for name in used}:
                if residency[route.name] == "Region":
                    assert endpoint == region
                elif residency[route.name] == "Geo":
                    assert endpoint
                    assert geos[endpoint] == geos[region]


def check_files(files: Mapping[str, bytes], gateway: ir.Gateway) -> None:
    """Every cluster that is named exists, and the files name no Secret that the gateway does not carry."""
    whole = envoy.static(files)
    clusters = {cluster["name"] for cluster in whole["static_resources"]["clusters"]}
    for name in _cluster_names(whole["static_resources"]):
        assert name in clusters, name
    for ladder in gateway.ladders:
        assert envoy.names.ladder_cluster(ladder.name) in clusters
    mounted = {f"{credential.secret_name}/{credential.key}" for credential in gateway.credentials}
    text = b"".join(files.values()).decode()
    assert set(re.findall(r"/etc/fairlead/credentials/([^\"/]+/[^\"/]+)", text)) <= mounted


def check_no_secrets(result: Compiled, values: Iterable[str]) -> None:
    """No value of a Secret is anywhere in what comes out."""
    text = repr([asdict(gateway.ir) for gateway in result.gateways.values()]) + repr(result.reports)
    text += "".join(content.decode() for gateway in result.gateways.values() for content in gateway.files.values())
    for value in values:
        assert value not in text


def check_sorted(names: Sequence[str]) -> None:
    assert all(one < other for one, other in pairwise(names)), names


def _cluster_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("cluster"), str):
            yield value["cluster"]
        if str(value.get("@type", "")).endswith("clusters.composite.v3.ClusterConfig"):
            yield from (one["name"] for one in value["clusters"])
        for weighted in value.get("weighted_clusters", {}).get("clusters", ()):
            if "name" in weighted:
                yield weighted["name"]
        for item in value.values():
            yield from _cluster_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cluster_names(item)
