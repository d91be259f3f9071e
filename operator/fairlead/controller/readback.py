"""Asking every ready gateway pod which configuration it serves, and what it holds: what Programmed rests on."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairlead.adapters.clock import Clock
from fairlead.adapters.gateway_answer import GatewayAnswers
from fairlead.errors import AnswerError
from fairlead.manifests import REGION_LABEL
from fairlead.manifests.paths import HTTP_PORT, METRICS_PORT
from fairlead.runtime.parallel import each
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.unread import Unread

Object = Mapping[str, Any]

_AT_ONCE = 32
LEAVES_S = 3.0
"""How long requests may still come to a pod that is ready no more: nodes change their ways to it once a second at most,
and take their time when they are busy. A pod that ends gets no new files."""


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


def metrics_places(pods: Iterable[GatewayPod]) -> list[GatewayPlace]:
    """Say where these pods show their metrics."""
    return [
        GatewayPlace(
            name=pod.name,
            region=pod.region,
            address=f"{f'[{pod.address}]' if ':' in pod.address else pod.address}:{METRICS_PORT}",
        )
        for pod in pods
    ]


def is_ready(pod: Object) -> bool:
    """Tell whether a pod takes requests: ready, with an address, not about to end."""
    status = pod.get("status", {})
    if "deletionTimestamp" in pod["metadata"] or not status.get("podIP"):
        return False
    return any(found["type"] == "Ready" and found["status"] == "True" for found in status.get("conditions", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a pod said last."""

    digest: str = ""
    """Of the configuration that it serves; empty = it never said."""
    mark: str = ""
    """Of the keys that it has loaded; empty = of none that it was asked for."""
    absent: frozenset[str] | None = None
    """Files with credentials that it lacks; None = it never said."""


class Readback:
    """The last answer of each ready pod, and for a moment of each that was."""

    def __init__(self, answers: GatewayAnswers, unread: Unread, clock: Clock) -> None:
        """`unread` is told of the pods whose answers cannot be read."""
        self._answers, self._unread, self._clock = answers, unread, clock
        self._last: dict[GatewayPod, Answer] = {}
        self._left: dict[GatewayPod, tuple[Answer, float]] = {}
        """What pods said that left, and until when requests may come to them."""

    async def ask(
        self, pods: Iterable[GatewayPod], *, mark: str = "", files: Callable[[str], Collection[str]] = lambda _: ()
    ) -> bool:
        """Ask these pods, and soon forget all others; tell whether anything differs. No answer leaves the last one.

        `mark` stands for the keys that they are to have; `files`: the credentials that those of a region need.
        """
        asked = tuple(pods)
        problems: dict[str, str] = {}

        async def one(pod: GatewayPod) -> Answer:
            answer = self._last.get(pod, Answer())
            try:
                answer = replace(answer, digest=await self._answers.digest(pod.address, HTTP_PORT) or answer.digest)
                return await self._holding(pod, answer, mark, files(pod.region)) if mark else answer
            except AnswerError as error:
                problems[pod.name] = str(error)
                return answer

        answers = await each(asked, one, at_once=_AT_ONCE)
        self._unread.note(problems)
        last = dict(zip(asked, answers, strict=True))
        left = self._leaving(last)
        differs = (last, left) != (self._last, self._left)
        self._last, self._left = last, left
        return differs

    def _leaving(self, ready: Collection[GatewayPod]) -> dict[GatewayPod, tuple[Answer, float]]:
        now = self._clock.monotonic()
        gone = {pod: (answer, now + LEAVES_S) for pod, answer in self._last.items() if answer.digest}
        return {pod: one for pod, one in (gone | self._left).items() if pod not in ready and one[1] > now}

    async def _holding(self, pod: GatewayPod, answer: Answer, mark: str, files: Collection[str]) -> Answer:
        held = await self._answers.held(pod.address, HTTP_PORT, mark=mark, files=files)
        return replace(answer, mark=mark, absent=held.absent) if held is not None and held.keys else answer

    def behind(
        self,
        digest_of: Callable[[str], str],
        mark: str = "",
        files: Callable[[str], frozenset[str]] = lambda _: frozenset(),
    ) -> tuple[str, ...]:
        """Return the names of the pods that serve or hold something else than those of their region are to."""
        return tuple(
            pod.name
            for pod, answer in self._last.items()
            if answer.digest != digest_of(pod.region)
            or (mark and answer.mark != mark)
            or files(pod.region) & (answer.absent or frozenset())
        )

    def of_region(self, region: str) -> tuple[str, ...]:
        """Return what the ready pods of a region serve, one entry for each that ever answered."""
        return tuple(answer.digest for pod, answer in self._last.items() if pod.region == region and answer.digest)

    def left(self, region: str) -> tuple[Answer, ...]:
        """Return what pods of a region said last to which requests may still come although they are ready no more."""
        return tuple(answer for pod, (answer, _) in self._left.items() if pod.region == region)

    @property
    def leave_in_s(self) -> float | None:
        """In how many seconds the next of these is out of reach; None = there is none."""
        now = self._clock.monotonic()
        return min((max(0.0, until - now) for _, until in self._left.values()), default=None)

    def marks(self, region: str) -> tuple[str, ...]:
        """Return the marks of the keys that the ready pods of a region have loaded, one entry for each."""
        return tuple(answer.mark for pod, answer in self._last.items() if pod.region == region)

    @property
    def absences(self) -> frozenset[tuple[str, frozenset[str] | None]]:
        """Which credentials ready pods say that they lack, by region."""
        return frozenset((pod.region, answer.absent) for pod, answer in self._last.items())

    def absent(self, region: str, files: frozenset[str]) -> frozenset[str]:
        """Return which of these credentials a ready pod of a region says that it lacks."""
        said = (answer.absent or frozenset() for pod, answer in self._last.items() if pod.region == region)
        return files & frozenset().union(*said)

    def lacking(self, region: str, files: frozenset[str]) -> frozenset[str]:
        """Return which of these credentials a ready pod of a region lacks, or has never said that it has."""
        return frozenset(
            file
            for pod, answer in self._last.items()
            if pod.region == region
            for file in files
            if answer.absent is None or file in answer.absent
        )
