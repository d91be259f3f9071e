"""What has to be remembered of one endpoint, so that the next piece of evidence can be weighed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairlead.health.endpoint import Cause, Endpoint, State
from fairlead.health.latency import History
from fairlead.health.window import INTERVALS, Window
from fairlead.statuses import Failure

WHOLE = 100
"""The share of an endpoint whose traffic nobody moves, in percent."""
STEPS = (0, 10, 50, WHOLE)
"""All shares."""
STEP = 3
"""How long a step lasts at least, in probe intervals."""
LONGEST_WAIT = 32
"""The longest wait before a return, in steps."""
HEARD_MS = 4_000
"""Gateways are read every 2 s: whoever was not for so long is not waited for."""
LONGEST_SILENCE = 32
"""So many steps of a return are enough of a doubt that nobody confirms."""
FORGIVEN = 10
"""After so many healthy steps the wait is halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The last probes of an endpoint."""

    bad: int = 0
    """Failed ones in a row."""
    good: int = 0
    """Good ones in a row, since the share last fell."""
    began_ms: int | None = None
    """Of the last probe; None: there was none."""
    ended_ms: int = 0
    bad_since_ms: int | None = None
    """When the first probe began that failed after one that had not; kept until one is good."""
    failure: Failure | None = None
    """Of the last probe that failed."""
    status: int = 0
    keyed_ms: int | None = None
    """When the last good probe began that brought the credential."""
    detail: str = ""
    """Of the last probe, if it failed without an answer: what system or TLS said."""
    well: int = 0
    """Attempts of real traffic that went well since probes began to fail."""
    failed: int = 0
    """Those that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One endpoint, judged by its own evidence: drains and regions are laid over it."""

    identity: str
    """Of the endpoint that all this was told of."""
    state: State = State.UNKNOWN
    """Never Drained."""
    since_ms: int
    reason: Failure | Cause = Cause.PENDING
    status: int = 0
    """The HTTP status that the reason is about; 0 for none."""
    share: int = WHOLE
    moved_ms: int
    """When the share was set, or a step judged: steps last from here."""
    watched_ms: int
    """Since when somebody has looked without a pause: only from then on is silence silence."""
    wait: int = 0
    """Steps from a fall to the next return."""
    returning_ms: int | None = None
    """When the last return began; None once ten healthy steps have proven it good, or it has failed."""
    healthy_ms: int | None = None
    """Since when it is healthy at 100 %, less what has been forgiven for."""
    back_ms: int | None = None
    """When it last began to come back from 0 %."""
    recovered_ms: int | None = None
    """When the last return was over."""
    proven: bool = False
    """Whether anything ever went well there."""
    fell_from: int | None = None
    """The share before it fell, where probes alone said so."""
    row: Row = field(default_factory=Row)
    window: Window = ()
    """What gateways counted since the share changed, at most 5 I ago."""
    history: History = ()
    well_ms: int | None = None
    """When gateways last told of an attempt that went well."""
    ejected: Mapping[str, int] = field(default_factory=dict)
    """Places where gateways leave a target out, and when they last said so."""
    nameless_ms: int | None = None
    """Since when no gateway finds an address for its name."""
    refused_ms: int | None = None
    """Since when nothing goes well for a cause that no probe without the credential sees, as a refused key. None once
    an attempt went well, or a probe that brought the credential: neither other probes nor time say that it is over."""
    soured_ms: int | None = None
    """When the attempts of this return were last found to fail; None once one has gone well, or none has failed."""
    looked_ms: int | None = None
    """When gateways were last read."""
    laid: Cause | None = None
    """What is laid over it: Drained or RegionDown."""
    laid_ms: int = 0
    """Since when."""
    laid_share: int = WHOLE
    """The share that this leaves."""


class Weight(StrEnum):
    """What the row of last probes is worth."""

    SILENT = "silent"
    """There are none, or the last is too old, or the observer is cut off."""
    GOOD = "good"
    """`healthyThreshold` good ones in a row."""
    PROMISING = "promising"
    """The last was good."""
    DOUBTFUL = "doubtful"
    """The last failed."""
    BAD = "bad"
    """`unhealthyThreshold` failed ones in a row."""


def weight(endpoint: Endpoint, record: Record, now_ms: int, *, reliable: bool) -> Weight:
    """Weigh the last probes; of an observer that is not `reliable` they weigh nothing."""
    row = record.row
    old = row.began_ms is None or now_ms - row.ended_ms > INTERVALS * endpoint.interval_ms
    if not endpoint.probed or not reliable or old:
        return Weight.SILENT
    if row.bad:
        return Weight.BAD if row.bad >= endpoint.unhealthy_threshold else Weight.DOUBTFUL
    return Weight.GOOD if row.good >= endpoint.healthy_threshold else Weight.PROMISING
