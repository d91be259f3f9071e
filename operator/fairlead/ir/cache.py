"""Kept answers of a route: for how long, for whom, and what they were made by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """That a gateway keeps answers of a route, exact ones, in the memory of each worker at least."""

    ttl_ms: int
    """How long an answer is given again."""
    shared: bool
    """Whether callers of one namespace get each other's answers; else each consumer gets its own alone."""
    stored: bool = False
    """Whether they are also kept where all gateways look, at the budget server."""
    digest: str
    """One word that changes with whatever makes the answers: ladders as they are declared, wire ids, the output cap.
    What was kept under another one is never found again."""
