"""Whatever the health of endpoints: the order of rungs changes, and nothing else."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import US, compiled, endpoint, installation, provider, route
from fairlead import envoy, ir
from fairlead.compiler import Compiled
from fairlead.health.endpoint import Probe
from fairlead.health.fleet import Fleet, judge, shares
from fairlead.statuses import Failure
from fairlead.translate.effective import effective, without_layers
from golden_cases import layouts
from invariants import check_files
from strategies import SECRETS, worlds


def run(manifests: list[dict[str, Any]], health: dict[str, int] | None = None) -> Compiled:
    return compiled(*manifests, secrets=SECRETS, installed=installation(anonymous="Allow"), health=health or {})


def rungs_of(gateway: ir.Gateway) -> dict[str, tuple[str, ...]]:
    return {ladder.name: ladder.rungs for ladder in gateway.ladders}


@st.composite
def sick(draw: st.DrawFn) -> tuple[Compiled, dict[str, int]]:
    found = run(draw(worlds()))
    endpoints = sorted({f"{t.provider}/{t.endpoint}" for gw in found.gateways.values() for t in gw.ir.targets})
    shares = st.sampled_from([0, 1, 10, 33, 50, 99, 100]) | st.integers(-5, 120)
    return found, draw(st.dictionaries(st.sampled_from([*endpoints, "nobody/there"]), shares, max_size=6))


@given(case=sick())
def test_only_order_and_weights_of_ladders_change(case: tuple[Compiled, dict[str, int]]) -> None:
    found, health = case
    for region, gateway in found.gateways.items():
        declared, now = gateway.ir, effective(gateway.ir, health)
        bare = [
            replace(
                one,
                ladders=(),
                routes=tuple(
                    replace(each, plans=tuple(replace(plan, arms=()) for plan in each.plans)) for each in one.routes
                ),
            )
            for one in (declared, now)
        ]
        assert bare[0] == bare[1], region
        layout = layouts([region])[region]
        files, before = envoy.render(now, layout), envoy.render(declared, layout)
        check_files(files, now)
        assert {path for path in files if files[path] != before[path]} <= {"xds/cds.json", "xds/rds.json"}


@given(case=sick())
def test_ladders_keep_their_targets_and_sides_their_weight(case: tuple[Compiled, dict[str, int]]) -> None:
    found, health = case
    for gateway in found.gateways.values():
        declared, now = gateway.ir, effective(gateway.ir, health)
        before, after = rungs_of(declared), rungs_of(now)
        last_resorts = {ladder.name: ladder.last_resort for ladder in (*declared.ladders, *now.ladders)}
        share = {t.name: min(100, max(0, health.get(f"{t.provider}/{t.endpoint}", 100))) for t in now.targets}
        assert sorted(arm.ladder for r in now.routes for p in r.plans for arm in p.arms) == sorted(after)
        for old_route, new_route in zip(declared.routes, now.routes, strict=True):
            for old, new in zip(old_route.plans, new_route.plans, strict=True):
                assert new.arms
                wanted = {frozenset(before[arm.ladder]) for arm in old.arms}
                assert {frozenset(after[arm.ladder]) for arm in new.arms} == wanted
                assert all(len(set(after[arm.ladder])) == len(after[arm.ladder]) for arm in new.arms)
                assert {last_resorts[arm.ladder] for arm in new.arms} == {last_resorts[arm.ladder] for arm in old.arms}
                weights = [
                    sum((Counter({arm.side: arm.weight}) for arm in plan.arms), Counter[ir.Side]())
                    for plan in (old, new)
                ]
                assert weights[0] == weights[1]
                recovering = {share[rung] for one in wanted for rung in one if 0 < share[rung] < 100}
                assert len(new.arms) <= len(old.arms) * (len(recovering) + 1)
                for arm in new.arms:
                    dead = [share[rung] == 0 for rung in after[arm.ladder]]
                    assert dead == sorted(dead), "what has no share stands behind all others"
                everywhere = [share[rung] == 100 for one in wanted for rung in one]
                if all(everywhere):
                    assert new == old


@given(case=sick())
def test_all_or_nothing_needs_no_more_ladders_than_declared(case: tuple[Compiled, dict[str, int]]) -> None:
    found, health = case
    for gateway in found.gateways.values():
        now = effective(gateway.ir, without_layers(health))
        assert len(now.ladders) <= len(gateway.ir.ladders)


@given(world=worlds(), data=st.data())
def test_health_is_no_change_of_what_is_said(world: list[dict[str, Any]], data: st.DataObject) -> None:
    declared = run(world)
    endpoints = sorted({f"{t.provider}/{t.endpoint}" for gw in declared.gateways.values() for t in gw.ir.targets})
    health = data.draw(st.dictionaries(st.sampled_from([*endpoints, "nobody/there"]), st.integers(0, 100)))
    now = run(world, health)
    for one in (declared, now):
        assert one.reports == declared.reports
        assert one.configuration == declared.configuration
        assert one.last_good == declared.last_good
        assert {region: gw.ir for region, gw in one.gateways.items()} == {
            region: gw.ir for region, gw in declared.gateways.items()
        }


@given(world=worlds(), data=st.data())
def test_whatever_is_judged_no_ladder_is_empty_and_residency_holds(
    world: list[dict[str, Any]], data: st.DataObject
) -> None:
    found = run(world)
    declared = [one.health for one in found.endpoints]
    sick = data.draw(st.sets(st.sampled_from([one.name for one in declared]))) if declared else set()
    fleet = Fleet()
    for now_ms in range(0, data.draw(st.integers(1, 6)) * 10_000, 10_000):
        probes = [
            Probe(
                endpoint=one.name,
                began_ms=now_ms,
                ended_ms=now_ms,
                failure=Failure.SERVER_ERROR if one.name in sick else None,
            )
            for one in declared
        ]
        fleet = judge(declared, fleet, probes=probes, now_ms=now_ms)
    for gateway in found.gateways.values():
        before, after = rungs_of(gateway.ir), rungs_of(effective(gateway.ir, shares(fleet)))
        assert {frozenset(rungs) for rungs in after.values()} == {frozenset(rungs) for rungs in before.values()}
        assert all(after.values())


def shares_of_first_rungs(health: dict[str, int], *endpoints: str) -> dict[str, int]:
    many = provider("p", endpoints=[endpoint(name, US) for name in endpoints])
    now = effective(run([many, route("chat")]).gateways[US].ir, health)
    rungs = rungs_of(now)
    ((plan,),) = [one.plans for one in now.routes]
    firsts: Counter[str] = Counter()
    for arm in plan.arms:
        firsts[rungs[arm.ladder][0].split("/")[1]] += arm.weight
    return dict(firsts)


def test_those_that_are_left_of_a_spread_share_evenly() -> None:
    assert shares_of_first_rungs({"p/a": 0}, "a", "b", "c") == {"b": 5000, "c": 5000}


def test_a_recovering_endpoint_has_its_percentage_of_its_own_share() -> None:
    assert shares_of_first_rungs({"p/a": 10}, "a", "b") == {"a": 500, "b": 9500}


def test_several_on_their_way_back_nest() -> None:
    found = shares_of_first_rungs({"p/a": 10, "p/b": 50}, "a", "b", "c")
    assert abs(found["a"] - 333) <= 1, "10 % of a third"
    assert abs(found["b"] - 2333) <= 1, "10 % of a third and 40 % of a half"
    assert sum(found.values()) == 10_000


def test_where_all_are_down_the_declared_order_stands() -> None:
    many = provider("p", endpoints=[endpoint("a", US), endpoint("b", US)])
    gateway = run([many, route("chat")]).gateways[US].ir
    now = effective(gateway, {"p/a": 0, "p/b": 0})
    assert now == gateway
