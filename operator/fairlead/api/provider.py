"""ModelProvider: an API that serves models, at one or more endpoints."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from fairlead.api import quantity
from fairlead.api.form import (
    Dollars,
    Duration,
    Items,
    ListType,
    LongDuration,
    ModelName,
    Name,
    Number,
    SecretEntry,
    SecretName,
    Text,
)
from fairlead.api.resource import Part, Resource
from fairlead.api.rule import Rule
from fairlead.api.selector import Namespaces

_PORT = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?)"
_INSIDE = r"^http://(([a-z0-9-]+[.])+svc([.]cluster[.]local)?|localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\[::1\])(:[0-9]+)?(/.*)?$"
_RESERVED_HEADERS = (
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-request-id",
)
_RESERVED_PREFIXES = "^x-(fl|envoy|fairlead|forwarded)-.*$"


def _is_usable_header(name: str) -> bool:
    lower = name.lower()
    return lower not in _RESERVED_HEADERS and not re.match(_RESERVED_PREFIXES, lower)


BaseURL = Annotated[
    str,
    Text(
        pattern=f"^https?://{_HOST}{_PORT}(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?$",
        want="a URL without user, query and fragment, such as `https://api.example.com/v1`",
        max_length=512,
        rules=(
            Rule(
                holds=lambda value: value.startswith("https://") or re.match(_INSIDE, value) is not None,
                cel=f"self.startsWith('https://') || self.matches('{_INSIDE.replace(chr(92), chr(92) * 2)}')",
                message="want `https`, or plain `http` to a Service (`name.namespace.svc`) or to loopback, change it",
            ),
            Rule(
                holds=lambda value: not re.search(r"/[.][.]?(/|$)", value),
                cel="!self.matches('/[.][.]?(/|$)')",
                message="want a path without `.` and `..`, write out the path that is meant",
            ),
        ),
    ),
]

Header = Annotated[
    str,
    Text(
        pattern="^[A-Za-z0-9-]+$",
        want="a header name, such as `api-key`",
        max_length=64,
        quiet=True,
        rules=(
            Rule(
                holds=_is_usable_header,
                cel=f"!(self.lowerAscii() in {list(_RESERVED_HEADERS)})"
                f" && !self.lowerAscii().matches('{_RESERVED_PREFIXES}')",
                message="want a header that neither HTTP nor the gateway sets, such as `api-key`, change it",
            ),
        ),
    ),
]

_CREDENTIAL_HEADERS = ("api-key", "authorization", "cookie", "set-cookie", "x-api-key", "x-goog-api-key")


def _is_forwardable(name: str) -> bool:
    return _is_usable_header(name) and name.lower() not in _CREDENTIAL_HEADERS


ForwardedHeader = Annotated[
    str,
    Text(
        pattern="^[A-Za-z0-9-]+$",
        want="a header name, such as `x-title`",
        max_length=64,
        rules=(
            Rule(
                holds=_is_forwardable,
                cel=f"!(self.lowerAscii() in {[*_RESERVED_HEADERS, *_CREDENTIAL_HEADERS]})"
                f" && !self.lowerAscii().matches('{_RESERVED_PREFIXES}')",
                message="want a header without a credential, that neither HTTP nor the gateway sets, remove it",
            ),
        ),
    ),
]

Path = Annotated[
    str,
    Text(
        pattern="^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$",
        want="a path that begins with `/`, such as `/models`",
        max_length=256,
    ),
]


class AllowedRoutes(Part):
    """Which ModelRoutes may send requests here: the provider's half of the handshake."""

    namespaces: Namespaces = Namespaces()
    """Namespaces whose routes may name this provider; by default only the provider's own."""


class Protocol(StrEnum):
    """The API that a provider's endpoints speak."""

    OPENAI = "OpenAI"


class ProviderCredential(Part):
    """Where an endpoint's credential lies, and the header that carries it. Gateways mount it; nobody copies it."""

    secret_name: SecretName
    """A Secret of this namespace."""
    key: SecretEntry = "apiKey"
    """The key of the Secret that holds the credential."""
    header: Header | None = None
    """The header that carries the credential as it is, such as `api-key`. Absent: `Authorization: Bearer
    <credential>`."""


