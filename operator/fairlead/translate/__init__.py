"""Resources to IR: references, names, regions, residency, ladders. Problems become reports, never exceptions."""

from fairlead.translate.consumers import ANONYMOUS, KeyBinding
from fairlead.translate.diagnostics import Served, Versions
from fairlead.translate.references import References, SecretRef, Secrets
from fairlead.translate.report import Report
from fairlead.translate.translation import Objects, Translation, anonymous_of, translate

__all__ = [
    "ANONYMOUS",
    "KeyBinding",
    "Objects",
    "References",
    "Report",
    "SecretRef",
    "Secrets",
    "Served",
    "Translation",
    "Versions",
    "anonymous_of",
    "translate",
]
