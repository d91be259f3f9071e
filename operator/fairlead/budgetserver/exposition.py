"""Reads gateways' counters out of Prometheus' text format: pure.

A gateway counts, per consumer, route and target, the requests whose tokens its provider told, and those tokens. Other
series are skipped.
"""

import re
from collections.abc import Mapping

from fairlead.budget.reconciliation import NOTHING, Count, UsageCounterKey

SERIES: Mapping[str, str] = {
    "envoy_fairlead_metered_requests": "requests",
    "envoy_fairlead_metered_input_tokens": "input",
    "envoy_fairlead_metered_output_tokens": "output",
    "envoy_fairlead_metered_cached_tokens": "cached",
}
_LINE = re.compile(r"^(envoy_fairlead_[a-z_]+)\{(.*)\} ([0-9.eE+]+)$")
_UPTIME = re.compile(r"^envoy_server_uptime(?:\{\})? (\d+)$", re.MULTILINE)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_LARGEST = 2.0**63
"""Envoy's counters have 64 bits; stores keep 63."""
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def uptime_s(text: str) -> int | None:
    """Return how long the gateway's process runs; None when it does not say."""
    match = _UPTIME.search(text)
    return int(match.group(1)) if match else None


def counts(text: str, *, gateway: str) -> dict[UsageCounterKey, Count]:
    """Return what a gateway counted. `gateway` names it when its series carry no label `gateway`."""
    found: dict[UsageCounterKey, Count] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        kind = SERIES.get(match.group(1)) if match else None
        number = _number(match.group(3)) if match else None
        if match is None or kind is None or number is None:
            continue
        labels = {name: _unescape(value) for name, value in _LABEL.findall(match.group(2))}
        key = UsageCounterKey(
            gateway=labels.get("gateway", gateway),
            consumer=labels.get("consumer", "-"),
            route=labels.get("route", "-"),
            target=labels.get("target", "-"),
        )
        found[key] = found.get(key, NOTHING) + Count(**{kind: number})
    return found


def _unescape(value: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match.group(0), match.group(0)), value)


def _number(text: str) -> int | None:
    """Return a counter's value; None for what is none, or more than a gateway can have counted."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value < _LARGEST else None
