"""What users change while the API server is away is in effect soon after it is back."""

import asyncio

from builders import provider, route
from fairlead.adapters.kube import UnreachableError
from operator_stage import NAME, Stage, until, while_it_runs

WITHIN_S = 20.0
"""Of the operator's time; its regular lists are a minute apart."""


def test_an_edit_that_no_watch_tells_is_found_when_the_api_server_is_back() -> None:
    stage = Stage(provider("p"), route("chat"), faster=10)
    stage.pod("one")

    def served() -> str:
        return str((stage.cluster.find("ConfigMap", f"{NAME}-routes") or {})["data"])

    async def story() -> None:
        await until(stage.is_ready("ModelRoute", "chat"))
        failures = stage.metrics.errors.labels("lead")._value.get()
        stage.cluster.refusals["*", "*"] = UnreachableError("away")
        await until(lambda: stage.metrics.errors.labels("lead")._value.get() > failures)
        stage.cluster._objects.pop(("ModelRoute", "team-web", "chat"))  # no watch tells
        stage.cluster.refusals.clear()
        back_at = stage.clock.monotonic()
        await until(lambda: "team-web/chat" not in served())
        assert stage.clock.monotonic() - back_at < WITHIN_S

    asyncio.run(while_it_runs(stage, story))
