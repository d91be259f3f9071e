"""How far each object has come at each gateway: what was compiled in which pass, against what the pods answer.

An object waits for the pass in which it last changed, not for the newest: a change of one route makes no other wait.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled
from fairlead.controller.keys_secret import Keys

_REMEMBERED_DIGESTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Since when an object is as it is."""

    essence: Hashable
    """What the gateways are to do for it; equal = nothing changed."""
    number: int
    """The pass in which it became so."""


class Progress:
    """Passes by number, digests by the last pass that rendered them, objects by the pass that last changed them."""

    def __init__(self) -> None:
        self._number = 0
        self._passes: dict[str, dict[str, int]] = {}
        self._digests: dict[str, str] = {}
        self._objects: dict[ObjectKey, Waiting] = {}

    def wanted(self, essences: Mapping[ObjectKey, Hashable]) -> None:
        """Note what each object is to mean for the gateways from the coming pass on, before anything of it is written.

        Before, since statuses are judged while writes are under way: what is new waits from the moment it is known.
        """
        self._objects = {key: self._waiting(key, essence) for key, essence in essences.items()}

    def written(self, digests: Mapping[str, str], *, between: Collection[str] = ()) -> None:
        """Note the digest that a pass left in each region; a pass that failed before has none.

        In regions `between` the digest is of a version that serves what the one before it did.
        """
        self._number += 1
        for region, digest in digests.items():
            known = self._passes.setdefault(region, {})
            number = known.get(self._digests.get(region, ""), 0) if region in between else self._number
            known.pop(digest, None)
            known[digest] = number
            self._digests[region] = digest
            while len(known) > _REMEMBERED_DIGESTS:
                del known[next(iter(known))]

    def _waiting(self, key: ObjectKey, essence: Hashable) -> Waiting:
        before = self._objects.get(key)
        if before is not None and before.essence == essence:
            return before
        return Waiting(essence=essence, number=self._number + 1)

    def digest(self, region: str) -> str:
        """Return the digest that a region's gateway is to serve; empty before the first pass."""
        return self._digests.get(region, "")

    def serves(self, key: ObjectKey, region: str, answers: Iterable[str]) -> bool:
        """Tell whether every answering pod of a region has an object as it is now; no answer is no."""
        return self.is_in(key, self.reached(region, answers))

    def reached(self, region: str, answers: Iterable[str]) -> int:
        """Return the pass that every answering pod of a region has come to; before the first one where none answers."""
        passes = self._passes.get(region, {})
        return min((passes.get(answer, 0) for answer in answers), default=-1)

    def is_in(self, key: ObjectKey, number: int) -> bool:
        """Tell whether who has come to a pass has an object as it is now."""
        waiting = self._objects.get(key)
        return waiting is not None and number >= waiting.number


def essences(compiled: Compiled) -> Mapping[ObjectKey, Hashable]:
    """Return what gateways are to do for each object now; equal = nobody need wait for them again."""
    return {
        key: (one.essence, tuple(region for region, gateway in compiled.gateways.items() if key in gateway.waiting))
        for key, one in compiled.status.items()
    }


def keys_of(keys: Keys) -> Mapping[ObjectKey, Hashable]:
    """Return which keys gateways are to accept of each consumer."""
    names = {consumer: consumer.partition("/") for consumer in keys.of}
    return {ObjectKey("ModelConsumer", names[name][0], names[name][2]): held for name, held in keys.of.items()}
