"""What providers say of their tokens, and what is right: see `test_tokens.py`."""

from dataclasses import dataclass
from typing import Any

CHAT, COMPLETIONS, RESPONSES, MESSAGES, EMBEDDINGS = (
    f"/v1/{path}" for path in ("chat/completions", "completions", "responses", "messages", "embeddings")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What the log line says; None where the provider left it open."""

    input: int | None
    output: int | None
    cached: int = 0
    status: int = 1


COMPLETE, INCOMPLETE, IMPOSSIBLE = 1, 2, 3
ANTHROPIC_START = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
    "output_tokens": 1,
}
OPENAI = {
    "prompt_tokens": 30,
    "completion_tokens": 20,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 5, "image_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 4},
}
RESPONSE = {
    "input_tokens": 6,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 13,
}


def usage(**counts: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"content": 'so "usage":{ it is'}}], "usage": counts}


WHOLE: list[tuple[str, str, dict[str, Any], Right | None]] = [
    ("both sides", CHAT, usage(prompt_tokens=3, completion_tokens=4), Right(input=3, output=4)),
    ("reasoning inside the output", CHAT, usage(**OPENAI), Right(input=30, output=20, cached=8)),
    (
        "reasoning in the total alone",
        CHAT,
        usage(prompt_tokens=10, completion_tokens=20, total_tokens=154),
        Right(input=10, output=144),
    ),
    (
        "zeros",
        CHAT,
        usage(prompt_tokens=0, completion_tokens=0, total_tokens=0),
        Right(input=0, output=0),
    ),
    ("a total alone", CHAT, usage(total_tokens=812), Right(input=None, output=None, status=INCOMPLETE)),
    ("a total alone, of embeddings", EMBEDDINGS, usage(total_tokens=812), Right(input=812, output=0)),
    ("embeddings", EMBEDDINGS, usage(prompt_tokens=8, total_tokens=8), Right(input=8, output=0)),
    ("one side", CHAT, usage(completion_tokens=8), Right(input=None, output=8, status=INCOMPLETE)),
    (
        "DeepSeek",
        CHAT,
        usage(
            prompt_tokens=10,
            completion_tokens=2,
            total_tokens=12,
            prompt_cache_hit_tokens=6,
            prompt_cache_miss_tokens=4,
        ),
        Right(input=10, output=2, cached=6),
    ),
    (
        "Moonshot",
        CHAT,
        usage(prompt_tokens=10, completion_tokens=2, total_tokens=12, cached_tokens=6),
        Right(input=10, output=2, cached=6),
    ),
    ("text completions", COMPLETIONS, usage(prompt_tokens=3, completion_tokens=4), Right(input=3, output=4)),
    (
        "Responses",
        RESPONSES,
        {"tools": [{"usage": {"input_tokens": 1}}], "usage": RESPONSE},
        Right(input=6, output=7, cached=2),
    ),
    (
        "Messages",
        MESSAGES,
        {"usage": {**ANTHROPIC_START, "output_tokens": 50}},
        Right(input=1103, output=50, cached=1000),
    ),
    (
        "Messages that name the parts of a cache write alone",
        MESSAGES,
        {"usage": {"input_tokens": 100, "output_tokens": 5, "cache_creation": ANTHROPIC_START["cache_creation"]}},
        Right(input=200, output=5),
    ),
    (
        "reasoning beside the output, without a total",
        CHAT,
        usage(prompt_tokens=10, completion_tokens=50, completion_tokens_details={"reasoning_tokens": 500}),
        Right(input=10, output=550),
    ),
    (
        "reasoning that is more than the output that the total has",
        CHAT,
        usage(
            prompt_tokens=10,
            completion_tokens=50,
            total_tokens=60,
            completion_tokens_details={"reasoning_tokens": 500},
        ),
        Right(input=10, output=50, status=IMPOSSIBLE),
    ),
    (
        "less than its parts",
        CHAT,
        usage(prompt_tokens=5, completion_tokens=9, total_tokens=3),
        Right(input=5, output=9, status=IMPOSSIBLE),
    ),
    ("negative", CHAT, usage(prompt_tokens=-5, completion_tokens=9), Right(input=None, output=9, status=IMPOSSIBLE)),
    ("a fraction", CHAT, usage(prompt_tokens=1.5, completion_tokens=9), Right(input=None, output=9, status=IMPOSSIBLE)),
    (
        "12 digits",
        CHAT,
        usage(prompt_tokens=10**12, completion_tokens=9),
        Right(input=None, output=9, status=IMPOSSIBLE),
    ),
    (
        "20 digits",
        CHAT,
        usage(prompt_tokens=10**20, completion_tokens=9),
        Right(input=None, output=9, status=IMPOSSIBLE),
    ),
    ("a text", CHAT, usage(prompt_tokens="5", completion_tokens=9), Right(input=None, output=9, status=IMPOSSIBLE)),
    ("null", CHAT, {"choices": [], "usage": None}, None),
    ("nothing", CHAT, {"choices": []}, None),
    (
        "still at work",
        RESPONSES,
        {"background": True, "status": "queued", "usage": None},
        Right(input=None, output=None, status=INCOMPLETE),
    ),
]
"""Answers in one piece: what it is, its path, its members, what is right (None: no usage at all)."""


def chunk(**members: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": "x"}}], **members}


def running(output: int) -> dict[str, Any]:
    return chunk(usage={"prompt_tokens": 5, "completion_tokens": output, "total_tokens": 5 + output})


STREAMS: list[tuple[str, str, list[dict[str, Any]], Right | None]] = [
    ("running counts", CHAT, [running(output) for output in (0, 1, 2, 3, 4)], Right(input=5, output=4)),
    (
        "null but once",
        CHAT,
        [chunk(usage=None), chunk(usage=None), {"choices": [], "usage": OPENAI}],
        Right(input=30, output=20, cached=8),
    ),
    (
        "an error",
        CHAT,
        [chunk(), {"error": {"code": 502, "usage": {"prompt_tokens": 7, "completion_tokens": 8}}}],
        Right(input=7, output=8),
    ),
    (
        "usage beside an error",
        CHAT,
        [chunk(), {"error": {"code": 502}, "usage": {"prompt_tokens": 7, "completion_tokens": 8}}],
        Right(input=7, output=8),
    ),
    ("Groq", CHAT, [chunk(x_groq={"usage": {"prompt_tokens": 7, "completion_tokens": 8}})], Right(input=7, output=8)),
    (
        "Messages",
        MESSAGES,
        [
            {"type": "message_start", "message": {"usage": ANTHROPIC_START}},
            {"type": "content_block_delta", "delta": {"text": "hi"}},
            {"type": "message_delta", "usage": {"output_tokens": 50}},
        ],
        Right(input=1103, output=50, cached=1000),
    ),
    (
        "Messages without their last delta",
        MESSAGES,
        [{"type": "message_start", "message": {"usage": ANTHROPIC_START}}, {"type": "content_block_delta"}],
        Right(input=1103, output=None, cached=1000, status=INCOMPLETE),
    ),
    (
        "Responses",
        RESPONSES,
        [
            {"type": "response.created", "response": {"usage": None}},
            {"type": "response.completed", "response": {"usage": RESPONSE}},
        ],
        Right(input=6, output=7, cached=2),
    ),
    ("nothing", CHAT, [chunk()], None),
]
"""Streams: what it is, its path, its events, what is right."""
