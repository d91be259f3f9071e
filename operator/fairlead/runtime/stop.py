"""The stop of a consumer: a BudgetPolicy of no dollars in its namespace, the same in a cluster and in `fairlead up`."""

import re
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from fairlead.api.meta import ObjectKey
from fairlead.api.resource import API_VERSION

LABEL = "fairlead.dev/kill"
"""On the policies that `fairlead kill` makes: the consumer's name."""
_LONGEST_NAME = 63
_ZERO = re.compile(r"0+(\.0*)?")


def policy(namespace: str, name: str) -> dict[str, Any]:
    """Return the policy that stops a consumer."""
    return {
        "apiVersion": API_VERSION,
        "kind": "BudgetPolicy",
        "metadata": {"name": policy_name(name), "namespace": namespace, "labels": {LABEL: name}},
        "spec": {"consumers": {"names": [name]}, "limit": {"usd": "0"}},
    }


def policy_name(consumer: str) -> str:
    """Name the policy that stops a consumer; a long name gives way to its checksum."""
    name = f"kill-{consumer}"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 9]}-{crc32(consumer.encode()):08x}"


def stopped(policies: Mapping[ObjectKey, Mapping[str, Any]]) -> frozenset[str]:
    """Return whom such policies among these objects stop, `namespace/name`."""
    found = set()
    for key, content in policies.items():
        metadata = content.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
        name = labels.get(LABEL) if isinstance(labels, Mapping) else None
        if isinstance(name, str) and key == policy_key(key.namespace, name):
            found.add(f"{key.namespace}/{name}")
    return frozenset(found)


def names(policy: Mapping[str, Any], consumer: str) -> bool:
    """Tell whether a policy that anybody wrote stops a consumer of its namespace by its name."""
    spec = policy.get("spec") or {}
    usd = str((spec.get("limit") or {}).get("usd", ""))
    return consumer in ((spec.get("consumers") or {}).get("names") or ()) and bool(_ZERO.fullmatch(usd))


def policy_key(namespace: str, consumer: str) -> ObjectKey:
    """Name the policy as an object."""
    return ObjectKey("BudgetPolicy", namespace, policy_name(consumer))
