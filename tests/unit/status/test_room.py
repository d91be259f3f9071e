"""From four fifths on it is said that a gateway has little room left."""

from fairlead.status import nearly_full


def test_it_is_said_from_four_fifths_on() -> None:
    said = nearly_full({"us": (79, "xds/cds.json"), "eu": (80, "xds/rds.json"), "ap": (0, "")})
    assert list(said) == ["eu"]
    assert "region `eu`: `xds/rds.json` takes 80 % of what it may" in said["eu"]
    assert "Gzip" not in said["eu"]


def test_where_gzip_makes_room_it_is_said() -> None:
    full = {"us": (90, "xds/rds.json"), "eu": (90, "xds/rds.json")}
    said = nearly_full(full, plain={"us"})
    assert "refused: set `gateway.configMaps: Gzip` of the chart, serve fewer" in said["us"]
    assert "Gzip" not in said["eu"]
