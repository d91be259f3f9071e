"""What a gateway does by itself when checks go wrong, with a budget server that says and does what a test wants."""

import contextlib
import re
import socket
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from gateway import new_folder
from running import Gateway, simple, target

from fairlead import envoy, ir
from fairlead.budgetserver import answer
from fairlead.budgetserver.messages import METHOD, OK, SERVICE, Request, Response
from fairlead.demo.provider import SimulatedProvider
from fairlead.envoy import filters, request_filter

pytestmark = pytest.mark.envoy
FAR = 4_102_444_800
BIG = {"max_tokens": 100}
NOTED = Response(overall_code=OK).SerializeToString()


class Scripted:
    """A rate limit service that answers checks as told: bytes are the answer, None is a failure."""

    def __init__(self) -> None:
        self.answer: bytes | None = answer.granted("1", None, None)
        self.checks: deque[str] = deque()
        self.folder: Path = new_folder()
        method = grpc.unary_unary_rpc_method_handler(self._limit, request_deserializer=Request.FromString)
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),))
        self.address = f"unix:{self.folder}/rpc.sock"
        self._server.add_insecure_port(self.address)
        self._server.start()

    def _limit(self, request: Any, context: grpc.ServicerContext) -> bytes:
        entry = request.descriptors[0].entries[0]
        if entry.key != "check":
            return NOTED
        self.checks.append(entry.value)
        if self.answer is None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the store is away")
            raise AssertionError("abort raises")
        return self.answer

    def stop(self) -> None:
        self._server.stop(0).wait()


def closed(
    what: str = "*", *, revision: str = "r1", until: int = FAR, size: str = "0 - 0", at_end: bool = False
) -> bytes:
    """Refuse, and say what is closed with it."""
    words = f"team/alice {what} {until} {until} {revision} {size} {at_end:d}"
    return answer.rejected((), 1, 0, f"{words}\n5, 5\n0\n0.01\nAll is spent.")


@pytest.fixture
def limiter() -> Iterator[Scripted]:
    running = Scripted()
    yield running
    running.stop()


@pytest.fixture
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("sparrow",), keys=()) as running:
        yield running


@pytest.fixture
def serving(limiter: Scripted, provider: SimulatedProvider) -> Iterator[Gateway]:
    budgeted = with_revision(simple(target("sim/one/sparrow", provider)), "r1")
    with Gateway(budgeted, budget=envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)) as running:
        yield running


def with_revision(whole: ir.Gateway, revision: str) -> ir.Gateway:
    """Let policies of a revision count all that the consumer spends."""
    (alice,) = whole.consumers
    alice = replace(alice, budgeted_routes=None, budget_revision=revision)
    return replace(whole, consumers=(alice,), budget=ir.BudgetCheck(timeout_ms=10_000, fail_closed=False))


