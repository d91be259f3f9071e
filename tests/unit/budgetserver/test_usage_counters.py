"""Prometheus text as Envoy writes it."""

from fairlead.budget.reconciliation import Count, UsageCounterKey
from fairlead.budgetserver.reconciliation import counts, uptime_s

TEXT = """\
# TYPE envoy_fairlead_metered_input_tokens counter
envoy_fairlead_metered_input_tokens{consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1",code="200"} 44
envoy_fairlead_metered_input_tokens{consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1",code="201"} 6
envoy_fairlead_metered_output_tokens{consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1",code="200"} 1.5e+03
envoy_fairlead_metered_cached_tokens{consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1",code="200"} 3
envoy_fairlead_metered_requests{consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1",code="200"} 2
envoy_fairlead_metered_input_tokens{consumer="t/\\"b\\"",route="t/chat",target="p/e/m"} 1
envoy_fairlead_prompt_tokens{consumer="t/a",route="t/chat",target="p/e/m"} 99
envoy_fairlead_latency_ms_bucket{consumer="t/a",le="5"} 9
envoy_cluster_upstream_rq_total{envoy_cluster_name="budget"} 7
garbage
"""


def test_counts() -> None:
    found = counts(TEXT, gateway="10.0.0.7:9901")
    assert found == {
        UsageCounterKey(gateway="eu-1", consumer="t/a", route="t/chat", target="p/e/m"): Count(
            requests=2, input=50, output=1500, cached=3
        ),
        UsageCounterKey(gateway="10.0.0.7:9901", consumer='t/"b"', route="t/chat", target="p/e/m"): Count(input=1),
    }


def test_what_was_moved_is_counted_by_the_routes_that_were_asked_too() -> None:
    labels = 'consumer="t/a",route="t/chat",target="p/e/m",gateway="eu-1"'
    text = (
        f'envoy_fairlead_metered_requests{{{labels}}} 3\nenvoy_fairlead_moved_requests{{{labels},asked="t/a,t/b"}} 2\n'
    )
    whole = UsageCounterKey(gateway="eu-1", consumer="t/a", route="t/chat", target="p/e/m")
    moved = UsageCounterKey(gateway="eu-1", consumer="t/a", route="t/a,t/b,t/chat", target="p/e/m")
    assert counts(text, gateway="x") == {whole: Count(requests=3), moved: Count(requests=2)}
    assert (moved.whole, moved.routes, moved.answered) == (whole, ("t/a", "t/b", "t/chat"), "t/chat")


def test_uptime() -> None:
    assert uptime_s("a 1\nenvoy_server_uptime{} 42\nb 2\n") == 42
    assert uptime_s(TEXT) is None


def test_nothing_is_counted_yet() -> None:
    assert counts("", gateway="x") == {}
