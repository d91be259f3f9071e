"""ModelProvider: an API that serves models, at one or more endpoints."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fairlead.api.azure import APIVersion, ids_of_no_deployment, versions_elsewhere
from fairlead.api.base_url import INSIDE, BaseURL, PlainHTTP, is_guarded
from fairlead.api.bedrock import RULES as RULES_OF_BEDROCK
from fairlead.api.bedrock import AWSRegion
from fairlead.api.form import (
    Dollars,
    Items,
    ListType,
    LongDuration,
    ModelId,
    ModelName,
    Name,
    Number,
    SecretEntry,
    SecretName,
    ShortDuration,
)
from fairlead.api.header import ForwardedHeader, Header
from fairlead.api.health_check import HealthCheck
from fairlead.api.hints import RULES as RULES_OF_HINTS
from fairlead.api.model import WRITING, Model, ModelType, Price, foreign_prices, prices_in
from fairlead.api.previous_responses import RULES as RULES_OF_PREVIOUS_RESPONSES
from fairlead.api.previous_responses import PreviousResponses
from fairlead.api.protocol import MESSAGES_WAY, ChatWay, MessagesWay, Protocol, Unsupported
from fairlead.api.resource import Part, Resource
from fairlead.api.rule import Rule
from fairlead.api.selector import Namespaces
from fairlead.api.ways import RULES as RULES_OF_WAYS


class AllowedRoutes(Part):
    """Which ModelRoutes may send requests here: the provider's half of the handshake."""

    namespaces: Namespaces = Namespaces()
    """Namespaces whose routes may name this provider; by default only the provider's own."""


class ProviderCredential(Part):
    """Where an endpoint's credential lies, and the header that carries it. Gateways mount it; nobody copies it."""

    secret_name: SecretName
    """A Secret of this namespace."""
    key: SecretEntry = "apiKey"
    """The key of the Secret that holds the credential. Where `protocol` is `Bedrock`, what it holds is a credentials
    file of AWS, of which the profile `default` signs requests."""
    header: Header | None = None
    """The header that carries the credential as it is, such as `api-key`. Absent: `Authorization: Bearer
    <credential>`; where `protocol` is `Anthropic` `x-api-key`, where it is `AzureOpenAI` `api-key`."""


class EndpointModel(Part):
    """A model of the catalogue, as one endpoint serves it."""

    name: ModelName
    """The model's name in the provider's catalogue, `spec.models`."""
    id: ModelId | None = None
    """The model's name on the wire at this endpoint, such as a deployment's. Absent: the catalogue's `id`."""
    usd_per_million_tokens: Price | None = None
    """What this endpoint takes for the model, in place of the whole price in the catalogue. Absent: the catalogue's."""
    usd_per_image: Dollars | None = None
    """The same by image; an entry with a price has each of those that the catalogue has."""
    usd_per_minute: Dollars | None = None
    """The same by minutes."""
    usd_per_million_characters: Dollars | None = None
    """The same by characters."""
    usd_per_thousand_searches: Dollars | None = None
    """The same by searches."""

    @property
    def is_priced(self) -> bool:
        """Whether it has a price."""
        units = (self.usd_per_image, self.usd_per_minute, self.usd_per_million_characters)
        prices = (self.usd_per_million_tokens, *units, self.usd_per_thousand_searches)
        return any(one is not None for one in prices)


class Capacity(Part):
    """What an endpoint carries, as its owner says. Drains and drills count with it; nothing is limited by it."""

    requests_per_minute: Annotated[int, Number(minimum=1)] | None = None
    """Requests a minute, over all models and gateways. Absent: unknown."""
    tokens_per_minute: Annotated[int, Number(minimum=1)] | None = None
    """Tokens a minute, of prompts and answers together. Absent: unknown."""


