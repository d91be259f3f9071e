"""From four fifths on it is said that a gateway has little room left."""

from fairlead.status import nearly_full


def test_it_is_said_from_four_fifths_on() -> None:
    said = nearly_full({"us": (79, "xds/cds.json"), "eu": (80, "xds/rds.json"), "ap": (0, "")})
    assert list(said) == ["eu"]
    assert "region `eu`: `xds/rds.json` takes 80 % of what it may" in said["eu"]
