import pytest

from builders import EU_CENTRAL, EU_WEST, US, installation
from fairlead.api.route import Residency
from fairlead.translate.geography import ANYCAST, Geography

GEOGRAPHY = Geography(installation().regions)


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        (US, [US, ANYCAST, EU_WEST, EU_CENTRAL]),
        (EU_WEST, [EU_WEST, ANYCAST, EU_CENTRAL, US]),
        (EU_CENTRAL, [EU_CENTRAL, ANYCAST, EU_WEST, US]),
    ],
)
def test_own_region_then_anycast_then_geo_then_order(gateway: str, expected: list[str]) -> None:
    regions = [ANYCAST, *GEOGRAPHY.names()]
    assert sorted(regions, key=lambda region: GEOGRAPHY.distance(gateway, region)) == expected


@pytest.mark.parametrize(
    ("residency", "endpoint", "expected", "reason"),
    [
        (Residency.ANY, US, True, "everywhere"),
        (Residency.ANY, ANYCAST, True, "only Any takes anycast"),
        (Residency.GEO, EU_CENTRAL, True, "the gateway's geo"),
        (Residency.GEO, EU_WEST, True, "the gateway's own region is in its geo"),
        (Residency.GEO, US, False, "another geo"),
        (Residency.GEO, ANYCAST, False, "nobody knows where it answers"),
        (Residency.REGION, EU_WEST, True, "the gateway's own region"),
        (Residency.REGION, EU_CENTRAL, False, "the same geo is not enough"),
        (Residency.REGION, ANYCAST, False, "nobody knows where it answers"),
    ],
)
def test_residency_seen_from_eu_west(residency: Residency, endpoint: str, expected: bool, reason: str) -> None:
    assert GEOGRAPHY.allows(residency, EU_WEST, endpoint) is expected, reason


def test_knows_its_regions() -> None:
    assert US in GEOGRAPHY
    assert "mars" not in GEOGRAPHY
    assert ANYCAST not in GEOGRAPHY