class Endpoint(Part):
    """One address of the provider. All endpoints are interchangeable: each serves the same models by the same API."""

    name: Name
    """Unique in the provider; part of a target's name, `provider/endpoint/model`."""
    region: Name | None = None
    """The installation's region where prompts are processed. Two endpoints of one region share its traffic. Absent:
    anycast, used after the gateway's own region and only by routes with `residency: Any`."""
    base_url: BaseURL = Field(alias="baseURL")
    """What stands for `/v1`: `/chat/completions` and the like are appended. Where `protocol` is `Anthropic`, a URL that
    does not end in `/v1` stands for what is before it; where it is `AzureOpenAI`, one without `/openai` or `/openai/v1`
    at its end; where it is `Gemini`, one without `/v1beta/openai`; where it is `Bedrock`, it is the
    host alone. Plain `http` only to a Service of the cluster and to loopback, or with `plainHTTP: Allow`."""
    api_version: APIVersion | None = None
    """Where `protocol` is `AzureOpenAI`: the version of Azure's API by deployments, such as `"2024-10-21"`. Requests go
    to `<baseURL>/deployments/<the model's id>/chat/completions?api-version=<this>` and the like. Absent: they go to
    `<baseURL>/v1/chat/completions`, with the deployment in the body."""
    aws_region: AWSRegion | None = None
    """Where `protocol` is `Bedrock`: the region of AWS that requests are signed for. Absent: the one in the host's
    name, as in `https://bedrock-runtime.us-east-1.amazonaws.com`."""
    plain_http: PlainHTTP = Field(default=PlainHTTP.DENY, alias="plainHTTP")
    """`Allow`: plain `http` to any host. Whoever is on the way reads prompts and the credential: for a network of one's
    own alone, such as a vLLM on the next machine, or `host.docker.internal`."""
    credential: ProviderCredential | None = None
    """What opens the endpoint. Absent: requests go out without a credential; where `protocol` is `Bedrock`, they are
    signed by what AWS gives the gateway's pod (`docs/bedrock.md`)."""
    capacity: Capacity | None = None
    """What it carries. Before a drain, what the others have left is compared with what they would get. Absent:
    unknown, and a drain says so."""
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

    constraints: ClassVar = (
        Rule(
            holds=is_guarded,
            cel="self.plainHTTP == 'Allow' || self.baseURL.startsWith('https://') || self.baseURL.matches("
            f"'{INSIDE.replace(chr(92), chr(92) * 2)}')",
            message="got plain `http` to a host that is neither a Service (`name.namespace.svc`) nor loopback, want"
            " `https`, write `https`, or add `plainHTTP: Allow` if the way there is a network of your own",
            reads=("baseURL", "plainHTTP"),
            field="baseURL",
        ),
    )


class CircuitBreaker(Part):
    """When a gateway leaves a failing target alone: counted per endpoint and model, by each gateway pod for itself."""

    consecutive_failures: Annotated[int, Number(minimum=1, maximum=100)] = 5
    """Failures in a row that open the breaker: resets, timeouts, 5xx, and the statuses that docs/requests.md names."""
    open_for: LongDuration = "60s"
    """How long an open breaker keeps requests away; at least `1s`."""
    max_in_flight: Annotated[int, Number(minimum=1)] | None = None
    """Requests that may be in flight to one endpoint's model, per gateway pod; one more takes the next rung at once.
    Absent: no bound."""


def _entries_of_endpoints(spec: Any) -> Iterator[tuple[str, Any]]:
    for index, endpoint in enumerate(spec["endpoints"]):
        for number, entry in enumerate(endpoint.get("models", ())):
            yield f"endpoints[{index}].models[{number}]", entry


def _models_without_catalogue(spec: Any) -> tuple[str, ...]:
    names = {model["name"] for model in spec["models"]}
    return tuple(f"{place}.name" for place, entry in _entries_of_endpoints(spec) if entry["name"] not in names)


def _prices_without_output(spec: Any) -> tuple[str, ...]:
    writing = {model["name"] for model in spec["models"] if model["type"] in WRITING}
    return tuple(
        f"{place}.usdPerMillionTokens"
        for place, entry in _entries_of_endpoints(spec)
        if entry["name"] in writing and "output" not in entry.get("usdPerMillionTokens", {"output": "0"})
    )


def _prices_by_other_units(spec: Any) -> tuple[str, ...]:
    """Return where an endpoint bills a model by other units than the catalogue says.

    Text and vectors are billed by tokens, whatever the catalogue knows of them.
    """
    catalogue = {model["name"]: model for model in spec["models"]}
    found = []
    for place, entry in _entries_of_endpoints(spec):
        model, own = catalogue.get(entry["name"]), prices_in(entry)
        if model is None or not own:
            continue
        if model["type"] in {ModelType.CHAT, ModelType.EMBEDDING}:
            found += [f"{place}.{name}" for name in foreign_prices(entry, model["type"])]
        elif own != prices_in(model):
            found.append(f"{place}.{min(own ^ prices_in(model))}")
    return tuple(found)


