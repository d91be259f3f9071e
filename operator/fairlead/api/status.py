"""What the operator writes about an object, in the form that the API server stores: the CRDs' `status`."""

from typing import Annotated

from fairlead.api.conditions import ConditionStatus
from fairlead.api.form import (
    INT64_MAX,
    ConditionMessage,
    ConditionReason,
    Digest,
    Items,
    ListType,
    ModelName,
    Name,
    Number,
    Summary,
    TargetName,
    Time,
)
from fairlead.api.resource import Part

Generation = Annotated[int, Number(minimum=0, maximum=INT64_MAX)]


class ConditionState(Part):
    """One thing said about the object, by Kubernetes' conventions."""

    type: ConditionReason
    """What is said: `Accepted`, `ResolvedRefs`, `Programmed` or `Ready`. Each is stated positively."""
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
