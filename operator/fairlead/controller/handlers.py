"""kopf: a few lines that hand on what the watches tell. It runs in a thread and a loop of its own.

Only `on.event`: change handlers would write annotations and a finalizer on users' objects, and act on edges. kopf
does not notice what was deleted while its watch was away; the operator's own lists do.
"""

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf
from kopf import OperatorRegistry, OperatorSettings

from fairlead.adapters.kube import RESOURCES, USER_KINDS

Object = Mapping[str, Any]


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
    kopf.on.login(registry=handlers)(_login)
    kopf.on.startup(registry=handlers)(_configure)
    return handlers


def _login(settings: OperatorSettings, **_: Any) -> Any:
    return kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)


def _configure(settings: OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False  # Events are written by the operator itself, when something has happened
    settings.scanning.disabled = True  # the CRDs come with the release; no right to watch CRDs or namespaces is needed
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 2)  # an API server that is back should find us soon
    settings.networking.connect_timeout = 5


def watch(
    told: Callable[[Object, bool], None], *, namespaces: Collection[str], identity: str, stop: threading.Event
) -> None:
    """Run kopf until `stop`, in a loop of its own: it cancels every task of its loop that it does not know.

    `namespaces`: empty = all. `identity`: without one kopf asks for the user's name, which a container's has not.
    Raises what ends kopf.
    """
    named: Any = identity  # of a type that kopf keeps to itself
    asyncio.run(
        kopf.operator(
            registry=registry(told, namespaces=not namespaces),
            standalone=True,
            identity=named,
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            stop_flag=stop,
        )
    )
