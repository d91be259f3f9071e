"""What the shells tell the machine at each look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairlead.rollout.tally import Tally


class Act(StrEnum):
    """What a person can ask of a rollout."""

    PROMOTE = "promote"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    RETRY = "retry"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A person's word, carried out once."""

    act: Act
    mark: str
    """Tells one order from the next: an order whose mark is the last one's was carried out already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen since the last look."""

    counted: Tally = field(default_factory=Tally)
    """What the gateways of all served regions counted, by arm; each attempt in one observation only."""
    problem: str = ""
    """Why the counts are not to be had; empty where they are. Then `counted` says nothing."""
    measured: Mapping[str, float | None] = field(default_factory=dict)
    """What the plan's queries were answered, by name; None where there are no data yet. One that is not named was not
    asked."""
    unmeasured: str = ""
    """Why a query has no answer; empty where all have."""
    candidate_down: bool = False
    """Health says that every endpoint of the candidate is down: what fails there is not the model's doing."""
    candidate_ejected: bool = False
    """A gateway leaves the candidate's target out."""
    ejections_read_ms: int | None = None
    """When the reading of gateways began that says so, or that none does; None where none tells of the target."""
    probed_ms: int | None = None
    """When the last probe of the candidate's endpoint began that has answered well; None where nobody probes it."""
    probes: bool = False
    """Whether anybody probes it at all."""
