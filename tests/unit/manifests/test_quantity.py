"""Quantities say what Kubernetes takes them for."""

from decimal import Decimal

import pytest

from fairlead.manifests import quantity
from gateway_values import settings


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1Gi", 2**30),
        ("512Mi", 2**29),
        ("1G", 10**9),
        (1024, 1024),
        ("1e9", 10**9),
        ("1.5Ki", 1536),
        ("250m", Decimal("0.25")),
        ("2Ei", 2**61),
        ("1.", 1),
    ],
)
def test_a_quantity(written: object, value: object) -> None:
    assert quantity.number(written) == value


@pytest.mark.parametrize("written", ["", "much", "1 Gi", "1gi", "-1", None, "1eGi"])
def test_no_quantity(written: object) -> None:
    assert quantity.number(written) is None


def test_the_memory_of_a_region_is_its_pods_limit() -> None:
    assert settings().regions["us-east-1"].memory_bytes is None
    assert settings(resources={"limits": {"memory": "1Gi"}}).regions["us-east-1"].memory_bytes == 2**30
    assert settings(resources={"limits": {"cpu": 1}}).regions["us-east-1"].memory_bytes is None
