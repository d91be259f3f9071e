"""Plain values behind the strings that resources use for durations, percentages, dollars and times.

The strings have been judged by their form (`api.form`) before; a string of another form raises ValueError, which is a
bug of the caller.
"""

import re
from datetime import datetime

_DURATION = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_FRACTION_OF_PERCENT = 2
_FRACTION_OF_DOLLAR = 9


def milliseconds(duration: str) -> int:
    """Return a duration (`1h30m`, `250ms`; GEP-2257) in milliseconds."""
    if not re.fullmatch(rf"(?:{_DURATION.pattern}){{1,4}}", duration):
        raise ValueError(duration)
    return sum(int(number) * _UNIT_MS[unit] for number, unit in _DURATION.findall(duration))


def basis_points(percentage: str) -> int:
    """Return a percentage (`5%`, `0.25%`) in hundredths of a percent: 100% is 10,000."""
    if not percentage.endswith("%"):
        raise ValueError(percentage)
    return _scaled(percentage[:-1], _FRACTION_OF_PERCENT)


def nanodollars(dollars: str) -> int:
    """Return dollars (`0.18`) in billionths of a dollar, exactly: money is never a float."""
    return _scaled(dollars, _FRACTION_OF_DOLLAR)


def unix_seconds(time: str) -> int:
    """Return an RFC 3339 time in whole seconds since 1970, rounded down."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(time)
    return int(moment.replace(microsecond=0).timestamp())


def _scaled(number: str, digits: int) -> int:
    """Return a decimal number times 10 ** digits without passing through a float."""
    whole, point, fraction = number.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(fraction) > digits or bool(point) != bool(fraction):
        raise ValueError(number)
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(number)
    return int(f"{whole}{fraction.ljust(digits, '0')}")
