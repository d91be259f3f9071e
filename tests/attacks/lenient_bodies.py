"""Bodies that are JSON to some parsers only, with another model where these look: from a seed."""

import random
from collections.abc import Iterator

import json_bodies

_BETWEEN = (
    '/*"*/', "/*,*/", "/*}*/", "/*{*/", "/**/", '//"\n', "//\n", '#"\n', "# }\n", "<!--\n", ",", ";", "\v", "\f", "\0",
    "\ufeff", "\u00a0", "\u2028", "\x1e", "'", "`", '"""', "+", "nul", "\\", "=>",
)  # fmt: skip
_INSIDE = (
    '\\"', "\\\\", "\\'", "\\x22", "\\x5c", "\\u{22}", "\\042", "\\u22", "\\u0022", "\\v", "\\0", "\\u0000", "\\\n",
    "\n", "\r", "\t", "\0", "\x1b", "\x7f", "\ud800", "\u2028", "/*", "*/", "//", "#", "'", "\\/", "\\ud83d", "\\uDE00",
)  # fmt: skip
_LITERALS = ("NaN", "-Infinity", "undefined", "True", "None", "+1", ".5", "1.", "01", "0x1F", "1_0", "'a'", "a", "1e5")
_DECOYS = (
    '"model":"everyone"', "'model':'everyone'", 'model:"everyone"', '"model" "everyone"', '"Model":"everyone"',
    '"max_tokens":99999', '"n":128', '"stream":true', '"mod\\x65l":"everyone"', '"model\\0":"everyone"',
)  # fmt: skip


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Make `count` bodies; the same seed makes the same ones."""
    rng = random.Random(seed)
    plain = json_bodies.bodies(seed, count)
    for body in plain:
        if rng.random() < 0.5:
            yield body
        else:
            yield _attack(rng).encode("utf-8", "surrogatepass")


def _attack(rng: random.Random) -> str:
    """Write a request with a decoy behind what a strict parser and a lenient one may read differently."""
    members = ['"model":"chat"', '"messages":' + _container(rng, 2), _decoy(rng), f'"max_tokens":{rng.choice((1, 9))}']
    members += [f'"a{number}":{_value(rng, 2)}' for number in range(rng.randrange(3))]
    rng.shuffle(members)
    return _maybe(rng) + "{" + _join(rng, members) + "}" + _maybe(rng)


def _decoy(rng: random.Random) -> str:
    decoy = rng.choice(_DECOYS)
    if rng.random() < 0.1:
        # A quote that opens a string to one parser, and stands in a comment, or in a string, to another.
        quote = rng.choice(('/*"*/', '//"\n', '#"\n', '"\\x22"', "'\"'", '"\\\'"\'"'))
        return f'"x":[{quote}],{decoy},"y":[{quote}]'
    return rng.choice((f'"x":"{_text(rng)}{decoy}"', f'"y":[{_maybe(rng)}{decoy}]', f'"z":{{{decoy}}}', decoy, '"w":0'))


def _join(rng: random.Random, parts: list[str]) -> str:
    return "".join(f"{',' if number else ''}{_maybe(rng)}{part}{_maybe(rng)}" for number, part in enumerate(parts))


def _container(rng: random.Random, depth: int) -> str:
    if rng.random() < 0.5:
        return "[" + _join(rng, [_value(rng, depth - 1) for _ in range(rng.randrange(4))]) + "]"
    return "{" + _join(rng, [f'"{_text(rng)}":{_value(rng, depth - 1)}' for _ in range(rng.randrange(3))]) + "}"


def _value(rng: random.Random, depth: int) -> str:
    if depth and rng.random() < 0.4:
        return _container(rng, depth)
    if rng.random() < 0.03:
        return rng.choice(_LITERALS)
    return f'"{_text(rng)}"' if rng.random() < 0.7 else rng.choice(("1", "true", "null", "-1.5e3"))


def _text(rng: random.Random) -> str:
    return "a" * rng.randrange(4) + (rng.choice(_INSIDE) if rng.random() < 0.15 else "")


def _maybe(rng: random.Random) -> str:
    return rng.choice(_BETWEEN) if rng.random() < 0.02 else ""
