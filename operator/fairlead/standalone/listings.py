"""What an answer to the question for models means to whoever wrote the base URL and the key. Pure."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit, urlunsplit

from fairlead.adapters.models_list import Listing, Outcome
from fairlead.api.base_url import is_base_url
from fairlead.api.protocol import Protocol

_OPERATION = re.compile(
    r"/(chat/completions|completions|responses|embeddings|messages|models|images/(?:generations|edits)|audio/(?:speech|transcriptions|translations)|rerank"
    r"|moderations)/?$"
)
_NEARBY = re.compile(
    r"(localhost|host[.]docker[.]internal|[0-9]+([.][0-9]+){3}|\[[0-9a-f:.]+\]|[a-z0-9-]+)(:|/|$)", re.IGNORECASE
)
"""A host that has no certificate as a rule: an address, or a name without a dot."""
_VERSION = re.compile(r"/v[0-9]+[a-z0-9]*(/|$)")


def better(base_url: str, protocol: Protocol = Protocol.OPENAI) -> str | None:
    """Return the base URL that was probably meant; None where nothing is odd about this one, or too much is."""
    bare = _OPERATION.sub("", _located(base_url).rstrip("/"))
    needs_none = protocol is not Protocol.OPENAI or _VERSION.search(bare.partition("://")[2])
    versioned = bare if needs_none else f"{bare}/v1"
    return versioned if versioned != base_url.rstrip("/") and is_base_url(versioned) else None


def _located(base_url: str) -> str:
    """Return scheme, host and path alone; where there is no scheme, the one that such a host has as a rule."""
    text = base_url.strip()
    if "://" not in text and not text.startswith("/"):
        text = f"{'http' if _NEARBY.match(text) else 'https'}://{text}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def said(listing: Listing) -> str:
    """Say what came, as the end of a sentence whose subject is the list's address."""
    detail = f": {listing.detail}" if listing.detail else ""
    return {
        Outcome.LISTED: "lists no model" if not listing.models else f"lists {len(listing.models)} models",
        Outcome.NO_LIST: f"answered {listing.status} with no list of models",
        Outcome.UNRESOLVABLE: "cannot be reached: no such name",
        Outcome.UNREACHABLE: f"cannot be reached{detail}",
    }.get(listing.outcome, f"answered {listing.status}")


def wanted(
    listing: Listing, base_url: str, *, field: str | None, joint: str, key: str, protocol: Protocol = Protocol.OPENAI
) -> str:
    """Say what to write or do instead. `field` is where the base URL stands, `key` where its key does.

    Without `field` nobody wrote the base URL, and nothing is to be corrected there.

    `joint` stands between a field and its value: `=` or `: `.
    """
    if field is None:
        return _wanted_of_a_usual_place(listing, key)
    other = better(base_url, protocol)
    instead = f", write `{field}{joint}{other}`" if other else f", check `{field}`"
    words: Mapping[Outcome, Callable[[], str]] = {
        Outcome.LISTED: lambda: "one at least, load one there",
        Outcome.KEY_REFUSED: lambda: f"a key that it accepts, correct {key}",
        Outcome.UNRESOLVABLE: lambda: f"the name of a host{instead}",
        Outcome.UNREACHABLE: lambda: f"an API that answers{instead}, and the way there",
        Outcome.FAILED: lambda: "a list of models, try again later",
    }
    return words.get(listing.outcome, lambda: f"a list of models{instead}")()


def _wanted_of_a_usual_place(listing: Listing, key: str) -> str:
    match listing.outcome:
        case Outcome.LISTED:
            return "one at least, load one there"
        case Outcome.KEY_REFUSED:
            return f"a key that it accepts, correct {key}"
        case Outcome.UNRESOLVABLE:
            return "the address of its name, check this machine's network and DNS"
        case Outcome.UNREACHABLE:
            return "a way there, check this machine's network; no proxy is used"
        case _:
            return "a list of models, try again later"
