"""Reports and observations to conditions and status: pure values; writing them is the shells' work."""

from fairlead.status.answers import answers
from fairlead.status.budget import (
    Availability,
    Happening,
    Reading,
    budget_state,
    cache_state,
    enforced,
    savings_state,
    shadow_states,
    stage_news,
)
from fairlead.status.compiled_status import CompiledStatus, compiled_statuses
from fairlead.status.conditions import merge
from fairlead.status.endpoints import diverted, happening, ill_lines, is_ill, overload, provider_state, trust
from fairlead.status.object_status import Serving, differs, news, status
from fairlead.status.serving import Answer, ServedRoute, Share, nearly_full, percent, served_routes
from fairlead.status.standing import EndpointStanding, diversion, rfc3339, standings
from fairlead.status.traffic import Failing
from fairlead.status.unwell import Trouble, troubles, unwell
from fairlead.status.verdict import Keyless, RegionState, Rolling, Unwell, conditions

__all__ = [
    "Answer",
    "Availability",
    "CompiledStatus",
    "EndpointStanding",
    "Failing",
    "Happening",
    "Keyless",
    "Reading",
    "RegionState",
    "Rolling",
    "ServedRoute",
    "Serving",
    "Share",
    "Trouble",
    "Unwell",
    "answers",
    "budget_state",
    "cache_state",
    "compiled_statuses",
    "conditions",
    "differs",
    "diversion",
    "diverted",
    "enforced",
    "happening",
    "ill_lines",
    "is_ill",
    "merge",
    "nearly_full",
    "news",
    "overload",
    "percent",
    "provider_state",
    "rfc3339",
    "savings_state",
    "served_routes",
    "shadow_states",
    "stage_news",
    "standings",
    "status",
    "troubles",
    "trust",
    "unwell",
]
