"""A simulated provider: as strict as the real APIs, deterministic, and failing on command.

check -> reply -> chat | responses | messages | embeddings     pure: a body in, an answer out
refusal, fault, journal, settings                              pure: what is refused, what fails, what was seen
service -> server, control                                     aiohttp: one request; sockets; commands
"""

from fairlead.demo.provider.control import RemoteControl
from fairlead.demo.provider.fault import Fault
from fairlead.demo.provider.journal import Outcome, Record, Stats
from fairlead.demo.provider.server import ProviderServer, SimulatedProvider
from fairlead.demo.provider.settings import Settings

__all__ = [
    "Fault",
    "Outcome",
    "ProviderServer",
    "Record",
    "RemoteControl",
    "Settings",
    "SimulatedProvider",
    "Stats",
]
