"""What keeps a region's pods from being replaced, in the cluster's own words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

_LONGEST = 300
UNDER_WAY = "its pods are being replaced"


def obstacle(deployment: Object | None, pods: Iterable[Object]) -> str:
    """Say why a Deployment's new pods do not run: quota, node, image, limits; or that they are about to."""
    found = next(_obstacles(deployment or {}, pods), UNDER_WAY)
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}..."


def _obstacles(deployment: Object, pods: Iterable[Object]) -> Iterator[str]:
    conditions = _conditions(deployment)
    yield from _messages(conditions, "ReplicaFailure", "True", "the Deployment")
    for pod in pods:
        name = f"pod {pod['metadata']['name']}"
        yield from _messages(_conditions(pod), "PodScheduled", "False", name)
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                yield f"{name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    yield from _messages(conditions, "Progressing", "False", "the Deployment")


def _messages(conditions: Iterable[Object], kind: str, status: str, name: str) -> Iterator[str]:
    for one in conditions:
        if one.get("type") == kind and one.get("status") == status:
            yield f"{name}: {one.get('message') or one.get('reason', kind)}"


def _conditions(found: Object) -> tuple[Object, ...]:
    return tuple((found.get("status") or {}).get("conditions") or ())
