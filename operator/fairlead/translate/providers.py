"""ModelProvider: which endpoints serve which models, under which wire ids, and who may route to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fairlead import ir
from fairlead.api import quantity
from fairlead.api.base_url import split_base_url
from fairlead.api.bedrock import region_of
from fairlead.api.conditions import Reason
from fairlead.api.health_check import HealthCheckType, ProbeCredential
from fairlead.api.model import WRITING, Model, ModelType
from fairlead.api.model import Price as PriceSpec
from fairlead.api.protocol import ChatWay, MessagesWay, Reasoning, Unsupported, api_root
from fairlead.api.provider import Endpoint as EndpointSpec
from fairlead.api.provider import EndpointModel, ModelProvider
from fairlead.api.selector import Namespaces
from fairlead.budget.estimate import Rung
from fairlead.budget.price import UNKNOWN, LongPrompts, Price
from fairlead.translate.audience import includes
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.geography import ANYCAST
from fairlead.translate.references import References, SecretRef
from fairlead.translate.suggestion import listed, meant

_DEFAULTS = {
    ir.Protocol.OPENAI: ("Authorization", "Bearer "),
    ir.Protocol.ANTHROPIC: ("x-api-key", ""),
    ir.Protocol.AZURE_OPENAI: ("api-key", ""),
    ir.Protocol.GEMINI: ("Authorization", "Bearer "),
    ir.Protocol.BEDROCK: ("Authorization", "AWS4-HMAC-SHA256 "),
}
"""The header of a credential whose resource names none, and what stands before it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How a provider's endpoints are asked whether they are alive. Durations in milliseconds."""

    enabled: bool
    """False: never; real traffic alone decides."""
    sends_credential: bool
    path: str
    """Appended to the endpoint's base path."""
    interval_ms: int
    timeout_ms: int
    unhealthy_threshold: int
    healthy_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What an endpoint carries in a minute; None is unknown."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint that can serve: its region is known, or it has none."""

    provider: str
    name: str
    region: str
    """Empty = anycast."""
    upstream: ir.Upstream
    credential: ir.Credential | None
    wire_models: Mapping[str, str]
    """Everything that it serves: the catalogue's name to the id on the wire."""
    terms: Mapping[str, Rung]
    """What each of those costs here, and what bounds an answer."""
    capacity: Capacity
    api_version: str = ""
    """Of Azure's API by deployments; empty = paths are OpenAI's."""
    aws_region: str = ""
    """Of Bedrock: what requests are signed for; empty = they are not signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as routes see it."""

    name: str
    endpoints: tuple[Endpoint, ...]
    """Sorted by name."""
    kinds: Mapping[str, ir.ModelKind]
    """The catalogue."""
    served: frozenset[str]
    """Names of the catalogue that at least one endpoint serves."""
    breaker: ir.Breaker
    max_in_flight: int | None
    probing: Probing
    forward_headers: tuple[str, ...]
    allowed: Namespaces
    protocol: ir.Protocol = ir.Protocol.OPENAI
    translates_messages: bool = False
    translates_chat: bool = False
    leaves_out: bool = False
    """How tokens are drawn is left out where it cannot be said in its words."""
    signed_by: tuple[str, ...] = ()
    """`<secret>/<key>` of what ids of its answers are signed by; empty = none is gone on from."""
    reasoning: Mapping[str, ir.Reasoning] = field(default_factory=dict)
    """How models are told how much to think that can be told in other words."""

    def hints(self, model: str) -> ir.Hints | None:
        """Return what of a request in other words its model takes, or is asked without; None = nothing."""
        found = ir.Hints(reasoning=self.reasoning.get(model), leaves_out=self.leaves_out)
        return None if found == ir.Hints() else found

    def permits(self, namespace: str, references: References) -> bool:
        """Tell whether routes of a namespace may send requests here."""
        return includes(self.allowed, own=references.home, namespace=namespace, labels=references.labels_of(namespace))


