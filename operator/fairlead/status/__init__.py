"""Reports and observations to conditions and status: pure values; writing them is the shells' work."""

from fairlead.status.conditions import merge
from fairlead.status.serving import Answer, ServedRoute, Share, percent, served_routes
from fairlead.status.verdict import RegionState, conditions
from fairlead.status.written import Serving, differs, ladder, news, status

__all__ = [
    "Answer",
    "RegionState",
    "ServedRoute",
    "Serving",
    "Share",
    "conditions",
    "differs",
    "ladder",
    "merge",
    "news",
    "percent",
    "served_routes",
    "status",
]
