"""Requests for rules, from a seed: prompts of every endpoint, in every spelling that JSON has, some of them amiss."""

import json
import random
from collections.abc import Iterator
from typing import Any

PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
LITERALS = ("hello", "SQL", "größe", "ΣΟΦΟΣ", "привет", "a", "ab", "abab", "日本", "\u00b5m", "x;y|z,=", "aabaa")
"""What rules look for; the words of texts are made of their letters."""
WORDS = (
    *("hello", "HeLLo", "hell", "sql", "SqL", "GRÖSSE", "grÖẞe", "GRÖßE", "σοφος", "Σοφοσ", "ПРИВЕТ", "Привет", "aab"),
    *("AB", "ABAB", "日本", "日", "\u039cM", "X;Y|Z,=", "aabaabaa", " ", "\n", '"', "\\", "/", "\u2028", "🐈", "\x7f"),
    *("\u0130", "\ud800", "\udc00", "\ufeff"),
)
MEMBERS = ("role", "content", "type", "text", "tool_calls", "arguments", "input", "output", "source", "refusal", "x")
TYPES = ("text", "input_text", "output_text", "image_url", "image", "input_image", "computer_screenshot", "tool_result")
NESTED = (
    "messages",
    "Messages",
    "mess\\u0061ges",
    "input",
    "system",
    "instructions",
    "text",
    "response_format",
    "prompt",
)


class Object(list[tuple[str, Any]]):
    """Members of an object, as often as they are given; keys as they are written between quotes."""


def bodies(seed: int, count: int, models: tuple[str, ...]) -> Iterator[tuple[bytes, str]]:
    """Make `count` requests, each with its path; the same seed makes the same ones."""
    rng = random.Random(seed)
    for _ in range(count):
        path = rng.choice(PATHS)
        yield _spelled(rng, _request(rng, path, rng.choice(models))).encode("utf-8", "surrogatepass"), path


def _request(rng: random.Random, path: str, model: str) -> Object:
    body = Object([("model", model)])
    match path:
        case "/v1/chat/completions":
            body += [("messages", _sometimes(rng, [_message(rng) for _ in range(rng.randint(0, 4))]))]
            body += _limits(rng, "max_tokens", "max_completion_tokens")
        case "/v1/completions":
            body += [
                (
                    "prompt",
                    _sometimes(rng, rng.choice([_text(rng), [_text(rng), _text(rng)], [1, 2.5, -3], [[1], [2]], []])),
                )
            ]
            body += _limits(rng, "max_tokens")
        case "/v1/responses":
            items = [rng.choice([_message, _item])(rng) for _ in range(rng.randint(0, 4))]
            body += [("input", _sometimes(rng, rng.choice([_text(rng), items, items])))]
            body += [("instructions", _text(rng))] if rng.random() < 0.3 else []
            body += [("text", Object([("format", _format(rng))]))] if rng.random() < 0.3 else []
            body += _limits(rng, "max_output_tokens")
        case _:
            body += [("messages", _sometimes(rng, [_message(rng) for _ in range(rng.randint(0, 4))]))]
            body += [("system", rng.choice([_text(rng), [_part(rng, 1)]]))] if rng.random() < 0.4 else []
            body += [("output_config", Object([("format", _format(rng))]))] if rng.random() < 0.3 else []
            body += [("output_format", _format(rng))] if rng.random() < 0.2 else []
            body += _limits(rng, "max_tokens")
    if rng.random() < 0.3:
        body.append(("response_format", _format(rng)))
    if rng.random() < 0.4:
        body.append(("tools", rng.choice([[], [Object([("type", "function"), ("name", "f")])], [1], None])))
    if rng.random() < 0.05:
        body.append(
            (rng.choice(("messages", "Messages", "mess\\u0061ges", "SYSTEM", "text", "responseFormat", "Text")), 1)
        )
    rng.shuffle(body)
    return body


def _limits(rng: random.Random, *names: str) -> list[tuple[str, Any]]:
    values = (1, 5, 99, 100, 101, 5000, None, 0, -1, 2.5, "7")
    return [(name, rng.choices(values, (8, 8, 8, 8, 8, 8, 4, 1, 1, 1, 1))[0]) for name in names if rng.random() < 0.5]


def _format(rng: random.Random) -> Any:
    kind = rng.choice(["json_object", "json_schema", "text", "grammar", 1])
    return rng.choice([Object([("type", kind)]), Object([("schema", 1), ("type", kind)]), kind, None])


