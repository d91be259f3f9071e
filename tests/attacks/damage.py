"""State that was damaged: bytes of a file turned, cut, doubled; values of a document replaced. All from a seed."""

import copy
import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

_JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**64, 1.5, 1e308, float("nan"), "", "x", "\0", "\ud800", "../../x", "a/b/c", "x" * 9_999,
    [], {}, [[]], [{}], {"": {}}, {"a": [None]}, ["x"], {"kind": "x", "namespace": "y", "name": "z"},
)  # fmt: skip
_BLOCKS = (b"", b"\0" * 512, b"\xff" * 512, b"[" * 100_000, b'{"a":' * 50_000, b"\xef\xbb\xbf", b"null", b"\r\n")


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Damage a file of any kind."""
    turned = bytearray(content)
    for _ in range(rng.choice((1, 1, 5, 100))):
        if turned:
            turned[rng.randrange(len(turned))] = rng.randrange(256)
    at, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    block = rng.choice(_BLOCKS)
    return rng.choice(
        (
            lambda: bytes(turned),
            lambda: content[:at],
            lambda: content[at:],
            lambda: content[:at] + content[end:],
            lambda: content[:at] + block + content[end:],
            lambda: block,
            lambda: content + content,
            lambda: content[:at] + bytes(end - at) + content[end:],
        )
    )()


def damaged_json(rng: random.Random, content: bytes) -> bytes:
    """Damage a document, as bytes or by its values."""
    if rng.random() < 0.4:
        return damaged(rng, content)
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 3))):
        document = _changed(rng, document)
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _changed(rng: random.Random, document: Any) -> Any:
    document = copy.deepcopy(document)
    places: list[Callable[[random.Random], None]] = []
    _places(document, places)
    if not places or rng.random() < 0.03:
        return rng.choice(_JUNK)
    rng.choice(places)(rng)
    return document


def _places(node: Any, places: list[Callable[[random.Random], None]]) -> None:
    """Collect what changes one value, or a name, each."""
    if isinstance(node, dict):
        for name in list(node):
            places += [partial(_replace, node, name), partial(_remove, node, name), partial(_rename, node, name)]
            _places(node[name], places)
    elif isinstance(node, list):
        for at, child in enumerate(node):
            places += [partial(_replace, node, at), partial(_double, node, child)]
            _places(child, places)


def _replace(node: Any, place: Any, rng: random.Random) -> None:
    node[place] = copy.deepcopy(rng.choice(_JUNK))


def _remove(node: Any, name: str, _: random.Random) -> None:
    del node[name]


def _rename(node: Any, name: str, rng: random.Random) -> None:
    node[str(rng.choice(_JUNK))] = node.pop(name)


def _double(node: Any, child: Any, _: random.Random) -> None:
    node.append(child)
