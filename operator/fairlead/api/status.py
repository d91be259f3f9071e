"""What the operator writes about an object, in the form that the API server stores: the CRDs' `status`."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from fairlead.api.budget import Action
from fairlead.api.conditions import ConditionStatus
from fairlead.api.form import (
    INT64_MAX,
    ConditionMessage,
    ConditionReason,
    Dollars,
    Items,
    ListType,
    ModelName,
    Name,
    Number,
    Percent,
    QualifiedName,
    Summary,
    TargetName,
    Text,
    Time,
)
from fairlead.api.gateway_state import GatewayState, Generation
from fairlead.api.resource import Part


class ConditionState(Part):
    """One thing said about the object, by Kubernetes' conventions."""

    type: ConditionReason
    """What is said: `Accepted`, `ResolvedRefs`, `Programmed`, `Enforced` or `Ready`, of which `True` is well. A route
    whose rollout is under way also says `Reconciling`, one whose target was sent back `Stalled`; absent otherwise."""
    status: ConditionStatus
    """Whether it is so."""
    observed_generation: Generation | None = None
    """The generation of the object that this was said about."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: ConditionReason
    """Why, in one word; the reference of conditions lists them all."""
    message: ConditionMessage
    """Why, in one line for people."""


class Status(Part):
    """What is said about every object."""

    observed_generation: Generation | None = None
    """The newest generation that the operator has judged."""
    conditions: Annotated[tuple[ConditionState, ...], Items(max_items=16, list_type=ListType.MAP, keys=("type",))] = ()
    """Whether the object is accepted, its references resolve, gateways serve it, and it does its work."""
    gateways: Annotated[tuple[GatewayState, ...], Items(max_items=64, list_type=ListType.MAP, keys=("region",))] = ()
    """The gateways that serve this object, by region."""
    served_in: Summary | None = None
    """The regions of `gateways` in one line, for people."""


class HealthState(StrEnum):
    """How an endpoint stands. `health.endpoint.State` has the same words, and what they mean."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    DOWN = "Down"
    RECOVERING = "Recovering"
    DRAINED = "Drained"


class EndpointState(Part):
    """How one endpoint of a provider stands."""

    name: Name
    """The endpoint."""
    region: Name | None = None
    """Where it is; absent for an anycast endpoint."""
    state: HealthState
    """`Unknown`: nothing was told of it yet, or no route uses it; it keeps its share, as a `Healthy` one does.
    `Suspect`: something fails there, not yet long or clearly enough. `Down`: its targets stand at the end of every
    ladder. `Recovering`: they come back by steps. `Drained`: somebody has sent its traffic away for a time."""
    share: Percent
    """Of the traffic that it is declared for: 0, 10, 50 or 100 %."""
    since: Time | None = None
    """When this state began; absent while it is `Unknown`."""
    reason: ConditionReason
    """Why, in one word; the reference of conditions lists them all."""
    message: ConditionMessage | None = None
    """Why, in one line for people."""


class ModelProviderStatus(Status):
    """What is said about a provider."""

    endpoints: Annotated[tuple[EndpointState, ...], Items(max_items=32, list_type=ListType.MAP, keys=("name",))] = ()
    """Its endpoints, and how they stand for the operator of this cluster: by its probes and its gateways' traffic."""
    healthy: Summary | None = None
    """How many of the endpoints that a route uses have their whole share and are not unwell: `2/3`, for people."""
    unwell: Summary | None = None
    """The others of them in one line, for people: `us Down 0%, eu Recovering 50%`; `-` when there are none."""
    probe_usd: Dollars | None = Field(default=None, alias="probeUSD")
    """What one probe costs in dollars: nothing, since a `GET` generates nothing. Absent where `healthCheck` has a path
    of your own and sends the credential: then only the provider knows."""


Count = Annotated[int, Number(minimum=0)]


class TargetState(Part):
    """A model of a provider."""

    provider: Name
    """The ModelProvider."""
    model: ModelName
    """The name in its catalogue."""


class ShadowState(Part):
    """What copies of a route's requests cost at the target of its shadow: nobody's budget pays them."""

    target: TargetName
    """Where the copies go, `provider/endpoint/model`."""
    spent_usd: Dollars = Field(alias="spentUSD")
    """Dollars since `since`, reservations left out."""
    since: Time
    """When the month (UTC) began."""
    observed_at: Time
    """When this was read from the budget server. It stays as it is while no budget server answers."""


class RolloutPhase(StrEnum):
    """What a rollout does. `rollout.state.Phase` has the same words, and what they mean."""

    STABLE = "Stable"
    PROGRESSING = "Progressing"
    AWAITING_PROMOTION = "AwaitingPromotion"
    PAUSED = "Paused"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"


class VerdictState(Part):
    """What one look at a step came to."""

    outcome: ConditionReason
    """`Successful`, `Failed`, `Inconclusive` or `Error`."""
    measure: ConditionReason | None = None
    """What decided; absent for a success."""
    message: ConditionMessage
    """Why, in one line for people."""
    at: Time
    """When."""


