"""Where the dollars go, what is left of budgets, and how sure the books are."""

from dashboards.board import Board, Chart, Choice, Figure, Query

_WHO = 'consumer=~"$consumer"'

MONEY = Board(
    uid="fairlead-money",
    title="Fairlead / Money",
    says="Spend by consumer and route, budgets, and what keeps the books honest.",
    choices=(Choice("consumer", "Consumer", "fairlead_spend_usd_total", "consumer"),),
    rows=(
        (
            "Spend",
            (
                Figure(
                    "Dollars an hour",
                    "currencyUSD",
                    "At the present rate.",
                    Query(f"sum(rate(fairlead_spend_usd_total{{{_WHO}}}[$__rate_interval])) * 3600", ""),
                    width=6,
                ),
                Figure(
                    "Dollars in this time",
                    "currencyUSD",
                    "Booked in the time that the board shows.",
                    Query(f"sum(increase(fairlead_spend_usd_total{{{_WHO}}}[$__range]))", ""),
                    width=6,
                ),
                Figure(
                    "Share captured",
                    "percentunit",
                    "Tokens that reports brought, of all that gateways counted; the rest was found in their counters.",
                    Query("min(fairlead_budget_share_captured)", ""),
                    width=6,
                ),
                Figure(
                    "Estimated",
                    "currencyUSD",
                    "Dollars in this time that were booked from bytes, because nobody counted the tokens.",
                    Query("sum(increase(fairlead_budget_estimated_usd_total[$__range]))", ""),
                    width=6,
                ),
                Chart(
                    "Dollars an hour by consumer",
                    "currencyUSD",
                    "The twenty dearest.",
                    (
                        Query(
                            "topk(20, sum by (consumer)"
                            f" (rate(fairlead_spend_usd_total{{{_WHO}}}[$__rate_interval])) * 3600)",
                            "{{consumer}}",
                        ),
                    ),
                ),
                Chart(
                    "Dollars an hour by route",
                    "currencyUSD",
                    "The twenty dearest.",
                    (
                        Query(
                            "topk(20, sum by (route)"
                            f" (rate(fairlead_spend_usd_total{{{_WHO}}}[$__rate_interval])) * 3600)",
                            "{{route}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Budgets",
            (
                Chart(
                    "Saved this month",
                    "currencyUSD",
                    "What the same tokens would have cost at a route's `baseline`, less what they cost.",
                    (Query("max by (route, baseline) (fairlead_budget_saved_usd)", "{{route}} against {{baseline}}"),),
                ),
                Chart(
                    "Hits among requests",
                    "percentunit",
                    "Of routes that keep answers: requests that were given one, at no cost.",
                    (
                        Query(
                            'sum by (route) (rate(envoy_fairlead_cache_requests{outcome="hit"}[$__rate_interval]))'
                            " / sum by (route) (rate(envoy_fairlead_cache_requests[$__rate_interval]))",
                            "{{route}}",
                        ),
                    ),
                ),
                Chart(
                    "Dollars an hour that kept answers save",
                    "currencyUSD",
                    "What they took when they were made.",
                    (
                        Query(
                            "sum by (route) (rate(fairlead_cache_saved_usd_total[$__rate_interval])) * 3600",
                            "{{route}}",
                        ),
                    ),
                ),
                Chart(
                    "Spent of the limit",
                    "percentunit",
                    "In the window that runs. At 1 the last stage acts.",
                    (
                        Query(
                            f"topk(20, max by (policy, consumer) (fairlead_budget_spent_usd{{{_WHO}}})"
                            " / on (policy) group_left max by (policy) (fairlead_budget_limit_usd > 0))",
                            "{{policy}} {{consumer}}",
                        ),
                    ),
                ),
                Chart(
                    "Checks by verdict",
                    "reqps",
                    "`rejected` and `killed` are told 429, `downgraded` goes to a cheaper route.",
                    (Query("sum by (verdict) (rate(fairlead_budget_checks_total[$__rate_interval]))", "{{verdict}}"),),
                ),
            ),
        ),
        (
            "Honest books",
            (
                Chart(
                    "Reports by kind",
                    "reqps",
                    "`estimated` are requests whose usage nobody told.",
                    (Query("sum by (kind) (rate(fairlead_budget_reports_total[$__rate_interval]))", "{{kind}}"),),
                ),
                Chart(
                    "Usage that was not believed",
                    "short",
                    "By reason, in the interval shown.",
                    (
                        Query(
                            "sum by (reason) (increase(fairlead_budget_doubted_total[$__rate_interval]))", "{{reason}}"
                        ),
                    ),
                ),
                Chart(
                    "Found later",
                    "currencyUSD",
                    "Dollars from gateways' counters, and of reservations that nobody reported.",
                    (
                        Query("sum(increase(fairlead_budget_reconciled_usd_total[$__rate_interval]))", "counters"),
                        Query("sum(increase(fairlead_budget_expired_usd_total[$__rate_interval]))", "reservations"),
                    ),
                ),
                Chart(
                    "Bookings that wait",
                    "short",
                    "Reports that the store could not take yet; they are kept and taken later.",
                    (Query("sum(fairlead_budget_backlog)", "waiting"),),
                ),
            ),
        ),
    ),
)
