"""Budgets of requests to a provider that speaks Anthropic's API."""

from collections.abc import Callable

import pytest
from running_up import CREDENTIAL, RunningUp, Site, consumer, provider, route, secret, until

from budget.client import Answer, budget, request, spent, window_with_room
from budget.conftest import KEY
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
QUESTION = [{"role": "user", "content": "How much is it? " * 40}]
INPUT, OUTPUT, CACHED = 1000, 2000, 100
"""Nano-dollars of a token."""


def ask(port: int, path: str = "/v1/messages", **fields: object) -> Answer:
    return request(port, "POST", path, {"model": "chat", "messages": QUESTION, **fields})


def write(site: Site, claude: SimulatedProvider, usd: str) -> None:
    made = provider(claude.base_url, "claude", name="claude")
    made["spec"] |= {"protocol": "Anthropic", "chatCompletions": "Translate"}
    made["spec"]["models"][0]["usdPerMillionTokens"] |= {"cachedInput": "0.1", "cacheWrite": "1.25"}
    site.write("claude.yaml", made, secret("claude", key=CREDENTIAL))
    site.write("route.yaml", route("chat", "claude", provider="claude"))
    site.write("consumer.yaml", consumer("agent", "k"), secret("agent", k=KEY))
    site.write("budget.yaml", budget(usd=usd, window=window_with_room()))


def test_what_it_counts_is_booked_and_a_count_beforehand_is_free(
    tmp_path_factory: pytest.TempPathFactory, start: Callable[..., RunningUp]
) -> None:
    site = Site(tmp_path_factory.mktemp("site"))
    with SimulatedProvider(models=("claude",), keys=(CREDENTIAL,), header="x-api-key", anthropic=True) as claude:
        write(site, claude, "0.01")
        start(site).serving()
        (port,) = site.ports
        counted = ask(port, "/v1/messages/count_tokens")
        assert (counted.status, spent(port)) == (200, 0)
        answer = ask(port, max_tokens=20)
        assert answer.status == 200, answer
        usage = answer.json["usage"]
        assert usage["cache_read_input_tokens"] > 0
        one = (
            INPUT * usage["input_tokens"] + CACHED * usage["cache_read_input_tokens"] + OUTPUT * usage["output_tokens"]
        )
        assert ask(port, max_tokens=20, stream=True).status == 200
        assert ask(port, "/v1/messages/count_tokens").status == 200
        for stream in (False, True):
            assert ask(port, "/v1/chat/completions", max_tokens=20, stream=stream).status == 200
        until(lambda: spent(port) == 4 * one, f"{spent(port)} spent, want {4 * one}")
        write(site, claude, "0")
        until(lambda: ask(port, max_tokens=20).status == 429, "the budget is at its end")
        refused = ask(port, max_tokens=20)
        assert refused.json["type"] == "error"
        assert refused.json["error"]["type"] == "rate_limit_error"
