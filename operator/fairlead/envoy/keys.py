"""API keys: the one file that holds them. Its content never passes through compile, digest or size."""

from collections.abc import Iterable

from fairlead.envoy import names
from fairlead.envoy.protobuf import Json, packed

ANONYMOUS_KEY = "anonymous"
"""What callers without a key have in `names.ANONYMOUS_HEADER`. No secret: clients cannot send that header."""
API_KEY_AUTH = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"


def auth(pairs: Iterable[tuple[str, str]], anonymous: str | None) -> Json:
    """Configure the filter for pairs of key and consumer; `anonymous` is who calls without a key."""
    credentials = [{"key": key, "client": consumer} for key, consumer in sorted(set(pairs))]
    sources = [{"header": "Authorization"}, {"header": "x-api-key"}]
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
