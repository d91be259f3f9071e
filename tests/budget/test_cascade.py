"""What a cascade costs: each model that is asked is paid by itself, and the reservation covers them all."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from running_up import RunningUp, Site, consumer, provider, route, secret, until
from speaking import TOKENS_IN, TOKENS_OUT, Saying, Speaker, fails, says

from budget.client import KEY, budget, chat, metric, spent, usage

pytestmark = pytest.mark.envoy
SMALL, LARGE = (TOKENS_IN * price + TOKENS_OUT * 2 * price for price in (1_000, 3_000))
"""Nano-dollars of an answer."""
GOOD, CUT = says("Yes."), says("Y", "length")
UNCOUNTED = Saying(body=b'{"choices":[{"message":{"content":"Y"},"finish_reason":"length"}]}')
LIMIT_TOKENS = 100


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with Speaker() as speaker:
        yield speaker


@pytest.fixture(scope="module")
def gateway(speaker: Speaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    site = Site(tmp_path_factory.mktemp("cascade"))
    made = provider(f"http://127.0.0.1:{speaker.port}/v1", "small", "large")
    made["spec"]["models"][1]["usdPerMillionTokens"] = {"input": "3", "output": "6"}
    made["spec"]["healthCheck"] = {"type": "None"}
    site.write("provider.yaml", made, secret("sim", key="k"))
    fields: dict[str, Any] = {
        "fallbacks": [{"provider": "sim", "model": "large"}],
        "maxOutputTokens": LIMIT_TOKENS,
        "timeouts": {"response": "1s"},
    }
    rule = {"name": "greetings", "when": {"lastUserContains": ["hi"]}, "route": "chat"}
    site.write(
        "route.yaml",
        route("chat", "small", cascade={}, **fields),
        route("plain", "small", **fields),
        route("led", "small", rules=[rule]),
    )
    site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=KEY))
    site.write("tight.yaml", consumer("tight", "k"), secret("tight", k=f"{KEY}-tight"))
    # A body of some 130 bytes and 100 tokens cost at most $0.00033 at the first model, $0.00099 at the second.
    site.write(
        "budget.yaml",
        budget(usd="1", consumers={"names": ["agent"]}),
        budget("tight", usd="0.00115", consumers={"names": ["tight"]}),
    )
    with RunningUp(site) as running:
        yield running.serving()


Ask = Callable[..., tuple[int, int]]


@pytest.fixture
def ask(gateway: RunningUp, speaker: Speaker) -> Ask:
    (port,) = gateway.site.ports

    def asked(model: str = "chat", *, least: int, **said: Saying) -> tuple[int, int]:
        """Return the status and what is booked, once it is at least so much and nothing is reserved."""
        speaker.asked.clear()
        speaker.said = {"small": GOOD, "large": GOOD, **said}
        before = spent(port)
        status = chat(port, model).status
        until(lambda: spent(port) >= before + least, f"less than {least} was booked: {spent(port) - before}")
        return status, spent(port) - before

    return asked


def test_a_good_answer_is_paid(ask: Ask) -> None:
    assert ask(least=SMALL) == (200, SMALL)


def test_a_rejected_answer_is_paid_beside_the_one_that_follows(ask: Ask, speaker: Speaker) -> None:
    assert ask(least=SMALL + LARGE, small=CUT) == (200, SMALL + LARGE)
    assert speaker.models() == ["small", "large"]


def test_a_rejected_answer_without_a_count_is_estimated(ask: Ask) -> None:
    status, booked = ask(least=LARGE + 1, small=UNCOUNTED)
    assert status == 200
    most = (130 + 2 * LIMIT_TOKENS) * 1_000
    assert LARGE < booked <= LARGE + most


def test_the_first_models_answer_in_place_of_an_error_is_paid_twice(ask: Ask, speaker: Speaker) -> None:
    assert ask(least=2 * SMALL, small=CUT, large=fails(503)) == (200, 2 * SMALL)
    assert speaker.models() == ["small", "large", "small"]


def test_a_model_that_hangs_is_estimated_beside_the_answer(ask: Ask) -> None:
    status, booked = ask(least=LARGE + 1, small=Saying(body=b"", hangs=True))
    assert status == 200
    assert LARGE < booked <= LARGE + (130 + 2 * LIMIT_TOKENS) * 1_000


def test_the_reservation_is_the_sum_of_what_all_models_can_cost(gateway: RunningUp, speaker: Speaker) -> None:
    (port,) = gateway.site.ports
    speaker.said = {"small": GOOD, "large": GOOD}
    assert chat(port, "plain", key=f"{KEY}-tight").status == 200, "it fits the dearest of the two"
    until(lambda: spent(port, key=f"{KEY}-tight") == SMALL)
    assert chat(port, key=f"{KEY}-tight").status == 429, "and not both together"
    assert not usage(port, key=f"{KEY}-tight")["budget"]["reserved"]


def test_gateways_count_what_reports_bring(gateway: RunningUp, ask: Ask) -> None:
    """Of what another route's rule led there, too, once more by that route: of a rejected answer as of the other."""
    from urllib.request import urlopen

    (url,) = (gateway.site.state / "_budget" / "gateways").read_text().split()

    def counted(kind: str, model: str) -> tuple[float, ...]:
        with urlopen(url, timeout=10) as response:  # noqa: S310 - ours
            text = response.read().decode()
        labels = {"consumer": "fairlead/agent", "route": "fairlead/chat", "target": f"sim/one/{model}"}
        labels |= {"asked": "fairlead/led"} if kind == "moved" else {}
        names = ("requests", "input_tokens", "output_tokens")
        return tuple(metric(text, f"envoy_fairlead_{kind}_{name}", **labels) for name in names)

    series = [("metered", "small"), ("metered", "large"), ("moved", "small"), ("moved", "large")]
    before = [counted(*one) for one in series]
    for asked in ("chat", "led"):
        ask(asked, least=SMALL + LARGE, small=CUT)
    one, two = (1, TOKENS_IN, TOKENS_OUT), (2, 2 * TOKENS_IN, 2 * TOKENS_OUT)
    wanted = [
        tuple(map(sum, zip(old, new, strict=True))) for old, new in zip(before, (two, two, one, one), strict=True)
    ]
    until(lambda: [counted(*each) for each in series] == wanted, f"not {wanted}")
