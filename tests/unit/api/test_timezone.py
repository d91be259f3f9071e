from zoneinfo import ZoneInfo

from fairlead.api.timezone import TIME_ZONES


def test_every_name_can_be_loaded() -> None:
    assert [name for name in TIME_ZONES if ZoneInfo(name).key != name] == []


def test_the_machine_s_own_zone_is_no_name() -> None:
    assert not {"localtime", "Local", "Factory", "posixrules"} & TIME_ZONES
