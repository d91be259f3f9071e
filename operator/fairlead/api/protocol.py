"""Which API a provider's endpoints speak, and where that begins below a `baseURL`."""

from enum import StrEnum


class Protocol(StrEnum):
    """The API that a provider's endpoints speak."""

    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"
    AZURE_OPENAI = "AzureOpenAI"
    GEMINI = "Gemini"
    BEDROCK = "Bedrock"


class MessagesWay(StrEnum):
    """How requests to `/v1/messages` reach a provider that speaks another API than Anthropic's."""

    FORWARD = "Forward"
    TRANSLATE = "Translate"


MESSAGES_WAY = {
    Protocol.OPENAI: MessagesWay.FORWARD,
    Protocol.ANTHROPIC: MessagesWay.FORWARD,
    Protocol.AZURE_OPENAI: MessagesWay.TRANSLATE,
    Protocol.GEMINI: MessagesWay.TRANSLATE,
    Protocol.BEDROCK: MessagesWay.TRANSLATE,
}
"""Where a provider says nothing. The last three have no path for messages."""


class ChatWay(StrEnum):
    """What becomes of requests to `/v1/chat/completions` at a provider that speaks Anthropic's API, or Bedrock's."""

    SKIP = "PassOver"
    TRANSLATE = "Translate"


class Reasoning(StrEnum):
    """How a model is told how much to think, in the words of another API than its client's."""

    LEAVE_OUT = "LeaveOut"
    EFFORT = "Effort"
    BUDGET = "Budget"


class Unsupported(StrEnum):
    """What becomes of parameters of sampling that a provider's API cannot say."""

    REFUSE = "Refuse"
    LEAVE_OUT = "LeaveOut"


WORDED = (Protocol.ANTHROPIC, Protocol.BEDROCK)
"""Protocols without chat/completions."""

_ROOT = "/v1"
_AZURE = "/openai"
_GEMINI = ("/v1beta", "/openai")
ANTHROPIC_VERSION = "2023-06-01"
"""What a request says in `anthropic-version` where its client says nothing."""


def api_root(base_url: str, protocol: Protocol, api_version: str | None = None) -> str:
    """Return what stands for `/v1` of an endpoint's `baseURL`, without a slash at its end.

    Anthropic's own libraries take a base URL without `/v1`, and append `/v1/messages`; so do the pages of those who
    serve the same API. Either form is taken. Of Azure's, the portal shows the resource alone, and its two libraries
    want `/openai` and `/openai/v1`: all three are taken, and `api_version` says which form is meant. Of Gemini's,
    OpenAI's API stands at `/v1beta/openai`; the host alone, or up to `/v1beta`, is taken too. Bedrock's has no
    path of its own.
    """
    bare = base_url.rstrip("/")
    match protocol:
        case Protocol.OPENAI | Protocol.BEDROCK:
            return bare
        case Protocol.ANTHROPIC:
            return bare if bare.endswith(_ROOT) else f"{bare}{_ROOT}"
        case Protocol.GEMINI:
            version, api = _GEMINI
            return f"{bare.removesuffix(api).removesuffix(version)}{version}{api}"
    bare = bare.removesuffix(_ROOT)
    azure = bare if bare.endswith(_AZURE) else f"{bare}{_AZURE}"
    return azure if api_version else f"{azure}{_ROOT}"


def with_version(path: str, api_version: str | None) -> str:
    """Return a path, or a URL, as it is asked for at an endpoint of this `apiVersion`; without one as it is."""
    if not api_version:
        return path
    return f"{path}{'&' if '?' in path else '?'}api-version={api_version}"
