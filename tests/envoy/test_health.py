"""A shift of traffic by health, at a real Envoy: the order of attempts changes under load, and nobody notices."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import pytest
from running import Gateway, simple, target

from fairlead import status
from fairlead.demo.provider import SimulatedProvider
from fairlead.translate.effective import effective

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
CLIENTS = 3


class Load:
    """Clients that ask one after the other until they are told to stop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
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

    def _ask(self) -> None:
        while not self._ended.wait(0.01):
            try:
                answer = self._gateway.ask()
                self.answers.append((answer.status, answer.headers.get("x-fairlead-target", "")))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a failed request
                self.errors.append(error)


def test_a_demotion_and_a_recovery_under_load_fail_nobody(wait_until: Wait) -> None:
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
            ({"api/us": 50}, {"api/us/small", "api/eu/small"}),
            ({"api/us": 100}, {"api/us/small"}),
            ({"api/us": 0, "api/eu": 0}, {"api/us/small"}),
            ({"api/us": 0, "api/eu": 50}, {"api/eu/small"}),
        ):
            now = effective(declared, shares)
            gateway.serve(now)
            answered_by(wanted)
            assert {plan.last_target for one in now.routes for plan in one.plans} == {"api/us/small"}
        assert status.served_routes(declared) == said
        load.__exit__()
        assert load.errors == []
        assert set(Counter(code for code, _ in load.answers)) == {200}
        assert len(load.answers) > 100
