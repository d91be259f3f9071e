from zoneinfo import ZoneInfo

import pytest

from fairlead.api.timezone import TIME_ZONES


@pytest.mark.parametrize("name", sorted(TIME_ZONES))
def test_every_name_can_be_loaded(name: str) -> None:
    assert ZoneInfo(name).key == name


def test_the_machine_s_own_zone_is_no_name() -> None:
    assert not {"localtime", "Local", "Factory", "posixrules"} & TIME_ZONES
