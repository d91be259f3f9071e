from typing import Any

import pytest

from builders import HOME, budget, consumer, namespace, provider, route, target
from fairlead.api.meta import ObjectKey
from fairlead.memo import Memo
from fairlead.translate.intake import Intake, Manifest, intake

KEY = ObjectKey("ModelRoute", "team-web", "chat")


def run(*contents: Any, last_good: dict[ObjectKey, Any] | None = None) -> Intake:
    manifests = [
        one if isinstance(one, Manifest) else Manifest(content=one, source=f"file.yaml:{line}")
        for line, one in enumerate(contents)
    ]
    return intake(manifests, default_namespace=HOME, last_good=last_good or {}, memo=Memo())


def test_objects_are_sorted_by_kind_and_key() -> None:
    taken = run(route("b"), consumer("c"), route("a"), budget("d"), provider("p"))
    assert [one.key.name for one in taken.objects.routes] == ["a", "b"]
    assert [
        len(kind)
        for kind in (taken.objects.providers, taken.objects.routes, taken.objects.consumers, taken.objects.budgets)
    ] == [1, 2, 1, 1]
    assert taken.strays == ()


def test_lists_are_unpacked() -> None:
    taken = run({"apiVersion": "v1", "kind": "List", "items": [route("a"), route("b")]})
    assert [one.key.name for one in taken.objects.routes] == ["a", "b"]


def test_labels_of_namespaces_are_kept() -> None:
    taken = run(namespace("team", a="1"), namespace("team", b="2"), namespace("other"))
    assert taken.namespace_labels == {"team": {"a": "1", "b": "2"}, "other": {}}


def test_what_cannot_be_decoded_keeps_its_key_and_generation() -> None:
    (one,) = run(route("chat", maxAttempts="3", metadata={"generation": 4})).objects.routes
    assert (one.key, one.generation, one.current) == (KEY, 4, None)
    assert [str(problem) for problem in one.problems] == [
        "spec.maxAttempts: got `3`, want a whole number from 1 to 16, write `3` without quotes"
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"apiVersion": "fairlead.dev/v1"}, "another version of our group"),
        ({"kind": "ModelRout"}, "a typing error in the kind"),
        ({"kind": "modelroute"}, "another case"),
        ({"apiVersion": 1}, "a version that is no string"),
        ({"spec": None}, "no spec"),
    ],
)
def test_an_object_that_is_hardly_one_keeps_what_it_had(change: dict[str, Any], reason: str) -> None:
    taken = run({**route("chat"), **change}, last_good={KEY: route("chat")})
    (one,) = taken.objects.routes
    assert one.key == KEY, reason
    assert one.current is None
    assert one.problems
    assert one.last_good is not None
    assert one.last_good() is not None


def test_what_has_no_name_of_ours_is_a_stray() -> None:
    taken = run(
        {"kind": "ModelRoute"},
        {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Zebra", "metadata": {"name": "z"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "UPPER"}},
        "text",
    )
    assert [(one.source, one.name, bool(one.problems), bool(one.warnings)) for one in taken.strays] == [
        ("file.yaml:0", "", True, False),
        ("file.yaml:1", "", True, False),
        ("file.yaml:2", "Deployment fairlead/web", False, True),
        ("file.yaml:3", "", True, False),
        ("file.yaml:4", "", True, False),
    ]


def test_a_secret_is_nobodys_business_here() -> None:
    taken = run({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "value"}})
    assert (taken.strays, taken.essence) == ((), {})


def test_twice_the_same_is_once() -> None:
    (one,) = run(route("chat"), route("chat")).objects.routes
    assert one.current is not None
    assert one.problems == ()


def test_two_versions_of_one_object_are_none() -> None:
    (one,) = run(route("chat"), route("chat", target("p", "large"))).objects.routes
    assert one.current is None
    assert [str(problem) for problem in one.problems] == [
        "metadata.name: got `chat` in 2 versions in `file.yaml:0` and in `file.yaml:1`, want one, remove the others"
    ]


def test_two_versions_without_a_place_are_told_all_the_same() -> None:
    both = [Manifest(content=route("chat")), Manifest(content=route("chat", target("p", "large")))]
    (one,) = run(*both).objects.routes
    assert [str(problem) for problem in one.problems] == [
        "metadata.name: got `chat` in 2 versions, want one, remove the others"
    ]


def test_what_is_remembered_is_what_decides() -> None:
    written = route(
        "chat", metadata={"generation": 3, "resourceVersion": "7", "annotations": {"note": "x"}, "uid": "u"}
    )
    taken = run({**written, "status": {"conditions": []}})
    assert taken.essence == {
        KEY: {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "ModelRoute",
            "metadata": {"name": "chat", "namespace": "team-web", "generation": 3},
            "spec": written["spec"],
        }
    }


@pytest.mark.parametrize(
    ("remembered", "reason"),
    [
        (route("chat", maxAttempts="3"), "the schema of today refuses it"),
        (route("other"), "another object"),
        ({}, "nothing at all"),
    ],
)
def test_a_memory_that_cannot_be_read_is_none(remembered: dict[str, Any], reason: str) -> None:
    (one,) = run(route("chat"), last_good={KEY: remembered}).objects.routes
    assert one.last_good is not None
    assert one.last_good() is None, reason
