"""The strict door: what is not a well-formed object of ours, each with path, what was got, what is wanted, what to do.

Rules and forms of single fields are in tests/crd/invalid and test_form; here stands what concerns a whole manifest.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders
from fairlead.api.decode import RESOURCES, decode, unpack
from fairlead.api.meta import ObjectKey
from fairlead.api.provider import ModelProvider
from fairlead.api.route import ModelRoute

CONSUMER_FIELDS = "`allowedModelNames`, `expiresAt`, `keys`, `maxInFlight`"


def _problems(manifest: object) -> list[str]:
    decoded = decode(manifest, default_namespace="fairlead")
    assert decoded.object is None
    return [str(problem) for problem in decoded.problems]


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({name: _frozen(part) for name, part in value.items()})
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def test_an_object_comes_out() -> None:
    decoded = decode(builders.route("chat", metadata={"generation": 2}), default_namespace="fairlead")
    assert isinstance(decoded.object, ModelRoute)
    assert decoded.key == decoded.object.key == ObjectKey("ModelRoute", "team-web", "chat")
    assert decoded.object.metadata.generation == 2
    assert (decoded.problems, decoded.warnings) == ((), ())


def test_an_object_without_a_namespace_belongs_to_the_default_one() -> None:
    manifest = builders.provider("p")
    del manifest["metadata"]["namespace"]
    assert decode(manifest, default_namespace="llm").key == ObjectKey("ModelProvider", "llm", "p")


def test_a_frozen_manifest_is_as_good() -> None:
    manifest = builders.provider("p", healthCheck={"type": "None"})
    decoded = decode(_frozen(manifest), default_namespace="fairlead")
    assert isinstance(decoded.object, ModelProvider)
    assert decoded == decode(manifest, default_namespace="fairlead")


def test_status_is_the_operator_s_and_is_not_read() -> None:
    assert decode({**builders.route("chat"), "status": {"anything": 1}}, default_namespace="fairlead").object


@pytest.mark.parametrize(
    ("manifest", "problems"),
    [
        pytest.param(None, ["got nothing, want an object with `apiVersion` and `kind`, remove it"], id="null"),
        pytest.param("text", ["got `text`, want an object with `apiVersion` and `kind`, remove it"], id="a string"),
        pytest.param(
            {"replicas": 3},
            [
                (
                    "got a mapping with neither `apiVersion` nor `kind`, want a resource, leave the file"
                    " out of `-f` if it is something else, such as a chart's values"
                )
            ],
            id="what is no resource",
        ),
        pytest.param(
            {"kind": "ModelRoute", "metadata": {"name": "x"}},
            ["apiVersion: got nothing, want `fairlead.dev/v1alpha1`, add it"],
            id="a resource without its version",
        ),
        pytest.param(
            {"apiVersion": "fairlead.dev/v1alpha1", "kind": 5},
            ["kind: got the number `5`, want a string, add it"],
            id="a kind that is no string",
        ),
        pytest.param(
            {"apiVersion": "fairlead.dev/v1", "kind": "ModelRoute"},
            ["apiVersion: got `fairlead.dev/v1`, want `fairlead.dev/v1alpha1`, change it"],
            id="a version that is not there yet",
        ),
        pytest.param(
            {"apiVersion": "fairlead.dev/v1alpha1", "kind": "modelRoutes"},
            [
                (
                    "kind: got `modelRoutes`, want one of `ModelProvider`, `ModelRoute`, `ModelConsumer`,"
                    " `BudgetPolicy`, write `ModelRoute`"
                )
            ],
            id="a kind that is nearly right",
        ),
        pytest.param(
            {"apiVersion": "fairlead.dev/v1alpha1", "kind": "Tenant"},
            [
                (
                    "kind: got `Tenant`, want one of `ModelProvider`, `ModelRoute`, `ModelConsumer`, `BudgetPolicy`,"
                    " choose one"
                )
            ],
            id="a kind of nobody",
        ),
        pytest.param(
            {"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelConsumer", "metadata": {"name": "agent-7"}},
            ["spec: got nothing, want a mapping with `keys`, add it"],
            id="no spec",
        ),
        pytest.param(
            {**builders.consumer("agent-7"), "spec": None},
            ["spec: got nothing after the colon, want a mapping with `keys`, write it or remove the field"],
            id="an empty spec",
        ),
        pytest.param(
            {**builders.route("chat"), "sepc": {}},
            ["sepc: got an unknown field, want `spec`, rename or remove it"],
            id="a typo at the top",
        ),
        pytest.param(
            builders.consumer("agent-7", xyzzy=1),
            [f"spec.xyzzy: got an unknown field, want one of {CONSUMER_FIELDS}, remove it"],
            id="a field that is like no other",
        ),
    ],
)
def test_what_is_not_an_object_of_ours_is_told(manifest: object, problems: list[str]) -> None:
    assert _problems(manifest) == problems


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("fallback", "fallbacks"),
        ("modelName", "modelNames"),
        ("modelnames", "modelNames"),
        ("max_attempts", "maxAttempts"),
        ("MaxOutputTokens", "maxOutputTokens"),
        ("timeout", "timeouts"),
        ("downgrade", "downgradeTo"),
        ("region", "regions"),
        ("residence", "residency"),
    ],
)
def test_a_misspelt_field_gets_the_name_that_was_meant(typo: str, meant: str) -> None:
    assert _problems(builders.route("chat", **{typo: 1})) == [
        f"spec.{typo}: got an unknown field, want `{meant}`, rename or remove it"
    ]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({**builders.budget("b"), "window": {"every": "5h"}}, "window: got an unknown field, want it at `spec.window`"),
        (builders.budget("b", every="5h"), "spec.every: got an unknown field, want it at `spec.window.every`"),
        (
            builders.budget("b", limit={"usd": "1", "window": {"every": "5h"}}),
            "spec.limit.window: got an unknown field, want it at `spec.window`",
        ),
        (
            builders.route("chat", firstByte="8s"),
            "spec.firstByte: got an unknown field, want it at `spec.timeouts.firstByte`",
        ),
    ],
    ids=["beside spec", "not below its own", "below another", "of timeouts"],
)
def test_a_field_in_the_wrong_place_gets_the_right_one(manifest: dict[str, Any], said: str) -> None:
    assert _problems(manifest) == [f"{said}, move it"]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("fairlead.oi/v1alpha1", "ModelRoute"),
        ("fairlead/v1alpha1", "BudgetPolicy"),
        ("fairlead.io/v1alpha1", "ModelRout"),
        ("fairlaed.dev/v1alpha1", "Anything"),
        ("Fairlead.dev/v1alpha1", "ModelConsumer"),
        ("v1alpha1", "ModelProvider"),
        ("v1", "ModelRoute"),
        ("fairlead.dev", "ModelRoute"),
    ],
)
def test_a_slip_in_the_group_makes_no_object_of_somebody_else(version: str, kind: str) -> None:
    assert _problems({**builders.route("chat"), "apiVersion": version, "kind": kind}) == [
        f"apiVersion: got `{version}`, want `fairlead.dev/v1alpha1`, change it"
    ]


def test_all_problems_come_at_once_in_the_order_of_the_fields() -> None:
    manifest = builders.route(
        "Chat",
        {"provider": "p"},
        zzz=1,
        maxAttempts=0,
        residency="EU",
        timeouts={"firstByte": "10m", "request": "5"},
        rollout={"steps": [{"hold": 1}]},
        downgradeTo="Chat",
    )
    assert [problem.partition(":")[0] for problem in _problems(manifest)] == [
        "metadata.name",
        "spec.residency",
        "spec.downgradeTo",
        "spec.maxAttempts",
        "spec.timeouts.request",  # and nothing on firstByte, which is measured against it
        "spec.rollout.steps[0].hold",
        "spec.rollout.steps[0]",
        "spec.zzz",
        "spec.primary.model",  # rules of the whole come after its fields
    ]


def test_rules_of_the_whole_object_wait_until_its_parts_are_sound() -> None:
    assert _problems(builders.route("chat", downgradeTo="chat", maxAttempts=0)) == [
        "spec.maxAttempts: got the number `0`, want a whole number from 1 to 16, change it"
    ]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
        ("kustomize.config.k8s.io/v1", "Kustomization"),
        ("networking.serving.volcano.sh/v1alpha1", "ModelRoute"),
        ("fairwinds.dev/v1", "Policy"),
    ],
)
def test_an_object_of_another_group_is_skipped_with_a_warning(version: str, kind: str) -> None:
    manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": "a.b", "namespace": "x"}}
    decoded = decode(manifest, default_namespace="fairlead")
    assert (decoded.object, decoded.problems, decoded.key) == (None, (), ObjectKey(kind, "x", "a.b"))
    assert [str(warning) for warning in decoded.warnings] == [
        f"kind: got `{version}` `{kind}`, want a kind that Fairlead reads, the object is skipped"
    ]


def test_a_skipped_object_without_a_name_has_no_key() -> None:
    assert decode({"apiVersion": "v1", "kind": "Service"}, default_namespace="fairlead").key is None


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (None, []),
        ({"kind": "ModelRoute"}, [{"kind": "ModelRoute"}]),
        (
            {"kind": "List", "items": [{"kind": "A"}, None, {"kind": "AList", "items": [{"kind": "B"}]}]},
            [{"kind": "A"}, {"kind": "B"}],
        ),
        ({"kind": "ModelRoute", "items": [1]}, [{"kind": "ModelRoute", "items": [1]}]),  # no list by its name
        ({"items": []}, [{"items": []}]),
        ("text", ["text"]),
    ],
)
def test_unpack(document: object, names: list[object]) -> None:
    assert list(unpack(document)) == names


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WELL_FORMED = [
    builders.provider("p", healthCheck={"interval": "10s"}, circuitBreaker={"maxInFlight": 3}),
    builders.route(
        "chat",
        modelNames=["chat"],
        consumers={"namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}}},
        timeouts={"firstByte": "1s"},
        shadow={"provider": "p", "model": "m", "sample": "5%"},
        rollout={"steps": [{"shadow": "5%"}, {"traffic": "5%", "hold": "1h"}], "analysis": {"maxErrorRate": "1%"}},
    ),
    builders.consumer("agent-7", expiresAt="2026-12-31T23:59:59Z", allowedModelNames=["*"]),
    builders.budget(
        "b", window={"every": "5h", "startingAt": "2026-01-01T00:00:00Z"}, stages=[{"at": "80%", "action": "Notify"}]
    ),
]


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(inner for key, part in parts for inner in _places(part, (*place, key)))]


def _with(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    copy[place[0]] = _with(value[place[0]], place[1:], new)
    return copy


@settings(deadline=None)  # the machine is shared
@given(st.data())
def test_whatever_stands_anywhere_the_answer_is_a_value(data: st.DataObject) -> None:
    manifest = data.draw(st.sampled_from(WELL_FORMED))
    place = data.draw(st.sampled_from(_places(manifest)))
    decoded = decode(_with(manifest, place, data.draw(JSON)), default_namespace="fairlead")
    assert (decoded.object is None) == bool(decoded.problems or decoded.warnings)
    for problem in decoded.problems:
        assert problem.message.startswith("got ")
        assert str(problem).isprintable()


def test_the_four_kinds_stand_in_the_order_of_the_documentation() -> None:
    assert [resource.kind for resource in RESOURCES] == ["ModelProvider", "ModelRoute", "ModelConsumer", "BudgetPolicy"]


def test_lists_may_stand_in_lists_however_deep() -> None:
    document: dict[str, Any] = {"kind": "ModelRoute"}
    for _ in range(5_000):
        document = {"kind": "List", "items": [document]}
    assert unpack(document) == ({"kind": "ModelRoute"},)