class Price(Part):
    """Dollars per million tokens, as strings: prices are never floats."""

    input: Dollars
    """A million prompt tokens."""
    output: Dollars | None = None
    """A million completion tokens; needed for a Chat model (`"0"` if output is free)."""
    cached_input: Dollars | None = None
    """A million prompt tokens that the provider read from its cache; at most `input`, by which budgets reserve. Absent:
    the price of `input`."""
    cache_write: Dollars | None = None
    """A million prompt tokens that the provider wrote into its cache, where it charges for that. Absent: as `input`,
    and answers with such tokens count as estimated."""
    cache_write_1h: Dollars | None = Field(default=None, alias="cacheWrite1h")
    """The same for a cache that is kept for an hour. Absent: as `cacheWrite`."""
    audio_input: Dollars | None = None
    """A million prompt tokens of audio. Absent: as `input`, and answers with such tokens count as estimated."""
    audio_output: Dollars | None = None
    """A million completion tokens of audio. Absent: as `output`, and answers with such tokens count as estimated."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: (
                "cachedInput" not in value
                or quantity.nanodollars(value["cachedInput"]) <= quantity.nanodollars(value["input"])
            ),
            cel="!has(self.cachedInput) || double(self.cachedInput) <= double(self.input)",
            message="got a cached token dearer than a fresh one, want at most `input`, lower `cachedInput`",
            reads=("input", "cachedInput"),
            field="cachedInput",
        ),
    )


class EndpointModel(Part):
    """A model of the catalogue, as one endpoint serves it."""

    name: ModelName
    """The model's name in the provider's catalogue, `spec.models`."""
    id: ModelName | None = None
    """The model's name on the wire at this endpoint, such as a deployment's. Absent: the catalogue's `id`."""
    usd_per_million_tokens: Price | None = None
    """What this endpoint takes for the model, in place of the whole price in the catalogue. Absent: the catalogue's."""


class Endpoint(Part):
    """One address of the provider. All endpoints are interchangeable: each serves the same models by the same API."""

    name: Name
    """Unique in the provider; part of a target's name, `provider/endpoint/model`."""
    region: Name | None = None
    """The installation's region where prompts are processed. Two endpoints of one region share its traffic. Absent:
    anycast, used after the gateway's own region and only by routes with `residency: Any`."""
    base_url: BaseURL = Field(alias="baseURL")
    """What stands for `/v1`: `/chat/completions` and the like are appended. Plain `http` only to a Service of the
    cluster and to loopback."""
    credential: ProviderCredential | None = None
    """What opens the endpoint. Absent: requests go out without a credential."""
    models: Annotated[
        tuple[EndpointModel, ...] | None,
        Items(
            max_items=512,
            min_items=1,
            list_type=ListType.MAP,
            keys=("name",),
            absent="leave it out for the whole catalogue",
        ),
    ] = None
    """All that this endpoint serves, where that is less than the catalogue or bears other names on the wire. Absent:
    the whole catalogue."""


class HealthCheckType(StrEnum):
    """How the operator asks whether an endpoint is alive."""

    HTTP = "HTTP"
    NONE = "None"


