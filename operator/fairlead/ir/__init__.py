"""What one region's gateway must do, in the words of Envoy and HTTP.

Frozen values only: no API types, no Kubernetes, no secrets (a `Credential` names a file, never its content), no I/O.
`translate` makes them, `envoy` and `manifests` render them. All tuples are sorted by name unless their order means
something (rungs, scopes of a consumer, arms).
"""

from fairlead.ir.budget import BudgetCheck
from fairlead.ir.consumer import Consumer, Entry, Scope
from fairlead.ir.gateway import Gateway, Limits, ListenAddress
from fairlead.ir.route import Arm, Ladder, ModelKind, Plan, Route, Shadow, Side, Stickiness, Timeouts
from fairlead.ir.target import Breaker, Credential, LastResort, Target, Upstream

__all__ = [
    "Arm",
    "Breaker",
    "BudgetCheck",
    "Consumer",
    "Credential",
    "Entry",
    "Gateway",
    "Ladder",
    "LastResort",
    "Limits",
    "ListenAddress",
    "ModelKind",
    "Plan",
    "Route",
    "Scope",
    "Shadow",
    "Side",
    "Stickiness",
    "Target",
    "Timeouts",
    "Upstream",
]
