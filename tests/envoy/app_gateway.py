"""The gateway of one region and one consumer, `app`, made of resources: for tests of what providers are asked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from running import Gateway

from builders import HOME, compiled, consumer, installation, secret
from fairlead.compiler import SecretRef
from fairlead.demo.provider import SimulatedProvider

KEY = "sk-team-web/app"
"""Of the consumer."""


@contextmanager
def for_app(*manifests: Mapping[str, Any], held: Mapping[str, bytes | None] | None = None) -> Iterator[Gateway]:
    """Run it for these providers and routes; `held` as of `Gateway`."""
    there = [file for file, content in (held or {}).items() if content is not None]
    made = compiled(
        *manifests,
        consumer("app"),
        secrets={secret("app"): "sk-app"} | {SecretRef(HOME, *file.split("/")): file for file in there},
        installed=installation(regions=[{"name": "us", "geo": "us", "listen": "127.0.0.1:8101"}]),
    )
    with Gateway(made.gateways["us"].ir, held=held) as started:
        yield started


def anew(*providers: SimulatedProvider) -> None:
    """Let them answer well, and forget what they were asked."""
    for one in providers:
        one.control.clear()
        one.control.reset()
