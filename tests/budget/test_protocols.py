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


FILE = f"[default]\naws_access_key_id = AKID\naws_secret_access_key = {CREDENTIAL}\n"
READ, WRITTEN = 100, 1250
"""Nano-dollars of a token that is read from the cache, and of one that is written into it."""


def test_what_bedrock_bills_is_booked_and_a_secret_may_come_late(
    tmp_path_factory: pytest.TempPathFactory, start: Callable[..., RunningUp]
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    with SimulatedProvider(models=("claude",), keys=(f"AKID:{CREDENTIAL}",), base="", bedrock=True) as sim:
        made = provider(sim.base_url, "claude", name="p")
        made["spec"]["protocol"] = "Bedrock"
        made["spec"]["endpoints"][0] |= {"awsRegion": "us-east-1", "credential": {"secretName": "p", "key": "file"}}
        made["spec"]["models"][0]["usdPerMillionTokens"] = {
            "input": "1",
            "output": "2",
            "cachedInput": "0.1",
            "cacheWrite": "1.25",
        }
        site.write("provider.yaml", made)
        site.write("route.yaml", route("chat", "claude", provider="p"))
        site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k=KEY))
        site.write("budget.yaml", budget(usd="1", window=window_with_room()))
        start(site).serving()
        (port,) = site.ports
        mark = {"type": "text", "text": "How much is it? " * 40, "cache_control": {"type": "ephemeral"}}
        asked = {"model": "chat", "messages": [{"role": "user", "content": [mark]}], "max_tokens": 20}
        assert request(port, "POST", "/v1/messages", asked).status == 502, "nothing to sign by"
        until(lambda: spent(port) == 0)  # its report gives back what was reserved
        site.write("secret.yaml", secret("p", file=FILE))
        answer = until(lambda: (got := request(port, "POST", "/v1/messages", asked)).status == 200 and got)
        usage = answer.json["usage"]
        one = INPUT * usage["input_tokens"] + OUTPUT * usage["output_tokens"]
        one += READ * usage["cache_read_input_tokens"] + WRITTEN * usage["cache_creation_input_tokens"]
        assert min(usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) > 0
        for path in ("/v1/chat/completions", "/v1/messages"):
            for stream in (False, True):
                assert request(port, "POST", path, {**asked, "stream": stream}).status == 200
        until(lambda: spent(port) == 5 * one, f"{spent(port)} spent, want {5 * one}")
