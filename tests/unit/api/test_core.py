import base64
from typing import Any

import pytest

import builders
from fairlead.api.core import Namespace, Redacted, Secret, fill
from fairlead.api.decode import decode
from fairlead.api.meta import ObjectKey


def _secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys.prod", "namespace": "team-web"}, **fields}


def _decoded(**fields: Any) -> Secret:
    decoded = decode(_secret(**fields), default_namespace="fairlead")
    assert isinstance(decoded.object, Secret), decoded
    return decoded.object


def test_a_namespace_has_labels_and_lives_in_none() -> None:
    decoded = decode(builders.namespace("team-web", llm="enabled"), default_namespace="fairlead")
    assert isinstance(decoded.object, Namespace)
    assert decoded.object.metadata.labels == {"llm": "enabled"}
    assert decoded.key == decoded.object.key == ObjectKey("Namespace", "", "team-web")


def test_a_namespace_without_a_name_is_refused() -> None:
    decoded = decode({"apiVersion": "v1", "kind": "Namespace", "metadata": {}}, default_namespace="fairlead")
    assert (decoded.key, decoded.object) == (None, None)
    assert [problem.path for problem in decoded.problems] == ["metadata.name"]


def test_both_ways_to_write_a_value() -> None:
    secret = _decoded(data={"a": base64.b64encode(b"\xff").decode()}, stringData={"b": "plain"}, type="Opaque")
    assert secret.key == ObjectKey("Secret", "team-web", "keys.prod")
    assert {key: value.reveal() for key, value in secret.data.items()} == {"a": b"\xff"}
    assert {key: value.reveal() for key, value in secret.string_data.items()} == {"b": b"plain"}


def test_values_never_print() -> None:
    secret = _decoded(stringData={"apiKey": "sk-secret"})
    assert "sk-secret" not in repr(secret)
    assert "<redacted>" in repr(secret)


def test_redacted_values_compare_by_what_they_hide() -> None:
    assert Redacted(b"a") == Redacted(b"a")
    assert Redacted(b"a") != Redacted(b"b")
    assert Redacted(b"a") != b"a"
    assert len({Redacted(b"a"), Redacted(b"a")}) == 1


def test_variables_come_from_the_environment() -> None:
    secret = _decoded(
        data={"a": "YQ==", "b": "YQ=="}, stringData={"b": "Bearer ${TOKEN}-${TOKEN}", "c": "$TOKEN $$ $${TOKEN}"}
    )
    values, problems = fill(secret, {"TOKEN": "x"})
    assert problems == ()
    assert {key: value.reveal() for key, value in values.items()} == {
        "a": b"a",
        "b": b"Bearer x-x",
        "c": b"$TOKEN $$ ${TOKEN}",
    }


def test_a_variable_that_is_not_set_is_an_error_of_that_value_alone() -> None:
    secret = _decoded(data={"b": "YQ=="}, stringData={"a": "x", "b": "${B}${A}"})
    values, problems = fill(secret, {})
    assert set(values) == {"a"}
    assert [str(problem) for problem in problems] == [
        "stringData[b]: got `${A}`, want it in the environment, set the variable `A`",
        "stringData[b]: got `${B}`, want it in the environment, set the variable `B`",
    ]


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        (
            {"data": {"a": "sk-secret!"}},
            ["data[a]: got a value that is not base64, want base64, or move it to `stringData`"],
        ),
        ({"data": ["sk-secret"]}, ["data: got no mapping, want keys with their values, rewrite it"]),
        ({"stringData": {"a": 5417}}, ["stringData[a]: got the number, want a string, write it in quotes"]),
        ({"stringData": {"a": None}}, ["stringData[a]: got nothing, want a string, write it in quotes"]),
        (
            {"stringdata": {"a": "sk-secret"}},
            ["stringdata: got an unknown field, want `stringData`, rename or remove it"],
        ),
    ],
)
def test_what_is_wrong_is_told_without_the_value(fields: dict[str, Any], problems: list[str]) -> None:
    decoded = decode(_secret(**fields), default_namespace="fairlead")
    assert decoded.object is None
    assert [str(problem) for problem in decoded.problems] == problems
