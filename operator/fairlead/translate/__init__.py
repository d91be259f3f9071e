"""Resources to IR: references, names, regions, residency, ladders. Problems become reports, never exceptions."""

from fairlead.translate.consumers import ANONYMOUS, KeyBinding
from fairlead.translate.finding import Served, Versions
from fairlead.translate.report import Report
from fairlead.translate.translation import Objects, Translation, anonymous_of, translate
from fairlead.translate.world import SecretRef, Secrets, World

__all__ = [
    "ANONYMOUS",
    "KeyBinding",
    "Objects",
    "Report",
    "SecretRef",
    "Secrets",
    "Served",
    "Translation",
    "Versions",
    "World",
    "anonymous_of",
    "translate",
]
