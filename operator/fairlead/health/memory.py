"""The machine's memory as a JSON document and back, so that a restart goes on where the last process stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fairlead.health.fleet import Fleet
from fairlead.health.record import LONGEST_WAIT, STEPS, Record
from fairlead.health.standing import Kept

VERSION = 1
LARGEST = 262_144
"""Bytes of JSON; a ConfigMap takes four times as much."""
_FLEET = TypeAdapter(Fleet)
_TOLD = TypeAdapter(tuple[Kept, ...])


def document(fleet: Fleet, told: Sequence[Kept] = ()) -> Mapping[str, Any]:
    """Return what is to be kept; of JSON's types only. `told` is what traffic told of targets that fail.

    With very many targets it would be larger than `LARGEST`: then what gateways counted in the last 5 I, and streams'
    first bytes, are left out, which the next minutes tell anew. States, shares and waits are kept.
    """
    if len(_FLEET.dump_json(fleet, exclude_defaults=True)) > LARGEST:
        fleet = replace(
            fleet, records={name: replace(one, window=(), history=()) for name, one in fleet.records.items()}
        )
    return {
        "version": VERSION,
        "fleet": _FLEET.dump_python(fleet, mode="json", exclude_defaults=True),
        **({"told": _TOLD.dump_python(tuple(told), mode="json", exclude_defaults=True)} if told else {}),
    }


def fleet(document: object) -> Fleet | None:
    """Return what was kept; None where it is not whole, or of another version: then all begins anew."""
    match document:
        case {"version": 1, "fleet": dict(kept)}:
            try:
                found = _FLEET.validate_python(kept)
            except ValidationError:
                return None
            return found if all(_is_sound(record) for record in found.records.values()) else None
        case _:
            return None


def told(document: object) -> tuple[Kept, ...] | None:
    """Return what was kept of targets, in a document that `fleet` takes; None where that is not whole."""
    try:
        return _TOLD.validate_python(document.get("told", []) if isinstance(document, dict) else None)
    except ValidationError:
        return None


def _is_sound(record: Record) -> bool:
    """Tell whether the machine can go on from a record: its numbers are such as it writes."""
    counts = [record.row.bad, record.row.good, record.row.well, record.row.failed]
    for slot in record.window:
        for one in slot.attempts.values():
            counts += [one.well, *one.failed.values()]
            if not all(word.partition(" ")[0].isdecimal() for word in one.failed):
                return False
    histograms = [one for slot in record.window for one in slot.streams.values()]
    histograms += [one for stretch in record.history for one in stretch.streams.values()]
    counts += [count for one in histograms for count in one.values()]
    return (
        {record.share, record.laid_share, record.fell_from or 0} <= {*STEPS}
        and 0 <= record.wait <= LONGEST_WAIT
        and min(counts) >= 0
    )
