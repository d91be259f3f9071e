"""API keys: the one file that holds them. Its content never passes through compile, digest or size."""

from collections.abc import Iterable

from fairlead.envoy import held, names
from fairlead.envoy.protobuf import Json, packed

ANONYMOUS_KEY = "no key"
"""What callers without a key have in `names.ANONYMOUS_HEADER`. No secret: clients cannot send that header. The blank is
in no key that `unusable` lets through, so nobody's key is this word: Envoy refuses a list that has one key twice."""
LONGEST_KEY = 4096
"""Bytes. Envoy has 60 KiB for all headers of a request."""
API_KEY_AUTH = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"


def unusable(key: str) -> str | None:
    """Say why a client could not send this as its API key, without a word of it; None when it could.

    Visible ASCII is what a bearer token and every HTTP client can carry.
    """
    if not key:
        return "got an empty value"
    if len(key) > LONGEST_KEY:
        return f"got {len(key)} characters"
    strange = next((character for character in key if not "!" <= character <= "~"), None)
    return None if strange is None else f"got the character U+{ord(strange):04X}"


def auth(pairs: Iterable[tuple[str, str]], anonymous: str | None, mark: str | None = None) -> Json:
    """Configure the filter for pairs of key and consumer; `anonymous` is who calls without a key, `mark` see `held`.

    One key that Envoy refuses would make it refuse all of them. The compiler has said so of each, but a Secret may have
    changed since: unusable keys, and those of two consumers, are left out here too.
    """
    holders: dict[str, set[str]] = {}
    for key, consumer in pairs:
        if unusable(key) is None:
            holders.setdefault(key, set()).add(consumer)
    credentials = [{"key": key, "client": min(of)} for key, of in sorted(holders.items()) if len(of) == 1]
    if mark is not None and mark not in holders:
        credentials.append({"key": mark, "client": held.CLIENT})
    sources = [{"header": "Authorization"}, {"header": "x-api-key"}, {"header": "api-key"}]
    if anonymous is not None:
        credentials.append({"key": ANONYMOUS_KEY, "client": anonymous})
        sources.append({"header": names.ANONYMOUS_HEADER})
    return packed(
        API_KEY_AUTH,
        {
            "credentials": credentials,
            "key_sources": sources,
            "forwarding": {"header": names.CONSUMER_HEADER, "hide_credentials": True},
        },
    )


def open_to_all() -> Json:
    """Make what a route says that wants the filter to be there, but no key: each request brings a word for it."""
    return packed(
        f"{API_KEY_AUTH}PerRoute",
        {
            "credentials": [{"key": names.NO_ROUTE, "client": names.NO_ROUTE}],
            "key_sources": [{"header": names.ROUTE_HEADER}],
        },
    )
