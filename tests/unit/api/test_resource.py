import pytest
from pydantic import ValidationError

from fairlead.api.consumer import ModelConsumer
from fairlead.api.meta import ObjectKey, ObjectMeta
from fairlead.api.route import Timeouts

META = ObjectMeta(name="agent-7", namespace="team-web")


def test_a_resource_has_a_key() -> None:
    agent = ModelConsumer.model_validate({"metadata": META, "spec": {"keys": [{"secretName": "agent-7"}]}})
    assert agent.key == ObjectKey("ModelConsumer", "team-web", "agent-7")


def test_names_are_camel_case_for_users_and_snake_case_here() -> None:
    assert Timeouts.model_validate({"firstByte": "1s"}) == Timeouts(first_byte="1s")


def test_parts_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Timeouts().request = "1s"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [
        {"secondByte": "1s"},  # unknown
        {"firstByte": 1},  # a number for a string
        {"firstByte": "1"},  # the pattern
        {"firstByte": None},
    ],
)
def test_the_models_themselves_are_strict(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Timeouts.model_validate(wrong)
