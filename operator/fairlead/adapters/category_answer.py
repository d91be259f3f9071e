"""What a gateway says of a text: the category in the headers of its answer."""

from dataclasses import dataclass

import httpx

from fairlead.errors import AnswerError

TIMEOUT_S = 60.0
"""How long an answer may take; only its head is read."""
_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryAnswer:
    """The head of an answer."""

    status: int
    category: str | None
    """None where no rule needed one."""


def client(base_url: str, key: str | None, *, connections: int) -> httpx.AsyncClient:
    """Make a client of a gateway; without a key it is nobody."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=connections)
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=TIMEOUT_S, limits=limits, trust_env=False)


async def ask(client: httpx.AsyncClient, model: str, text: str) -> CategoryAnswer:
    """Ask for one token on a text, as a user's only message.

    Raises:
        AnswerError: there is no gateway, or no answer in time.

    """
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 1}
    try:
        async with client.stream("POST", _PATH, json=body) as answer:
            return CategoryAnswer(status=answer.status_code, category=answer.headers.get("x-fairlead-category"))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise AnswerError(f"no answer: {error or type(error).__name__}") from error
