"""Which API a provider's endpoints speak, and where that begins below a `baseURL`."""

from enum import StrEnum


class Protocol(StrEnum):
    """The API that a provider's endpoints speak."""

    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"


class MessagesWay(StrEnum):
    """How requests to `/v1/messages` reach a provider that speaks OpenAI's API."""

    FORWARD = "Forward"
    TRANSLATE = "Translate"


class ChatWay(StrEnum):
    """What becomes of requests to `/v1/chat/completions` at a provider that speaks Anthropic's API."""

    SKIP = "PassOver"
    TRANSLATE = "Translate"


_ROOT = "/v1"
ANTHROPIC_VERSION = "2023-06-01"
"""What a request says in `anthropic-version` where its client says nothing."""


def api_root(base_url: str, protocol: Protocol) -> str:
    """Return what stands for `/v1` of an endpoint's `baseURL`, without a slash at its end.

    Anthropic's own libraries take a base URL without `/v1`, and append `/v1/messages`; so do the pages of those who
    serve the same API. Either form is taken.
    """
    bare = base_url.rstrip("/")
    return bare if protocol is not Protocol.ANTHROPIC or bare.endswith(_ROOT) else f"{bare}{_ROOT}"