class FinishState(Part):
    """How many answers ended for one reason."""

    reason: Annotated[str, Text(pattern=r"^[a-z_]+$", want="why an answer ended, such as `stop`", max_length=32)]
    """`stop`, `length`, `tool_calls`, `content_filter` or `other`."""
    share: Percent
    """Of the answers that say why they ended."""


class ArmState(Part):
    """What one side counted in a step."""

    requests: Annotated[int, Number(minimum=0, maximum=INT64_MAX)]
    """Attempts at its own target; of a shadow step's candidate, copies."""
    failed: Annotated[int, Number(minimum=0, maximum=INT64_MAX)]
    """Those of them that failed."""
    error_rate: Percent | None = None
    """Their share; absent without any attempt."""
    worse_rate: Percent | None = None
    """The share without a whole answer: failed, cut, or ended without saying why; absent without any attempt."""
    first_byte_p95_ms: Annotated[int, Number(minimum=0, maximum=INT64_MAX)] | None = None
    """Of streams, the 95th percentile of the time to the first byte, as the upper bound of its bucket."""
    usd_per_request: Dollars | None = None
    """Dollars that an answered request cost in the mean."""
    tokens_per_request: Annotated[int, Number(minimum=0, maximum=INT64_MAX)] | None = None
    """Tokens, in and out, that an answered request had in the mean."""
    finish_reasons: Annotated[
        tuple[FinishState, ...], Items(max_items=8, list_type=ListType.MAP, keys=("reason",))
    ] = ()
    """Why answers ended."""


class ProgressState(Part):
    """What a step has counted, and what it waits for."""

    stable: ArmState
    """The side of the stable target."""
    candidate: ArmState
    """The side of the candidate."""
    min_requests: Count
    """Attempts at the candidate that a Successful verdict needs."""
    hold_left_seconds: Count | None = None
    """How long the step's hold has to run yet; absent where a person promotes, or nothing rolls out."""
    left_seconds: Count | None = None
    """How long the step takes yet at the rate since it began; absent where nobody knows."""
    waits_for: Summary
    """Why it does not go on, in one line; empty where nothing is under way."""


class RolloutState(Part):
    """How the rollout of a route stands in this cluster. A target here is `provider/model`."""

    phase: RolloutPhase
    """`Stable`: nothing rolls out. `Progressing`: a step holds, or waits for its next verdict. `AwaitingPromotion`: a
    step without `hold` waits for a person. `Paused`: it stays at its step. `RolledBack`: a bound was broken, and Git
    asks otherwise. `Aborted`: a person ended it, or the candidate exists no more."""
    reason: ConditionReason
    """Why the phase is what it is; the guide of rollouts lists them all."""
    step: Count
    """Counted from 1; 0 where no candidate is under way."""
    steps: Count
    """How many steps the route asks for now."""
    traffic: Percent
    """Of the requests, those that the candidate answers."""
    shadow: Percent
    """Of the requests, those that are copied to it."""
    stable: TargetName
    """The last promoted target: it answers whoever the candidate does not."""
    candidate: TargetName | None = None
    """The target that is under way; absent where none is."""
    previous: TargetName | None = None
    """What was stable before; setting `primary` back to it acts at once."""
    refused: TargetName | None = None
    """What Git asks for and does not get, where the phase is `RolledBack` or `Aborted`."""
    since: Time
    """When the phase began."""
    verdicts: Annotated[tuple[VerdictState, ...], Items(max_items=10, list_type=ListType.ATOMIC)] = ()
    """The last ones of this rollout, oldest first."""
    message: Summary
    """Why, in one line for people."""
    order: Summary
    """The last order of a person that was answered, as the annotation `fairlead.dev/rollout` has it."""
    declined: Summary
    """Why that order changed nothing; empty where it was carried out."""
    cohort: Summary
    """That the candidate's share is of too few callers; empty where it is not."""
    progress: ProgressState
    """What was counted in the step, told at most once a minute."""
    observed_at: Time
    """When this was written."""


class SavingsState(Part):
    """What a route cost, and what its answers would have cost at its baseline."""

    baseline: TargetName
    """Whose prices are compared with, `provider/endpoint/model`."""
    spent_usd: Dollars = Field(alias="spentUSD")
    """Dollars that the route's requests cost since `since`, attempts that came to nothing included, copies for a shadow
    left out."""
    baseline_usd: Dollars = Field(alias="baselineUSD")
    """Dollars that the same tokens would have cost at the baseline."""
    estimated_usd: Dollars = Field(alias="estimatedUSD")
    """Of `spentUSD`: that much without a count of tokens."""
    since: Time
    """When the month (UTC) began."""
    observed_at: Time
    """When this was read from the budget server. It stays as it is while no budget server answers."""


