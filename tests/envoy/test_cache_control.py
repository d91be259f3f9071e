"""What HTTP's own words of caches do to kept answers: those of clients, and those of providers."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from keeping import ask, outcome, world
from numbered import NumberedProvider, stream, whole
from running import CHAT, Answer, Gateway
from scripted import PATIENCE_S

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def provider() -> Iterator[NumberedProvider]:
    with NumberedProvider() as running:
        yield running


@pytest.fixture(scope="module")
def served(provider: NumberedProvider) -> Iterator[Gateway]:
    with Gateway(world(provider)) as running:
        yield running


@pytest.fixture
def running(served: Gateway, provider: NumberedProvider) -> Gateway:
    provider.make, provider.read = whole, None
    return served


@pytest.fixture
def said(request: pytest.FixtureRequest) -> str:
    """What nobody has asked in another test."""
    return str(request.node.nodeid)


def test_clients_say_what_may_be_read_and_kept(running: Gateway, said: str) -> None:
    def asked(control: str) -> Answer:
        return ask(running, said, headers={"Cache-Control": control})

    kept = ask(running, said)
    for control in ("no-store", "No-Store", "max-age=60, no-store"):
        answer = asked(control)
        assert outcome(answer) == "bypass"
        assert answer.body != kept.body
    assert ask(running, said).body == kept.body, "nor was what it got kept"
    fresh = asked("no-cache")
    assert outcome(fresh) == "miss"
    assert fresh.body != kept.body
    assert ask(running, said).body == fresh.body, "the newer one is kept"
    for control in ("max-age=3600", 'Max-Age = "3600"', "max-age=60, max-age=3600", "max-age=99999999999999999999"):
        assert outcome(asked(control)) == "hit"
    for control in ("only-if-cached", "min-fresh=9", "max-stale", "x-max-age=0", "", ",,="):
        assert outcome(asked(control)) == "hit", "what is not known changes nothing"


@pytest.mark.parametrize(
    "control",
    [
        *("max-age=0", "max-age=00", "max-age=3600, max-age=0", "max-age=0, max-age=3600", 'max-age="0"'),
        *("max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "max-age=60s", "max-age=0x60"),
        *("max-age=6 0", 'max-age="60', "max-age 60", "max-age=+60", "max-age=60=60", "foo, max-age=-60", "no-cache=x"),
    ],
)
def test_no_age_and_what_is_none_make_every_answer_too_old(running: Gateway, said: str, control: str) -> None:
    kept = ask(running, said)
    assert outcome(ask(running, said)) == "hit"
    fresh = ask(running, said, headers={"Cache-Control": control})
    assert outcome(fresh) == "miss"
    assert fresh.body != kept.body
    assert ask(running, said).body == fresh.body, "the newer one is kept"


def test_pragma_counts_where_nothing_else_is_said(running: Gateway, said: str) -> None:
    ask(running, said)
    assert outcome(ask(running, said, headers={"Pragma": "No-Cache"})) == "miss"
    for other in ("x", "no-store", "max-age=0"):
        assert outcome(ask(running, said, headers={"Pragma": other})) == "hit", "RFC 9111, 5.4"
    assert outcome(ask(running, said, headers={"Pragma": "no-cache", "Cache-Control": "max-age=3600"})) == "hit"
    assert outcome(ask(running, said, headers={"Pragma": "x", "Cache-Control": "no-cache"})) == "miss"


def test_several_headers_are_one(running: Gateway, said: str) -> None:
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": said}]})

    def asked(*controls: str) -> str | None:
        client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_S)
        client.putrequest("POST", CHAT)
        length = ("Content-Length", str(len(body)))
        for name, value in (
            ("Authorization", "Bearer sk-alice"),
            length,
            *(("Cache-Control", one) for one in controls),
        ):
            client.putheader(name, value)
        client.endheaders(body.encode())
        answer = client.getresponse()
        answer.read()
        client.close()
        return answer.headers["x-fairlead-cache"]

    assert [asked(), asked()] == ["miss", "hit"]
    assert asked("max-age=3600", "no-store") == "bypass"
    assert asked("max-age=3600", "max-age=0") == "miss"


@pytest.mark.parametrize("streams", [False, True])
def test_a_provider_may_forbid_that_its_answer_is_kept(
    running: Gateway, provider: NumberedProvider, said: str, *, streams: bool
) -> None:
    def asked(control: str) -> list[str | None]:
        make = stream if streams else whole
        provider.make = lambda number: replace(make(number), headers={"Cache-Control": control})
        fields = {"stream": True} if streams else {}
        return [outcome(ask(running, f"{said} {control}", **fields)) for _ in range(2)]

    for control in ("no-store", "private, No-Store", "no-store, max-age=60"):
        assert asked(control) == ["miss", "miss"]
    for control in ("private", "no-cache", "no-cache, must-revalidate", "max-age=0", "public"):
        assert asked(control) == ["miss", "hit"], "the route says for how long, and for whom"
