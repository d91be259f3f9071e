"""The shape of `status.json`: what `fairlead up` writes and `fairlead status` believes."""

from typing import Any

from pydantic import TypeAdapter
from typing_extensions import TypedDict


class Ladder(TypedDict):
    """One ladder of a plan."""

    weight: str
    """`5%`."""
    targets: list[str]


class Answer(TypedDict):
    """What answers some names of a route."""

    names: list[str]
    kind: str
    ladders: list[Ladder]
    lastResort: str


class Route(TypedDict):
    """One route at one gateway."""

    name: str
    maxAttempts: int
    shadow: str | None
    answers: list[Answer]


class Target(TypedDict):
    """One target of a gateway, and the cluster whose host says how it is."""

    name: str
    region: str | None
    cluster: str


class Region(TypedDict):
    """One region's gateway."""

    name: str
    geo: str
    listen: str
    metrics: str
    pid: int | None
    admin: str
    digest: str | None
    routes: list[Route]
    targets: list[Target]


class Condition(TypedDict):
    """One condition of an object."""

    type: str
    status: str
    reason: str
    message: str


class Object(TypedDict):
    """One resource."""

    kind: str
    namespace: str
    name: str
    source: str
    serves: str
    conditions: list[Condition]


class Diagnostic(TypedDict):
    """One sentence about an object or a file."""

    weight: str
    subject: str
    source: str
    message: str


class Endpoint(TypedDict):
    """One endpoint that a gateway serves, by what real traffic told."""

    provider: str
    endpoint: str
    region: str | None
    state: str
    share: str
    """Of its traffic, what it may have now: `100%`."""
    since: str | None
    """RFC 3339; None where nothing is wrong."""
    reason: str | None
    message: str


class Failing(TypedDict):
    """An endpoint, or a target of one, that real traffic fails at."""

    subject: str
    targets: list[str]
    since: str
    reason: str
    message: str
    seenBy: list[str]
    """Regions whose gateways see it."""


class Document(TypedDict):
    """All of it."""

    regions: list[Region]
    consumers: list[str]
    objects: list[Object]
    diagnostics: list[Diagnostic]
    endpoints: list[Endpoint]
    failing: list[Failing]


_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


def decode(document: Any) -> Document:
    """Take a document that was read; raises `ValueError` where it has another shape."""
    return _DOCUMENT.validate_python(document, strict=True)
