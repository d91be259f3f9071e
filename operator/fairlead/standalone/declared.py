"""What providers declare about each endpoint: where it is, what opens it, and its models with their prices. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fairlead.api import quantity
from fairlead.api.decode import decode
from fairlead.api.model import Model, Price
from fairlead.api.provider import Endpoint, ModelProvider
from fairlead.budget.public_price import PRICES, PublicPrices, differences, maker, written
from fairlead.standalone.diagnostics import Diagnostic, Weight
from fairlead.standalone.inputs import Place
from fairlead.standalone.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredModel:
    """A model, as one endpoint serves it."""

    path: str
    """The field of its name there."""
    id: str
    """On the wire, at this endpoint."""
    price_path: str
    prices: Mapping[str, int] | None
    """Nano-dollars by the names of `usdPerMillionTokens`; only those that are written. None: without a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEndpoint:
    """One endpoint of a provider."""

    provider: ModelProvider
    place: Place = field(compare=False, repr=False)
    """Where its fields stand."""
    path: str
    endpoint: Endpoint
    models: tuple[DeclaredModel, ...]

    @property
    def name(self) -> str:
        """`provider/endpoint`."""
        return f"{self.provider.metadata.name}/{self.endpoint.name}"

    def diagnostic(self, path: str, message: str, weight: Weight) -> Diagnostic:
        """Say something about a field of the provider."""
        return Diagnostic(
            weight=weight, subject=str(self.provider.key), source=self.place(path), message=f"{path}: {message}"
        )


def endpoints(release: Release, namespace: str) -> tuple[DeclaredEndpoint, ...]:
    """Return the endpoints of all providers that count, in the order of providers and of their fields."""
    written = [
        (decode(content, default_namespace=namespace).object, release.inputs.place(key))
        for key, content in sorted(release.compiled.last_good.items())
        if key.kind == ModelProvider.kind
    ]
    return tuple(
        DeclaredEndpoint(
            provider=provider,
            place=place,
            path=f"spec.endpoints[{number}]",
            endpoint=endpoint,
            models=tuple(_models(provider, endpoint, number)),
        )
        for provider, place in written
        if isinstance(provider, ModelProvider)
        for number, endpoint in enumerate(provider.spec.endpoints)
    )


def _models(provider: ModelProvider, endpoint: Endpoint, number: int) -> Iterator[DeclaredModel]:
    catalogue: dict[str, tuple[int, Model]] = {model.name: (at, model) for at, model in enumerate(provider.spec.models)}
    if endpoint.models is None:
        for at, model in catalogue.values():
            path = f"spec.models[{at}]"
            yield _model(path, path, model.id or model.name, model.usd_per_million_tokens)
        return
    for entry_at, entry in enumerate(endpoint.models):
        at, model = catalogue[entry.name]
        path = f"spec.endpoints[{number}].models[{entry_at}]"
        own = entry.usd_per_million_tokens
        yield _model(
            path,
            f"spec.models[{at}]" if own is None else path,
            entry.id or model.id or model.name,
            own or model.usd_per_million_tokens,
        )


def _model(path: str, price_path: str, id_: str, price: Price | None) -> DeclaredModel:
    return DeclaredModel(
        path=path,
        id=id_,
        price_path=f"{price_path}.usdPerMillionTokens",
        prices=None
        if price is None
        else {
            name: quantity.nanodollars(written)
            for attribute, name in PRICES.items()
            if (written := getattr(price, attribute)) is not None
        },
    )


def price_differences(declared: tuple[DeclaredEndpoint, ...], prices: PublicPrices) -> tuple[list[Diagnostic], int]:
    """Return a warning for each price that is another than in public, each field once, and how many were compared."""
    found: dict[tuple[str, str], Diagnostic] = {}
    compared: set[tuple[str, str]] = set()
    for endpoint in declared:
        for model in endpoint.models:
            named = maker(endpoint.provider.metadata.name)
            public = prices.of(endpoint.endpoint.base_url, model.id, maker=named)
            if public is None:
                continue
            compared.add((str(endpoint.provider.key), model.price_path))
            if model.prices is None:
                message = f"got none, want what you pay, in public it is {written(public)}"
                one = endpoint.diagnostic(model.price_path, message, Weight.WARNING)
                found.setdefault((one.subject, model.price_path), one)
                continue
            for name, message in differences(model.prices, public):
                path = f"{model.price_path}.{name}"
                one = endpoint.diagnostic(path, f"{message}, want what you pay, compare", Weight.WARNING)
                found.setdefault((one.subject, path), one)
    return list(found.values()), len(compared)
