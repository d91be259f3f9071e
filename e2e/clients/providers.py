"""Strict simulated providers of each protocol, and a gateway before them, for conversations."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from app_gateway import for_app
from running import Gateway

from builders import endpoint, model, provider, route, target
from clients.conversations import BROKEN, COLUMNS, STATUSES
from clients.conversations import route as name_of
from fairlead.demo.provider import SimulatedProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """What a provider is, simulated, and as a resource."""

    simulated: Mapping[str, Any]
    spec: Mapping[str, Any] = field(default_factory=dict)
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    file: str = "key"
    """Of its Secret."""
    held: bytes | None = None
    """What is in it, where it is no key."""


PROTOCOLS = {
    "openai": Protocol(simulated={}, spec={"messages": "Translate"}),
    "azure": Protocol(
        simulated={"azure": True, "base": "/openai", "header": "api-key"},
        spec={"protocol": "AzureOpenAI"},
        endpoint={"apiVersion": "2024-10-21"},
    ),
    "gemini": Protocol(simulated={"gemini": True, "base": "/v1beta/openai"}, spec={"protocol": "Gemini"}),
    "anthropic": Protocol(
        simulated={"anthropic": True, "header": "x-api-key"},
        spec={"protocol": "Anthropic", "chatCompletions": "Translate"},
    ),
    "bedrock": Protocol(
        simulated={"bedrock": True, "base": "", "keys": ("AKID:secret",), "region": "us-east-1"},
        spec={"protocol": "Bedrock"},
        endpoint={"awsRegion": "us-east-1"},
        file="credentials",
        held=b"[default]\naws_access_key_id = AKID\naws_secret_access_key = secret\n",
    ),
}
MODEL = "sim"
FAILING = {f"fails-{status}": status for status in STATUSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A gateway, and who stands behind it."""

    gateway: Gateway
    providers: Mapping[str, SimulatedProvider]


def _resources(name: str, sim: SimulatedProvider) -> list[dict[str, Any]]:
    protocol = PROTOCOLS[name]
    opened = {"secretName": name, "key": protocol.file}
    made = provider(
        name,
        endpoints=[endpoint("api", "us", baseURL=sim.base_url, credential=opened, **protocol.endpoint)],
        models=[model(one) for one in (MODEL, *FAILING)],
        circuitBreaker={"consecutiveFailures": 100},
        **protocol.spec,
    )
    failing = [route(f"{name}-{status}", target(name, one)) for one, status in FAILING.items()]
    return [made, route(name, target(name, MODEL)), *failing]


@contextmanager
def world() -> Iterator[World]:
    """Run them all."""
    with ExitStack() as stack:
        sims: dict[str, SimulatedProvider] = {}
        resources: list[dict[str, Any]] = []
        for name, protocol in PROTOCOLS.items():
            usual: dict[str, Any] = {"keys": (f"{name}-key",), "region": name}
            sim = SimulatedProvider(models=(MODEL, *FAILING), **(usual | protocol.simulated))
            sims[name] = stack.enter_context(sim)
            for failing, status in FAILING.items():
                sim.control.fault(model=failing, status=status)
            resources += _resources(name, sim)
        resources += [
            route(name_of(one.name), target(one.first, BROKEN), fallbacks=[target(one.of, MODEL)])
            for one in COLUMNS
            if one.first
        ]
        held = {f"{name}/{one.file}": one.held for name, one in PROTOCOLS.items() if one.held}
        yield World(gateway=stack.enter_context(for_app(*resources, held=held)), providers=sims)
