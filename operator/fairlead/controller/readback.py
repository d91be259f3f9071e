"""Asking every ready gateway pod which configuration it serves: what Programmed rests on."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.adapters.gateway_answer import GatewayAnswers
from fairlead.errors import AnswerError
from fairlead.manifests import REGION_LABEL
from fairlead.manifests.paths import HTTP_PORT

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPod:
    """A pod that takes requests."""

    name: str
    region: str
    address: str


def ready_pods(pods: Iterable[Object]) -> tuple[GatewayPod, ...]:
    """Choose the gateway pods that take requests."""
    return tuple(
        GatewayPod(
            name=pod["metadata"]["name"],
            region=pod["metadata"]["labels"][REGION_LABEL],
            address=pod["status"]["podIP"],
        )
        for pod in pods
        if REGION_LABEL in pod["metadata"].get("labels", {}) and is_ready(pod)
    )


def is_ready(pod: Object) -> bool:
    """Tell whether a pod takes requests: ready, with an address, not about to end."""
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"] or not status.get("podIP"):
        return False
    return any(found["type"] == "Ready" and found["status"] == "True" for found in status.get("conditions", ()))


class Readback:
    """The last answer of each ready pod."""

    def __init__(self, answers: GatewayAnswers, failed: Callable[[AnswerError], None]) -> None:
        """`failed` is told of each answer that cannot be read."""
        self._answers, self._failed = answers, failed
        self._digests: dict[GatewayPod, str] = {}

    async def ask(self, pods: Iterable[GatewayPod]) -> bool:
        """Ask these pods, and forget all others; tell whether anything differs. No answer leaves the last one."""
        asked = tuple(pods)
        answered = await asyncio.gather(*map(self._digest, asked))
        digests = {pod: digest or self._digests.get(pod, "") for pod, digest in zip(asked, answered, strict=True)}
        differs = digests != self._digests
        self._digests = digests
        return differs

    async def _digest(self, pod: GatewayPod) -> str | None:
        try:
            return await self._answers.digest(pod.address, HTTP_PORT)
        except AnswerError as error:
            self._failed(error)
            return None

    def behind(self, digest_of: Callable[[str], str]) -> tuple[str, ...]:
        """Return the names of the pods that serve something else than what their region's are to serve."""
        return tuple(pod.name for pod, digest in self._digests.items() if digest != digest_of(pod.region))

    def of_region(self, region: str) -> tuple[str, ...]:
        """Return what the ready pods of a region serve, one entry for each that ever answered."""
        return tuple(digest for pod, digest in self._digests.items() if pod.region == region and digest)
