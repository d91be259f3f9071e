"""What must survive a restart of either shell: of each object the version that serves. The one codec for it."""

import json
from collections.abc import Mapping
from typing import Any

from fairlead.api.meta import ObjectKey

LastGood = Mapping[ObjectKey, Mapping[str, Any]]


def encode(last_good: LastGood) -> bytes:
    """Write down the versions, sorted: the same ones are the same bytes."""
    return Writing().encode(last_good)


class Writing:
    """The versions that are written down again and again: of thousands a change concerns one.

    A version's text is remembered with the version itself, which never changes, as long as it is written down.
    """

    def __init__(self) -> None:
        self._texts: dict[ObjectKey, tuple[Mapping[str, Any], str]] = {}

    def encode(self, last_good: LastGood) -> bytes:
        """Write down the versions, as the function of this name does."""
        before, self._texts = self._texts, {}
        for key in sorted(last_good):
            known = before.get(key)
            if known is None or known[0] is not last_good[key]:
                known = last_good[key], _text({**encode_key(key), "manifest": last_good[key]})
            self._texts[key] = known
        return b'{"objects":[%b]}' % ",".join(text for _, text in self._texts.values()).encode()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def decode(document: Any) -> LastGood:
    """Read what `encode` wrote; raises what `saved` takes for damage."""
    found = {decode_key(entry): entry["manifest"] for entry in document["objects"]}
    if not all(isinstance(manifest, Mapping) for manifest in found.values()):
        raise TypeError("a manifest is an object")
    return found


def encode_key(key: ObjectKey) -> dict[str, str]:
    """Name an object."""
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def decode_key(entry: Any) -> ObjectKey:
    """Read what `encode_key` wrote; raises what `saved` takes for damage."""
    words = (entry["kind"], entry["namespace"], entry["name"])
    if not all(isinstance(word, str) and "/" not in word for word in words):
        raise TypeError("a name is text without a slash")
    return ObjectKey(*words)
