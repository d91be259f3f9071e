"""The view: watches and lists may overtake each other, and neither undoes what the other knows better."""

import json
from typing import Any

import pytest

from fairlead.api.meta import ObjectKey
from fairlead.controller.view import View

KEY = ObjectKey(kind="ModelRoute", namespace="team-web", name="chat")


def _route(version: int, *, name: str = "chat", model: str = "a", **metadata: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-web", "resourceVersion": str(version), "uid": "1", **metadata}
    return {"kind": "ModelRoute", "metadata": metadata, "spec": {"model": model}}


@pytest.mark.parametrize(
    ("second", "differs"),
    [
        pytest.param(_route(2, model="b"), True, id="another spec"),
        pytest.param(_route(2, labels={"tier": "pro"}), True, id="labels matter to selectors"),
        pytest.param(_route(2), False, id="nothing but a version"),
        pytest.param({**_route(2), "status": {"conditions": []}}, False, id="our own status"),
        pytest.param(_route(2, managedFields=[{"manager": "kubectl"}]), False, id="who manages what"),
        pytest.param(_route(0, model="b"), False, id="older than what is known"),
        pytest.param(_route(0, model="b", uid="2"), True, id="made anew: versions of another object say nothing"),
    ],
)
def test_what_counts_as_a_change(second: dict[str, Any], differs: bool) -> None:
    view = View()
    assert view.put(_route(1))
    assert view.put(second) is differs


def test_an_older_version_does_not_come_back() -> None:
    view = View()
    view.put(_route(5, model="new"))
    view.put(_route(4, model="old"))
    found = view.get(KEY)
    assert found is not None
    assert found["spec"]["model"] == "new"


def test_a_list_shows_what_went_unseen() -> None:
    view = View()
    view.put(_route(1))
    view.put(_route(2, name="gone"))
    assert view.replace("ModelRoute", [_route(1)], asked_at=view.moment)
    assert [found["metadata"]["name"] for found in view.of_kind("ModelRoute")] == ["chat"]
    assert not view.replace("ModelRoute", [_route(1)], asked_at=view.moment)


def test_a_list_does_not_undo_what_came_while_it_was_on_its_way() -> None:
    view = View()
    view.put(_route(1, name="removed"))
    asked_at = view.moment
    view.put(_route(3, name="made"))
    view.remove(ObjectKey(kind="ModelRoute", namespace="team-web", name="removed"))
    view.replace("ModelRoute", [_route(1, name="removed")], asked_at=asked_at)
    assert [found["metadata"]["name"] for found in view.of_kind("ModelRoute")] == ["made"]


def test_a_list_of_one_namespace_leaves_the_others() -> None:
    view = View()
    view.put(_route(1))
    other = _route(2)
    view.put({**other, "metadata": {**other["metadata"], "namespace": "team-b"}})
    assert view.replace("ModelRoute", [], asked_at=view.moment, namespace="team-b")
    assert [found["metadata"]["namespace"] for found in view.written()] == ["team-web"]


def test_a_list_that_shows_what_is_known_leaves_it_where_it_is() -> None:
    view = View()
    view.put(_route(5))
    known = view.get(KEY)
    assert not view.replace("ModelRoute", [_route(5)], asked_at=view.moment)
    assert view.get(KEY) is known


def test_a_version_that_nobody_wrote_is_no_version() -> None:
    view = View()
    view.put({**_route(1), "metadata": {"name": "chat", "namespace": "team-web"}})
    assert view.put({**_route(1, model="b"), "metadata": {"name": "chat", "namespace": "team-web"}})


def test_words_that_many_objects_have_are_there_once() -> None:
    view = View()
    for name in ("one", "two"):  # each with words of its own
        view.put({**_route(1, name=name), "status": json.loads('{"conditions": [{"message": "everywhere"}]}')})
    first, second = (found["status"]["conditions"][0]["message"] for found in view.of_kind("ModelRoute"))
    assert first == "everywhere"
    assert first is second