def provider(written: ModelProvider, references: References, diagnostics: Diagnostics) -> Provider | None:
    """Follow what a provider refers to: regions of the installation, Secrets of its namespace."""
    spec = written.spec
    if written.metadata.namespace != references.home:
        diagnostics.refuse(
            Reason.NAMESPACE_NOT_ALLOWED,
            "metadata.namespace",
            f"got `{written.metadata.namespace}`, want `{references.home}`: gateways mount Secrets of the"
            " installation's namespace only, move the provider there",
        )
        return None
    ids = {model.name: model.id or model.name for model in spec.models}
    endpoints = []
    for position, endpoint in enumerate(spec.endpoints):
        path = f"spec.endpoints[{position}]"
        if endpoint.region is not None and endpoint.region not in references.geography:
            known = references.geography.names()
            diagnostics.miss(
                Reason.REGION_NOT_FOUND,
                f"{path}.region",
                f"got `{endpoint.region}`, want a region of the installation ({listed(known)})"
                f"{meant(endpoint.region, known)}",
            )
            continue
        _check_secret(endpoint, path, references, diagnostics)
        endpoints.append(_endpoint(written, endpoint, ids))
    if not endpoints:
        diagnostics.give_up()
    served = frozenset(name for endpoint in endpoints for name in endpoint.wire_models)
    for position, model in enumerate(spec.models):
        if endpoints and model.name not in served:
            diagnostics.warn(
                f"spec.models[{position}].name",
                f"got `{model.name}`, which no endpoint serves, want it in `models` of an endpoint",
            )
    return Provider(
        name=written.metadata.name,
        endpoints=tuple(sorted(endpoints, key=lambda endpoint: endpoint.name)),
        kinds={model.name: _kind(model) for model in spec.models},
        served=served,
        breaker=ir.Breaker(
            consecutive_failures=spec.circuit_breaker.consecutive_failures,
            open_for_ms=quantity.milliseconds(spec.circuit_breaker.open_for),
        ),
        max_in_flight=spec.circuit_breaker.max_in_flight,
        probing=_probing(written),
        forward_headers=tuple(sorted({name.lower() for name in spec.forward_headers})),
        allowed=spec.allowed_routes.namespaces,
        protocol=ir.Protocol(spec.protocol),
        translates_messages=spec.way_of_messages is MessagesWay.TRANSLATE,
        translates_chat=spec.way_of_chat is ChatWay.TRANSLATE,
        leaves_out=spec.unsupported is Unsupported.LEAVE_OUT,
        signed_by=_signed_by(written, references, diagnostics),
        reasoning={
            model.name: ir.Reasoning(model.reasoning)
            for model in spec.models
            if model.reasoning is not Reasoning.LEAVE_OUT
        },
    )


def _endpoint(written: ModelProvider, endpoint: EndpointSpec, ids: Mapping[str, str]) -> Endpoint:
    catalogue = written.spec.models
    root = api_root(endpoint.base_url, written.spec.protocol, endpoint.api_version)
    tls, host, port, base_path = split_base_url(root)
    if endpoint.models is None:
        wire_models = ids
    else:
        wire_models = {model.name: model.id or ids[model.name] for model in endpoint.models if model.name in ids}
    own = {model.name: model for model in endpoint.models or () if model.is_priced}
    return Endpoint(
        provider=written.metadata.name,
        name=endpoint.name,
        region=endpoint.region or ANYCAST,
        upstream=ir.Upstream(
            host=host,
            port=port,
            tls=tls,
            base_path=base_path,
            idle_timeout_ms=quantity.milliseconds(written.spec.idle_timeout),
        ),
        credential=_credential(endpoint, ir.Protocol(written.spec.protocol)),
        wire_models=wire_models,
        terms={model.name: _terms(model, own.get(model.name)) for model in catalogue if model.name in wire_models},
        capacity=_capacity(endpoint),
        api_version=endpoint.api_version or "",
        aws_region=_aws_region(written, endpoint),
    )


def _aws_region(written: ModelProvider, endpoint: EndpointSpec) -> str:
    """Return what requests are signed for; the API has seen to it that there is one."""
    if ir.Protocol(written.spec.protocol) is not ir.Protocol.BEDROCK:
        return ""
    return endpoint.aws_region or region_of(endpoint.base_url) or ""


def _capacity(endpoint: EndpointSpec) -> Capacity:
    written = endpoint.capacity
    if written is None:
        return Capacity()
    return Capacity(requests=written.requests_per_minute, tokens=written.tokens_per_minute)


def _probing(written: ModelProvider) -> Probing:
    check = written.spec.health_check
    return Probing(
        enabled=check.type is HealthCheckType.HTTP,
        sends_credential=check.credential is ProbeCredential.SEND,
        path=check.path,
        interval_ms=quantity.milliseconds(check.interval),
        timeout_ms=quantity.milliseconds(check.timeout),
        unhealthy_threshold=check.unhealthy_threshold,
        healthy_threshold=check.healthy_threshold,
    )


def _terms(model: Model, own: EndpointModel | None) -> Rung:
    """Say what a model costs at an endpoint: its own price there, else the catalogue's."""
    return Rung(
        price=_price(own or model),
        max_output_tokens=model.max_output_tokens,
        context_window=model.context_window,
        generates=model.type in WRITING,
        text=model.type in {ModelType.CHAT, ModelType.EMBEDDING},
    )


