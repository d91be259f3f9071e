"""Each attempt's credential comes from its own file, costs no inotify instance, and without it no prompt leaves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running import ROUTE, Gateway, credential, gateway, plan, route, simple, target
from wire import UNSENT, WireProvider

from fairlead import ir

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
PATIENT = ir.Breaker(consecutive_failures=1000, open_for_ms=1000)
PROMPT = b"hello"
"""What `Gateway.ask` asks."""


def rung(name: str, provider: WireProvider, *, limit: int | None = None, key: str = "") -> ir.Target:
    upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
    return target(name, provider, upstream=upstream, breaker=PATIENT, credential=key, max_in_flight=limit)  # type: ignore[arg-type]


def put(running: Gateway, secret: str, value: bytes) -> None:
    """Replace a credential's file in one step."""
    file = running.folder / "credentials" / secret / "key"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_name(".new").write_bytes(value)
    file.with_name(".new").replace(file)


def instances(running: Gateway) -> int:
    """Count the inotify instances of a gateway's Envoy."""
    links = Path(f"/proc/{running.envoy.process.pid}/fd").iterdir()
    return sum("inotify" in _place(link) for link in links)


def _place(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def test_sixty_four_credentials_take_no_inotify_instance() -> None:
    with WireProvider() as provider:
        counts = []
        for number in (1, 64):
            rungs = [rung(f"p{index}/e/m", provider, key=f"s{index}/key") for index in range(number)]
            credentials = [credential(f"s{index}") for index in range(number)]
            with Gateway(simple(*rungs, credentials=credentials)) as running:
                assert running.ask().status == 200
                counts.append(instances(running))
    assert counts[0] == counts[1] <= 16, counts


NO_CREDENTIALS = [
    pytest.param(None, id="no file"),
    pytest.param(b"", id="empty"),
    pytest.param(b" \r\n", id="blank"),
    pytest.param(b"key\nx", id="a newline"),
    pytest.param(b"key\r\nx-injected: 1", id="another header"),
    pytest.param(b"key\0", id="a null"),
    pytest.param(b"k\x7fy", id="a control byte"),
    pytest.param(b"k\ty", id="a tab"),
    pytest.param(b"k" * 65_537, id="too long"),
]


@pytest.mark.parametrize("limit", [None, 5], ids=["direct", "behind a bulkhead"])
@pytest.mark.parametrize("header", ["Authorization", "X-Key"])
@pytest.mark.parametrize("value", NO_CREDENTIALS)
def test_without_a_credential_no_prompt_leaves_and_the_next_rung_serves(
    value: bytes | None, header: str, limit: int | None
) -> None:
    # The provider would have answered anybody: what it says to nothing is no answer.
    with WireProvider() as first, WireProvider() as second:
        lacking = credential("first", header)
        whole = simple(
            rung("a/e/m", first, limit=limit, key=lacking.name),
            rung("b/e/m", second, key="second/key"),
            credentials=(lacking, credential("second")),
        )
        with Gateway(whole) as running:
            (running.folder / "credentials" / "first" / "key").unlink()
            if value is not None:
                put(running, "first", value)
            answers = [
                running.ask(
                    stream=stream,
                    headers={lacking.header: "mine", "x-api-key": "mine"} if header != "Authorization" else {},
                )
                for stream in (False, True)
            ]
        assert [(answer.status, answer.target) for answer in answers] == [(200, "b/e/m")] * 2
        assert first.bodies == [UNSENT] * 2
        assert not [head for head in first.heads if b"mine" in head or b"key\r" in head or b"authorization" in head]
        assert len([body for body in second.bodies if PROMPT in body]) == 2
        assert all(b"authorization: Bearer second-key\r\n" in head for head in second.heads)


def test_on_the_last_rung_it_is_a_refusal_and_it_heals(wait_until: Wait) -> None:
    with WireProvider() as provider:
        whole = simple(rung("a/e/m", provider, key="first/key"), credentials=(credential("first"),))
        with Gateway(whole) as running:
            put(running, "first", b"b\nad")
            wait_until(lambda: running.ask().status == 502)
            answer = running.ask()
            assert (answer.status, answer.code) == (502, "provider_refused")
            put(running, "first", b"good\r\n")
            wait_until(lambda: running.ask().status == 200)
    assert b"authorization: Bearer good\r\n" in provider.heads[-1]
    assert PROMPT in provider.bodies[-1]


def test_the_client_chooses_no_file() -> None:
    with WireProvider() as provider:
        whole = simple(rung("a/e/m", provider, key="first/key"), credentials=(credential("first"), credential("other")))
        with Gateway(whole) as running:
            put(running, "other", b"not-yours")
            line = 'other/key m - - "attempt":1 m m a/e/m 10 /v1/x'
            for name in ("x-fl-host", "X-FL-Host", "x-fl-way"):
                assert running.ask(headers={name: line}).status == 200
    assert not [head for head in provider.heads if b"not-yours" in head or b"x-fl-" in head.lower()]


def test_a_rung_without_its_file_that_hangs_is_not_the_next_ones_refusal() -> None:
    with WireProvider(raw=b"HTTP/1.1 ") as first, WireProvider() as second:
        whole = simple(
            rung("a/e/m", first, key="first/key"),
            rung("b/e/m", second, key="second/key"),
            credentials=(credential("first"), credential("second")),
        )
        with Gateway(whole) as running:
            (running.folder / "credentials" / "first" / "key").unlink()
            answers = [running.ask() for _ in range(3)]
    assert [(answer.status, answer.target) for answer in answers] == [(200, "b/e/m")] * 3
    assert set(first.bodies) == {UNSENT}


def test_a_shadow_without_its_file_takes_no_prompt_along(wait_until: Wait) -> None:
    with WireProvider() as one, WireProvider() as shade:
        first, copy = rung("p/e/m", one, key="first/key"), rung("s/e/m", shade, key="second/key")
        whole = gateway(
            {"chat": route(ROUTE, plan(f"{ROUTE}/0", last=first), shadow=ir.Shadow(target=copy.name, sample=10_000))},
            {f"{ROUTE}/0": (first,)},
            others=(replace(copy),),
            credentials=(credential("first"), credential("second")),
        )
        with Gateway(whole) as running:
            (running.folder / "credentials" / "second" / "key").unlink()
            for _ in range(3):
                assert running.ask().status == 200
            wait_until(lambda: len(shade.bodies) == 3)
            assert running.ask().status == 200, "it still runs"
    assert set(shade.bodies) == {UNSENT}
