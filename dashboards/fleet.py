"""The whole installation: does it serve, is it current, where does traffic enter, what does it cost its machines."""

from dashboards.board import Board, Chart, Choice, Figure, Query

_ASKED = 'route!="gateway",route!="usage",fairlead_dev_region=~"$gateway"'
"""Series of what clients asked of routes; what the gateway answers by itself is apart."""

FLEET = Board(
    uid="fairlead-fleet",
    title="Fairlead / Fleet",
    says="All regions of this installation: requests, failures, configuration, budget servers, and the operator.",
    choices=(Choice("gateway", "Gateway's region", "envoy_server_live", "fairlead_dev_region"),),
    rows=(
        (
            "Now",
            (
                Figure(
                    "Requests",
                    "reqps",
                    "What clients ask of routes.",
                    Query(f"sum(rate(envoy_fairlead_requests{{{_ASKED}}}[$__rate_interval]))", ""),
                ),
                Figure(
                    "Answered with 5xx",
                    "percentunit",
                    "Of the requests to routes; every one is a client that nobody could serve.",
                    Query(
                        f'sum(rate(envoy_fairlead_requests{{{_ASKED},code=~"5.."}}[$__rate_interval]) or vector(0))'
                        f" / (sum(rate(envoy_fairlead_requests{{{_ASKED}}}[$__rate_interval])) > 0)",
                        "",
                    ),
                    red_at=0.01,
                ),
                Figure(
                    "Gateways that serve an old configuration",
                    "none",
                    "Ready pods that have not the newest one; above 0 for more than seconds is an alert.",
                    Query('sum(fairlead_gateway_pods{current="false"})', ""),
                    red_at=1,
                ),
                Figure(
                    "Objects not Ready",
                    "none",
                    "Resources whose condition Ready is False: `kubectl get fairlead -A` names them.",
                    Query("count(fairlead_object_ready == 0) or vector(0)", ""),
                    red_at=1,
                ),
                Figure(
                    "Endpoints down",
                    "none",
                    "Endpoints that have no traffic because they fail.",
                    Query('sum(fairlead_endpoint_state{state="Down"}) or vector(0)', ""),
                    red_at=1,
                ),
                Figure(
                    "Dollars an hour",
                    "currencyUSD",
                    "What reports book, at the present rate.",
                    Query("sum(rate(fairlead_spend_usd_total[$__rate_interval])) * 3600", ""),
                ),
            ),
        ),
        (
            "Traffic",
            (
                Chart(
                    "Requests by region",
                    "reqps",
                    "Where they enter: regions of gateways.",
                    (
                        Query(
                            "sum by (fairlead_dev_region)"
                            f" (rate(envoy_fairlead_requests{{{_ASKED}}}[$__rate_interval]))",
                            "{{fairlead_dev_region}}",
                        ),
                    ),
                ),
                Chart(
                    "Answers by status",
                    "reqps",
                    "429 is a budget or a provider's limit, 502 to 504 a route whose whole ladder failed.",
                    (
                        Query(
                            f"sum by (code) (rate(envoy_fairlead_requests{{{_ASKED}}}[$__rate_interval]))", "{{code}}"
                        ),
                    ),
                ),
                Chart(
                    "Where it is answered",
                    "reqps",
                    "From the gateway's region to the endpoint's: another one than its own is failover.",
                    (
                        Query(
                            "sum by (fairlead_dev_region, region) (rate("
                            f'envoy_fairlead_requests{{{_ASKED},target!=""}}[$__rate_interval]))',
                            "{{fairlead_dev_region}} > {{region}}",
                        ),
                    ),
                ),
                Chart(
                    "Attempts for each request",
                    "none",
                    "1 is a ladder whose first rung answers; above it, rungs fail and clients do not see it.",
                    (
                        Query(
                            'sum by (fairlead_dev_region) (rate(envoy_fairlead_attempt_total{arm=~"@.*",'
                            'fairlead_dev_region=~"$gateway"}[$__rate_interval])) / (sum by (fairlead_dev_region)'
                            f' (rate(envoy_fairlead_requests{{{_ASKED},target!=""}}[$__rate_interval])) > 0)',
                            "{{fairlead_dev_region}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "The parts",
            (
                Chart(
                    "Operator: passes",
                    "ops",
                    "By how they ended. `failed` more than now and then: its log says why.",
                    (Query("sum by (result) (rate(fairlead_reconciles_total[$__rate_interval]))", "{{result}}"),),
                ),
                Chart(
                    "From an edit to every gateway",
                    "s",
                    "Until each ready gateway pod answered with the configuration.",
                    (
                        Query(
                            "histogram_quantile(0.5, sum by (le)"
                            " (rate(fairlead_propagation_seconds_bucket[$__rate_interval])))",
                            "half",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le)"
                            " (rate(fairlead_propagation_seconds_bucket[$__rate_interval])))",
                            "99 %",
                        ),
                    ),
                ),
                Chart(
                    "Memory of gateways",
                    "bytes",
                    "What Envoy has allocated; flat under flat load.",
                    (
                        Query(
                            'envoy_server_memory_allocated{fairlead_dev_region=~"$gateway"}',
                            "{{fairlead_dev_region}} {{pod}}",
                        ),
                    ),
                ),
                Chart(
                    "Budget checks by verdict",
                    "reqps",
                    "`unavailable` passes or refuses as `budgets.failurePolicy` says.",
                    (Query("sum by (verdict) (rate(fairlead_budget_checks_total[$__rate_interval]))", "{{verdict}}"),),
                ),
            ),
        ),
    ),
)
