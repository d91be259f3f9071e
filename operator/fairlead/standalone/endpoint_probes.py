"""Each declared endpoint asked for its models with its own key, and what the answers say about the declaration."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairlead.adapters import models_list
from fairlead.adapters.certificates import ca_bundle
from fairlead.adapters.models_list import Listing, Outcome
from fairlead.adapters.probe import trust
from fairlead.api.core import Redacted
from fairlead.api.protocol import Protocol
from fairlead.standalone import listings
from fairlead.standalone.declared import DeclaredEndpoint, DeclaredModel
from fairlead.standalone.diagnostics import Diagnostic, Weight
from fairlead.standalone.inputs import Inputs
from fairlead.translate.suggestion import listed, meant

WITHIN_S = 10.0
AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What one endpoint answered."""

    endpoint: DeclaredEndpoint
    listing: Listing
    with_key: bool
    """Whether the key went along that the endpoint wants, or it wants none."""


async def probe(
    declared: Sequence[DeclaredEndpoint], inputs: Inputs, environment: Mapping[str, str]
) -> tuple[Probed, ...]:
    """Ask all of them, a few at once, each within seconds.

    Raises:
        EnvoyError: there are no certificates to check them by.

    """
    trusted = trust(ca_bundle(environment))
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(endpoint: DeclaredEndpoint) -> Probed:
        # What signs requests is sent to nobody.
        credential = endpoint.endpoint.credential if _lists(endpoint) else None
        key = None if credential is None else _key(endpoint, inputs)
        header = None if credential is None else credential.header
        async with turns:
            listing = await models_list.ask(
                endpoint.endpoint.base_url,
                trusted,
                key=key,
                header=header,
                protocol=endpoint.provider.spec.protocol,
                api_version=endpoint.endpoint.api_version,
                within_s=WITHIN_S,
            )
        return Probed(endpoint=endpoint, listing=listing, with_key=credential is None or key is not None)

    return tuple(await asyncio.gather(*map(one, declared)))


def _key(endpoint: DeclaredEndpoint, inputs: Inputs) -> Redacted | None:
    """Return the endpoint's key; None where no file holds it: what is assumed to be there is nobody's key."""
    credential = endpoint.endpoint.credential
    if credential is None:
        return None
    secret = (endpoint.provider.metadata.namespace, credential.secret_name)
    return None if secret in inputs.assumed else inputs.secrets.get(secret, {}).get(credential.key)


def judged(probed: Probed) -> list[Diagnostic]:
    """Say what is wrong with an endpoint's address, key and models; nothing where all of it is as declared. Pure."""
    endpoint, listing = probed.endpoint, probed.listing
    url, protocol = endpoint.endpoint.base_url, endpoint.provider.spec.protocol
    asked = models_list.address(url, protocol, endpoint.endpoint.api_version)
    if not _lists(endpoint) and listing.status and listing.outcome in _ANSWERED:
        return []
    if listing.outcome is Outcome.LISTED and not _lists_what_it_serves(endpoint):
        return []
    if listing.outcome is Outcome.LISTED and listing.models:
        return [
            endpoint.diagnostic(
                model.path,
                f"got the id `{model.id}`, which {endpoint.name} does not list, want one of"
                f" {listed(listing.models)}{meant(model.id, listing.models)}",
                Weight.PROBLEM,
            )
            for model in endpoint.models
            if _plain(endpoint, model) not in listing.models
        ]
    if listing.outcome is Outcome.KEY_REFUSED and not probed.with_key:
        message = f"{asked} answered {listing.status} without a key, want the key that no file holds, add its Secret"
        return [endpoint.diagnostic(f"{endpoint.path}.credential", message, Weight.WARNING)]
    at_fault = "credential" if listing.outcome is Outcome.KEY_REFUSED else "baseURL"
    wanted = listings.wanted(listing, url, field="baseURL", joint=": ", key=_place(endpoint), protocol=protocol)
    message = f"{asked} {listings.said(listing)}, want {wanted}"
    return [endpoint.diagnostic(f"{endpoint.path}.{at_fault}", message, Weight.PROBLEM)]


_ANSWERED = (Outcome.LISTED, Outcome.NO_LIST, Outcome.KEY_REFUSED, Outcome.NOT_THERE)
"""What shows that somebody is there who speaks HTTP and is well."""


def _lists(endpoint: DeclaredEndpoint) -> bool:
    """Tell whether it has a list of models at all: Bedrock's runtime has none, and takes no request unsigned."""
    return endpoint.provider.spec.protocol is not Protocol.BEDROCK


def _lists_what_it_serves(endpoint: DeclaredEndpoint) -> bool:
    """Tell whether ids are of its list: Azure's has the models that could be deployed, by their makers' names."""
    return endpoint.provider.spec.protocol is not Protocol.AZURE_OPENAI


def _plain(endpoint: DeclaredEndpoint, model: DeclaredModel) -> str:
    """Return a model's id as the list has it: Gemini takes `models/` before it, or not."""
    is_gemini = endpoint.provider.spec.protocol is Protocol.GEMINI
    return model.id.removeprefix("models/") if is_gemini else model.id


def _place(endpoint: DeclaredEndpoint) -> str:
    credential = endpoint.endpoint.credential
    if credential is None:
        return "`credential`: there is none"
    return f"Secret {endpoint.provider.metadata.namespace}/{credential.secret_name}, key `{credential.key}`"


def summary(probed: Probed) -> str:
    """Say in one line what was found: `openai/api: reachable, key accepted, 2 of 3 models known there`."""
    endpoint, listing = probed.endpoint, probed.listing
    if not _lists(endpoint) and listing.outcome in _ANSWERED:
        return f"{endpoint.name}: reachable; it lists no models and answers nothing unsigned, so no more is checked"
    if listing.outcome is not Outcome.LISTED:
        return f"{endpoint.name}: {listings.said(listing)}"
    key = "no key needed" if endpoint.endpoint.credential is None else "key accepted"
    if not probed.with_key:
        key = "answers without the key that no file holds"
    if not _lists_what_it_serves(endpoint):
        return f"{endpoint.name}: reachable, {key}; it lists no deployments, so their names are not checked"
    known = sum(_plain(endpoint, model) in listing.models for model in endpoint.models)
    return f"{endpoint.name}: reachable, {key}, {known} of {len(endpoint.models)} models known there"
