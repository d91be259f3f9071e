"""What a simulated provider is and how it behaves when nothing goes wrong."""

from dataclasses import dataclass

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it may be changed while the provider runs."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    models: tuple[str, ...] = ("model-a", "model-b")
    """Ids that it serves; another one is 404."""
    embedding_models: tuple[str, ...] = ()
    """Ids that make vectors and nothing else; if there are none, every id makes vectors too."""
    beside_models: tuple[str, ...] = ()
    """Ids for images, speech, rerank and moderations alone; if there are none, every id is for those too."""
    keys: tuple[str, ...] = ("test-key",)
    """Credentials that it takes; empty: it wants none, and refuses any."""
    header: str = "Authorization"
    """The header that carries the credential: after `Bearer ` in `Authorization`, as it is in any other."""
    base: str = "/v1"
    """What the paths start with."""
    anthropic: bool = False
    """Speaks Anthropic's API alone, as its own servers do: `/messages`, its count of tokens, models in its form."""
    azure: bool = False
    """Speaks Azure OpenAI's API: `models` are deployments, `base` is `/openai`, `header` is `api-key`."""
    gemini: bool = False
    """Speaks Gemini's OpenAI-compatible API; `base` is `/v1beta/openai`."""
    bedrock: bool = False
    """Speaks Bedrock's Converse; `base` is empty, `keys` are `<id>:<secret>`, of one for a time with `:<token>` behind
    it, and requests are signed for `region`."""
    region: str = "us-east-1"
    """Stands in every answer."""
    answer_tokens: int = 12
    """Length of an answer whose request does not say."""
    cached_percent: int = 25
    """Share of the prompt that counts as cached."""
    tokens_per_chunk: int = 1
    chunk_gap_ms: int = 0
    first_byte_ms: int = 0
    """Usual wait before the response headers."""
