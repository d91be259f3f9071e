"""What must survive the operator, a ConfigMap each: the versions that serve, how endpoints stand, and rollouts.

So a bad edit that was made while the operator was away takes no route down when it comes back, and no endpoint that is
down gets its traffic back because somebody else looks after it. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.budget import exhaustion
from fairlead.budget.exhaustion import Exhaustions
from fairlead.controller.context import Context
from fairlead.errors import StateError, TooLargeError
from fairlead.health import memory as health_memory
from fairlead.health.fleet import Fleet
from fairlead.health.standing import Kept
from fairlead.manifests import packing
from fairlead.rollout.state import State, decode
from fairlead.runtime import memory, saved
from fairlead.runtime.memory import LastGood

FILE = "last-good.json.gz"
HEALTH_FILE = "health.json"
ROLLOUTS_FILE = "rollouts.json.gz"
EXHAUSTED_FILE = "exhausted.json"
_LIMIT_BYTES = 900 * 1024
_UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024


def last_good_data(last_good: LastGood, writing: memory.Writing | None = None) -> Mapping[str, Any]:
    """Make a ConfigMap's content of them; raises `TooLargeError` if it does not fit one.

    `writing`: that of the time before, which makes it faster, and changes nothing.
    """
    writing = writing or memory.Writing()
    return _packed(FILE, writing.encode(last_good), "the last good versions do not fit a ConfigMap and are not kept")


def remembered(found: Mapping[str, Any] | None) -> LastGood:
    """Read what an operator remembered, {} when there is nothing; raises `StateError` when it is damaged."""
    return {} if found is None else saved.decoded(_unpacked(found, FILE), memory.decode, f"`binaryData[{FILE}]`")


def last_good_name(context: Context) -> str:
    """Return the name of the ConfigMap with the last good versions."""
    return f"{context.settings.name_prefix}-last-good"


def rollouts_data(document: bytes) -> Mapping[str, Any]:
    """Make a ConfigMap's content of `Rollouts.kept`; raises `TooLargeError` if it does not fit one."""
    return _packed(ROLLOUTS_FILE, document, "the rollouts of all routes do not fit a ConfigMap and are not kept")


def remembered_rollouts(found: Mapping[str, Any] | None) -> Mapping[str, State]:
    """Read what an operator remembered of rollouts, {} when there is nothing; raises `StateError` where it cannot."""
    if found is None:
        return {}
    return saved.decoded(_unpacked(found, ROLLOUTS_FILE), _rollouts, f"`binaryData[{ROLLOUTS_FILE}]`")


def rollouts_name(context: Context) -> str:
    """Return the name of the ConfigMap with the rollouts."""
    return f"{context.settings.name_prefix}-rollouts"


def _rollouts(document: Any) -> Mapping[str, State]:
    return {route: decode(state) for route, state in document["rollouts"].items()}


def _packed(file: str, document: bytes, too_large: str) -> Mapping[str, Any]:
    content = packing.pack(document)
    if packing.size(content) > _LIMIT_BYTES:
        raise TooLargeError(too_large)
    return {"binaryData": {file: content}}


def _unpacked(found: Mapping[str, Any], file: str) -> bytes:
    encoded = (found.get("binaryData") or {}).get(file)
    if not isinstance(encoded, str):
        raise StateError(f"`binaryData[{file}]`: got none, want what Fairlead wrote")
    try:
        return packing.unpack(encoded, limit=_UNPACKED_LIMIT_BYTES)
    except ValueError as error:
        raise StateError(f"`binaryData[{file}]`: {error}, want what Fairlead wrote") from None


def health_data(documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Make a ConfigMap's content of `Health.kept`; raises `TooLargeError` if it does not fit one."""
    content = {name: json.dumps(one, sort_keys=True, ensure_ascii=False) for name, one in documents.items()}
    if sum(len(one.encode()) for one in content.values()) > _LIMIT_BYTES:
        raise TooLargeError("the health of endpoints does not fit a ConfigMap and is not kept")
    return {"data": content}


def remembered_health(found: Mapping[str, Any] | None) -> tuple[Fleet, Sequence[Kept]] | None:
    """Read how everything stood, and what traffic told of what fails; None when there is nothing.

    Raises:
        StateError: it is damaged.

    """
    if found is None:
        return None
    written = (found.get("data") or {}).get(HEALTH_FILE)
    if not isinstance(written, str):
        raise StateError(f"`data[{HEALTH_FILE}]`: got none, want what Fairlead wrote")
    return saved.decoded(written.encode(), _health, f"`data[{HEALTH_FILE}]`")


def remembered_exhaustions(found: Mapping[str, Any] | None) -> Exhaustions:
    """Read who was at the end of a budget, from the same ConfigMap; {} when there is nothing.

    Raises:
        StateError: it is damaged.

    """
    written = ((found or {}).get("data") or {}).get(EXHAUSTED_FILE)
    if written is None:
        return {}
    place = f"`data[{EXHAUSTED_FILE}]`"
    if not isinstance(written, str):
        raise StateError(f"{place}: got no text, want what Fairlead wrote")
    return saved.decoded(written.encode(), exhaustion.read, place)


def _health(document: Any) -> tuple[Fleet, Sequence[Kept]]:
    fleet, told = health_memory.fleet(document), health_memory.told(document)
    if fleet is None or told is None:
        raise ValueError("of another shape")
    return fleet, told