def constants(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    """Let gateways that are rendered from now on have other numbers in their Lua."""

    def changed(text: str) -> str:
        for name, value in values.items():
            text = re.sub(rf"local {name} = \d+", f"local {name} = {value}", text)
        return text

    request, other = request_filter.source, filters.source
    monkeypatch.setattr(request_filter, "source", lambda **told: changed(request(**told)))
    monkeypatch.setattr(filters, "source", lambda name: changed(other(name)))


def test_a_verdict_outlives_the_check(serving: Gateway, limiter: Scripted) -> None:
    limiter.answer = closed()
    assert serving.ask().status == 429
    limiter.answer = None
    limiter.checks.clear()
    refused = serving.ask()
    assert (refused.status, refused.code) == (429, "insufficient_quota")
    assert b"All is spent." in refused.body
    assert refused.headers["x-fairlead-budget-remaining"] == "0.01"
    assert refused.headers["x-should-retry"] == "false"
    assert int(refused.headers["retry-after"]) > 1_000_000
    assert not limiter.checks, "nobody was asked"


@pytest.mark.parametrize(
    "verdict",
    [
        pytest.param(closed(revision="r0"), id="of other policies"),
        pytest.param(closed(until=1), id="of a window that has ended"),
        pytest.param(closed("team/other"), id="on another route"),
        pytest.param(closed("team/chat|other", size="1 - 1"), id="on another model"),
        pytest.param(closed("team/chat|chat", size="9999 - 1"), id="on larger bodies"),
        pytest.param(closed("team/chat|chat", size="1 101 1"), id="on more output"),
        pytest.param(closed("team/chat|chat", size="1 - 1"), id="on what says no limit"),
        pytest.param(closed("team/chat|chat", size="1 100 2"), id="on more answers"),
    ],
)
def test_a_verdict_on_something_else_refuses_nothing(serving: Gateway, limiter: Scripted, verdict: bytes) -> None:
    limiter.answer = verdict
    assert serving.ask(**BIG).status == 429
    limiter.answer = answer.granted("1", None, None)
    assert serving.ask(**BIG).status == 200


@pytest.mark.parametrize("what", ["*", "team/chat"])
@pytest.mark.parametrize("ask", [{}, BIG, {"n": 3}])
def test_where_everything_is_closed_size_makes_no_difference(
    serving: Gateway, limiter: Scripted, what: str, ask: dict[str, Any]
) -> None:
    limiter.answer = closed(what)
    assert serving.ask(**BIG).status == 429
    limiter.answer = answer.granted("1", None, None)
    assert serving.ask(**ask).status == 429


@pytest.mark.parametrize(
    "ask", [BIG, {"max_tokens": 101}, {"max_tokens": 100, "n": 2}, {"max_tokens": 100, "stop": "."}]
)
def test_what_may_cost_as_much_is_refused_too(serving: Gateway, limiter: Scripted, ask: dict[str, Any]) -> None:
    limiter.answer = closed("team/chat|chat", size="50 100 1")
    assert serving.ask(**BIG).status == 429
    limiter.answer = answer.granted("1", None, None)
    assert serving.ask(**ask).status == 429
    assert serving.ask(max_tokens=99).status == 200


def test_another_revision_of_the_policies_voids_a_verdict(serving: Gateway, limiter: Scripted) -> None:
    limiter.answer = closed()
    assert serving.ask().status == 429
    limiter.answer = answer.granted("1", None, None)
    assert serving.ask().status == 429
    serving.serve(with_revision(serving.whole, "r2"))
    until_answered = 0
    while serving.ask().status == 429:
        until_answered += 1
        assert until_answered < 1_000


def test_one_that_asks_all_the_same_finds_room_or_is_refused_where_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, limiter: Scripted, provider: SimulatedProvider
) -> None:
    constants(monkeypatch, ASKED_EVERY=0, MOMENT=-1)
    budgeted = with_revision(simple(target("sim/one/sparrow", provider)), "r1")
    with Gateway(budgeted, budget=envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)) as serving:
        limiter.answer = closed()
        assert serving.ask().status == 429
        limiter.answer = None
        limiter.checks.clear()
        for _ in range(3):
            refused = serving.ask()
            assert (refused.status, refused.code) == (429, "insufficient_quota")
        assert b"All is spent." in refused.body
        assert len(limiter.checks) == 3, "each of them asked"
        limiter.answer = answer.granted("1", None, None)
        assert serving.ask().status == 200
        limiter.answer = None
        assert serving.ask().status == 200, "nothing is closed any more, and the failurePolicy is Open"


def test_who_was_refused_a_moment_ago_does_not_pass_where_nobody_answers(serving: Gateway, limiter: Scripted) -> None:
    """As in a burst: the checks of some came back, those of others ran into the timeout."""
    limiter.answer = closed("team/chat|chat", size="9999 - 1")
    assert serving.ask().status == 429
    limiter.answer = None
    assert serving.ask().status == 429
    assert len(limiter.checks) == 2


def test_a_smaller_request_of_a_budget_at_its_end_passes_only_where_somebody_says_so(
    monkeypatch: pytest.MonkeyPatch, limiter: Scripted, provider: SimulatedProvider
) -> None:
    constants(monkeypatch, MOMENT=-1)
    budgeted = with_revision(simple(target("sim/one/sparrow", provider)), "r1")
    with Gateway(budgeted, budget=envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)) as serving:
        limiter.answer = closed("team/chat|chat", size="50 100 1", at_end=True)
        assert serving.ask(**BIG).status == 429
        limiter.answer = None
        refused = serving.ask(max_tokens=1)
        assert (refused.status, refused.code) == (429, "insufficient_quota")
        limiter.answer = answer.granted("1", None, None)
        assert serving.ask(max_tokens=1).status == 200, "it found room"
        assert serving.ask(**BIG).status == 429, "which says nothing of larger ones"
        limiter.answer = closed("team/chat|chat", size="50 99 1", at_end=False)
        assert serving.ask(max_tokens=99).status == 429
        limiter.answer = None
        assert serving.ask(max_tokens=1).status == 429, "the budget is still at its end"


