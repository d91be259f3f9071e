"""The part of the trace that the package carries."""

from fairlead.demo.trace import Arrival, Service, arrivals, parse


def test_two_minutes() -> None:
    trace = arrivals()
    assert (len(trace), sum(each.prompt_tokens for each in trace)) == (1_450, 2_377_866)
    assert list(trace) == sorted(trace, key=lambda each: each.at_s)
    assert 119 < trace[-1].at_s < 120
    assert {each.service for each in trace} == set(Service)


def test_a_shorter_part() -> None:
    trace = arrivals(seconds=10)
    assert trace == arrivals()[: len(trace)]
    assert trace[-1].at_s < 10


def test_parse() -> None:
    lines = ["seconds,service,context_tokens,generated_tokens", "0.5,code,12,3"]
    assert parse(lines) == (Arrival(at_s=0.5, service=Service.CODE, prompt_tokens=12, completion_tokens=3),)
