"""One route, or some: who calls it, what answers, how fast, and which rungs are used."""

from dashboards.board import Board, Chart, Choice, Figure, Query

_OF = 'route=~"$route"'
_THUMBS = "sum by (route, arm, target) (increase(fairlead_feedback_ratings_total"
_ARM = 'arm=~"@($route)/.*"'


def _quantile(share: float, series: str, by: str = "") -> str:
    kept = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({kept}) (rate({series}_bucket{{{_OF}}}[$__rate_interval])))"


ROUTE = Board(
    uid="fairlead-route",
    title="Fairlead / Route",
    says="What a ModelRoute's callers see, and what its ladder does for it.",
    choices=(Choice("route", "Route", 'envoy_fairlead_requests{route!="gateway",route!="usage"}', "route"),),
    rows=(
        (
            "What callers see",
            (
                Figure(
                    "Requests",
                    "reqps",
                    "All that the route was asked.",
                    Query(f"sum(rate(envoy_fairlead_requests{{{_OF}}}[$__rate_interval]))", ""),
                    width=6,
                ),
                Figure(
                    "Answered with 5xx",
                    "percentunit",
                    "Requests that no rung could serve.",
                    Query(
                        f'sum(rate(envoy_fairlead_requests{{{_OF},code=~"5.."}}[$__rate_interval]) or vector(0))'
                        f" / (sum(rate(envoy_fairlead_requests{{{_OF}}}[$__rate_interval])) > 0)",
                        "",
                    ),
                    red_at=0.01,
                    width=6,
                ),
                Figure(
                    "Whole answer, 95 %",
                    "ms",
                    "From the request to the last byte.",
                    Query(_quantile(0.95, "envoy_fairlead_latency_ms"), ""),
                    width=6,
                ),
                Figure(
                    "Dollars an hour",
                    "currencyUSD",
                    "Booked by reports, at the present rate.",
                    Query(f"sum(rate(fairlead_spend_usd_total{{{_OF}}}[$__rate_interval])) * 3600", ""),
                    width=6,
                ),
                Chart(
                    "Answers by status",
                    "reqps",
                    "By route.",
                    (
                        Query(
                            f"sum by (route, code) (rate(envoy_fairlead_requests{{{_OF}}}[$__rate_interval]))",
                            "{{route}} {{code}}",
                        ),
                    ),
                ),
                Chart(
                    "Response headers",
                    "ms",
                    "From the request until the first byte of the provider's answer came.",
                    (
                        Query(_quantile(0.5, "envoy_fairlead_first_byte_ms", "route"), "{{route}} half"),
                        Query(_quantile(0.95, "envoy_fairlead_first_byte_ms", "route"), "{{route}} 95 %"),
                    ),
                ),
                Chart(
                    "Callers",
                    "reqps",
                    "The twenty busiest.",
                    (
                        Query(
                            f"topk(20, sum by (consumer) (rate(envoy_fairlead_requests{{{_OF}}}[$__rate_interval])))",
                            "{{consumer}}",
                        ),
                    ),
                ),
                Chart(
                    "Tokens",
                    "short",
                    "A second. Cached ones are part of the prompt's.",
                    (
                        Query(f"sum(rate(envoy_fairlead_prompt_tokens{{{_OF}}}[$__rate_interval]))", "prompt"),
                        Query(f"sum(rate(envoy_fairlead_cached_tokens{{{_OF}}}[$__rate_interval]))", "cached"),
                        Query(f"sum(rate(envoy_fairlead_completion_tokens{{{_OF}}}[$__rate_interval]))", "completion"),
                    ),
                ),
            ),
        ),
        (
            "Its ladder",
            (
                Chart(
                    "Who answers",
                    "reqps",
                    "Targets (provider/endpoint/model) that clients' answers came from.",
                    (
                        Query(
                            f'sum by (target) (rate(envoy_fairlead_requests{{{_OF},target!=""}}[$__rate_interval]))',
                            "{{target}}",
                        ),
                    ),
                ),
                Chart(
                    "Attempts by arm",
                    "reqps",
                    "A digest at an arm's end is a ladder in another order than declared.",
                    (
                        Query(
                            f"sum by (arm) (rate(envoy_fairlead_attempt_total{{{_ARM}}}[$__rate_interval]))", "{{arm}}"
                        ),
                    ),
                ),
                Chart(
                    "Attempts that failed",
                    "reqps",
                    "By target, status and Envoy's flag: most of them the next rung hid from the client.",
                    (
                        Query(
                            "sum by (target, code, flags) (rate(envoy_fairlead_attempt_total"
                            f'{{{_ARM},code!~"2.."}}[$__rate_interval]))',
                            "{{target}} {{code}} {{flags}}",
                        ),
                    ),
                ),
                Chart(
                    "Response headers by target, 95 %",
                    "ms",
                    "Of clients' answers.",
                    (Query(_quantile(0.95, "envoy_fairlead_first_byte_ms", "target"), "{{target}}"),),
                ),
            ),
        ),
        (
            "Its rollout",
            (
                Chart(
                    "Phase and step",
                    "none",
                    "The step that is under way, by phase; 0 while nothing rolls out.",
                    (
                        Query(
                            f"max by (route, phase) (fairlead_rollout_phase{{{_OF}}} == 1)"
                            f" * on (route) group_left () max by (route) (fairlead_rollout_step{{{_OF}}})",
                            "{{route}} {{phase}}",
                        ),
                    ),
                    width=8,
                ),
                Chart(
                    "The candidate's share",
                    "percentunit",
                    "Of the requests that it answers (`traffic`) or gets copies of (`shadow`).",
                    (
                        Query(
                            f"max by (route, kind) (fairlead_rollout_share_ratio{{{_OF}}})",
                            "{{route}} {{kind}}",
                        ),
                    ),
                    width=8,
                ),
                Chart(
                    "Verdicts",
                    "none",
                    "So many so far, by outcome. `Failed` and `Error` lead back, `Inconclusive` waits.",
                    (
                        Query(
                            f"sum by (route, outcome) (fairlead_rollout_verdicts_total{{{_OF}}})",
                            "{{route}} {{outcome}}",
                        ),
                    ),
                    width=8,
                ),
                Chart(
                    "Attempts in this step",
                    "short",
                    "What the verdicts count, side by side; each step begins anew.",
                    (
                        Query(
                            f"sum by (route, side) (fairlead_rollout_step_requests{{{_OF}}})",
                            "{{route}} {{side}}",
                        ),
                    ),
                    width=6,
                ),
                Chart(
                    "Failed in this step",
                    "percentunit",
                    "The part of each side's attempts that failed, also where the next rung hid it from the client.",
                    (
                        Query(
                            f'sum by (route, side) (fairlead_rollout_step_requests{{{_OF},result="failed"}})'
                            f" / (sum by (route, side) (fairlead_rollout_step_requests{{{_OF}}}) > 0)",
                            "{{route}} {{side}}",
                        ),
                    ),
                    width=6,
                ),
                Chart(
                    "First byte in this step, 95 %",
                    "s",
                    "Of streams, by side: the bound of the histogram's bucket.",
                    (
                        Query(
                            f"max by (route, side) (fairlead_rollout_step_first_byte_seconds{{{_OF}}})",
                            "{{route}} {{side}}",
                        ),
                    ),
                    width=6,
                ),
                Chart(
                    "Dollars a request in this step",
                    "currencyUSD",
                    "The mean of answered attempts, by side, by declared prices.",
                    (
                        Query(
                            f"max by (route, side) (fairlead_rollout_step_usd_per_request{{{_OF}}})",
                            "{{route}} {{side}}",
                        ),
                    ),
                    width=6,
                ),
                Chart(
                    "Thumbs down, of those rated in a day",
                    "percentunit",
                    "What users think of answers, by side and model, on routes that take feedback.",
                    (
                        Query(
                            f'{_THUMBS}{{{_OF},rating="down"}}[1d])) / ({_THUMBS}{{{_OF}}}[1d])) > 0)',
                            "{{route}} {{arm}} {{target}}",
                        ),
                    ),
                    width=12,
                ),
                Chart(
                    "Thumbs in a day",
                    "short",
                    "How many there are to judge by.",
                    (
                        Query(
                            f"sum by (route, arm, rating) (increase(fairlead_feedback_ratings_total{{{_OF}}}[1d]))",
                            "{{route}} {{arm}} {{rating}}",
                        ),
                    ),
                    width=12,
                ),
            ),
        ),
    ),
)
