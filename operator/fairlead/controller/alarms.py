"""What the operator's loops wait for, and ring for each other."""

from dataclasses import dataclass, field

from fairlead.runtime.alarm import Alarm


@dataclass(frozen=True, slots=True)
class Alarms:
    """One alarm for each loop that others may hurry. Made and used in one event loop."""

    reconcile: Alarm = field(default_factory=Alarm)
    """The cluster may differ from what is to be there."""
    status: Alarm = field(default_factory=Alarm)
    """Something is to be said that was not."""
    readback: Alarm = field(default_factory=Alarm)
    """Gateways may serve something else than they last said."""
    budgets: Alarm = field(default_factory=Alarm)
    """Budget servers are to decide by something else than they last said."""
