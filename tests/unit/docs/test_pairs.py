"""The table of docs/requests.md of what each API says in the words of the other is what the cases of both say."""

from pathlib import Path

import chat_cases
import converse_cases
import converse_chat_cases
import messages_cases
from messages_cases import Case

PAGE = Path(__file__).parents[3] / "docs" / "requests.md"
ROWS = (
    ("system prompts", "`system`, a text", "messages of `system` and", "`system`, a text", "messages of `system` and"),
    ("images by base64", "images by base64", "images as a `data:` URL", "images by base64", "images as a `data:` URL"),
    ("images by URL", "images by URL", "images by `https:`", "images by URL", "images by `https:`"),
    ("tools", "`tools` with", "`tools` of type `function`", "`tools` with", "`tools` of type `function`"),
    (
        "several calls at once",
        "`tool_use`, several",
        "`tool_calls`, several",
        "`tool_use`, several",
        "`tool_calls`, several",
    ),
    ("results of tools", "`tool_result`", "messages of `tool`", "`tool_result` with", "messages of `tool`"),
    (
        "a tool that must be called",
        "`tool_choice` `tool`",
        "`tool_choice` of a `function`",
        "`tool_choice` `tool`",
        "`tool_choice` of a `function`",
    ),
    (
        "one call at a time",
        "`disable_parallel_tool_use`",
        "`parallel_tool_calls: false`",
        "`disable_parallel_tool_use`",
        "`parallel_tool_calls: false`",
    ),
    ("a limit of the answer", "`max_tokens`", "`max_completion_tokens`", "`max_tokens`", "`max_completion_tokens`"),
    ("texts that end it", "`stop_sequences`, up to", "`stop`, a text", "`stop_sequences`", "`stop`, a text"),
    (
        "temperature up to 1",
        "`temperature`, `top_p`",
        "`temperature` up to 1",
        "`max_tokens`, `temperature`",
        "`max_completion_tokens`, `max_tokens`, `temperature`",
    ),
    ("temperature above 1", "", "`temperature` above 1", "", "`temperature` above 1"),
    ("`top_k`", "`top_k`", "`temperature` up to 1, `top_p`, `top_k`", "`top_k` for Claude", "`top_k` for Claude"),
    ("streams", "`stream`", "`stream`, `stream_options`", "`stream`", "`stream`, `stream_options`"),
    (
        "a schema of the answer",
        "`output_config.format`",
        "`response_format` `json_schema`",
        "`output_format`",
        "`response_format` `json_schema`",
    ),
    ("any JSON as the answer", "", "`response_format` `json_object`", "", "`response_format` `json_object`"),
    (
        "marks of the cache",
        "`cache_control`",
        "`cache_control`",
        "`cache_control` for Claude",
        "`cache_control` for Claude",
    ),
    ("who the user is", "`metadata`", "`user`", "`metadata`", "`user`"),
    ("how much it thinks", "`thinking`, and", "`reasoning_effort`", "`thinking` for Claude", "the same elsewhere"),
    ("the tier of service", "`service_tier`", "`service_tier`", "`service_tier`", "`service_tier`"),
    ("documents, audio", "documents, search", "parts of audio", "documents, search", "parts of audio"),
    ("several answers", "", "`n` above 1", "", "`n` above 1"),
    ("log probabilities", "", "`logprobs`", "", "`logprobs`"),
    ("penalties", "", "`presence_penalty`", "", "`presence_penalty`"),
    ("a seed", "", "`seed`", "", "`seed`"),
)
"""A feature, and how the case of each pair begins that shows it, at Bedrock Claude's; empty: it has no such thing."""


def becomes(cases: tuple[Case, ...], start: str) -> str:
    if not start:
        return "-"
    found = next(case for case in cases if case.what.startswith(start))
    if found.refused:
        return f"refused: 400, `{found.refused}`"
    return f"left out: `{found.left_out}`" if found.left_out else "translated"


COLUMNS = {
    "Messages at chat/completions": messages_cases.CASES,
    "chat/completions at Messages": chat_cases.CASES,
    "Messages at Bedrock": converse_cases.CASES,
    "chat/completions at Bedrock": converse_chat_cases.CASES,
}


def table() -> list[str]:
    made = [f"| feature | {' | '.join(COLUMNS)} |", f"|{'---|' * (1 + len(COLUMNS))}"]
    for feature, *starts in ROWS:
        cells = (feature, *map(becomes, COLUMNS.values(), starts))
        made.append(f"| {' | '.join(cells)} |")
    return made


def test_every_feature_stands_in_the_table_with_what_becomes_of_it() -> None:
    text = PAGE.read_text()
    assert text[text.index("<!-- pairs -->\n") :].splitlines()[1 : len(table()) + 1] == table()
