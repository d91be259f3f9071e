"""What one region's gateway must do, in the words of Envoy and HTTP.

Frozen values only: no API types, no Kubernetes, no secrets (a `Credential` names a file, never its content), no I/O.
`translate` makes them, `envoy` and `manifests` render them. Names of models, also where they are part of another name,
are words (`ir.word`). All tuples are sorted by name unless their order means something (rungs, scopes of a consumer,
arms).
"""

from fairlead.ir.budget import BudgetCheck
from fairlead.ir.cache import Cache
from fairlead.ir.cascade import Accept, Cascade
from fairlead.ir.classifier import Classifier
from fairlead.ir.consumer import Consumer, Ending, Entry, Scope
from fairlead.ir.gateway import Gateway, Limits, ListenAddress, Telemetry
from fairlead.ir.kind import OTHER_PATHS, STREAMING, ModelKind
from fairlead.ir.need import NEEDS, UNSAID, Need, need_of, other_words
from fairlead.ir.route import (
    Arm,
    Converse,
    Dialect,
    Ladder,
    Pin,
    Plan,
    Recording,
    Route,
    Shadow,
    Side,
    Stickiness,
    Timeouts,
    ladder_name,
    side_of,
)
from fairlead.ir.rule import Conditions, RouteRule, TokenRange
from fairlead.ir.target import (
    Breaker,
    Credential,
    Hints,
    KeyedProbe,
    LastResort,
    Protocol,
    Reasoning,
    Signer,
    Target,
    Upstream,
)

__all__ = [
    "NEEDS",
    "OTHER_PATHS",
    "STREAMING",
    "UNSAID",
    "Accept",
    "Arm",
    "Breaker",
    "BudgetCheck",
    "Cache",
    "Cascade",
    "Classifier",
    "Conditions",
    "Consumer",
    "Converse",
    "Credential",
    "Dialect",
    "Ending",
    "Entry",
    "Gateway",
    "Hints",
    "KeyedProbe",
    "Ladder",
    "LastResort",
    "Limits",
    "ListenAddress",
    "ModelKind",
    "Need",
    "Pin",
    "Plan",
    "Protocol",
    "Reasoning",
    "Recording",
    "Route",
    "RouteRule",
    "Scope",
    "Shadow",
    "Side",
    "Signer",
    "Stickiness",
    "Target",
    "Telemetry",
    "Timeouts",
    "TokenRange",
    "Upstream",
    "ladder_name",
    "need_of",
    "other_words",
    "side_of",
]
