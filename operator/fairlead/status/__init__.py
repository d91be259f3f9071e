"""Reports and observations to conditions and status: pure values; writing them is the shells' work."""

from fairlead.status.budget import (
    Availability,
    Happening,
    Reading,
    budget_state,
    consumer_state,
    enforced,
    reach,
    stage_news,
)
from fairlead.status.conditions import merge
from fairlead.status.object_status import Serving, differs, ladder, news, status
from fairlead.status.serving import Answer, ServedRoute, Share, percent, served_routes
from fairlead.status.verdict import Keyless, RegionState, conditions

__all__ = [
    "Answer",
    "Availability",
    "Happening",
    "Keyless",
    "Reading",
    "RegionState",
    "ServedRoute",
    "Serving",
    "Share",
    "budget_state",
    "conditions",
    "consumer_state",
    "differs",
    "enforced",
    "ladder",
    "merge",
    "news",
    "percent",
    "reach",
    "served_routes",
    "stage_news",
    "status",
]
