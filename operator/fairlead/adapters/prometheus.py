"""What a Prometheus, or what speaks its API, says: one number for one query.

Nothing that it says is believed but one finite number: another shape, several series, a warning that data are partial
are errors. `NaN`, as of a rate without requests, and an answer without series are no data.
"""

import json
from math import isinf, isnan
from typing import Any, Protocol

import aiohttp

from fairlead.errors import AnswerError

_PATH = "/api/v1/query"
_MOST_BYTES = 1024 * 1024
_LONGEST = 300
"""Characters of what it says that stand in a message."""
_PAIR = 2
_OK = 200


class Measuring(Protocol):
    """Ask who measures."""

    async def value(self, url: str, query: str, *, timeout_s: float) -> float | None:
        """Return the number that a query has now, None without data. Raises `AnswerError` where there is none."""


class HttpPrometheus:
    """Over HTTP, without the proxies of the environment, redirects or cookies."""

    async def value(self, url: str, query: str, *, timeout_s: float) -> float | None:
        """Return the number, see `Measuring`."""
        place = url.rstrip("/") + _PATH
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(place, data={"query": query}, allow_redirects=False) as answer,
            ):
                content = await answer.content.read(_MOST_BYTES + 1)
                while len(content) <= _MOST_BYTES and (more := await answer.content.read(_MOST_BYTES)):
                    content += more
                status = answer.status
        except TimeoutError:
            raise AnswerError(f"{url}: no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise AnswerError(f"{url}: {_short(str(error)) or type(error).__name__}") from None
        if len(content) > _MOST_BYTES:
            raise AnswerError(f"{url}: got more than {_MOST_BYTES} bytes, want one number")
        return number(content, status, url)


def number(content: bytes, status: int, url: str) -> float | None:
    """Read an answer.

    Raises:
        AnswerError: it is not one number.

    """
    try:
        document = json.loads(content)
        said = document["error"] if document["status"] != "success" else ""
        warnings = document.get("warnings")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise AnswerError(f"{url}: got status {status} and no answer of Prometheus' API, want one") from None
    if said or status != _OK:
        raise AnswerError(f"{url}: status {status}: {_short(str(said))}")
    if warnings:
        raise AnswerError(f"{url}: got a warning, so perhaps half an answer: {_short(str(warnings))}")
    try:
        return _of(document["data"], url)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise AnswerError(f"{url}: got no number, want a vector of one series, or a scalar") from None


def _of(data: Any, url: str) -> float | None:
    result = data["result"]
    if data["resultType"] == "vector":
        if not result:
            return None
        if len(result) > 1:
            raise AnswerError(f"{url}: got {len(result)} series, want one: aggregate them, as with `sum`")
        pair = result[0]["value"]
    elif data["resultType"] == "scalar":
        pair = result
    else:
        raise ValueError(data["resultType"])
    if len(pair) != _PAIR or not isinstance(pair[1], str):
        raise ValueError(pair)
    value = float(pair[1])
    if isinf(value):
        raise AnswerError(f"{url}: got {pair[1]}, want a finite number")
    return None if isnan(value) else value


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
