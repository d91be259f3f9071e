"""Kubernetes' quantities: `512Mi`, `250m`, `1.5`, `1e9`."""

import re
from decimal import Decimal

_PATTERN = re.compile(r"([0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:[eE]([+-]?[0-9]{1,2})|(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei|))")
_FACTOR = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{prefix: Decimal(1000**power) for power, prefix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{prefix}i": Decimal(1024**power) for power, prefix in enumerate(("K", "M", "G", "T", "P", "E"), 1)},
}


def number(quantity: object) -> Decimal | None:
    """Return what a quantity says, which may be a number; None = it is none."""
    found = _PATTERN.fullmatch(str(quantity))
    if found is None:
        return None
    factor = Decimal(10) ** int(found[2]) if found[2] else _FACTOR[found[3]]
    return Decimal(found[1]) * factor
