"""The forty conversations, what becomes of each at a kind of provider, and the plan by which programs have them.

A column is a provider's protocol, or a ladder of two. What a client's API cannot be told there is known by the groups
of `left_out` and `refused`: which API the provider speaks.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("conversations.yaml")
KEY = "sk-team-web/app"
STATUSES = (400, 401, 429, 503, 529)
"""What a provider may be made to answer: its model is called so."""
BROKEN = "fails-503"
"""The first rung of ladders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where a conversation is had."""

    name: str
    speaks: str
    """The API of the provider, `openai` or `anthropic`, of a ladder that of the rung that answers."""
    first: str = ""
    """Of a ladder, the API of its first rung, which fails."""
    of: str = ""
    """The provider that answers."""
    says: str = ""
    """What its answers begin with, where that is not its name."""


COLUMNS = (
    Column(name="openai", speaks="openai", of="openai"),
    Column(name="azure", speaks="openai", of="azure"),
    Column(name="gemini", speaks="openai", of="gemini"),
    Column(name="anthropic", speaks="anthropic", of="anthropic"),
    Column(name="bedrock", speaks="bedrock", of="bedrock", says="us-east-1"),
    Column(name="openai, anthropic", first="openai", speaks="anthropic", of="anthropic"),
    Column(name="anthropic, openai", first="anthropic", speaks="openai", of="openai"),
)
"""A provider of another protocol is a line here, and one of `providers.PROTOCOLS`."""
LANGUAGES = ("Python", "JavaScript")
TURN_BY_TURN = Column(name="turn by turn", speaks="", of="")
OWN = {"chat": "openai", "messages": "anthropic"}
"""Which API of a provider is that of the client."""
STOP = {"chat": "stop", "messages": "end_turn"}
MOST = 100
"""Tokens of an answer to Messages whose conversation does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One of them, as the file has it."""

    name: str
    api: str
    turns: tuple[dict[str, Any], ...]
    ask: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    there: dict[str, str] = field(default_factory=dict)
    at: tuple[str, ...] = ()

    def columns(self) -> tuple[Column, ...]:
        """Say where it is had."""
        return tuple(one for one in (*COLUMNS, TURN_BY_TURN) if one.name in self.at or (not self.at and one.of))

    def refusal(self, column: Column) -> str:
        """Say what the gateway names that cannot be said there, or nothing."""
        return self.refused.get(column.speaks, "")

    def hints(self, column: Column) -> set[str]:
        """Say which hints are left out there."""
        found = self.left_out.get(column.speaks, ())
        return {found} if isinstance(found, str) else set(found)

    def cell(self, column: Column) -> str:
        """Say what becomes of it there, for people."""
        if column not in self.columns():
            return ""
        if not column.of:
            return "in the words of each"
        kind = "as it came" if column.speaks == OWN[self.api] else "translated"
        if self.refusal(column):
            # The rung that could say it is the one that fails; or the other one is passed over
            return (
                f"the first rung's 503, no other can say `{self.refusal(column)}`"
                if column.first
                else self._named(column)
            )
        if self.refused.get(column.first):
            return f"{kind}; the first rung is passed over"
        return kind + self._but(column)

    def _but(self, column: Column) -> str:
        if column.name in self.there:
            return f"; its own 400: `{self.there[column.name]}`"
        late = {one["refused"][column.speaks] for one in self.turns if column.speaks in one.get("refused", {})}
        if late:
            return f"; refused in one turn: 400, `{late.pop()}`"
        hints = ", ".join(f"`{one}`" for one in sorted(self.hints(column)))
        return f"; left out: {hints}" if hints else ""

    def _named(self, column: Column) -> str:
        return f"refused: 400, `{self.refusal(column)}`"


@cache
def conversations() -> tuple[Conversation, ...]:
    """Read the file."""
    written = yaml.safe_load(FILE.read_text())["conversations"]
    return tuple(
        Conversation(**{**one, "turns": tuple(one["turns"]), "at": tuple(one.get("at", ()))}) for one in written
    )


def table() -> list[str]:
    """Write what becomes of each."""
    heads = [one.name for one in (*COLUMNS, TURN_BY_TURN)]
    lines = [f"| client | conversation | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
    for one in conversations():
        cells = [one.cell(column) or "-" for column in (*COLUMNS, TURN_BY_TURN)]
        lines.append(f"| {one.api} | {one.name} | {' | '.join(cells)} |")
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A conversation at one place in one form."""

    of: Conversation
    column: Column
    language: str
    stream: bool

    @property
    def name(self) -> str:
        """Name it, for one line."""
        form = "streamed" if self.stream else "whole"
        return f"{self.of.api}: {self.of.name}, at {self.column.name}, {self.language}, {form}"

    def turn(self, one: dict[str, Any]) -> dict[str, Any]:
        """Make a turn as programs have it."""
        model = route(self.column.name) if "model" not in one else one["model"]
        if one.get("fails"):
            model = f"{model}-{one['fails']}"
        said = {name: one[name] for name in ("say", "results", "then") if name in one}
        if "times" in one:
            said["say"] = one["say"] * one["times"]
        members = {"max_tokens": MOST} if self.of.api == "messages" and "max_tokens" not in self.of.ask else {}
        return {
            **said,
            "model": model,
            "key": one.get("key", KEY),
            "ask": members | one.get("ask", {}),
            "counts": one.get("counts", False),
        }

    def told(self) -> dict[str, Any]:
        """Make it as programs have it."""
        turns = [self.turn(one) for one in self.of.turns]
        return {"name": self.name, "api": self.of.api, "stream": self.stream, "ask": self.of.ask, "turns": turns}


