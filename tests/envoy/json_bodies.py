"""Bodies for the request filter, from a seed: valid ones over all that JSON allows, mutated ones, and token soup."""

import random
from collections.abc import Callable, Iterator

from filter_gateway import ODD

READ = (
    "model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict",
    "n", "best_of", "n_cmpl", "prompt", "prompt_embeds", "background", "previous_response_id", "conversation",
)  # fmt: skip
RARE = (*READ[12:], "deferred", "models", "service_tier", "api_base", "tools", "input", "container", "metadata")
"""Most of them are refused, and then nothing else of the body is compared."""
NESTED = ("file_id", "container", "audio", "id", "parameters", "metadata", "input")
"""Keys that mean something inside other members."""
MODELS = ("chat", "capped", "capped", "everyone", "qwen/q3.5", "spread", "vectors", "eu-only", "gpt-9")
OTHER_KEYS = (
    "messages",
    "temperature",
    "n",
    "tools",
    "",
    "a",
    "modes",
    "Message",
    "é",
    "\u212a",
    "\u017f",
    'q"',
    "b\\s",
)
SPACES = ("", "", "", "", " ", "  ", "\n", "\t", "\r\n", " \n\t\r ")
TOKENS = (
    "{", "}", "[", "]", ":", ",", '"', "\\", '"model"', '"chat"', '"stream"', "true", "false", "null", "1", "-1", "1.5",
    "e9", '"max_tokens"', '"stream_options"', '{"include_usage":true}', " ", "\n", '"a"', '"\\u006d"', "\0", "é", "'",
)  # fmt: skip
PIECES = (
    *TOKENS,
    '\\"',
    "\\\\",
    "\\u",
    "\\ud800",
    "\x7f",
    "\x1f",
    "//",
    "/*",
    "NaN",
    "Infinity",
    "0",
    "\u017f",
    "\ufeff",
)


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Make `count` bodies; the same seed makes the same ones."""
    rng = random.Random(seed)
    makers: list[Callable[[], bytes]] = [
        lambda: _request(rng).encode("utf-8", "surrogatepass"),
        lambda: _mutated(rng, _request(rng).encode("utf-8", "surrogatepass")),
        lambda: _soup(rng).encode(),
    ]
    for _ in range(count):
        yield rng.choices(makers, (50, 42, 8))[0]()


def _request(rng: random.Random) -> str:
    """Write an object that could be a request, and often is one."""
    members = []
    if rng.random() < 0.97:
        members.append((_spelled(rng, "model"), _model(rng)))
    if rng.random() < 0.5:
        members.append((_spelled(rng, "stream"), rng.choice(("true", "true", "true", "false", "null", "1", '"true"'))))
    if rng.random() < 0.3:
        members.append((_spelled(rng, "stream_options"), _options(rng)))
    members += [(_spelled(rng, name), _limit(rng)) for name in READ[3:12] if rng.random() < 0.12]
    members += [(_spelled(rng, name), _limit(rng)) for name in RARE if rng.random() < 0.006]
    if rng.random() < 0.03:
        members.append((_spelled(rng, rng.choice(READ)), _value(rng, 2)))
    members += [
        (_string(rng, rng.choice(OTHER_KEYS)), _value(rng, rng.choice((1, 2, 3, 6))))
        for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))
    ]
    rng.shuffle(members)
    return _space(rng) + _object(rng, members) + _space(rng)


def _object(rng: random.Random, members: list[tuple[str, str]]) -> str:
    written = (f"{_space(rng)}{key}{_space(rng)}:{_space(rng)}{value}{_space(rng)}" for key, value in members)
    return "{" + (",".join(written) or _space(rng)) + "}"


def _spelled(rng: random.Random, name: str) -> str:
    """Spell a key that is read: mostly plainly."""
    if rng.random() < 0.985:
        return f'"{name}"'
    disguise = rng.choice(("escape", "upper", "title", "long s", "kelvin", "near"))
    if disguise == "escape":
        at = rng.randrange(len(name))
        return f'"{name[:at]}\\u{ord(name[at]):04x}{name[at + 1 :]}"'
    if disguise == "long s":
        return '"' + name.replace("s", rng.choice(("\u017f", "\\u017f", "\\u017F")), 1) + '"'
    if disguise == "kelvin":
        return '"' + name.replace("k", rng.choice(("\u212a", "\\u212A", "\\u212a")), 1) + '"'
    if disguise == "near":
        return f'"{name}{rng.choice(" s_")}"'
    return f'"{name.upper() if disguise == "upper" else name.title()}"'


def _model(rng: random.Random) -> str:
    if rng.random() < 0.9:
        return f'"{rng.choice(MODELS)}"'
    return rng.choice(
        (
            *('""', "null", "1", '"a b"', '"ch\\u0061t"', '"' + "x" * rng.choice((512, 513)) + '"', "[]", '"é"'),
            *(_string(rng, ODD) for _ in range(3)),
            *(_string(rng, rng.choice(("é", "日" * rng.choice((170, 171)), "-", "%2D", "\x85"))) for _ in range(3)),
        )
    )


def _options(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return rng.choice(("null", "true", "[]", '"x"', "{}", "{ }", "0"))
    members = [
        (_spelled(rng, "include_usage"), rng.choice(("true", "true", "false", "false", "null", "1", '"true"', "{}")))
        for _ in range(rng.choice((0, 1, 1, 1, 1, 1, 2)))
    ]
    if rng.random() < 0.4:
        members.append((_string(rng, rng.choice(("include_obfuscation", "x", "}"))), _value(rng, 2)))
    rng.shuffle(members)
    return _object(rng, members)


def _limit(rng: random.Random) -> str:
    return rng.choice(
        ("0", "1", "1999", "2000", "2001", "99999", "9" * 30, "null", "null", "-1", "1e9", "2.5", '"9"', "[]", "09999")
    )


def _value(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return rng.choice(("true", "false", "null"))
    if kind in (1, 2):
        return _number(rng)
    if kind in (3, 4):
        return _string(
            rng, rng.choice(("", "text", "model", '{"model":"x"}', "日本🙂", "a" * 300, "]}", "\\", '"', "x\ny"))
        )
    if kind == 5 and rng.random() < 0.05:
        return "[" * 300 + "]" * 300
    if kind in (5, 6):
        items = [_space(rng) + _value(rng, depth - 1) + _space(rng) for _ in range(rng.randrange(4))]
        return "[" + (",".join(items) or _space(rng)) + "]"
    keys = (*READ[:13], *OTHER_KEYS, *(NESTED if rng.random() < 0.03 else ()))
    return _object(rng, [(_string(rng, rng.choice(keys)), _value(rng, depth - 1)) for _ in range(rng.randrange(4))])


def _number(rng: random.Random) -> str:
    return rng.choice(
        ("0", "-0", "1", "1.0", "1e3", "1E+3", "-1.5e-7", "18446744073709551617", "0.10", "123456789" * 9, "1e999",
         str(rng.random()), str(rng.randrange(10**9)), *(("NaN", "-Infinity") if rng.random() < 0.05 else ()))
    )  # fmt: skip


def _string(rng: random.Random, text: str) -> str:
    """Write a string with more escapes than it needs."""
    if rng.random() < 0.1:
        text += rng.choice(("\ud83d\ude42", "\ud800", "\u2028", "\x7f", "\\", '"', "\b\f\t"))
    written = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            written.append(rng.choice((f"\\{char}", f"\\u{code:04x}")))
        elif code < 32 or 0xD800 <= code < 0xE000 or (code < 0x10000 and rng.random() < 0.04):
            written.append(f"\\u{code:04x}" if rng.random() < 0.5 else f"\\u{code:04X}")
        elif char == "/" and rng.random() < 0.3:
            written.append("\\/")
        else:
            written.append(char)
    return '"' + "".join(written) + '"'


def _space(rng: random.Random) -> str:
    return rng.choice(SPACES)


def _mutated(rng: random.Random, body: bytes) -> bytes:
    """Damage a body in up to three places; it may stay valid."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(body) + 1)
        to = min(len(body), at + rng.choice((1, 1, 1, 2, 5, 20)))
        kind = rng.randrange(7)
        piece = rng.choice(PIECES).encode("utf-8", "surrogatepass")
        if kind == 0:
            body = body[:at] + body[to:]
        elif kind == 1:
            body = body[:at] + piece + body[at:]
        elif kind == 2:
            body = body[:at] + piece + body[to:]
        elif kind == 3:
            body = body[:to] + body[at:to] + body[to:]
        elif kind == 4:
            body = body[:at]
        elif kind == 5:
            body = body[:at] + bytes([rng.randrange(256)]) + body[to:]
        else:
            # A structural byte turns into another one.
            places = [place for place, byte in enumerate(body) if byte in b'{}[]:,"\\']
            if places:
                place = rng.choice(places)
                body = (
                    body[:place]
                    + rng.choice((b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b""))
                    + body[place + 1 :]
                )
    return body


def _soup(rng: random.Random) -> str:
    tokens = rng.choices(TOKENS, k=rng.randrange(1, 25))
    return "".join(tokens) if rng.random() < 0.5 else "{" + "".join(tokens) + ',"model":"chat"}'