def _price(model: Model | EndpointModel) -> Price:
    if not model.is_priced:
        return UNKNOWN
    written = model.usd_per_million_tokens or PriceSpec(input="0", output="0")
    base, longer = _of_tokens(written, model), written.long_prompts
    if longer is None:
        return base
    return replace(
        base, long_prompts=LongPrompts(above=longer.above_tokens, price=_of_tokens(written.of_long_prompts(), model))
    )


def _of_tokens(written: PriceSpec, model: Model | EndpointModel) -> Price:
    return Price(
        input=quantity.nanodollars(written.input),
        output=quantity.nanodollars(written.output or "0"),
        cached_input=quantity.nanodollars(written.cached_input or written.input),
        cache_write=_own(written.cache_write),
        cache_write_1h=_own(written.cache_write_1h),
        audio_input=_own(written.audio_input),
        audio_output=_own(written.audio_output),
        image_input=_own(written.image_input),
        image=_own(model.usd_per_image),
        minute=_own(model.usd_per_minute),
        million_characters=_own(model.usd_per_million_characters),
        thousand_searches=_own(model.usd_per_thousand_searches),
    )


def _kind(model: Model) -> ir.ModelKind:
    """Say what a model makes: of audio what it has a price for, where that is told by its unit."""
    if model.type is not ModelType.AUDIO or model.usd_per_million_tokens is not None or not model.is_priced:
        return ir.ModelKind(model.type)
    if model.usd_per_minute is None:
        return ir.ModelKind.SPEECH
    return ir.ModelKind.TRANSCRIPTION if model.usd_per_million_characters is None else ir.ModelKind.AUDIO


def _own(dollars: str | None) -> int | None:
    return None if dollars is None else quantity.nanodollars(dollars)


def _credential(endpoint: EndpointSpec, protocol: ir.Protocol) -> ir.Credential | None:
    written = endpoint.credential
    if written is None:
        return None
    file = f"{written.secret_name}/{written.key}"
    header, prefix = _DEFAULTS[protocol] if written.header is None else (written.header, "")
    return ir.Credential(
        name=file if prefix else f"{file}/{header}",
        secret_name=written.secret_name,
        key=written.key,
        header=header,
        prefix=prefix,
    )


def _signed_by(written: ModelProvider, references: References, diagnostics: Diagnostics) -> tuple[str, ...]:
    """Return the files of what ids are signed by, and say which do not exist."""
    kept = written.spec.previous_responses
    if kept is None:
        return ()
    for position, one in enumerate(kept.signed_by):
        ref = SecretRef(references.home, one.secret_name, one.key)
        known = references.secrets.fingerprint(ref) is not None or references.secrets.is_unreadable(ref)
        if references.home_secrets_readable and not known:
            path = f"spec.previousResponses.signedBy[{position}]"
            missing_secret(ref, path, "no answer can be gone on from", references, diagnostics)
    return tuple(f"{one.secret_name}/{one.key}" for one in kept.signed_by)


def _check_secret(endpoint: EndpointSpec, path: str, references: References, diagnostics: Diagnostics) -> None:
    """Say when a credential does not exist. The target stays: it fails closed, to the next rung."""
    if endpoint.credential is None or not references.home_secrets_readable:
        return
    ref = SecretRef(references.home, endpoint.credential.secret_name, endpoint.credential.key)
    if references.secrets.fingerprint(ref) is None and not references.secrets.is_unreadable(ref):
        missing_secret(ref, f"{path}.credential", "the endpoint cannot answer", references, diagnostics)


def missing_secret(
    ref: SecretRef, path: str, consequence: str, references: References, diagnostics: Diagnostics
) -> None:
    """Say that a Secret, or one of its keys, does not exist."""
    keys = references.secrets.keys(ref)
    missing = f"Secret {ref.namespace}/{ref.name}"
    if keys:
        diagnostics.note(
            Reason.SECRET_NOT_FOUND,
            f"{path}.key",
            f"got `{ref.key}`, want a key of Secret `{ref.name}` ({listed(keys)}){meant(ref.key, keys)}, or"
            f" {consequence}",
            missing=missing,
        )
    else:
        diagnostics.note(
            Reason.SECRET_NOT_FOUND,
            f"{path}.secretName",
            f"got `{ref.name}`, want a Secret of namespace `{ref.namespace}` with the key `{ref.key}`, create it,"
            f" or {consequence}",
            missing=missing,
        )
