"""What holds for all inputs of compile()."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from builders import compiled, installation, provider, route, target
from fairlead import compiler
from fairlead.compiler import Compiled, Manifest, Served, Snapshot
from invariants import check
from strategies import SECRETS, garbage, json_values, worlds

OURS = ("ModelProvider", "ModelRoute", "ModelConsumer", "BudgetPolicy")


def run(manifests: list[dict[str, Any]], before: Compiled | None = None) -> Compiled:
    return compiled(*manifests, secrets=SECRETS, before=before, installed=installation(anonymous="Allow"))


@given(world=worlds())
def test_what_always_holds(world: list[dict[str, Any]]) -> None:
    check(run(world), installation(anonymous="Allow"), world)


@given(world=worlds(), random=st.randoms(use_true_random=False))
def test_order_makes_no_difference(world: list[dict[str, Any]], random: Any) -> None:
    shuffled = list(world)
    random.shuffle(shuffled)
    assert run(shuffled) == run(world)


@given(world=worlds())
def test_twice_is_the_same(world: list[dict[str, Any]]) -> None:
    once = run(world)
    again = run(world, before=once)
    assert again.last_good == once.last_good
    assert again.key_bindings == once.key_bindings
    assert again.gateways == once.gateways


@given(world=worlds(), data=st.data())
def test_a_broken_edit_changes_nothing(world: list[dict[str, Any]], data: st.DataObject) -> None:
    before = run(world)
    position = data.draw(st.sampled_from([i for i, one in enumerate(world) if one["kind"] in OURS]))
    served = {str(report.key) for report in before.reports if report.served is Served.CURRENT}
    victim = world[position]
    key = f"{victim['kind']} {victim['metadata']['namespace']}/{victim['metadata']['name']}"
    broken = [*world[:position], data.draw(garbage(victim)), *world[position + 1 :]]
    after = run(broken, before=before)
    reports = {str(report.key): report for report in after.reports}
    assume(reports[key].problems and reports[key].served is not Served.CURRENT)
    assert after.gateways == before.gateways
    assert after.key_bindings == before.key_bindings
    assert (reports[key].served is Served.LAST_GOOD) == (key in served)
    others = {str(report.key): report for report in before.reports}
    assert {k: r for k, r in reports.items() if k != key} == {k: r for k, r in others.items() if k != key}


@given(world=worlds(), data=st.data())
def test_a_broken_newcomer_changes_nothing(world: list[dict[str, Any]], data: st.DataObject) -> None:
    newcomer = data.draw(
        st.sampled_from(
            [
                route("zz", target("nobody", "chat"), namespace="team-a", modelNames=["chat", "bge"]),
                route("zz", target("nobody"), namespace="team-a", modelNames=["*"]),
                route("zz", namespace="team-a", maxAttempts="3"),
                route("zz", namespace="team-a", consumers={"namespaces": {"from": "All"}}),
                provider("zz", endpoints=[{"name": "e", "baseURL": "https://e.example.com", "region": "mars"}]),
                provider("zz", namespace="team-a"),
            ]
        )
    )
    assert run([*world, newcomer]).gateways == run(world).gateways


@given(world=worlds(), data=st.data())
def test_taking_away_and_putting_back_is_identity(world: list[dict[str, Any]], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(world) - 1))
    without = run([*world[:position], *world[position + 1 :]])
    back = run(world)
    assert run([*world[:position], *world[position + 1 :]], before=back).reports == without.reports
    assert run([*world[position:], *world[:position]]) == back


@given(
    st.lists(json_values | st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec"]), json_values))
)
def test_whatever_comes_in_a_value_comes_out(documents: list[Any]) -> None:
    result = compiler.compile(
        Snapshot(manifests=tuple(Manifest(content=document) for document in documents), secrets={}), installation()
    )
    assert not any(gateway.ir.routes for gateway in result.gateways.values())


@given(world=worlds(), data=st.data())
def test_garbage_anywhere_is_a_report(world: list[dict[str, Any]], data: st.DataObject) -> None:
    broken = [data.draw(garbage(one)) if one["kind"] in OURS and data.draw(st.booleans()) else one for one in world]
    result = run(broken)
    check(result, installation(anonymous="Allow"), broken)
    run(broken, before=run(world))
