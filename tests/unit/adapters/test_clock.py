from datetime import UTC

from fairlead.adapters.clock import SystemClock


def test_the_wall_clock_is_utc_and_the_other_one_goes_on() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
