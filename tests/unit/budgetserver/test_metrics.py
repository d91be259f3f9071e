"""Series of a server that has just begun."""

from fairlead.budgetserver.metrics import Metrics


def test_counters_of_known_kinds_exist_before_their_first_event() -> None:
    lines = Metrics().text().decode().splitlines()
    for name in (
        'fairlead_budget_checks_total{verdict="unavailable"}',
        'fairlead_budget_reports_total{kind="unchecked"}',
        'fairlead_budget_expired_total{outcome="booked"}',
        'fairlead_budget_gateway_readings_total{outcome="read"}',
        "fairlead_budget_lost_reports_total",
    ):
        assert f"{name} 0.0" in lines
