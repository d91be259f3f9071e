"""What the budget server says about itself, for Prometheus. Names: `fairlead_<noun>_<unit>[_total]`."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from fairlead.budget.belief import Doubt
from fairlead.budgetserver.descriptor import TOO_MANY_IN_FLIGHT


class Metrics:
    """All series of one server, in a registry of their own, so that two servers fit into one process (tests)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.checks = self._counter("checks", "Requests that asked for room", "verdict")
        self.refused_in_flight = self._counter(
            "in_flight_refused", "Requests beyond a consumer's `maxInFlight`", "consumer"
        )
        self.leases, self.units, self.batched = self._of_leases()
        self.reports = self._counter("reports", "Requests that ended", "kind")
        self.malformed = self._counter("malformed", "Messages that a gateway of another version sent")
        self.broken_connections, self.crowded_connections = self._of_connections()
        self.spent = Counter(
            "fairlead_spend_usd",
            "Dollars booked by reports",
            ("consumer", "route", "budgeted"),
            registry=self.registry,
        )
        self.shadow_checks = self._of_copies()
        self.shadow_spent = Counter(
            "fairlead_shadow_spend_usd",
            "Dollars booked for copies that went to shadows; no part of anybody's budget",
            ("route", "target"),
            registry=self.registry,
        )
        self.baseline = Counter(
            "fairlead_baseline_usd",
            "Dollars that the answers of a route would have cost at its baseline",
            ("route",),
            registry=self.registry,
        )
        self.cache_saved = Counter(
            "fairlead_cache_saved_usd",
            "Dollars that kept answers of a route would have cost",
            ("route",),
            registry=self.registry,
        )
        self.saved = self._gauge(
            "saved_usd", "Dollars saved this month against the route's baseline", "route", "baseline"
        )
        of_answers = ("route", "target", "arm")
        self.ratable = self._of_feedback("answers", "Answers of routes that take feedback", *of_answers)
        self.ratings = self._of_feedback("ratings", "What users thought of them", *of_answers, "rating")
        self.refused_ratings = self._of_feedback("refused", "Ratings that were not counted", "reason")
        self.unratable = self._of_feedback("forgotten", "Answers that can be rated no more, or never could", "reason")
        self.answers_sought, self.answers_left, self.answers_bytes = self._of_answers()
        self.answers_store_up = self._of_answers_store()
        self.estimated = self._counter("estimated_usd", "Dollars booked without a count of tokens")
        self.doubts = self._counter(
            "doubted", "Requests that were estimated, by what was wrong with the count", "reason"
        )
        self.unpriced = self._counter(
            "unpriced",
            "Answers with tokens of a kind that has no price: it is missing in the catalogue",
            "target",
            "price",
        )
        self.expired = self._counter("expired", "Reservations whose report never came", "outcome")
        self.expired_usd = self._counter("expired_usd", "Dollars booked for reservations whose report never came")
        self.reconciled = self._counter("reconciled_tokens", "Tokens that gateways counted and no report brought")
        self.reconciled_usd = self._counter("reconciled_usd", "Dollars booked for those tokens")
        self.captured = self._gauge("share_captured", "Tokens that reports brought, of all that gateways counted")
        self.captured.set(1)
        self.gateways = self._counter("gateway_readings", "Readings of gateways' counters", "outcome")
        self.stages = self._counter("stage_reached", "Stages that a spending consumer reached", "policy", "action")
        self.store_errors = self._counter("store_errors", "Steps that the store did not do", "step")
        self.store_up = self._gauge("store_up", "1 while the store answers")
        self.backlog = self._gauge("backlog", "Settlements that wait for the store")
        self.lost = self._counter("lost_reports", "Settlements that did not fit into the backlog")
        self.configuration = self._gauge("book_info", "1 for the configuration that is used", "digest")
        self.book_errors = self._counter("book_errors", "Books that could not be used")
        self.stage = self._gauge(
            "stage", "1 for the stage that is reached in the window that runs", "policy", "consumer", "action"
        )
        _begin_at_zero(
            self.checks,
            *("granted", "rejected", "downgraded", "unbudgeted", "killed", "crowded", TOO_MANY_IN_FLIGHT),
            "unavailable",
        )
        _begin_at_zero(self.reports, "metered", "unchecked", "estimated", "released", "rejected", "ignored")
        _begin_at_zero(self.doubts, *(doubt.value for doubt in Doubt))
        _begin_at_zero(self.expired, "booked", "waived")
        _begin_at_zero(self.gateways, "read", "failed")
        _begin_at_zero(self.refused_ratings, "repeated", "contradicted", "unknown", "malformed", "unavailable")
        _begin_at_zero(self.unratable, "busy", "failed", "crowded")
        self.in_flight = self._gauge("in_flight", "Requests under way of a consumer with `maxInFlight`", "consumer")
        self.most_in_flight = self._gauge("in_flight_limit", "Its `maxInFlight`", "consumer")
        self.spent_now = self._gauge("spent_usd", "Dollars spent in the window that runs", "policy", "consumer")
        self.limit = self._gauge("limit_usd", "Dollars that may be spent in a window", "policy")

        self._counted: dict[tuple[Counter, tuple[str, ...]], float] = {}

    def count(self, counter: Counter, *labels: str, by: float = 1) -> None:
        """Add to a series that is counted on each request; it is shown by the next `text`, which costs less."""
        key = counter, labels
        self._counted[key] = self._counted.get(key, 0) + by

    def flush(self) -> None:
        """Put what was counted into the registry."""
        counted, self._counted = self._counted, {}
        for (counter, labels), by in counted.items():
            counter.labels(*labels).inc(by)

    def text(self) -> bytes:
        """Return all series in Prometheus' text format."""
        self.flush()
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fairlead_budget_{name}", text, labels, registry=self.registry)

    def _of_feedback(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fairlead_feedback_{name}", text, labels, registry=self.registry)

    def _of_copies(self) -> Counter:
        checks = self._counter("shadow_checks", "Copies for shadows that asked for room", "verdict")
        _begin_at_zero(checks, "granted", "rejected", "crowded", "unavailable")
        return checks

    def _of_connections(self) -> tuple[Counter, Counter]:
        return (
            self._counter("broken_connections", "Connections that were closed, since what came was no HTTP/2"),
            self._counter("crowded_connections", "Connections that were closed, since there were too many at once"),
        )

    def _of_leases(self) -> tuple[Counter, Counter, Counter]:
        """Make the series of leases, of their units (each is room for a request without a check), and of batches."""
        leases = self._counter("leases", "Leases that checks asked for", "outcome")
        units = self._counter("lease_units", "Room for requests without a check", "outcome")
        _begin_at_zero(leases, "granted", "refused")
        _begin_at_zero(units, "granted", "used", "returned", "expired", "unknown")
        return leases, units, self._counter("batched_reports", "Reports that came together with others")

    def _of_answers(self) -> tuple[Counter, Counter, Gauge]:
        """Make the series of answers that gateways share: what they asked for, what they left, how much there is."""
        prefix = "fairlead_shared_answers"
        sought = Counter(f"{prefix}_sought", "Answers that gateways asked for", ("outcome",), registry=self.registry)
        left = Counter(f"{prefix}_left", "Answers that gateways left for others", ("outcome",), registry=self.registry)
        _begin_at_zero(sought, "found", "absent", "damaged", "failed", "busy", "malformed")
        _begin_at_zero(left, "kept", "crowded", "failed", "busy", "malformed")
        text = "Bytes of all answers that gateways share, when the last one came"
        return sought, left, Gauge(f"{prefix}_bytes", text, registry=self.registry)

    def _of_answers_store(self) -> Gauge:
        gauge = Gauge(
            "fairlead_shared_answers_store_up", "0 while the store of shared answers is away", registry=self.registry
        )
        gauge.set(1)
        return gauge

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"fairlead_budget_{name}", text, labels, registry=self.registry)


def _begin_at_zero(counter: Counter, *values: str) -> None:
    """Show a counter before its first event, which Prometheus' `increase` would not see else."""
    for value in values:
        counter.labels(value)