def _sometimes(rng: random.Random, value: Any) -> Any:
    return value if rng.random() < 0.95 else rng.choice([None, 1, True, Object(), [], [1, "a", None], "text"])


def _message(rng: random.Random) -> Object:
    content = rng.choice([_text(rng), _text(rng), [_part(rng, 1) for _ in range(rng.randint(0, 3))]])
    message = Object(
        [
            ("role", rng.choice(["user", "user", "user", "assistant", "system", "tool", "User", None])),
            ("content", content),
        ]
    )
    if rng.random() < 0.15:
        call = Object([(rng.choice(["function", "custom"]), Object([("name", "f"), ("arguments", _text(rng))]))])
        message.append(("tool_calls", rng.choice([[call, call], [1], None])))
    return _damaged(rng, message)


def _item(rng: random.Random) -> Object:
    kind = rng.choice(["function_call", "function_call_output", "custom_tool_call", "reasoning"])
    item = Object([("type", kind)])
    item.append(
        rng.choice(
            [
                ("arguments", _text(rng)),
                ("output", _text(rng)),
                ("output", [_part(rng, 1)]),
                ("output", _part(rng, 1)),
                ("input", _text(rng)),
            ]
        )
    )
    return _damaged(rng, item)


def _part(rng: random.Random, level: int) -> Object:
    kind = rng.choice(TYPES)
    part = Object([("type", kind)])
    match rng.randint(0, 6):
        case 0 | 1 | 2:
            part.append(("text", _text(rng)))
        case 3:
            part.append(
                ("content", rng.choice([_text(rng), [_part(rng, level + 1) for _ in range(2)]]) if level < 6 else "")
            )
        case 4:
            data = ("data", _text(rng))
            kind = rng.choice(["text", "base64", "content"])
            inner = ("content", [_part(rng, level + 1)] if level < 6 else "")
            part.append(("source", _damaged(rng, Object([("type", kind), rng.choice([data, inner])]))))
        case 5:
            part.append(("input", Object([("a", _text(rng)), ("b", [_text(rng), 1, Object([("c", _text(rng))])])])))
        case _:
            part.append(("image_url", Object([("url", _text(rng))])))
    return _damaged(rng, part)


def _damaged(rng: random.Random, found: Object) -> Object:
    """Give a member twice, in a disguise, or as something else, now and then."""
    if rng.random() < 0.02:
        name = rng.choice(MEMBERS)
        found.append(
            (
                rng.choice([name, name.title(), f"\\u{ord(name[0]):04x}{name[1:]}", f"{name}\\u0000"]),
                rng.choice(["a", 1, None]),
            )
        )
    if found and rng.random() < 0.05:
        at = rng.randrange(len(found))
        found[at] = (found[at][0], rng.choice([None, 1, True, "", [], Object(), "image"]))
    if rng.random() < 0.3:
        rng.shuffle(found)
    return found


def _text(rng: random.Random) -> str:
    return "".join(rng.choice(WORDS) for _ in range(rng.choice((0, 1, 2, 3, 8, 40))))


def _spelled(rng: random.Random, value: Any) -> str:
    space = rng.choice(("", "", " ", "\n\t"))
    if isinstance(value, Object):
        members = (f'{space}"{key}"{space}:{space}{_spelled(rng, one)}' for key, one in value)
        return "{" + ",".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + ",".join(space + _spelled(rng, one) for one in value) + space + "]"
    if isinstance(value, str):
        return '"' + "".join(_letter(rng, letter) for letter in value) + '"'
    return json.dumps(value)


def _letter(rng: random.Random, letter: str) -> str:
    """Spell a character: as it is where JSON lets it stand, or as one of its escapes."""
    code = ord(letter)
    if 0xD800 <= code < 0xE000 or (letter in '"\\\n' and rng.random() < 0.5) or rng.random() < 0.1:
        return json.dumps(letter)[1:-1] if code < 0x80 and rng.random() < 0.5 else _escaped(code, rng)
    if letter in '"\\\n':
        return json.dumps(letter)[1:-1]
    return "\\/" if letter == "/" and rng.random() < 0.5 else letter


def _escaped(code: int, rng: random.Random) -> str:
    units = [code] if code < 0x10000 else [0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code - 0x10000 & 0x3FF)]
    form = rng.choice(("\\u{:04x}", "\\u{:04X}"))
    return "".join(form.format(unit) for unit in units)
