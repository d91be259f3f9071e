"""Gateways that take turns are compared within a round, on connections of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from benchmarks import turns
from benchmarks.turns import TIMES, Gateway


def test_a_turn_has_its_own_connection_and_the_first_round_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = {1: 0.0, 2: 0.0}
    opened: list[int] = []

    @contextmanager
    def connection(port: int) -> Iterator[Callable[[bytes, int], None]]:
        opened.append(port)

        def send(request: bytes, times: int) -> None:
            assert (b"X-Y: z\r\n" in request) == (port == 20)
            assert request.endswith(b"\r\n\r\nsaid")
            first = len(opened) <= 2 * len(TIMES)
            spent[port // 10] += times * (1.0 if first else port * 1e-6)

        yield send

    monkeypatch.setattr(turns, "connection", connection)
    monkeypatch.setattr(turns, "cpu_seconds", spent.__getitem__)
    gateways = {"plain": Gateway(1, 10), "other": Gateway(2, 20, "X-Y: z\r\n")}
    costs = turns.take(gateways, 3, lambda _size: b"said")
    assert {key: [round(one) for one in found] for key, found in costs.items()} == {
        (size, name): [port] * 3 for size in TIMES for name, port in (("plain", 10), ("other", 20))
    }
    assert opened == [10, 20, 10, 20, 20, 10, 20, 10] * 2


def test_a_ratio_is_taken_within_a_round() -> None:
    costs = {(1_000, "other"): [20.0, 400.0, 60.0], (1_000, "plain"): [10.0, 100.0, 20.0]}
    assert turns.table(costs, "plain").splitlines()[2:] == [
        "| 1 KB | plain | 20 | 1.00x | 1.00 to 1.00 |",
        "| 1 KB | other | 60 | 3.00x | 2.00 to 4.00 |",
    ]
