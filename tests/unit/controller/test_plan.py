"""Plans: what differs is applied, what nobody wants is deleted, and what others own is left alone."""

from typing import Any

import pytest

from fairlead.controller.plan import RENDERED_ANNOTATION, plan, stamp, states

OWNER = "owner-uid"


def _object(name: str = "a", *, owner: str = OWNER, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "fairlead", "ownerReferences": [{"uid": owner}]}
    return {"kind": "ConfigMap", "metadata": metadata, "data": {"file": "content"}, **fields}


def test_what_is_not_there_is_applied() -> None:
    assert [one["metadata"]["name"] for one in plan([_object()], [], owner_uid=OWNER).apply] == ["a"]


def test_what_is_there_is_left_alone() -> None:
    live = {**stamp(_object()), "status": {"observed": 1}}
    found = plan([_object()], [live], owner_uid=OWNER)
    assert found.apply == ()
    assert found.delete == ()


def test_a_field_that_is_no_longer_wanted_is_taken_away() -> None:
    # Everything that is wanted is there, and one thing more that we applied before: the annotation tells
    live = stamp(_object(data={"file": "content", "old": "content"}))
    assert len(plan([_object()], [live], owner_uid=OWNER).apply) == 1


def test_what_somebody_changed_is_applied_again() -> None:
    live = {**stamp(_object()), "data": {"file": "drifted"}}
    assert len(plan([_object()], [live], owner_uid=OWNER).apply) == 1


def test_what_nobody_wants_is_deleted_if_it_is_ours() -> None:
    found = plan([], [_object("ours"), _object("theirs", owner="else")], owner_uid=OWNER)
    assert [one["metadata"]["name"] for one in found.delete] == ["ours"]


def test_a_region_that_could_not_be_rendered_keeps_what_it_has() -> None:
    live = [_object("gw-us"), _object("gw-us-routes"), _object("gw-usa")]
    assert [one["metadata"]["name"] for one in plan([], live, owner_uid=OWNER, keep=["gw-us"]).delete] == ["gw-usa"]


def test_annotations_of_the_manifest_stay_beside_the_stamp() -> None:
    manifest = _object()
    manifest["metadata"]["annotations"] = {"note": "mine"}
    assert set(stamp(manifest)["metadata"]["annotations"]) == {"note", RENDERED_ANNOTATION}


@pytest.mark.parametrize(
    ("wanted", "found", "holds"),
    [
        pytest.param({"a": 1}, {"a": 1, "b": 2}, True, id="what others add is theirs"),
        pytest.param({"a": {}}, {}, True, id="nothing wanted, nothing there"),
        pytest.param({"a": []}, {}, True, id="no entries wanted, none there"),
        pytest.param({"a": {"b": 1}}, {"a": None}, False, id="something wanted, nothing there"),
        pytest.param([1, 2], [1, 2, 3], False, id="lists are ours as a whole"),
        pytest.param([{"a": 1}], [{"a": 1, "default": True}], True, id="defaults within entries"),
        pytest.param({"memory": "1024Mi"}, {"memory": "1Gi"}, True, id="the same quantity, written otherwise"),
        pytest.param({"cpu": "0.5"}, {"cpu": "500m"}, True, id="a fraction"),
        pytest.param({"memory": "1Gi"}, {"memory": "1G"}, False, id="not the same quantity"),
        pytest.param({"name": "1x"}, {"name": "1y"}, False, id="no quantities at all"),
        pytest.param({"n": 1}, {"n": "1"}, False, id="types matter"),
    ],
)
def test_what_holds(wanted: Any, found: Any, holds: bool) -> None:
    assert states(wanted, found) is holds
