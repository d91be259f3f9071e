"""What models an API says that it serves: `GET <base URL>/models`, which costs no tokens.

OpenAI's answer and Anthropic's both have `{"data": [{"id": ...}]}`; the latter lists twenty unless asked for more.

It takes the way that traffic takes: the same certificates, no proxy, no redirect followed. The key goes to that URL
alone, and nothing that came over the wire gets into a message.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from fairlead.adapters.probe import failure, words
from fairlead.api.core import Redacted
from fairlead.api.protocol import ANTHROPIC_VERSION, Protocol, api_root, with_version
from fairlead.statuses import Failure

MOST_BYTES = 16 * 1024 * 1024
"""Of a list; OpenRouter's is half a MiB."""
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_ANSWERED = range(200, 300)
_MOVED = range(300, 400)
_OWN_HEADER = {Protocol.ANTHROPIC: "x-api-key", Protocol.AZURE_OPENAI: "api-key"}
_ALL = "?limit=1000"
"""As many as Anthropic's API lists at once."""


class Outcome(StrEnum):
    """What became of the question."""

    LISTED = "Listed"
    KEY_REFUSED = "KeyRefused"
    """401 or 403."""
    NOT_THERE = "NotThere"
    """404: the base URL lacks a part of its path, or has one too many."""
    MOVED = "Moved"
    """A redirect, which gateways do not follow."""
    FAILED = "Failed"
    """Any other status that is no success."""
    NO_LIST = "NoList"
    """A success, but what came is no list of models."""
    UNRESOLVABLE = "Unresolvable"
    UNREACHABLE = "Unreachable"
    """No connection, none that is trusted, or no answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What came."""

    outcome: Outcome
    models: tuple[str, ...] = ()
    """Ids in the order of the list, each once."""
    status: int = 0
    """Of the answer; 0 without one."""
    detail: str = ""
    """The words of the system or of TLS about what went wrong, where there are some."""


def address(base_url: str, protocol: Protocol, api_version: str | None = None) -> str:
    """Return where an API lists its models."""
    return with_version(f"{api_root(base_url, protocol, api_version)}/models", api_version)


async def ask(
    base_url: str,
    trusted: ssl.SSLContext,
    *,
    key: Redacted | None = None,
    header: str | None = None,
    protocol: Protocol = Protocol.OPENAI,
    api_version: str | None = None,
    within_s: float,
) -> Listing:
    """Ask one API within so many seconds. Raises nothing: whatever is wrong is an outcome.

    `header` carries the key as it is; without one it is the protocol's own: `Authorization: Bearer <key>`,
    `x-api-key`, or `api-key`.
    """
    url = address(base_url, protocol, api_version)
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "fairlead-list"}
    if key is not None:
        value = key.reveal().decode("latin-1")
        name = header or _OWN_HEADER.get(protocol)
        headers |= {name: value} if name else {"authorization": f"Bearer {value}"}
    if protocol is Protocol.ANTHROPIC:
        headers |= {"anthropic-version": ANTHROPIC_VERSION}
        url += _ALL
    cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))
    try:
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(verify=trusted, trust_env=False, cookies=cookies, timeout=within_s) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            return await _read(answer, protocol)
    except TimeoutError:
        return Listing(outcome=Outcome.UNREACHABLE, detail=f"no answer within {within_s:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, OverflowError) as error:
        unresolvable = failure(error) is Failure.UNRESOLVABLE
        return Listing(outcome=Outcome.UNRESOLVABLE if unresolvable else Outcome.UNREACHABLE, detail=words(error))


async def _read(answer: httpx.Response, protocol: Protocol) -> Listing:
    status = answer.status_code
    if status in _ANSWERED:
        content = bytearray()
        async for part in answer.aiter_raw():
            content += part
            if len(content) > MOST_BYTES:
                return Listing(outcome=Outcome.NO_LIST, status=status)
        models = _ids(bytes(content), protocol)
        outcome = Outcome.NO_LIST if models is None else Outcome.LISTED
        return Listing(outcome=outcome, models=models or (), status=status)
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return Listing(outcome=Outcome.KEY_REFUSED, status=status)
    if status == _NOT_FOUND:
        return Listing(outcome=Outcome.NOT_THERE, status=status)
    return Listing(outcome=Outcome.MOVED if status in _MOVED else Outcome.FAILED, status=status)


def _ids(content: bytes, protocol: Protocol) -> tuple[str, ...] | None:
    """Return the ids of OpenAI's `{"data": [{"id": ...}]}`; None for anything else. Gemini's without `models/`."""
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    data = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(data, list):
        return None
    ids = [entry.get("id") if isinstance(entry, dict) else None for entry in data]
    folder = "models/" if protocol is Protocol.GEMINI else ""
    return tuple(dict.fromkeys(id_.removeprefix(folder) for id_ in ids if isinstance(id_, str) and id_))
