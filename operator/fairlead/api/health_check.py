"""How the operator asks endpoints whether they are alive."""

from enum import StrEnum
from typing import Annotated, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Duration, LongDuration, Number, Text
from fairlead.api.resource import Part
from fairlead.api.rule import Rule

Path = Annotated[
    str,
    Text(
        pattern="^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$",
        want="a path that begins with `/`, such as `/models`",
        max_length=256,
    ),
]


class HealthCheckType(StrEnum):
    """How the operator asks whether an endpoint is alive."""

    HTTP = "HTTP"
    NONE = "None"


class ProbeCredential(StrEnum):
    """Whether a probe brings the endpoint's credential."""

    OMIT = "Omit"
    SEND = "Send"


class HealthCheck(Part):
    """The slow, unbilled probe of each endpoint, by the operator. Gateways eject failing targets as well."""

    type: HealthCheckType = HealthCheckType.HTTP
    """`HTTP`: `GET <baseURL><path>`; any answer below 500 means alive. `None`: no probes, traffic alone decides."""
    credential: ProbeCredential = ProbeCredential.OMIT
    """`Omit`: the probe goes from the operator, without a credential. `Send`: it goes through a gateway, which adds the
    endpoint's credential; then 401 and 403 mean that the endpoint is of no use."""
    path: Path = "/models"
    """Appended to `baseURL`."""
    interval: LongDuration = "10s"
    """From one probe of an endpoint to the next; at least `1s`."""
    timeout: Duration = "2s"
    """How long one probe may take; at most `interval`."""
    unhealthy_threshold: Annotated[int, Number(minimum=1, maximum=20)] = 2
    """Failed probes in a row after which the endpoint counts as down."""
    healthy_threshold: Annotated[int, Number(minimum=1, maximum=20)] = 2
    """Good probes in a row after which its traffic begins to come back."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: quantity.milliseconds(value["timeout"]) <= quantity.milliseconds(value["interval"]),
            cel="duration(self.timeout) <= duration(self.interval)",
            message="got a timeout longer than the interval, want at most `interval`, lower it or raise `interval`",
            reads=("timeout", "interval"),
            field="timeout",
        ),
    )
