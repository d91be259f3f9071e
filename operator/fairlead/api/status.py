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
    Digest,
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
    Time,
)
from fairlead.api.resource import Part

Generation = Annotated[int, Number(minimum=0, maximum=INT64_MAX)]


class ConditionState(Part):
    """One thing said about the object, by Kubernetes' conventions."""

    type: ConditionReason
    """What is said: `Accepted`, `ResolvedRefs`, `Programmed`, `Enforced` or `Ready`. Each is stated positively."""
    status: ConditionStatus
    """`True` is well."""
    observed_generation: Generation | None = None
    """The generation of the object that this was said about."""
    last_transition_time: Time
    """When `status` last changed."""
    reason: ConditionReason
    """Why, in one word; the reference of conditions lists them all."""
    message: ConditionMessage
    """Why, in one line for people."""


class GatewayState(Part):
    """What one region's gateway serves of this object."""

    region: Name
    """The region of the gateway."""
    observed_generation: Generation | None = None
    """The generation of the object that the gateway serves."""
    digest: Digest | None = None
    """The configuration with which the gateway began to serve this generation, by the digest of its files."""
    target: TargetName | None = None
    """For a route: the first rung, `provider/endpoint/model`."""
    ladder: Annotated[tuple[TargetName, ...], Items(max_items=64, list_type=ListType.ATOMIC)] = ()
    """For a route: where attempts can go, in order, the last resort included; a wildcard route's models as one `*`."""


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


class TargetState(Part):
    """A model of a provider."""

    provider: Name
    """The ModelProvider."""
    model: ModelName
    """The name in its catalogue."""


class ModelRouteStatus(Status):
    """What is said about a route."""

    stable: TargetState | None = None
    """The last promoted primary."""
    previous: TargetState | None = None
    """The one before; setting `primary` back to it acts at once."""


Count = Annotated[int, Number(minimum=0)]


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
