"""Counters and the memory of the last requests."""

from fairlead.demo.provider import journal
from fairlead.demo.provider.journal import Journal, Outcome, Record


def record(number: int = 1, body: bytes = b"") -> Record:
    headers = (("Authorization", "Bearer k"),)
    return Record(number=number, method="POST", target="/v1/x?a=b", headers=headers, body=body, model="m")


def test_counts() -> None:
    kept, one = Journal(), record()
    kept.open(one)
    assert kept.stats.in_flight == 1
    one.status, one.completion_tokens = 200, 5
    kept.close(one, Outcome.DISCONNECTED)
    stats = kept.stats
    assert (stats.requests, stats.in_flight, stats.disconnects, stats.completion_tokens) == (1, 0, 1, 5)
    assert (stats.by_path["/v1/x"], stats.by_model["m"], stats.by_status[200]) == (1, 1, 1)


def test_forgets_the_oldest_bodies_but_never_the_last() -> None:
    kept = Journal()
    for number in range(3):
        kept.open(record(number, b"x" * (journal.KEPT_BYTES // 2 + 1)))
    assert [each.number for each in kept.records] == [2]


def test_reset_keeps_what_is_in_flight() -> None:
    kept = Journal()
    kept.open(record())
    kept.reset()
    assert (kept.stats.requests, kept.stats.in_flight, len(kept.records)) == (0, 1, 0)


def test_header_is_found_in_any_case() -> None:
    assert record().header("authorization") == "Bearer k"
    assert record().header("x-other") is None
