"""What is particular to the emission; tests/crd judges the result."""

import yaml

from fairlead.api.budget import BudgetPolicy
from fairlead.api.consumer import ModelConsumer
from fairlead.api.crd import crds, definition, status_part
from fairlead.api.form import Items, Text
from fairlead.api.provider import ModelProvider
from fairlead.api.route import ModelRoute
from fairlead.api.status import (
    BudgetPolicyStatus,
    HealthState,
    ModelConsumerStatus,
    ModelProviderStatus,
    ModelRouteStatus,
)
from fairlead.health.endpoint import State


def test_the_yaml_reads_back_as_the_definition() -> None:
    assert yaml.safe_load(crds()["modelprovider.yaml"]) == definition(ModelProvider)


def test_twice_is_the_same() -> None:
    assert crds() == crds()


def test_what_only_a_kind_says_in_its_status() -> None:
    assert status_part(ModelRoute) is ModelRouteStatus
    assert status_part(BudgetPolicy) is BudgetPolicyStatus
    assert status_part(ModelConsumer) is ModelConsumerStatus
    assert status_part(ModelProvider) is ModelProviderStatus


def test_a_status_has_the_words_of_the_machine() -> None:
    assert [word.value for word in HealthState] == [word.value for word in State]


def test_bounds_stand_in_the_schema() -> None:
    (version,) = definition(ModelRoute)["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert (spec["maxAttempts"]["minimum"], spec["maxAttempts"]["maximum"]) == (1, 16)
    assert "maximum" not in spec["maxOutputTokens"]
    assert spec["modelNames"]["items"]["pattern"].startswith("^")
    assert (spec["modelNames"]["minItems"], spec["modelNames"]["maxItems"]) == (1, 64)


def test_forms_are_plain_values() -> None:
    assert Text(pattern="^a$", want="a", max_length=1) == Text(pattern="^a$", want="a", max_length=1)
    assert Items(max_items=1).min_items == 0
