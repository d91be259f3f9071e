"""A contender that fails is a row of the page that says so; the others have theirs."""

from pathlib import Path

import pytest
from benchmarks.gateways import __main__ as gateways
from benchmarks.gateways import load, report
from benchmarks.gateways.contenders import BURST, EVENTS, JSON, Contender, FailedError, Running

MEASURED = ("requests_per_second", "cpu_us", "rate", "p50_ms", "p99_ms", "first_byte_p50_ms")


def figures(*values: float) -> dict[str, list[float]]:
    keys = {**{key: list(values) for key in MEASURED}, "errors": [0.0], "lost": [0.0]}
    return {f"{kind}.{key}": keys[key] for kind in (JSON, BURST, EVENTS) for key in keys}


def table(page: str, heading: str) -> list[str]:
    return [line for line in page.partition(f"### {heading}")[2].partition("###")[0].splitlines() if line[:1] == "|"]


def test_a_failure_is_a_row() -> None:
    measured = {"direct": figures(1), "bare Envoy": figures(2, 2), "Fairlead": figures(4), "slow": {}, "dead": {}}
    failures = {
        ("slow", BURST): ["answered nothing within 4 s"] * 3,
        ("dead", JSON): ["it ended: a | trace\nof many lines"],
        ("Fairlead", JSON): ["the load did not end"],
    }
    page = report.render(measured, failures, "here", rounds=3, seconds=4)
    chat, streams = table(page, "Chat"), table(page, "Streams of 100 chunks, in one burst")
    assert [row.split("|")[1].strip() for row in chat[2:]] == ["direct", "bare Envoy", "Fairlead", "", "dead"]
    assert "| dead | failed: it ended: a / trace of many lines |" in chat[-1]
    assert "1 rounds failed: the load did not end" in chat[-2]
    assert "| slow | failed: answered nothing within 4 s |" in streams[-1]
    assert {row.count("|") for row in (*chat, *streams)} == {11}
    assert "answered this stream with 500: dead." in page


@pytest.mark.parametrize("zero", [figures(0), {}])
@pytest.mark.parametrize("name", ["direct", "bare Envoy", "Fairlead", "other"])
def test_whoever_did_nothing_divides_nobody(name: str, zero: dict[str, list[float]]) -> None:
    names = ("direct", "bare Envoy", "Fairlead", "other")
    page = report.render({**{one: figures(3) for one in names}, name: zero}, {}, "here", rounds=1, seconds=1)
    assert "nan" not in page
    assert "inf" not in page
    assert len(table(page, "Chat")) == 2 + len([one for one in names if one != name or zero])


def test_whoever_ends_or_never_answers_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gateways.contenders.PROXY_CORE", "0")
    monkeypatch.setattr("benchmarks.gateways.contenders.START_TIMEOUT_S", 0.5)
    for command, why in ((["sh", "-c", "echo so it is; exit 3"], "so it is"), (["sleep", "60"], "no 200 within")):
        contender = Contender(name="x", command=lambda *_, command=command: command)
        with pytest.raises(FailedError, match=why), Running(contender, 1, tmp_path, kind=JSON):
            pass


def test_a_load_that_brings_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Requests/sec: 0.00\n  0 requests in 4.00s, 0.00B read\n"
    monkeypatch.setattr(load, "_output", lambda _command, timeout_s: said)  # noqa: ARG005  as it is called
    running = Running(Contender(name="direct", command=lambda *_: []), 1, tmp_path, kind=BURST)
    with pytest.raises(FailedError, match="answered nothing within 4 s"):
        load.closed_loop(running, tmp_path, seconds=4)


@pytest.mark.envoy
def test_the_others_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one(running: Running, into: dict[str, list[float]], *_: object, seconds: int) -> None:
        if running.kind != JSON:
            raise FailedError("answered nothing")
        into["json.p50_ms"].append(float(seconds))

    monkeypatch.setattr("benchmarks.gateways.contenders.LOAD_CORE", "0")
    monkeypatch.setattr("benchmarks.gateways.contenders.PROXY_CORE", "0")
    monkeypatch.setattr(gateways, "_one", one)
    monkeypatch.setattr(gateways, "_provider", lambda *_: 1)  # nobody is asked
    dead = Contender(name="dead", command=lambda *_: ["false"])
    found, failures = gateways.measure(
        [dead, Contender(name="direct", command=lambda *_: [])], 2, 0, tmp_path, tmp_path
    )
    assert list(found) == ["dead", "direct"]
    assert found["direct"] == {"json.p50_ms": [0.0, 0.0]}
    assert set(failures) == {("dead", JSON), *((name, kind) for name in ("dead", "direct") for kind in (BURST, EVENTS))}
    assert failures["direct", EVENTS] == ["answered nothing"] * 2
