"""Whether and how a gateway asks a budget server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCheck:
    """Each request asks for room before it goes on, and reports what it used when it ends."""

    timeout_ms: int
    """How long the answer may take."""
    fail_closed: bool
    """What happens to a request without an answer: it is refused, or else it goes on unchecked."""
    asked: bool = True
    """Whether somebody has a budget or a limit in flight, or a route a baseline, feedback or shared answers. Else
    nothing is asked, but the gateway is ready to: the first policy of all, which may be a kill switch, is then a change
    of routes, and those hold for connections that are open as well."""
    only_told: bool = False
    """Whether nobody has a budget or a limit in flight, so that no request has to fit anything: none is checked before
    it goes on, and each is reported when it ends. `fail_closed` is no matter then."""
    terms: str = ""
    """Names the version of what the budget server sizes and prices requests by, `BudgetConfiguration.terms`: a lease of
    another one is void."""
