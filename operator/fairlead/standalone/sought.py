"""Who really is where the environment says: each source is asked for its models, all at once, within seconds."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence

from fairlead.adapters import models_list
from fairlead.adapters.models_list import Listing, Outcome
from fairlead.api.base_url import FORM, is_base_url
from fairlead.api.core import Redacted
from fairlead.standalone import listings
from fairlead.standalone.inputs import one_line
from fairlead.standalone.starter import FIRST_PORT, Offer, Source, address

BASE = "OPENAI_BASE_URL"
WITHIN_S = 10.0
"""For somebody else's machine."""
SOUGHT_WITHIN_S = 2.0
"""For this one, where nobody has to be."""
WHAT_TO_SET = (
    "got no key and nobody on this machine's usual ports, want somebody to serve: set OPENAI_API_KEY (and"
    " OPENAI_BASE_URL for another API than OpenAI's), ANTHROPIC_API_KEY or OPENROUTER_API_KEY, or start Ollama (port"
    " 11434) or vLLM (8000)"
)


async def offers(
    found: Sequence[Source], environment: Mapping[str, str], trusted: ssl.SSLContext
) -> tuple[tuple[Offer, ...], tuple[str, ...]]:
    """Return what was offered, in the order of the sources, and a sentence on each that failed to."""
    unfit = {source: said for source in found if (said := unaskable(source, environment))}
    asked = [source for source in found if source not in unfit]
    told = await asyncio.gather(*(_ask(source, environment, trusted) for source in asked))
    listings_of = dict(zip(asked, told, strict=True))
    offered = tuple(Offer(source=source, models=one.models) for source, one in listings_of.items() if one.models)
    problems = (unfit.get(source) or problem(source, listings_of[source]) for source in found)
    return offered, tuple(one for one in problems if one)


def unaskable(source: Source, environment: Mapping[str, str]) -> str:
    """Say what of a source's address or key can be in no request; empty where it can be asked. Pure."""
    if not is_base_url(source.base_url):
        other = listings.better(source.base_url, source.protocol)
        todo = f"write `{source.located_by}={other}`" if other else "correct it"
        # What was written is not repeated: a user or a query may hold a secret.
        return f"{source.located_by}: got another form, want {FORM.want}, {todo}"
    if source.variable and _key(environment[source.variable]) is None:
        return (
            f"{source.variable}: got a blank, a line break or a character that no header carries,"
            " want the key alone, set it anew"
        )
    return ""


def _key(value: str) -> Redacted | None:
    """Return a key as gateways send it, without the line break at its end; None where it cannot be one."""
    key = one_line(Redacted(value.encode(errors="surrogateescape")))
    return None if key is None or b" " in key.reveal() else key


async def _ask(source: Source, environment: Mapping[str, str], trusted: ssl.SSLContext) -> Listing:
    key = _key(environment[source.variable]) if source.variable else None
    within_s = SOUGHT_WITHIN_S if source.sought else WITHIN_S
    return await models_list.ask(source.base_url, trusted, key=key, protocol=source.protocol, within_s=within_s)


def problem(source: Source, listing: Listing) -> str:
    """Say why a source serves nothing; empty where it serves, and where nobody said that it would."""
    if listing.models or (source.sought and listing.outcome is not Outcome.KEY_REFUSED):
        return ""
    if address(source.base_url) == ("127.0.0.1", FIRST_PORT) and listing.outcome is Outcome.UNREACHABLE:
        return (
            f"{source.name}: {source.base_url} is where this gateway itself listens, want whom it asks, unset"
            f" {source.located_by}"
        )
    if listing.outcome is Outcome.KEY_REFUSED and source.sought:
        return (
            f"{source.name}: {source.base_url} wants a key, want it to be named, set {BASE} to that and OPENAI_API_KEY"
        )
    key = source.variable or "OPENAI_API_KEY"
    wanted = listings.wanted(
        listing, source.base_url, field=source.located_by, joint="=", key=key, protocol=source.protocol
    )
    asked = models_list.address(source.base_url, source.protocol)
    return f"{source.name}: {asked} {listings.said(listing)}, want {wanted}"
