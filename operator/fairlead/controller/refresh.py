"""Rotated credentials: nobody but kubelets may read them, so a person says when they are to look.

A kubelet looks at the Secrets of a pod about once a minute, and at once when an annotation of the pod changes. So the
annotation of a ModelProvider becomes one of every gateway pod.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.kube import Kube
from fairlead.errors import ClusterError

Object = Mapping[str, Any]

ANNOTATION = "fairlead.dev/refresh"
"""On a ModelProvider: any word; another one than before makes gateways look. On their pods: of all such words."""


async def ask(kube: Kube, clock: Clock, namespace: str, providers: Iterable[str]) -> None:
    """Let gateways look at the Secrets of these ModelProviders; raises `ClusterError`, also when one is not there."""
    moment = clock.now().isoformat(timespec="milliseconds")
    for name in providers:
        patch = {"metadata": {"annotations": {ANNOTATION: moment}}}
        if await kube.merge("ModelProvider", namespace=namespace, name=name, patch=patch) is None:
            raise ClusterError(
                f"ModelProvider {namespace}/{name} is not there, want one of `kubectl get mp -n {namespace}`"
            )


def asked(providers: Iterable[Object]) -> str:
    """Return what gateway pods are to have in `ANNOTATION`; empty = nobody ever asked."""
    words = {
        found["metadata"]["name"]: word
        for found in providers
        if (word := (found["metadata"].get("annotations") or {}).get(ANNOTATION))
    }
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16] if words else ""
