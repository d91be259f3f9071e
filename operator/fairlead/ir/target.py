"""Where an attempt can go: targets, their endpoints' addresses, credentials by name, breakers."""

from dataclasses import dataclass
from enum import StrEnum


class Protocol(StrEnum):
    """The API that an endpoint speaks."""

    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"
    AZURE_OPENAI = "AzureOpenAI"
    """OpenAI's, by paths of Azure's."""
    GEMINI = "Gemini"
    """Of OpenAI's chat/completions and embeddings alone."""
    BEDROCK = "Bedrock"
    """Amazon's Converse, which is neither API: all is said there in other words."""


class Reasoning(StrEnum):
    """How a model is told how much to think."""

    EFFORT = "Effort"
    BUDGET = "Budget"
    """In tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What of a request in other words is said where it can be, and else left out."""

    reasoning: Reasoning | None = None
    """None: how much it thinks is left out."""
    leaves_out: bool = False
    """Whether how tokens are drawn is left out, where it cannot be said; False: it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The address of a provider endpoint, taken apart from its `baseURL`."""

    host: str
    """DNS name or IP address, lower case. Also the Host header, the SNI and the name the certificate must carry."""
    port: int
    tls: bool
    base_path: str
    """What stands for `/v1` on this endpoint: `/v1`, `/openai/v1`, or `` (empty). No trailing slash."""
    idle_timeout_ms: int = 4_000
    """How long a connection that nobody uses is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A provider's credential: the name of a mounted file and the header that carries it. Never the secret itself."""

    name: str
    """`<secret>/<key>`, or `<secret>/<key>/<header>` for a header that the resource names: unique per file and header,
    since one key may go out in two headers."""
    secret_name: str
    key: str
    header: str
    """The header as written in the resource; `Authorization` by default."""
    prefix: str
    """`Bearer ` for the default header, empty for a header that the resource names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A provider that keeps its answers, and what their ids are signed by. Never a secret itself."""

    provider: str
    files: tuple[str, ...]
    """`<secret>/<key>`, mounted as credentials are: the first signs, each is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When Envoy ejects a target by itself. One host per cluster, so the ejection is the target's."""

    consecutive_failures: int
    open_for_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A provider's endpoint serving one model: one Envoy cluster with one host."""

    name: str
    """`provider/endpoint/model`, model as users write it: the value of `x-fairlead-target`. Unique in a gateway."""
    provider: str
    endpoint: str
    region: str
    """Region of the endpoint; empty for an anycast endpoint."""
    model: str
    """The catalogue's name of the model."""
    wire_model: str
    """The model's id on the wire at this endpoint."""
    upstream: Upstream
    credential: str
    """Name of a `Credential` of the gateway; empty when the endpoint takes none."""
    breaker: Breaker
    max_in_flight: int | None
    """Bulkhead: requests in flight per gateway pod. Puts a hop before the target, so that an overflow is retried."""
    forward_headers: tuple[str, ...] = ()
    """Headers that travel to and from the endpoint besides those that the API knows: lower case, sorted."""
    protocol: Protocol = Protocol.OPENAI
    translates_messages: bool = False
    """Messages go there in the words of chat/completions."""
    translates_chat: bool = False
    """Requests to chat/completions go there in the words of messages, or, as messages do, in those of Converse."""
    api_version: str = ""
    """Of Azure's API by deployments: what a request says in `api-version`. Empty = paths are OpenAI's."""
    hints: Hints | None = None
    """Of requests that go there in other words; None = none."""
    aws_region: str = ""
    """Of Bedrock: the region of AWS that requests are signed for, by `credential`, or by what AWS gives the gateway
    where there is none. Empty = requests are not signed."""

    @property
    def makes(self) -> tuple[object, ...]:
        """What its answers depend on, beside the request."""
        made = (self.name, self.wire_model, self.upstream, self.protocol, self.translates_messages)
        return (*_made(made, self), *([self.hints] if self.hints else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResort:
    """An endpoint without ejection, shared by all ladders that end on it; each request brings the model's wire id."""

    name: str
    """`provider/endpoint`: unique among the last resorts of a gateway."""
    provider: str
    endpoint: str
    region: str
    upstream: Upstream
    credential: str
    forward_headers: tuple[str, ...] = ()
    translates_messages: bool = False
    translates_chat: bool = False
    api_version: str = ""
    aws_region: str = ""
    """As of a target."""

    @property
    def makes(self) -> tuple[object, ...]:
        """What its answers depend on, beside the request, which brings the model."""
        return _made((self.name, self.upstream, self.translates_messages), self)


def _made(made: tuple[object, ...], host: Target | LastResort) -> tuple[object, ...]:
    """Add what few hosts have: what answers of the others are kept under stays what it was."""
    few = (*(["chat"] if host.translates_chat else []), *([host.api_version] if host.api_version else []))
    return (*made, *few, *(["converse"] if host.aws_region else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedProbe:
    """What a gateway asks an endpoint, with its credential, when it is told to."""

    endpoint: str
    """`provider/endpoint`."""
    path: str
    """Below `/v1`, which stands for the endpoint's base path: `/v1/models`."""
    protocol: Protocol = Protocol.OPENAI
