"""A ladder changes while its route keeps answers: what one version's targets say is never given again as another's.

Envoy reads the files of a version one by one, so for a moment the routes of one lead to the clusters of the other.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from numbered import NumberedProvider, whole
from running import ROUTE, Answer, Gateway, gateway, last_resort, plan, route, target, upstream

from fairlead import envoy, ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
ROUTES, CLUSTERS, LISTENERS = "xds/rds.json", "xds/cds.json", "xds/lds.json"
NOBODY = 9
"""A port that nobody listens on."""
ACCEPT = ir.Accept(finish_reasons=("stop",), json=True, tool_calls=True, refusal=True, min_characters=1)


@pytest.fixture(scope="module")
def providers() -> Iterator[tuple[NumberedProvider, NumberedProvider]]:
    with ExitStack() as stack:
        made = stack.enter_context(NumberedProvider()), stack.enter_context(NumberedProvider())
        for name, one in zip(("old", "new"), made, strict=True):
            one.make = partial(whole, by=name)
        yield made


def world(digest: str, *rungs: ir.Target, **fields: Any) -> ir.Gateway:
    kept = ir.Cache(ttl_ms=3_600_000, shared=False, digest=digest)
    chat = route(ROUTE, plan(f"{ROUTE}/0", last=rungs[0]), cache=kept, **fields)
    return gateway({"chat": chat}, {f"{ROUTE}/0": rungs}, cache_bytes=1 << 20)


def another_model(provider: NumberedProvider, digest: str) -> ir.Gateway:
    return world(digest, target(f"p/e/{digest}", provider))


def another_address(provider: NumberedProvider, digest: str) -> ir.Gateway:
    return world(digest, target("p/e/m", provider))


def behind_a_bulkhead(provider: NumberedProvider, digest: str) -> ir.Gateway:
    return world(digest, target("p/e/m", provider, max_in_flight=4))


def by_the_last_resort(provider: NumberedProvider, digest: str) -> ir.Gateway:
    nobody = upstream(provider, port=NOBODY)
    made = world(digest, target("p/e/m", provider, upstream=nobody))
    return replace(made, last_resorts=(last_resort(target("p/e/m", provider)),))


def in_a_cascade(provider: NumberedProvider, digest: str) -> ir.Gateway:
    rungs = target("p/e/small", provider, max_in_flight=4), target("p/e/large", provider)
    return world(digest, *rungs, cascade=ir.Cascade(accept=ACCEPT, models=("small", "large")))


def outcome(answer: Answer) -> str:
    assert answer.status == 200, answer
    assert not [name for name in answer.headers if name.startswith("x-fl-")]
    return answer.headers["x-fairlead-cache"]


class Changing:
    """A gateway that goes from one version to the other, and how to ask it what was never asked, or always the same."""

    def __init__(self, running: Gateway, wait_until: Wait) -> None:
        self.running, self._wait = running, wait_until
        self._asked = 0

    def ask(self, said: str = "the same as ever") -> Answer:
        return self.running.ask(messages=[{"role": "user", "content": said}])

    def write(self, files: dict[str, bytes], path: str, is_there: Callable[[Answer], bool]) -> None:
        """Write one file, and wait until it has taken effect: as its digest says, or some answer."""
        self.running.write({path: files[path]})
        if path == ROUTES:
            digest = envoy.digest(files)
            self._wait(lambda: digest.encode() in self.running.send("/fairlead/ready", b"").body)
        else:
            self._wait(lambda: is_there(self._anything()))

    def _anything(self) -> Answer:
        self._asked += 1
        return self.ask(f"something new {self._asked}")


@pytest.mark.parametrize("first", [ROUTES, CLUSTERS])
@pytest.mark.parametrize("made", [another_model, another_address, behind_a_bulkhead, by_the_last_resort, in_a_cascade])
def test_an_answer_of_a_ladder_that_changes_is_not_kept_as_the_others(
    providers: tuple[NumberedProvider, NumberedProvider],
    made: Callable[[NumberedProvider, str], ir.Gateway],
    first: str,
    wait_until: Wait,
) -> None:
    before, after = (made(one, digest) for one, digest in zip(providers, ("old", "new"), strict=True))
    with Gateway(before) as running:
        changing = Changing(running, wait_until)
        old = changing.ask()
        assert [outcome(old), outcome(changing.ask())] == ["miss", "hit"]
        files = envoy.render(after, running.layout)
        changing.write(files, first, lambda answer: b'"new"' in answer.body)
        between = [changing.ask() for _ in range(2)]
        if first == ROUTES:
            assert [outcome(one) for one in between] == ["miss", "miss"], "the old ladder, by the new digest"
        else:
            assert [(outcome(one), one.body) for one in between] == [("hit", old.body)] * 2
            others = [changing.ask("something else") for _ in range(2)]
            assert [outcome(one) for one in others] == ["miss", "miss"], "the new ladder, by the old digest"
        changing.write(files, CLUSTERS if first == ROUTES else ROUTES, lambda answer: b'"new"' in answer.body)
        new = [changing.ask() for _ in range(2)]
        assert [outcome(one) for one in new] == ["miss", "hit"]
        assert b'"new"' in new[0].body


@pytest.mark.parametrize("first", [ROUTES, LISTENERS])
def test_an_answer_that_was_judged_by_other_checks_is_not_kept(
    providers: tuple[NumberedProvider, NumberedProvider], first: str, wait_until: Wait
) -> None:
    provider, _ = providers

    def judging(digest: str, least: int) -> ir.Gateway:
        cascade = ir.Cascade(accept=replace(ACCEPT, min_characters=least), models=("small", "large"))
        return world(digest, target("p/e/small", provider), target("p/e/large", provider), cascade=cascade)

    def is_strict(answer: Answer) -> bool:
        return "p/small=minCharacters" in answer.headers["x-fairlead-cascade"]

    with Gateway(judging("old", 1)) as running:
        changing = Changing(running, wait_until)
        files = envoy.render(judging("new", 100), running.layout)
        changing.write(files, first, is_strict)
        between = [changing.ask() for _ in range(2)]
        assert [outcome(one) for one in between] == ["miss", "miss"]
        assert [is_strict(one) for one in between] == [first == LISTENERS] * 2
        changing.write(files, LISTENERS if first == ROUTES else ROUTES, is_strict)
        new = [changing.ask() for _ in range(2)]
        assert [outcome(one) for one in new] == ["miss", "hit"]
        assert new[0].target == "p/e/large"


def test_what_a_provider_says_of_itself_is_not_heard() -> None:
    """Nor does it reach a client, of a route that keeps answers or of one that keeps none."""
    with NumberedProvider() as provider:
        rung = target("p/e/m", provider)
        kept = ir.Cache(ttl_ms=3_600_000, shared=False, digest="d")
        routes = {
            name: route(f"team/{name}", plan(f"team/{name}/0", last=rung), cache=cache)
            for name, cache in {"kept": kept, "plain": None}.items()
        }
        ladders = {f"team/{name}/0": (rung,) for name in routes}
        with Gateway(gateway(routes, ladders, cache_bytes=1 << 20)) as running:
            provider.make = lambda number: replace(whole(number), headers={"x-fl-made": "mine", "x-fl-judged": "x"})
            assert [outcome(running.ask("kept")) for _ in range(2)] == ["miss", "hit"]
            plain = running.ask("plain")
            assert plain.status == 200
            assert not [name for name in plain.headers if name.startswith("x-fl-")]
