"""The requests of a cluster's gateways, from the logs of all their pods."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from fairlead.adapters.clock import SystemClock
from fairlead.adapters.kube import ForbiddenError, Kube, NotFoundError, Object, UnreachableError
from fairlead.api import quantity
from fairlead.api.model import TOKENS, of_long_prompts, prices_in
from fairlead.budget.price import LongPrompts, Price
from fairlead.envoy.log_lines import Line, decoded
from fairlead.errors import ClusterError
from fairlead.manifests import CONTAINER, REGION_LABEL
from fairlead.runtime.parallel import each
from fairlead.runtime.request_stream import RequestStream
from fairlead.runtime.requests import Request, Wanted, gathered

WINDOWS = (2_000, 10_000, 50_000)
"""How many lines of each pod are looked at: more where fewer did not hold enough."""
AT_ONCE = 4
LOOK_S = 0.5
PODS_S = 10.0
"""How often new pods are looked for."""
QUEUED = 10_000
"""Lines that wait to be looked at: who comes later waits."""
_PART = {"app.kubernetes.io/part-of": "fairlead"}


async def prices(kube: Kube, *, namespace: str) -> Mapping[str, Price]:
    """Return what targets cost, by the providers' catalogues; empty where they may not be read."""
    with suppress(ClusterError):
        return dict(_priced(await kube.list("ModelProvider", namespace=namespace)))
    return {}


def _priced(providers: Sequence[Object]) -> Iterator[tuple[str, Price]]:
    for provider in providers:
        for endpoint in provider["spec"].get("endpoints", ()):
            own = {one["name"]: one for one in endpoint.get("models", ()) if prices_in(one)}
            for model in provider["spec"].get("models", ()):
                written = own.get(model["name"], model)
                if prices_in(written):
                    yield f"{provider['metadata']['name']}/{endpoint['name']}/{model['name']}", _price(written)


def _price(model: Object) -> Price:
    tokens = model.get(TOKENS, {"input": "0"})
    base = _of_tokens(tokens, model)
    if "longPrompts" not in tokens:
        return base
    longer = _of_tokens(of_long_prompts(tokens), model)
    return replace(base, long_prompts=LongPrompts(above=tokens["longPrompts"]["aboveTokens"], price=longer))


def _of_tokens(tokens: Mapping[str, str], model: Object) -> Price:
    def of(written: Object, name: str) -> int | None:
        return quantity.nanodollars(written[name]) if name in written else None

    fresh = quantity.nanodollars(tokens["input"])
    cached = of(tokens, "cachedInput")
    return Price(
        input=fresh,
        output=of(tokens, "output") or 0,
        cached_input=fresh if cached is None else cached,
        cache_write=of(tokens, "cacheWrite"),
        cache_write_1h=of(tokens, "cacheWrite1h"),
        audio_input=of(tokens, "audioInput"),
        audio_output=of(tokens, "audioOutput"),
        image_input=of(tokens, "imageInput"),
        image=of(model, "usdPerImage"),
        minute=of(model, "usdPerMinute"),
        million_characters=of(model, "usdPerMillionCharacters"),
        thousand_searches=of(model, "usdPerThousandSearches"),
    )


async def newest(kube: Kube, wanted: Wanted, *, namespace: str, count: int) -> Sequence[Request]:
    """Return the newest requests that are wanted, the oldest of them first; raises `ClusterError`."""
    pods = await _pods(kube, namespace)
    found: list[Request] = []
    for window in WINDOWS if wanted.request_id is None else (None,):
        read = await each(sorted(pods), partial(_lines, kube, namespace, wanted, window), at_once=AT_ONCE)
        found = [request for request in gathered(line for lines in read for line in lines) if wanted.matches(request)]
        if len(found) >= count:
            break
    return found[-count:] if count else []


async def _lines(kube: Kube, namespace: str, wanted: Wanted, window: int | None, pod: str) -> list[Line]:
    mark = (wanted.request_id or "").encode()
    found: list[Line] = []
    with suppress(NotFoundError):  # it has gone meanwhile
        log = kube.log_lines(namespace=namespace, pod=pod, container=CONTAINER, tail_lines=window)
        found.extend([line async for written in log if mark in written and (line := decoded(written)) is not None])
    return found


async def _pods(kube: Kube, namespace: str) -> frozenset[str]:
    try:
        found = await kube.list("Pod", namespace=namespace, labels=_PART)
    except ForbiddenError as error:
        raise ClusterError(f"{error}; ask for the right to list pods and to get `pods/log` in `{namespace}`") from error
    pods = frozenset(pod["metadata"]["name"] for pod in found if REGION_LABEL in pod["metadata"].get("labels", {}))
    if not pods:
        raise ClusterError(f"namespace `{namespace}`: got no gateway pods, want some; give the installation's with -n")
    return pods


async def follow(kube: Kube, wanted: Wanted, tell: Callable[[Request], None], *, namespace: str) -> None:
    """Tell requests of all gateway pods as they end, without an end; raises `ClusterError` where none can be read."""
    clock, stream = SystemClock(), RequestStream()
    queue: asyncio.Queue[Line] = asyncio.Queue(QUEUED)
    following: dict[str, asyncio.Task[None]] = {}
    pods, look_at = await _pods(kube, namespace), time.monotonic() + PODS_S
    async with asyncio.TaskGroup() as group:
        while True:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + PODS_S
                with suppress(UnreachableError):
                    pods = await _pods(kube, namespace)
            for pod in pods:
                if pod not in following or following[pod].done():
                    following[pod] = group.create_task(_into(queue, kube, namespace, pod))
            lines = [queue.get_nowait() for _ in range(queue.qsize())]
            for request in stream.take(lines, int(clock.now().timestamp() * 1000)):
                if wanted.matches(request):
                    tell(request)
            await asyncio.sleep(LOOK_S)


async def _into(queue: asyncio.Queue[Line], kube: Kube, namespace: str, pod: str) -> None:
    """Follow one pod until it ends, or its log breaks off; who follows pods begins again then."""
    with suppress(NotFoundError, UnreachableError):
        async for written in kube.log_lines(
            namespace=namespace, pod=pod, container=CONTAINER, tail_lines=0, follow=True
        ):
            if (line := decoded(written)) is not None:
                await queue.put(line)
