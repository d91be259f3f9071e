"""Reports and observations to conditions and status: pure values; writing them is the shells' work."""

from fairlead.status.conditions import merge
from fairlead.status.serving import Answer, ServedRoute, Share, document, percent, served_routes

__all__ = ["Answer", "ServedRoute", "Share", "document", "merge", "percent", "served_routes"]