class CacheState(Part):
    """What the kept answers of a route did."""

    requests: Annotated[int, Number(minimum=0, maximum=INT64_MAX)]
    """Requests of the route that ended since `since`."""
    hits: Annotated[int, Number(minimum=0, maximum=INT64_MAX)]
    """Of these: those that were given a kept answer."""
    saved_usd: Dollars = Field(alias="savedUSD")
    """Dollars that they would have cost, by what their answers took when they were made."""
    estimated_usd: Dollars = Field(alias="estimatedUSD")
    """Of `savedUSD`: that much without a count of tokens."""
    since: Time
    """When the month (UTC) began."""
    observed_at: Time
    """When this was read from the budget server. It stays as it is while no budget server answers."""


class ModelRouteStatus(Status):
    """What is said about a route."""

    rollout: RolloutState | None = None
    """How its rollout stands here; absent where it has none, and nothing to go back to. What the operator goes on from
    is kept in the installation's namespace as well, so that a route without status goes on where it was."""

    shadow: Annotated[tuple[ShadowState, ...], Items(max_items=64, list_type=ListType.ATOMIC)] = ()
    """What the copies for its shadow cost this month, by target; told at most every few seconds."""

    savings: SavingsState | None = None
    """What the route saves against its `baseline` this month; told at most every few seconds."""
    cache: CacheState | None = None
    """What its kept answers did this month, where somebody has a budget; told at most every few seconds."""
    stable: TargetState | None = None
    """The last promoted primary."""
    previous: TargetState | None = None
    """The one before; setting `primary` back to it acts at once."""
    diversion: Summary | None = None
    """Who serves instead of the primary, since when and why, in one line; `-` while nobody does."""


class ModelConsumerStatus(Status):
    """What is said about a consumer."""

    budgets: Annotated[tuple[QualifiedName, ...], Items(max_items=64, list_type=ListType.ATOMIC)] = ()
    """The BudgetPolicies that bound its spending, `namespace/name`. Without any it is unbudgeted: counted, no more."""
    budgeted_by: Summary | None = None
    """`budgets` in one line, for people; `-` when there are none."""


class SpenderState(Part):
    """Somebody who spent."""

    consumer: QualifiedName
    """The ModelConsumer, `namespace/name`; `*` for all that share the limit."""
    spent_usd: Dollars = Field(alias="spentUSD")
    """Dollars spent in the window that runs; reservations do not count."""


class StageState(Part):
    """A stage, the implied rejection included."""

    at: Percent
    """The share of the limit."""
    action: Action
    """What the stage does."""
    consumers: Count
    """How many have reached it in the window that runs."""
    announced: Count
    """Up to how many an Event has told it; others are told together when twice as many have reached it."""
    named: Annotated[tuple[QualifiedName, ...], Items(max_items=10, list_type=ListType.ATOMIC)] = ()
    """The first of them, each told by an Event of its own."""


class BudgetState(Part):
    """The window that runs, as far as the operator has told it: at most every few seconds, and only what is news."""

    observed_at: Time
    """When this was read from the budget server. It stays as it is while no budget server answers."""
    window_start: Time | None = None
    """When the window began. Absent: the budget never resets."""
    window_end: Time | None = None
    """When the next window begins. Absent: the budget never resets."""
    limit_usd: Dollars = Field(alias="limitUSD")
    """The limit in effect: of each consumer, or of all that share it."""
    spent_usd: Dollars = Field(alias="spentUSD")
    """Dollars spent in this window, by all consumers together."""
    consumers: Count
    """How many spend under this policy; all that share a limit are one."""
    top: Summary | None = None
    """Who spent most, and how much, in one line."""
    top_spenders: Annotated[tuple[SpenderState, ...], Items(max_items=10, list_type=ListType.ATOMIC)] = ()
    """Who spent most, in this order."""
    stages: Annotated[tuple[StageState, ...], Items(max_items=9, list_type=ListType.ATOMIC)] = ()
    """The stages in the order of their shares."""
    refused: Annotated[tuple[QualifiedName, ...], Items(max_items=10, list_type=ListType.ATOMIC)] = ()
    """The first whose requests found no room in this window, each told by an Event."""


class Reach(StrEnum):
    """Whose spending one limit holds for."""

    FLEET_WIDE = "FleetWide"
    """All regions of the installation count in one store: all are served here, or the store is no cluster's own."""
    THIS_CLUSTER_ONLY = "ThisClusterOnly"
    """The store is this cluster's own: other clusters, which serve other regions, have the whole limit again."""


class BudgetPolicyStatus(Status):
    """What is said about a policy."""

    reach: Reach | None = None
    """Whether the limit holds for the whole fleet: `FleetWide` where this cluster serves all regions, or where the
    store is given by its URL and so taken for one that all clusters share. Absent: there is no budget server."""

    budget: BudgetState | None = None
    """What is spent in the window that runs."""