class HealthCheck(Part):
    """The slow, unbilled probe of each endpoint, by the operator. Gateways eject failing targets as well."""

    type: HealthCheckType = HealthCheckType.HTTP
    """`HTTP`: `GET <baseURL><path>` without a credential; any answer below 500 means alive. `None`: no probes."""
    path: Path = "/models"
    """Appended to `baseURL`."""
    interval: LongDuration = "10s"
    """From one probe of an endpoint to the next; at least `1s`."""
    timeout: Duration = "2s"
    """How long one probe may take; at most `interval`."""
    unhealthy_threshold: Annotated[int, Number(minimum=1, maximum=20)] = 3
    """Failed probes in a row after which the endpoint counts as down."""
    healthy_threshold: Annotated[int, Number(minimum=1, maximum=20)] = 2
    """Good probes in a row after which it counts as up again."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: quantity.milliseconds(value["timeout"]) <= quantity.milliseconds(value["interval"]),
            cel="duration(self.timeout) <= duration(self.interval)",
            message="got a timeout longer than the interval, want at most `interval`, lower it or raise `interval`",
            reads=("timeout", "interval"),
            field="timeout",
        ),
    )


class CircuitBreaker(Part):
    """When a gateway leaves a failing target alone: counted per endpoint and model, by each gateway pod for itself."""

    consecutive_failures: Annotated[int, Number(minimum=1, maximum=100)] = 5
    """Failures in a row (401, 403, 429, 5xx, reset, timeout) that open the breaker."""
    open_for: LongDuration = "60s"
    """How long an open breaker keeps requests away; at least `1s`."""
    max_in_flight: Annotated[int, Number(minimum=1)] | None = None
    """Requests that may be in flight to one endpoint's model, per gateway pod; one more takes the next rung at once.
    Absent: no bound."""


class ModelType(StrEnum):
    """What a model makes."""

    CHAT = "Chat"
    EMBEDDING = "Embedding"


class Model(Part):
    """A model of the provider's catalogue."""

    name: ModelName
    """The name that routes use; unique in the provider."""
    id: ModelName | None = None
    """The model's name on the wire. Absent: `name`."""
    type: ModelType = ModelType.CHAT
    """`Chat`: text, chat and responses. `Embedding`: vectors, which another model's never replace."""
    usd_per_million_tokens: Price
    """What the provider takes, in dollars per million tokens."""
    context_window: Annotated[int, Number(minimum=1)] | None = None
    """Tokens of prompt and answer together. Where nothing else bounds a request's output, budgets reserve this much;
    absent: 4096."""
    max_output_tokens: Annotated[int, Number(minimum=1)] | None = None
    """The most that the model answers in one request, in tokens; bounds what a budget reserves. Absent: unknown."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value["type"] == ModelType.EMBEDDING or "output" in value["usdPerMillionTokens"],
            cel="self.type == 'Embedding' || has(self.usdPerMillionTokens.output)",
            message='got a Chat model without a price for output, want `output`, write `output: "0"` if it is free',
            reads=("type", "usdPerMillionTokens"),
            field="usdPerMillionTokens",
        ),
        Rule(
            holds=lambda value: (
                value["type"] != ModelType.EMBEDDING
                or (
                    quantity.nanodollars(value["usdPerMillionTokens"].get("output", "0")) == 0
                    and "audioOutput" not in value["usdPerMillionTokens"]
                )
            ),
            cel="self.type != 'Embedding' || (!has(self.usdPerMillionTokens.audioOutput)"
            " && (!has(self.usdPerMillionTokens.output) || double(self.usdPerMillionTokens.output) == 0.0))",
            message="got a price for the output of an Embedding model, which has none, want neither `output` nor"
            " `audioOutput`, remove it",
            reads=("type", "usdPerMillionTokens"),
            field="usdPerMillionTokens",
        ),
    )


def _entries_of_endpoints(spec: Any) -> Iterator[tuple[str, Any]]:
    for index, endpoint in enumerate(spec["endpoints"]):
        for number, entry in enumerate(endpoint.get("models", ())):
            yield f"endpoints[{index}].models[{number}]", entry


def _models_without_catalogue(spec: Any) -> tuple[str, ...]:
    names = {model["name"] for model in spec["models"]}
    return tuple(f"{place}.name" for place, entry in _entries_of_endpoints(spec) if entry["name"] not in names)


def _prices_without_output(spec: Any) -> tuple[str, ...]:
    chats = {model["name"] for model in spec["models"] if model["type"] == ModelType.CHAT}
    return tuple(
        f"{place}.usdPerMillionTokens"
        for place, entry in _entries_of_endpoints(spec)
        if entry["name"] in chats and "output" not in entry.get("usdPerMillionTokens", {"output": "0"})
    )


class ModelProviderSpec(Part):
    """What the platform team declares about a provider."""

    allowed_routes: AllowedRoutes = AllowedRoutes()
    """Which routes may send requests here; by default those of the provider's own namespace."""
    protocol: Protocol = Protocol.OPENAI
    """The API that the endpoints speak."""
    endpoints: Annotated[tuple[Endpoint, ...], Items(max_items=32, min_items=1, list_type=ListType.MAP, keys=("name",))]
    """The provider's addresses. A gateway prefers its own region, then anycast, then its geo, then the others."""
    health_check: HealthCheck = HealthCheck()
    """The operator's probe of each endpoint."""
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    """When a gateway leaves a failing target alone."""
    idle_timeout: LongDuration = "20s"
    """How long a gateway keeps a connection that it does not use; at least `1s`. It must be less than the provider's
    own time, or requests meet a connection that just ended, which costs them a rung."""
    forward_headers: Annotated[tuple[ForwardedHeader, ...], Items(max_items=32, list_type=ListType.SET)] = ()
    """Headers that travel to this provider, and back from it, besides those that the API knows (`docs/requests.md`)."""
    models: Annotated[tuple[Model, ...], Items(max_items=512, min_items=1, list_type=ListType.MAP, keys=("name",))]
    """The catalogue: what the provider serves, by the names that routes use, and what it costs."""

    # Each endpoint against the whole catalogue: 50 times what the API server's cost limit allows to be said in CEL.
    constraints: ClassVar = (
        Rule(
            holds=lambda value: not _models_without_catalogue(value),
            places=_models_without_catalogue,
            cel=None,
            message="got a model that the catalogue lacks, want a name in `spec.models`, add it there or remove this",
            reads=("endpoints", "models"),
        ),
        Rule(
            holds=lambda value: not _prices_without_output(value),
            places=_prices_without_output,
            cel=None,
            message='got a Chat model without a price for output, want `output`, write `output: "0"` if it is free',
            reads=("endpoints", "models"),
        ),
    )


class ModelProvider(Resource):
    """An API that serves models, at one or more endpoints. Counts only in the installation's namespace."""

    kind: ClassVar[str] = "ModelProvider"
    plural: ClassVar[str] = "modelproviders"
    short_name: ClassVar[str] = "mp"

    spec: ModelProviderSpec
    """What the platform team declares about the provider."""


def split_base_url(url: str) -> tuple[bool, str, int, str]:
    """Return (TLS, host in lower case, port, path without a slash at its end) of a well-formed `baseURL`."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return tls, (parts.hostname or "").lower(), parts.port or (443 if tls else 80), parts.path.rstrip("/")
