"""What gateways serve of an object, in the form that the API server stores: `status.gateways`."""

from typing import Annotated

from fairlead.api.form import INT64_MAX, Digest, Items, ListType, ModelName, Name, Number, Percent, TargetName
from fairlead.api.resource import Part

Generation = Annotated[int, Number(minimum=0, maximum=INT64_MAX)]


class LadderState(Part):
    """One ladder of an answer."""

    share: Percent
    """Of the requests, those that go this way."""
    targets: Annotated[tuple[TargetName, ...], Items(max_items=96, list_type=ListType.ATOMIC)] = ()
    """The rungs in the order of attempts; the last resort follows."""
    judged: Annotated[tuple[TargetName, ...], Items(max_items=96, list_type=ListType.ATOMIC)] = ()
    """The rungs whose answers a cascade judges, where they are no streams: one that fails a check goes to the next
    model."""


class AnswerState(Part):
    """What answers some names of a route."""

    names: Annotated[tuple[ModelName, ...], Items(max_items=6, list_type=ListType.ATOMIC)] = ()
    """Names that clients call, the first few of them."""
    further_names: Annotated[int, Number(minimum=0)] = 0
    """How many more there are."""
    ladders: Annotated[tuple[LadderState, ...], Items(max_items=96, list_type=ListType.ATOMIC)] = ()
    """Several where traffic is shared out: a rollout, an endpoint that comes back, a spread."""
    last_resort: TargetName
    """Who is asked when every rung has failed or is ejected."""


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
    geo: Name | None = None
    """The region's."""
    answers: Annotated[tuple[AnswerState, ...], Items(max_items=8, list_type=ListType.ATOMIC)] = ()
    """For a route: who answers which names. Those that differ in the model alone are told as one, with `*` for it."""
    further_ladders: Annotated[int, Number(minimum=0)] | None = None
    """For a route: how many ladders are left out because they are too many."""
    shadow: TargetName | None = None
    """For a route: who receives copies."""
