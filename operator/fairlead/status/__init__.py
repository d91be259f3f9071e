"""Reports and observations to conditions and status: pure values; writing them is the shells' work."""

from fairlead.status.budget import (
    Availability,
    Happening,
    Reading,
    budget_state,
    enforced,
    stage_news,
)
from fairlead.status.compiled_status import CompiledStatus, compiled_statuses
from fairlead.status.conditions import merge
from fairlead.status.object_status import Serving, differs, news, status
from fairlead.status.serving import Answer, ServedRoute, Share, percent, served_routes
from fairlead.status.traffic import EndpointStanding, EndpointState, Failing
from fairlead.status.verdict import Keyless, RegionState, Unwell, conditions

__all__ = [
    "Answer",
    "Availability",
    "CompiledStatus",
    "EndpointStanding",
    "EndpointState",
    "Failing",
    "Happening",
    "Keyless",
    "Reading",
    "RegionState",
    "ServedRoute",
    "Serving",
    "Share",
    "Unwell",
    "budget_state",
    "compiled_statuses",
    "conditions",
    "differs",
    "enforced",
    "merge",
    "news",
    "percent",
    "served_routes",
    "stage_news",
    "status",
]
