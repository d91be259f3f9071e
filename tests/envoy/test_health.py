"""A shift of traffic by health, at a real Envoy: the order of attempts changes under load, and nobody notices."""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

import pytest
from running import ROUTE, Gateway, plan, route, simple, target
from running import gateway as made_of

from fairlead import envoy, ir, status
from fairlead.demo.provider import SimulatedProvider
from fairlead.standalone import plan as changes
from fairlead.translate.effective import effective

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
CLIENTS = 3


class Load:
    """Clients that ask one after the other until they are told to stop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]
        self._asked = [0] * CLIENTS
        self.answers: list[tuple[int, str]] = []
        self.errors: list[Exception] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def has_turned_over(self) -> Callable[[], bool]:
        """Return what tells when every request that is on its way now has ended."""
        before = list(self._asked)
        return lambda: all(now >= then + 2 for now, then in zip(self._asked, before, strict=True))

    def _ask(self, number: int) -> None:
        while not self._ended.wait(0.01):
            self._asked[number] += 1
            try:
                answer = self._gateway.ask()
                self.answers.append((answer.status, answer.headers.get("x-fairlead-target", "")))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a failed request
                self.errors.append(error)


def change(gateway: Gateway, now: ir.Gateway, load: Load, wait_until: Wait) -> None:
    """Change to another gateway, make before break.

    Envoy takes a request's routes when the request begins, so a ladder may go when those that began before are done.
    """
    old, new = (changes.stamped(envoy.render(one, gateway.layout)) for one in (gateway.whole, now))
    for step in changes.steps(old, new):
        assert step.content is not None
        gateway.write({step.path: step.content})
        wait_until(lambda step=step: step.version in gateway.envoy.admin("/stats?filter=version_text"))
        if step.path == changes.ROUTES:
            wait_until(load.has_turned_over())
    gateway.whole = now


def test_a_demotion_and_the_way_back_under_load_fail_nobody(wait_until: Wait) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(SimulatedProvider(models=("small",), keys=())) for _ in range(2))
        declared = simple(target("api/us/small", first), target("api/eu/small", second))
        gateway = stack.enter_context(Gateway(declared))
        said = status.served_routes(declared)
        load = stack.enter_context(Load(gateway))

        def answered_by(wanted: set[str], last: int = 30) -> None:
            begin = len(load.answers)
            wait_until(lambda: len(load.answers) >= begin + last)
            wait_until(lambda: {name for _, name in load.answers[-last:]} == wanted)

        answered_by({"api/us/small"})
        for shares, wanted in (
            ({"api/us": 0}, {"api/eu/small"}),
            ({"api/us": 0, "api/eu": 0}, {"api/us/small"}),
            ({"api/us": 0, "api/eu": 50}, {"api/eu/small"}),
            ({"api/us": 100}, {"api/us/small"}),
            ({"api/us": 0}, {"api/eu/small"}),
            ({"api/us": 50}, {"api/us/small", "api/eu/small"}),
            ({"api/us": 100}, {"api/us/small"}),
        ):
            now = effective(declared, shares)
            change(gateway, now, load, wait_until)
            answered_by(wanted)
            assert {plan.last_target for one in now.routes for plan in one.plans} == {"api/us/small"}
        assert status.served_routes(declared) == said
        load.__exit__()
        assert load.errors == []
        assert [at for at, (code, _) in enumerate(load.answers) if code != 200] == []
        assert set(Counter(code for code, _ in load.answers)) == {200}
        assert len(load.answers) > 100


class Holding:
    """An endpoint that takes one request, holds it until it is told, and ends the connection without an answer."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.took, self.ends = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self._server.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with self._server.accept()[0] as connection:
            self._server.close()  # whoever comes later is refused
            connection.recv(65536)
            self.took.set()
            self.ends.wait(30)


@pytest.mark.parametrize("key", ["", "small"], ids=["one plan", "a plan of a wildcard"])
def test_a_request_that_is_under_way_when_traffic_moves_goes_on_in_the_order_it_began_with(
    key: str, wait_until: Wait
) -> None:
    with ExitStack() as stack:
        held = stack.enter_context(Holding())
        second = stack.enter_context(SimulatedProvider(models=("small",), keys=()))
        first = target("api/us/small", second)
        first = replace(first, upstream=replace(first.upstream, port=held.port))
        ladder = f"{ROUTE}/{key}/0" if key else f"{ROUTE}/0"
        chat = route(ROUTE, plan(ladder, last=first, key=key))
        declared = made_of({"chat": chat}, {ladder: (first, target("api/eu/small", second))})
        gateway = stack.enter_context(Gateway(declared))
        answers: list[tuple[int, str]] = []

        def ask() -> None:
            answer = gateway.ask(key or "chat")
            answers.append((answer.status, answer.headers.get("x-fairlead-target", "")))

        asking = threading.Thread(target=ask)
        asking.start()
        assert held.took.wait(20)
        demoted = effective(declared, {"api/us": 0})
        old, new = (changes.stamped(envoy.render(one, gateway.layout)) for one in (declared, demoted))
        for step in changes.steps(old, new):
            assert step.content is not None
            gateway.write({step.path: step.content})
            wait_until(lambda step=step: step.version in gateway.envoy.admin("/stats?filter=version_text"))
            if step.path == changes.ROUTES:
                break  # what old routes lead to stays for a minute
        held.ends.set()
        asking.join(30)
        assert answers == [(200, "api/eu/small")]
