"""A gateway that cannot be read is counted each time and told once, by whoever asked it."""

import asyncio
from collections.abc import Collection

import structlog
from structlog.testing import capture_logs

from fairlead.adapters.gateway_answer import Held
from fairlead.controller.readback import GatewayPod, Readback
from fairlead.errors import AnswerError, EnvoyError
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.traffic import TrafficView
from fairlead.runtime.unread import Unread
from fast_clock import FastClock
from served_targets import gateways, target

PLACES = [GatewayPlace(name=name, region="eu", address=f"{name}:9090") for name in ("one", "two")]


class Metrics:
    """Gateways of which some cannot be read."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    async def read(self, address: str, *, only: str) -> str:
        assert only
        if address in self.broken:
            raise EnvoyError(f"{address}: got metrics that are not UTF-8")
        return ""


def test_it_is_counted_each_time_and_told_once_until_it_can_be_read_again() -> None:
    one, both = {"one:9090"}, {"one:9090", "two:9090"}
    looks = (set(), one, set(), one, one, one, both, both, set(), one, one)  # a look that failed alone is not told
    metrics, counted = Metrics(), []
    with capture_logs() as told:
        view = TrafficView(FastClock(), Unread(structlog.get_logger(), lambda: counted.append(1)))
        for metrics.broken in looks:
            asyncio.run(view.look(metrics, PLACES, gateways(target("p/e/m")), {}, {}))
    assert len(counted) == 10
    assert [line["gateway"] for line in told] == ["one", "two", "one"]
    assert told[0] == {
        "event": "gateway unread",
        "log_level": "warning",
        "gateway": "one",
        "what": "one:9090: got metrics that are not UTF-8",
    }


def test_a_pod_whose_answer_about_its_keys_cannot_be_read_keeps_its_last_and_is_noted() -> None:
    class Answers:
        async def digest(self, address: str, port: int) -> str | None:
            return f"{address}:{port}"

        async def held(self, address: str, port: int, *, mark: str, files: Collection[str]) -> Held | None:
            raise AnswerError(f"{address}:{port}: got no HTTP, asked for {mark} {files}")

    counted: list[int] = []
    with capture_logs() as told:
        readback = Readback(Answers(), Unread(structlog.get_logger(), lambda: counted.append(1)), FastClock())
        pod = GatewayPod(name="one", region="eu", address="10.0.0.1")
        assert [asyncio.run(readback.ask([pod], mark="m")) for _ in range(2)] == [True, False]
    assert readback.of_region("eu") == ("10.0.0.1:8080",)
    assert (len(counted), [line["gateway"] for line in told]) == (2, ["one"])
