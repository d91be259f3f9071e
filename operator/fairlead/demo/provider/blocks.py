"""What Anthropic's API takes as the content of messages: blocks by their type, and turns that follow one another.

Unlike elsewhere, members that no table names are refused, as the real one does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead.demo.provider import check

TOOL_NAME = "[a-zA-Z0-9_-]{1,128}"
_CALL_ID = "[a-zA-Z0-9_-]+"
MOST_MARKS = 4


def exactly(table: Mapping[str, check.Check], *required: str) -> check.Check:
    """Make a check for an object that has nothing but the fields of a table."""
    shaped = check.shape(table, *required)

    def checked(value: Any, path: str) -> None:
        shaped(value, path)
        refuse_others(value, table, path=f"{path}.")

    return checked


def refuse_others(value: Mapping[str, Any], table: Mapping[str, check.Check], *, path: str = "") -> None:
    """Refuse what no table names."""
    for name in value:
        if name not in table:
            raise check.Malformed(f"{path}{name}: Extra inputs are not permitted", f"{path}{name}")


def spoken(value: Any, path: str) -> None:
    """Accept a text that is not blank."""
    check.string(value, path)
    if not value.strip():
        raise check.Malformed(f"{path}: text content blocks must contain non-whitespace text", path)


def by_type(kinds: Mapping[str, check.Check]) -> check.Check:
    """Make a check for an object that is one of several kinds."""

    def checked(value: Any, path: str) -> None:
        check.mapping(value, path)
        kind = value.get("type")
        if kind not in kinds:
            raise check.Malformed(f"{path}: Input tag '{kind}' found using 'type' does not match", f"{path}.type")
        kinds[kind](value, path)

    return checked


def _anything(_value: Any, _path: str) -> None:
    pass


cached = exactly({"type": check.one_of("ephemeral"), "ttl": check.one_of("5m", "1h")}, "type")
_kind: Mapping[str, check.Check] = {"type": check.string, "cache_control": cached}
text = exactly({**_kind, "text": spoken, "citations": _anything}, "type", "text")
_source = by_type(
    {
        "base64": exactly(
            {
                "type": check.string,
                "media_type": check.one_of("image/jpeg", "image/png", "image/gif", "image/webp"),
                "data": check.matching("[A-Za-z0-9+/]+={0,2}"),
            },
            "media_type",
            "data",
        ),
        "url": exactly({"type": check.string, "url": check.matching("https://.+")}, "url"),
    }
)
_image = exactly({**_kind, "source": _source}, "source")
_shown = check.sequence(by_type({"text": text, "image": _image}))
_said = check.either("a string or an array", {str: check.string, list: _shown})
_result = exactly(
    {**_kind, "tool_use_id": check.matching(_CALL_ID), "content": _said, "is_error": check.boolean}, "tool_use_id"
)
_use = exactly(
    {
        **_kind,
        "id": check.matching(_CALL_ID),
        "name": check.matching(TOOL_NAME),
        "input": check.mapping,
        "caller": check.mapping,
    },
    "id",
    "name",
    "input",
)
block = by_type(
    {
        "text": text,
        "image": _image,
        "document": check.mapping,
        "tool_use": _use,
        "tool_result": _result,
        "thinking": exactly({"type": check.string, "thinking": check.string, "signature": check.string}, "signature"),
        "redacted_thinking": exactly({"type": check.string, "data": check.string}, "data"),
    }
)
content = check.either("a string or an array", {str: spoken, list: check.sequence(block, least=1)})


def check_turns(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse calls of tools that are not answered at once, and answers to none; turns of one role are one."""
    turns: list[tuple[str, list[Mapping[str, Any]]]] = []
    for message in messages:
        said = message["content"]
        blocks = [{"type": "text", "text": said}] if isinstance(said, str) else said
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks)
        else:
            turns.append((message["role"], list(blocks)))
    called: set[str] = set()
    for number, (role, blocks) in enumerate(turns):
        kinds = [one["type"] == "tool_result" for one in blocks]
        answered = {one["tool_use_id"] for one in blocks if one["type"] == "tool_result"}
        if kinds != sorted(kinds, reverse=True):
            raise check.Malformed(f"messages.{number}: `tool_result` blocks must come first", "messages")
        if called - answered:
            raise check.Malformed(
                f"messages.{number}: `tool_use` ids without `tool_result` blocks after them", "messages"
            )
        if answered - called:
            raise check.Malformed(f"messages.{number}: unexpected `tool_use_id` in `tool_result` blocks", "messages")
        called = {one["id"] for one in blocks if one["type"] == "tool_use"} if role == "assistant" else set()


def check_marks(body: Mapping[str, Any]) -> None:
    """Refuse more marks of the cache than there may be."""
    if _marks(body) > MOST_MARKS:
        raise check.Malformed("A maximum of 4 blocks with cache_control may be provided.", "cache_control")


def _marks(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_marks, value))
    if not isinstance(value, dict):
        return 0
    return (value.get("cache_control") is not None) + sum(map(_marks, value.values()))