def test_what_never_fits_says_nothing_of_smaller_requests(
    monkeypatch: pytest.MonkeyPatch, limiter: Scripted, provider: SimulatedProvider
) -> None:
    constants(monkeypatch, MOMENT=-1)
    budgeted = with_revision(simple(target("sim/one/sparrow", provider)), "r1")
    with Gateway(budgeted, budget=envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)) as serving:
        limiter.answer = closed("team/chat|chat", size="50 100 1")
        assert serving.ask(**BIG).status == 429
        limiter.answer = None
        assert serving.ask(max_tokens=1).status == 200, "the failurePolicy is Open"


def test_an_outage_costs_a_usual_tenant_no_request(serving: Gateway, limiter: Scripted) -> None:
    limiter.answer = None
    assert {serving.ask().status for _ in range(50)} == {200}


def test_what_passes_unchecked_is_bounded_by_rate(
    monkeypatch: pytest.MonkeyPatch, limiter: Scripted, provider: SimulatedProvider
) -> None:
    constants(monkeypatch, UNCHECKED_PER_SECOND=3)
    budgeted = with_revision(simple(target("sim/one/sparrow", provider)), "r1")
    with Gateway(budgeted, budget=envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)) as serving:
        limiter.answer = None
        began = time.monotonic()
        answers = [serving.ask() for _ in range(60)]
        seconds = int(time.monotonic() - began) + 2
    passed = [answer for answer in answers if answer.status == 200]
    assert 3 <= len(passed) <= 3 * seconds
    (refused, *_) = [answer for answer in answers if answer.status != 200]
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "budget_unavailable", "5")


def test_a_server_whose_packets_vanish_costs_a_request_its_timeout(provider: SimulatedProvider) -> None:
    """As when its pods are deleted: nobody says that nobody is there. A second SYN would come after a second."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # as many as the kernel takes for a listener that never accepts; it drops the others
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        check = ir.BudgetCheck(timeout_ms=250, fail_closed=False)
        budgeted = replace(simple(target("sim/one/sparrow", provider)), budget=check)
        with Gateway(budgeted, budget=envoy.BudgetServer(rpc=address, usage=address)) as serving:
            took = []
            for _ in range(30):
                began = time.monotonic()
                assert serving.ask().status == 200
                took.append(time.monotonic() - began)
    assert sorted(took)[26] < 0.9, "nine of ten; a busy machine may take its time"


def test_an_unbudgeted_consumer_s_check_was_answered(serving: Gateway, limiter: Scripted) -> None:
    limiter.answer = answer.UNBUDGETED
    assert serving.ask().status == 200


def test_a_length_in_a_client_s_own_words_enters_no_check(limiter: Scripted) -> None:
    """Of a body that goes on as it came, since the provider calls the model as the client does."""
    body = b'{"model":"chat","messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer sk-alice\r\n"
    server = envoy.BudgetServer(rpc=limiter.address, usage=limiter.address)
    with (
        SimulatedProvider(models=("chat",), keys=()) as provider,
        Gateway(with_revision(simple(target("sim/one/chat", provider)), "r1"), budget=server) as serving,
    ):
        for zeros in (0, 1, 1_000):
            length = b"Content-Type: application/json\r\nContent-Length: " + b"0" * zeros + b"%d" % len(body)
            with socket.create_connection(("127.0.0.1", serving.port), timeout=20) as connection:
                connection.sendall(head + length + b"\r\n\r\n" + body)
                assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 200 ")
    assert [check.split()[3] for check in limiter.checks] == [str(len(body))] * 3


def test_a_provider_cannot_close_or_open_anything(
    serving: Gateway, limiter: Scripted, provider: SimulatedProvider
) -> None:
    limiter.answer = answer.granted("1", None, None)
    provider.control.fault(status=429, count=4)
    assert serving.ask().status == 429
    assert serving.ask().status == 200