def route(column: str) -> str:
    """Name the route of a column."""
    return column.replace(", ", "-then-")


def runs() -> Iterator[Run]:
    """Have each conversation at each place in each language: what is whole in one is streamed in the other."""
    for number, one in enumerate(conversations()):
        for place, column in enumerate(one.columns()):
            for language in LANGUAGES:
                is_stream = (number + place + LANGUAGES.index(language)) % 2 == 1
                yield Run(of=one, column=column, language=language, stream=is_stream)


def plan(base: str, language: str) -> dict[str, Any]:
    """Make what the program of a language reads."""
    return {"base": base, "runs": [one.told() for one in runs() if one.language == language]}


SPOKEN = "I say so."
"""What the other side says in `requests`."""


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Make each turn's request, as if the other side had done what is expected of it: the API, a name, the body."""
    for one in conversations():
        history: list[dict[str, Any]] = []
        run = Run(of=one, column=COLUMNS[0], language=LANGUAGES[0], stream=False)
        calls: list[str] = []
        for number, written in enumerate(one.turns, start=1):
            turn = run.turn(written)
            history += _said(one.api, turn, calls)
            if not {"key", "counts", "fails"} & set(written):
                body = {"model": "m", "messages": history, **one.ask, **turn["ask"]}
                yield one.api, f"{one.name}, turn {number}", copy.deepcopy(body)
            calls = written.get("expect", {}).get("calls", [])
            history.append(_answer(one.api, calls, number))


def _said(api: str, turn: dict[str, Any], calls: list[str]) -> list[dict[str, Any]]:
    if "say" in turn:
        return [{"role": "user", "content": turn["say"]}] if isinstance(turn["say"], str) else turn["say"]
    results = list(enumerate(turn["results"][: len(calls)]))
    then = [turn["then"]] if "then" in turn else []
    if api == "chat":
        said = [{"role": "tool", "tool_call_id": f"call_{at}", "content": content} for at, content in results]
        return said + [{"role": "user", "content": text} for text in then]
    told = [content if isinstance(content, dict) else {"content": content} for _, content in results]
    blocks = [{"type": "tool_result", "tool_use_id": f"call_{at}", **one} for at, one in enumerate(told)]
    return [{"role": "user", "content": [*blocks, *({"type": "text", "text": text} for text in then)]}]


def _answer(api: str, calls: list[str], number: int) -> dict[str, Any]:
    given = {"city": f"é {number}"}
    if api == "messages":
        blocks = [
            {"type": "tool_use", "id": f"call_{at}", "name": name, "input": given} for at, name in enumerate(calls)
        ]
        return {"role": "assistant", "content": [{"type": "text", "text": SPOKEN}, *blocks]}
    called = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for at, name in enumerate(calls)
    ]
    return {"role": "assistant", "content": SPOKEN, **({"tool_calls": called} if called else {})}
