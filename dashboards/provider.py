"""One provider, or some: its endpoints' health, what they answer, how fast, and what probes met."""

from dashboards.board import Board, Chart, Choice, Figure, Query

_ENDPOINT = 'provider_endpoint=~"($provider)/.*"'
_TARGET = 'target=~"($provider)/.*"'
_FAILED = f'{_TARGET},code!~"2.."'

PROVIDER = Board(
    uid="fairlead-provider",
    title="Fairlead / Provider",
    says="How a ModelProvider's endpoints stand, by probes and by real traffic.",
    choices=(
        Choice("provider", "Provider", "fairlead_endpoint_share_ratio", "provider_endpoint", regex="/^([^\\/]+)/"),
    ),
    rows=(
        (
            "How they stand",
            (
                Figure(
                    "Endpoints with less than their traffic",
                    "none",
                    "Down, recovering or drained.",
                    Query(f"count(fairlead_endpoint_share_ratio{{{_ENDPOINT}}} < 1) or vector(0)", ""),
                    red_at=1,
                    width=6,
                ),
                Figure(
                    "Attempts that fail",
                    "percentunit",
                    "Of all attempts: no 2xx came. What clients saw of it stands on the board of the route.",
                    Query(
                        f"sum(rate(envoy_fairlead_attempt_total{{{_FAILED}}}[$__rate_interval]) or vector(0))"
                        f" / (sum(rate(envoy_fairlead_attempt_total{{{_TARGET}}}[$__rate_interval])) > 0)",
                        "",
                    ),
                    red_at=0.05,
                    width=6,
                ),
                Figure(
                    "Regions down",
                    "none",
                    "Regions that count as down as a whole.",
                    Query("sum(fairlead_region_down) or vector(0)", ""),
                    red_at=1,
                    width=6,
                ),
                Figure(
                    "Probes unreliable",
                    "none",
                    "1: the operator seems to be cut off, and probes move nothing.",
                    Query("max(fairlead_probes_unreliable)", ""),
                    red_at=1,
                    width=6,
                ),
                Chart(
                    "Share of their traffic",
                    "percentunit",
                    "What each endpoint may have of the traffic that it is declared for.",
                    (
                        Query(
                            f"max by (provider_endpoint) (fairlead_endpoint_share_ratio{{{_ENDPOINT}}})",
                            "{{provider_endpoint}}",
                        ),
                    ),
                ),
                Chart(
                    "Changes of state",
                    "short",
                    "In the interval shown; an endpoint that comes and goes is flapping.",
                    (
                        Query(
                            "sum by (provider_endpoint, state)"
                            f" (increase(fairlead_endpoint_transitions_total{{{_ENDPOINT}}}[$__rate_interval]))",
                            "{{provider_endpoint}} {{state}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "What they answer",
            (
                Chart(
                    "Attempts",
                    "reqps",
                    "By target.",
                    (
                        Query(
                            f"sum by (target) (rate(envoy_fairlead_attempt_total{{{_TARGET}}}[$__rate_interval]))",
                            "{{target}}",
                        ),
                    ),
                ),
                Chart(
                    "Attempts that failed",
                    "reqps",
                    "By target, status (0: none came) and Envoy's flag.",
                    (
                        Query(
                            "sum by (target, code, flags) (rate(envoy_fairlead_attempt_total"
                            f"{{{_FAILED}}}[$__rate_interval]))",
                            "{{target}} {{code}} {{flags}}",
                        ),
                    ),
                ),
                Chart(
                    "Response headers of streams, 95 %",
                    "ms",
                    "Of an attempt alone, by target.",
                    (
                        Query(
                            "histogram_quantile(0.95, sum by (le, target) (rate("
                            f"envoy_fairlead_attempt_first_byte_ms_bucket{{{_TARGET}}}[$__rate_interval])))",
                            "{{target}}",
                        ),
                    ),
                ),
                Chart(
                    "Probes",
                    "ops",
                    "By endpoint and by what they met.",
                    (
                        Query(
                            "sum by (provider_endpoint, result)"
                            f" (rate(fairlead_probes_total{{{_ENDPOINT}}}[$__rate_interval]))",
                            "{{provider_endpoint}} {{result}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
