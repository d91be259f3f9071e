"""The one Secret with the keys of all consumers, which gateways mount. The operator may patch it, and not read it.

An empty patch changes nothing and is answered with what stands there: so it is compared, once a minute and whenever it
is not known how a write ended.
"""

import base64
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from fairlead import envoy
from fairlead.adapters.kube import Kube
from fairlead.api.conditions import Reason
from fairlead.controller.metrics import Metrics
from fairlead.errors import ClusterError
from fairlead.status import Keyless

Object = Mapping[str, Any]

KEYS_FILE = "ecds.json"
LIMIT_BYTES = 1000 * 1024
"""An API server takes 1 MiB for all entries of a Secret."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """What gateways are to accept."""

    content: bytes
    mark: str
    """The key by which a gateway shows that it has loaded this content (`envoy.held`). Secret."""
    of: Mapping[str, frozenset[str]]
    """By consumer (`namespace/name`), the keys that are in it. Secret."""
    refused: frozenset[str]
    """Consumers (`namespace/name`) of whose keys none is in it, because they do not fit."""


def rendered(pairs: Iterable[tuple[str, str]], anonymous: str | None, *, limit: int = LIMIT_BYTES) -> Keys:
    """Render (key, consumer) pairs; `anonymous` is who calls without a key.

    Keys that no client can send are not in it. What does not fit is left out by whole consumers, those that come last
    in `pairs`: so put the oldest first. One with large keys is left out alone, smaller ones after it still fit.
    """
    keys_of: dict[str, list[tuple[str, str]]] = {}
    for key, consumer in pairs:
        if envoy.unusable_key(key) is None:
            keys_of.setdefault(consumer, []).append((key, consumer))
    whole = _keys(keys_of, anonymous, refused=())
    if len(whole.content) <= limit:
        return whole
    left = limit - len(_keys({}, anonymous, refused=()).content)
    refused = set()
    for consumer, held in keys_of.items():
        size = sum(map(_size, held))
        if size > left:
            refused.add(consumer)
            continue
        left -= size
    kept = {name: held for name, held in keys_of.items() if name not in refused}
    return _keys(kept, anonymous, refused=refused)


def _keys(keys_of: Mapping[str, list[tuple[str, str]]], anonymous: str | None, *, refused: Collection[str]) -> Keys:
    pairs = [pair for held in keys_of.values() for pair in held]
    mark = envoy.held.mark(envoy.api_keys(pairs, anonymous))
    return Keys(
        content=envoy.api_keys(pairs, anonymous, mark),
        mark=mark,
        of={consumer: frozenset(key for key, _ in held) for consumer, held in keys_of.items()},
        refused=frozenset(refused),
    )


def _size(pair: tuple[str, str]) -> int:
    """Return the most bytes that a pair takes in the file, its comma among them."""
    return len(json.dumps({"key": pair[0], "client": pair[1]}, indent=1)) + 2


class KeysSecret:
    """The Secret and what is known to stand in it."""

    def __init__(self, kube: Kube, metrics: Metrics, log: FilteringBoundLogger, *, namespace: str, name: str) -> None:
        self._kube, self._metrics, self._log = kube, metrics, log
        self._namespace, self._name = namespace, name
        self._written: Keys | None = None
        self._error: ClusterError | None = None
        self._is_due = True
        self.version = ""
        """The resourceVersion that was seen last; empty = never seen."""
        self.is_missing = False
        """There is no such Secret, and the operator may not make one: gateways mount it, the chart brings it."""

    @property
    def mark(self) -> str:
        """Of the keys that stand in it; empty = not known."""
        return "" if self._written is None else self._written.mark

    def look(self) -> None:
        """Let the next `write` compare what stands in it."""
        self._is_due = True

    async def write(self, keys: Keys) -> None:
        """Write the file if it differs, comparing first when that is due; raises `ClusterError`.

        At the version that was seen last: a write whose answer was lost, and that lands late, is refused.
        """
        try:
            await self._write(keys)
            self._error = None
        except ClusterError as error:
            self._error = error
            raise

    async def _write(self, keys: Keys) -> None:
        is_same = self._written is not None and self._written.content == keys.content
        if is_same and not self._is_due:
            return
        data = {KEYS_FILE: base64.b64encode(keys.content).decode()}
        if self._is_due:
            found = await self._patch({})
            if found is None or (found.get("data") or {}).get(KEYS_FILE) == data[KEYS_FILE]:
                self._note(keys, found)
                return
        self._is_due = True  # until it is known how this write ended
        found = await self._patch({"metadata": {"resourceVersion": self.version}, "data": data})
        self._note(keys, found)
        if found is not None:
            self._tell(is_repair=is_same)

    def keyless(self, keys: Keys, consumers: Collection[str]) -> Mapping[str, Keyless]:
        """Say of these consumers (`namespace/name`) which keys no gateway gets, and why."""
        name = f"{self._namespace}/{self._name}"
        if self.is_missing:
            why = f"got no Secret {name}, which gateways mount, so keys do not reach them, want it, run `helm upgrade`"
            return dict.fromkeys(consumers, Keyless(reason=Reason.SECRET_NOT_FOUND, message=why))
        why = (
            f"got more keys than the Secret {name} can hold ({LIMIT_BYTES} bytes), this consumer's are left out,"
            " want fewer or shorter keys, delete consumers or split the installation"
        )
        found = dict.fromkeys(keys.refused, Keyless(reason=Reason.TOO_LARGE, message=why))
        if self._error is not None:
            stands = {} if self._written is None else self._written.of
            why = (
                f"the API server refuses the Secret {name} with these keys ({self._error}), gateways keep those before"
            )
            missed = (consumer for consumer, held in keys.of.items() if held != stands.get(consumer))
            found |= dict.fromkeys(missed, Keyless(reason=Reason.KEYS_NOT_WRITTEN, message=why))
        return found

    async def _patch(self, patch: Object) -> Object | None:
        found = await self._kube.merge("Secret", namespace=self._namespace, name=self._name, patch=patch)
        if found is not None:
            self.version = found["metadata"]["resourceVersion"]
        return found

    def _note(self, keys: Keys, found: Object | None) -> None:
        """Keep what is known after a write or a look."""
        self._is_due = found is None
        if found is not None:
            self._written, self.is_missing = keys, False
            return
        if not self.is_missing:
            what = f"Secret {self._namespace}/{self._name} is missing, run helm upgrade"
            self._log.error("no secret for keys", what=what)
        self._written, self.is_missing = None, True

    def _tell(self, *, is_repair: bool) -> None:
        self._metrics.writes.labels("patch", "Secret").inc()
        if is_repair:
            self._metrics.repairs.labels("Secret").inc()
            self._log.warning("repaired", what=f"Secret {self._name} was edited by somebody else", version=self.version)
        else:
            self._log.info("patch", what=f"Secret {self._name}", version=self.version)
