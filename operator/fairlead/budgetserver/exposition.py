"""What a gateway counted, out of its metrics: per consumer, route and target, requests and their tokens. Pure."""

from collections.abc import Mapping

from fairlead.adapters.exposition import samples
from fairlead.budget.reconciliation import NOTHING, Count, UsageCounterKey

SERIES: Mapping[str, str] = {
    "envoy_fairlead_metered_requests": "requests",
    "envoy_fairlead_metered_input_tokens": "input",
    "envoy_fairlead_metered_output_tokens": "output",
    "envoy_fairlead_metered_cached_tokens": "cached",
}
_UPTIME = "envoy_server_uptime"


def uptime_s(text: str) -> int | None:
    """Return how long the gateway's process runs; None when it does not say."""
    return next((sample.value for sample in samples(text, {_UPTIME})), None)


def counts(text: str, *, gateway: str) -> dict[UsageCounterKey, Count]:
    """Return what a gateway counted. `gateway` names it when its series carry no label `gateway`."""
    found: dict[UsageCounterKey, Count] = {}
    for sample in samples(text, SERIES):
        key = UsageCounterKey(
            gateway=sample.labels.get("gateway", gateway),
            consumer=sample.labels.get("consumer", "-"),
            route=sample.labels.get("route", "-"),
            target=sample.labels.get("target", "-"),
        )
        found[key] = found.get(key, NOTHING) + Count(**{SERIES[sample.name]: sample.value})
    return found
