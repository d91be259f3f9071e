"""Where an endpoint is: what may stand for `/v1`, and when it may be plain `http`."""

import re
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from fairlead.api.form import Text
from fairlead.api.rule import Rule

_PORT = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?)"
INSIDE = r"^http://(([a-z0-9-]+[.])+svc([.]cluster[.]local)?|localhost|127[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}|\[::1\])(:[0-9]+)?(/.*)?$"
"""Where plain `http` stays in the cluster or on the machine."""

FORM = Text(
    pattern=f"^https?://{_HOST}{_PORT}(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?$",
    want="a URL without user, query and fragment, such as `https://api.example.com/v1`",
    max_length=512,
    rules=(
        Rule(
            holds=lambda value: not re.search(r"/[.][.]?(/|$)", value),
            cel="!self.matches('/[.][.]?(/|$)')",
            message="want a path without `.` and `..`, write out the path that is meant",
        ),
    ),
)
BaseURL = Annotated[str, FORM]


class PlainHTTP(StrEnum):
    """Whether prompts and the credential may travel without TLS."""

    ALLOW = "Allow"
    DENY = "Deny"


def is_guarded(endpoint: Any) -> bool:
    """Tell whether an endpoint's address has TLS, needs none, or was said to do without."""
    url = endpoint["baseURL"]
    allowed = endpoint["plainHTTP"] == PlainHTTP.ALLOW
    return allowed or url.startswith("https://") or re.match(INSIDE, url) is not None


def is_base_url(text: str) -> bool:
    """Tell whether a text may stand in `baseURL`."""
    fits = len(text) <= FORM.max_length and re.fullmatch(FORM.pattern, text) is not None
    return fits and "\n" not in text and not any(rule.broken_at(text) for rule in FORM.rules)


def split_base_url(url: str) -> tuple[bool, str, int, str]:
    """Return (TLS, host in lower case, port, path without a slash at its end) of a well-formed `baseURL`."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return tls, (parts.hostname or "").lower(), parts.port or (443 if tls else 80), parts.path.rstrip("/")
