"""Names of headers that a provider may name: for its credential, or to travel besides those that the API knows."""

import re
from typing import Annotated

from fairlead.api.form import Text
from fairlead.api.rule import Rule

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
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-request-id",
)
_RESERVED_PREFIXES = "^(x-(fl|envoy|fairlead|forwarded)|access-control)-.*$"


def _is_usable_header(name: str) -> bool:
    lower = name.lower()
    return lower not in _RESERVED_HEADERS and not re.match(_RESERVED_PREFIXES, lower)


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

_CREDENTIAL_HEADERS = (
    *("api-key", "authorization", "cookie", "set-cookie", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
    *("x-api-key", "x-goog-api-key"),
)
_STEERING_HEADERS = (
    *("alt-svc", "http2-settings", "location", "proxy-authenticate", "refresh", "strict-transport-security"),
    *("www-authenticate", "x-http-method", "x-http-method-override", "x-method-override", "x-original-url"),
    "x-rewrite-url",
)
"""By which a client asks for another method or path than what was checked, or a provider leads a client elsewhere."""
_ACCOUNT_HEADERS = ("openai-api-key", "openai-organization", "openai-project", "x-goog-user-project")
"""By which a client chooses which account, or which part of the gateway's, pays for its requests."""
_UNFORWARDABLE_HEADERS = (*_CREDENTIAL_HEADERS, *_STEERING_HEADERS, *_ACCOUNT_HEADERS)


def _is_forwardable(name: str) -> bool:
    return _is_usable_header(name) and name.lower() not in _UNFORWARDABLE_HEADERS


ForwardedHeader = Annotated[
    str,
    Text(
        pattern="^[A-Za-z0-9-]+$",
        want="a header name, such as `x-title`",
        max_length=64,
        rules=(
            Rule(
                holds=_is_forwardable,
                cel=f"!(self.lowerAscii() in {[*_RESERVED_HEADERS, *_UNFORWARDABLE_HEADERS]})"
                f" && !self.lowerAscii().matches('{_RESERVED_PREFIXES}')",
                message="want a header without a credential or an account, that neither HTTP nor the gateway sets, and"
                " that leads nobody to another place, remove it",
            ),
        ),
    ),
]
