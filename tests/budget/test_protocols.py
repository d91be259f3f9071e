"""What chat at providers of OpenAI's API, said in their own ways, costs a budget: to the nano-dollar."""

from collections.abc import Callable
from typing import Any

import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, secret, until

from budget.client import budget, request, spent, window_with_room
from budget.conftest import KEY
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
QUESTION = [{"role": "user", "content": "How much is it? " * 40}]
INPUT, OUTPUT = 1000, 2000
"""Nano-dollars of a token."""
AZURE: dict[str, Any] = {"header": "api-key", "base": "/openai", "azure": True}
GEMINI: dict[str, Any] = {"base": "/v1beta/openai", "gemini": True}


@pytest.mark.parametrize(
    ("protocol", "speaks", "fields"),
    [
        ("AzureOpenAI", AZURE, {"apiVersion": "2024-10-21"}),
        ("AzureOpenAI", AZURE, {}),
        ("Gemini", GEMINI, {}),
    ],
    ids=["deployments", "v1", "gemini"],
)
def test_all_that_is_billed_is_booked(
    tmp_path_factory: pytest.TempPathFactory,
    start: Callable[..., RunningUp],
    protocol: str,
    speaks: dict[str, Any],
    fields: dict[str, Any],
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    with SimulatedProvider(models=("m",), keys=(CREDENTIAL,), **speaks) as sim:
        made = provider(sim.base_url, "m", name="p")
        made["spec"]["protocol"] = protocol
        made["spec"]["endpoints"][0] |= fields
        site.write("provider.yaml", made, secret("p", key=CREDENTIAL))
        site.write("route.yaml", route("chat", "m", provider="p"))
        site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k=KEY))
        site.write("budget.yaml", budget(usd="1", window=window_with_room()))
        start(site).serving()
        (port,) = site.ports
        asked = {"model": "chat", "messages": QUESTION, "max_tokens": 20}
        answer = request(port, "POST", "/v1/chat/completions", asked)
        assert answer.status == 200, answer
        usage = answer.json["usage"]
        # what a model thought is in the total alone, and billed as output
        one = INPUT * usage["prompt_tokens"] + OUTPUT * (usage["total_tokens"] - usage["prompt_tokens"])
        assert request(port, "POST", "/v1/chat/completions", {**asked, "stream": True}).status == 200
        assert request(port, "POST", "/v1/messages", asked).status == 200
        until(lambda: spent(port) == 3 * one, f"{spent(port)} spent, want {3 * one}")
