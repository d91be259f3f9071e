"""Light load sees every failure and who answered."""

import asyncio

from fairlead.demo.load import Load
from fairlead.demo.provider import SimulatedProvider
from fairlead.demo.scene import Region


def test_counts_answers_and_failures() -> None:
    async def scenario(provider: SimulatedProvider) -> Load:
        regions = [Region(name=name, port=provider.port) for name in ("a", "b")]
        async with Load(regions, model="model-a", key="test-key", per_second=100) as load:
            await load.answers(4)
            provider.control.fault(status=500, count=3)
            while len(load.failures) < 3:  # answers that were on their way come first
                await load.answers(1)
        return load

    with SimulatedProvider().start() as provider:
        load = asyncio.run(scenario(provider))
        seen = provider.control.stats().requests
    assert len(load.failures) == 3
    assert "500" in load.failures[0]
    assert load.sent == len(load.failures) + load.answered_by.total() == seen
    assert set(load.answered_by) == {("a", "-"), ("b", "-")}
    assert load.last_text["a"].startswith("us-east-1/model-a")
