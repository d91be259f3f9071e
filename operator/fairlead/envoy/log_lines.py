"""A line of the access log, read again: what `logs` has Envoy write, as values. Nothing in a line is believed."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fairlead.ir import word

LONGEST = 64 * 1024
"""Bytes; a longer line is none of ours."""


def _name(written: object) -> object:
    """Take a word as the name that people know; `-` is nothing."""
    if isinstance(written, str):
        return "" if written == "-" else word.decode(written)
    return "" if written is None else written


Name = Annotated[str, BeforeValidator(_name)]
Count = Annotated[int, Field(ge=0)]


class Line(BaseModel):
    """One line: a request, an attempt of one, or a shadow. Fields that a kind of line lacks have their defaults."""

    model_config = ConfigDict(frozen=True, strict=True)

    kind: Literal["request", "attempt", "shadow"]
    ts: str
    """When it began, RFC 3339."""
    request_id: Name
    gateway_region: Name = ""
    consumer: Name = ""
    """`namespace/name`; empty for a caller whom nobody knows."""
    route: Name = ""
    """`namespace/name`; empty where no route answers that name."""
    model: Name = ""
    """What the client asked for."""
    stream: bool | None = None
    status: Count = 0
    """0 = no answer, or none that came to its end."""
    flags: str = "-"
    """Envoy's response flags."""
    details: str | None = ""
    target: Name = ""
    """`provider/endpoint/model`."""
    region: Name = ""
    """Of the endpoint."""
    latency_ms: Count | None = None
    first_byte_ms: Count | None = None
    attempt: Count | None = None
    """Which one of its request; None where it did not get so far as to know."""
    attempts: Count | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count = 0
    """This and the next four are in a line where there is one of them."""
    cache_write_1h_tokens: Count = 0
    audio_input_tokens: Count = 0
    audio_output_tokens: Count = 0
    image_input_tokens: Count = 0
    units: Count | None = None
    """What was billed by another unit than tokens; None where nobody counted."""
    unit: Name = ""
    """`image`, `millisecond` (of audio), `character` or `search`."""
    rule: Name = ""
    """The rule of a route that led to the one that answers; `none`, where none applied; empty for a route without."""
    asked_route: Name = ""
    """Whose rule."""
    category: Name = ""
    """What a classifier said of it, or `none`; empty where no rule needed that."""
    classified: Name = ""
    """How the category was found, or why there is none."""
    refused: Name = ""
    """Why the budget server refused it, if not for dollars; empty where nobody has a limit in flight."""
    usage_status: int | None = None
    """1 = the provider counted both sides."""


def decoded(line: bytes) -> Line | None:
    """Read one line; None for what is no line of an access log, such as what Envoy says of itself."""
    if not line.startswith(b"{") or len(line) > LONGEST:
        return None
    try:
        return Line.model_validate_json(line)
    except ValidationError:
        return None
