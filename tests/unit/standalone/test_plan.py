import json

import pytest

from fairlead.standalone import plan

Spec = dict[str, str]


def resources(names: str) -> bytes:
    """`a b:2` = the resources a and b, b in its second version."""
    items = [name.partition(":") for name in names.split()]
    resources = [{"name": name, "v": version or "1"} for name, _, version in items]
    return json.dumps({"resources": resources}, separators=(",", ":")).encode()


def files(*, cds: str, lds: str = "data", rds: str = "r", **other: str) -> dict[str, bytes]:
    spec = {"xds/cds.json": cds, "xds/lds.json": lds, "xds/rds.json": rds}
    spec |= {f"xds/{name}.json": names for name, names in other.items()}
    return plan.stamped({path: resources(names) for path, names in spec.items()})


def told(steps: tuple[plan.Step, ...]) -> list[str]:
    lines = []
    for step in steps:
        name = step.path.removeprefix("xds/").removesuffix(".json")
        if step.content is None:
            lines.append(f"{name} gone")
        else:
            items = [
                item["name"] + ("" if item["v"] == "1" else f":{item['v']}")
                for item in json.loads(step.content)["resources"]
            ]
            lines.append(f"{name} = {' '.join(items)}")
    return lines


@pytest.mark.parametrize(
    ("old", "new", "want", "why"),
    [
        (files(cds="a"), files(cds="a"), [], "nothing changed, nothing is written"),
        (files(cds="a"), files(cds="a", rds="r:2"), ["rds = r:2"], "a name moved: one file"),
        (files(cds="L a"), files(cds="L:2 a"), ["cds = L:2 a"], "a ladder's order: one file"),
        (
            files(cds="L a"),
            files(cds="L:2 b", rds="r:2"),
            ["cds = L a b", "cds = L:2 a b", "rds = r:2", "cds = L:2 b"],
            "a model swapped: the new target stands before the ladder leads to it, the old goes last",
        ),
        (files(cds="a"), files(cds="a b", rds="r:2"), ["cds = a b", "rds = r:2"], "an addition needs no clean-up"),
        (files(cds="a b"), files(cds="a", rds="r:2"), ["rds = r:2", "cds = a"], "a removal needs no preparation"),
        (
            files(cds="a", lds="data"),
            files(cds="a:2 b", lds="data:2 hop", rds="r:2", sds="k"),
            ["sds = k", "cds = a b", "lds = data:2 hop", "cds = a:2 b", "rds = r:2"],
            "secret sources and hops stand before the targets that need them",
        ),
        (
            files(cds="a b", lds="data:2 hop", sds="k"),
            files(cds="a", lds="data", rds="r:2"),
            ["lds = data hop", "rds = r:2", "cds = a", "lds = data", "sds gone"],
            "and go after them",
        ),
        (
            {},
            files(cds="a", sds="k"),
            ["sds = k", "cds = a", "lds = data", "rds = r"],
            "a first start has nothing to keep",
        ),
    ],
)
def test_steps(old: dict[str, bytes], new: dict[str, bytes], want: list[str], why: str) -> None:
    assert told(plan.steps(old, new)) == want, why


def test_listeners_keep_the_injector_of_a_credential_that_goes() -> None:
    old, new = files(cds="a", lds="data"), files(cds="a:2", lds="data:2")
    between = plan.stamped({"l": resources("data:3")})["l"]
    assert told(plan.steps(old, new, listeners_between=between)) == ["lds = data:3", "cds = a:2", "lds = data:2"]


def test_what_is_to_stay_stays_beside_the_new() -> None:
    old, new = files(cds="a b c", lds="data hop"), files(cds="a", lds="data", rds="r:2")
    assert told(plan.steps(old, new, keep={"b", "hop"})) == ["rds = r:2", "cds = a b"]


def test_what_old_routes_led_to_stays_for_a_minute_unless_it_is_wanted_again() -> None:
    leftovers = plan.Leftovers()
    assert leftovers.left(files(cds="a b"), files(cds="a c"), 100.0) == {"b"}
    assert leftovers.left(files(cds="a b c", lds="data hop"), files(cds="a"), 130.0) == {"b", "c", "hop"}
    assert not leftovers.are_due(159.0)
    assert leftovers.are_due(160.0)
    assert leftovers.stays(160.0) == {"c", "hop"}
    leftovers.forget(160.0)
    assert not leftovers.are_due(189.0)
    assert leftovers.left(files(cds="a c"), files(cds="a c"), 170.0) == {"hop"}
    leftovers.forget(190.0)
    assert not leftovers.are_due(200.0)


def test_the_last_step_of_each_file_is_the_new_file_byte_for_byte() -> None:
    old, new = files(cds="a b c", lds="data hop"), files(cds="b:2 d", lds="data:2", rds="r:2")
    written = dict(old)
    for step in plan.steps(old, new):
        if step.content is not None:
            written[step.path] = step.content
    assert written == new


def test_versions_are_digests_of_the_content() -> None:
    one, two = (plan.stamped({"xds/cds.json": resources(names)})["xds/cds.json"] for names in ("a", "a:2"))
    assert plan.version(one) != plan.version(two)
    assert plan.stamped({"xds/cds.json": one}) == {"xds/cds.json": one}, "stamping twice changes nothing"
    assert len(plan.version(one)) == 16


def test_a_file_that_is_no_discovery_file_is_left_alone() -> None:
    bootstrap = b'{"node": {}}'
    assert plan.stamped({"bootstrap.json": bootstrap}) == {"bootstrap.json": bootstrap}
    assert plan.version(bootstrap) == ""
