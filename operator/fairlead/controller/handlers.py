"""kopf: a few lines that hand on what the watches tell. It runs in a thread and a loop of its own.

Only `on.event`: change handlers would write annotations and a finalizer on users' objects, and act on edges. kopf
does not notice what was deleted while its watch was away; the operator's own lists do.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import kopf
from kopf import OperatorRegistry, OperatorSettings

from fairlead.adapters.kube import RESOURCES, USER_KINDS
from fairlead.adapters.kube_login import Login
from fairlead.errors import ClusterError

Object = Mapping[str, Any]

_LOOK_EVERY_S = 0.5
_CANCEL_EVERY_S = 0.2
_END_WITHIN_S = 10.0
_LOGIN_AGAIN_S = 2.0
"""After a login that failed; kopf's own pause is a minute."""


def registry(told: Callable[[Object, bool], None], *, namespaces: bool) -> OperatorRegistry:
    """Register one handler for each kind that is watched; `told` takes an object and whether it was deleted.

    `namespaces`: also watch Namespaces, for their labels.
    """
    handlers = OperatorRegistry()

    def on_event(event: Any, **_: Any) -> None:
        told(event["object"], event["type"] == "DELETED")

    for kind in (*USER_KINDS, *(["Namespace"] if namespaces else [])):
        resource = RESOURCES[kind]
        kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers)(on_event)
    kopf.on.login(registry=handlers, backoff=_LOGIN_AGAIN_S)(_login)
    kopf.on.startup(registry=handlers)(_configure)
    return handlers


async def _login(**_: Any) -> kopf.ConnectionInfo:
    """Log in as everything else does; kopf asks again when it is refused."""
    access = await Login().access()
    scheme, token = (access.authorization or " ").split(" ", maxsplit=1)
    return kopf.ConnectionInfo(
        server=access.server,
        ca_path=access.ca_file,
        insecure=not access.verify,
        scheme=scheme or None,
        token=token or None,
        certificate_path=access.certificate_file,
        private_key_path=access.key_file,
        proxy_url=access.proxy,
        trust_env=True,  # HTTPS_PROXY, as the client of everything else
        expiration=access.expires_at,
    )


def _configure(settings: OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False  # Events are written by the operator itself, when something has happened
    settings.scanning.disabled = True  # the CRDs come with the release; no right to watch CRDs or namespaces is needed
    settings.networking.connect_timeout = 5
    # An API server that is back finds us within 5 s: no pause between two attempts is longer.
    # After the last one the watch ends, and `watch` begins anew.
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 2)
    settings.networking.request_timeout = 30
    settings.queueing.error_delays = (1, 2, 5)


def watch(
    told: Callable[[Object, bool], None], *, namespaces: Collection[str], identity: str, stop: threading.Event
) -> None:
    """Run kopf until `stop`, in a loop of its own: it cancels every task of its loop that it does not know.

    `namespaces`: empty = all. `identity`: without one kopf asks for the user's name, which a container's has not.
    Raises what ends kopf, and `ClusterError` when one of its watches ended: kopf itself goes on without that one.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_watch(told, namespaces=namespaces, identity=identity, stop=stop))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()  # not by `asyncio.run`, which waits for tasks without end: `_end` has waited for them


async def _watch(
    told: Callable[[Object, bool], None], *, namespaces: Collection[str], identity: str, stop: threading.Event
) -> None:
    loop, lost = asyncio.get_running_loop(), set[str]()
    # Of what ends we tell ourselves, in one line.
    loop.set_exception_handler(lambda _, __: None)
    loop.set_task_factory(_noting(lost))
    named: Any = identity  # of a type that kopf keeps to itself
    operator = asyncio.create_task(
        kopf.operator(
            registry=registry(told, namespaces=not namespaces),
            standalone=True,
            identity=named,
            clusterwide=not namespaces,
            namespaces=list(namespaces),
        )
    )
    while not (operator.done() or stop.is_set() or lost):
        await asyncio.wait({operator}, timeout=_LOOK_EVERY_S)
    ended = ", ".join(sorted(lost))  # by themselves: those that are ended now come later
    # Not by kopf's own flag: it waits for one in a thread, which would keep this loop from ending.
    await _end(operator)
    if ended and not stop.is_set():
        raise ClusterError(f"ended: {ended}")
    if operator.done() and not operator.cancelled():
        operator.result()


def _noting(lost: set[str]) -> Any:  # what a loop takes has a type of typeshed's own
    """Make tasks that note the names of kopf's watches when they end: it tells nobody.

    To look which there are from time to time does not do: one that is refused at once was there between two looks.
    """

    def note(task: asyncio.Task[Any]) -> None:
        if task.get_name().startswith("watcher for "):
            lost.add(task.get_name())

    def make(loop: asyncio.AbstractEventLoop, does: Coroutine[Any, Any, Any], **context: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(does, loop=loop, **context)
        task.add_done_callback(note)
        return task

    return make


async def _end(operator: asyncio.Task[None]) -> None:
    """Cancel kopf and its tasks until none is left, also where kopf has ended by an error of its own.

    A watch that waits for a login swallows the first time, and what closes a loop asks once and then waits for ever.
    """
    operator.cancel()  # once: what it closes then must not be stopped
    async with asyncio.timeout(_END_WITHIN_S):
        while running := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(running, timeout=_CANCEL_EVERY_S)
            for task in running - {operator}:
                task.cancel()