class ModelProviderSpec(Part):
    """What the platform team declares about a provider."""

    allowed_routes: AllowedRoutes = AllowedRoutes()
    """Which routes may send requests here; by default those of the provider's own namespace."""
    protocol: Protocol = Protocol.OPENAI
    """The API that the endpoints speak. `OpenAI`: requests go there as they came, whatever their path. `Anthropic`:
    `/v1/messages` and `/v1/messages/count_tokens` alone; requests to other paths pass over these endpoints, unless
    `chatCompletions` says otherwise. `AzureOpenAI`: as `OpenAI`, at Azure's paths (`docs/azure.md`).
    `Gemini`: `/v1/chat/completions`, `/v1/embeddings` and `/v1/images/generations` as they came, and messages
    (`docs/gemini.md`). `Bedrock`: messages and `/v1/chat/completions`, both in the words of Converse
    (`docs/bedrock.md`)."""
    messages: MessagesWay | None = None
    """What becomes of requests to `/v1/messages` where `protocol` is none of Anthropic's. `Forward`: they go to
    `<baseURL>/messages` as they came. `Translate`: they go to `<baseURL>/chat/completions` in its words, and answers
    come back in theirs (`docs/messages.md`). Absent: `Forward`, and `Translate` for `AzureOpenAI`,
    `Gemini` and `Bedrock`, which have no such path."""
    chat_completions: ChatWay | None = None
    """What becomes of requests to `/v1/chat/completions` where `protocol` is `Anthropic` or `Bedrock`. `PassOver`:
    these endpoints are not asked. `Translate`: they go there in the other API's words, and answers come back in theirs
    (`docs/chat-completions.md`). Absent: `PassOver`, and `Translate` for `Bedrock`."""
    previous_responses: PreviousResponses | None = None
    """Requests to `/v1/responses` may go on from an answer by its id, in `previous_response_id`: they go to the
    endpoint that made it (`docs/responses.md`). Absent: they are refused."""
    unsupported: Unsupported = Unsupported.REFUSE
    """What becomes of parameters of sampling that this provider's API cannot say of a request in other words:
    `temperature` above 1, `top_k`, `presence_penalty`, `frequency_penalty`, `seed`, `logit_bias`. `Refuse`: such a
    request passes over these endpoints, or is refused. `LeaveOut`: they are left out, and `x-fairlead-left-out` names
    them."""
    endpoints: Annotated[tuple[Endpoint, ...], Items(max_items=32, min_items=1, list_type=ListType.MAP, keys=("name",))]
    """The provider's addresses. A gateway prefers its own region, then anycast, then its geo, then the others."""
    health_check: HealthCheck = HealthCheck()
    """The operator's probe of each endpoint."""
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    """When a gateway leaves a failing target alone."""
    idle_timeout: ShortDuration = "4s"
    """How long a gateway keeps a connection that it does not use; at least `100ms`. It must be less than the provider's
    own time (5 s of many servers), or requests meet a connection that just ended, which costs them a rung."""
    forward_headers: Annotated[tuple[ForwardedHeader, ...], Items(max_items=32, list_type=ListType.SET)] = ()
    """Headers that travel to this provider, and back from it, besides those that the API knows (`docs/requests.md`)."""
    models: Annotated[tuple[Model, ...], Items(max_items=512, min_items=1, list_type=ListType.MAP, keys=("name",))]
    """The catalogue: what the provider serves, by the names that routes use, and what it costs."""

    @property
    def way_of_messages(self) -> MessagesWay:
        """How requests to `/v1/messages` go there; of `Anthropic` they need no other words."""
        return self.messages or MESSAGES_WAY[self.protocol]

    @property
    def way_of_chat(self) -> ChatWay:
        """What becomes of requests to `/v1/chat/completions` where they need other words."""
        return self.chat_completions or (ChatWay.TRANSLATE if self.protocol is Protocol.BEDROCK else ChatWay.SKIP)

    # Each endpoint against the whole catalogue: 50 times what the API server's cost limit allows to be said in CEL.
    constraints: ClassVar = (
        Rule(
            places=_models_without_catalogue,
            cel=None,
            message="got a model that the catalogue lacks, want a name in `spec.models`, add it there or remove this",
            reads=("endpoints", "models"),
        ),
        Rule(
            places=_prices_without_output,
            cel=None,
            message="got a price of tokens without one for output, which a model of this type has, want `output`, write"
            ' `output: "0"` if it is free',
            reads=("endpoints", "models"),
        ),
        Rule(
            places=versions_elsewhere,
            cel="self.protocol == 'AzureOpenAI' || self.endpoints.all(endpoint, !has(endpoint.apiVersion))",
            message="got a version of Azure's API for a provider that does not speak it, want none, remove it, or write"
            " `protocol: AzureOpenAI`",
            reads=("protocol", "endpoints"),
        ),
        Rule(
            places=ids_of_no_deployment,
            cel=None,
            message="got a name that no deployment of Azure's has, want letters, digits, `-`, `_` and `.`, write the"
            " deployment's name as `id`",
            reads=("protocol", "models", "endpoints"),
        ),
        *RULES_OF_WAYS,
        *RULES_OF_HINTS,
        *RULES_OF_PREVIOUS_RESPONSES,
        *RULES_OF_BEDROCK,
        Rule(
            places=_prices_by_other_units,
            cel=None,
            message="got other kinds of prices than the catalogue has of this model, want each of those and no other,"
            " write them here or there",
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
