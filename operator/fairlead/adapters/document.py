"""Text of a YAML or JSON file to plain documents, as strictly as a reviewer reads it.

What `kubectl` would silently repair is refused here with its line: a key that stands twice, a key that is no string,
an alias that contains itself. Dates stay strings and `yes` and `on` are booleans, both as for `kubectl`.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_NODES = 2_000_000
"""Values in one file, aliases counted each time: far above any real file, far below what fills the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One manifest and where it stands."""

    manifest: Mapping[str, Any]
    source: str
    """`path:line` of its first line."""
    node: yaml.Node | None = field(default=None, repr=False, compare=False)
    """What it was read from; None for JSON."""

    def place(self, field_path: str) -> str:
        """Return `path:line` of a field such as `spec.endpoints[0].baseURL`, or of the nearest that there is above."""
        path, _, line = self.source.rpartition(":")
        number = int(line)
        node = self.node
        for step in _STEP.findall(field_path):
            found = _child(node, *step)
            if found is None:
                break
            number, node = found
        return f"{path}:{number}"


_STEP = re.compile(r"(?:^|[.])([^.\[\]]+)|\[([^\]]*)\]")
"""A member or an index of the paths that problems have."""


def _child(node: yaml.Node | None, name: str, index: str) -> tuple[int, yaml.Node] | None:
    """Return the line from 1 where a member or an item of a node begins, and its node."""
    if isinstance(node, yaml.SequenceNode):
        if not index.isdecimal() or int(index) >= len(node.value):
            return None
        item: yaml.Node = node.value[int(index)]
        return item.start_mark.line + 1, item
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == (name or index):
                return key.start_mark.line + 1, value
    return None


class DocumentError(Exception):
    """The text cannot be read; the message starts with `path:line`."""

    def __init__(self, source: str, message: str) -> None:
        message = message.encode(errors="replace").decode()  # a key in it may have what cannot be written
        super().__init__(f"{source}: {message}")
        self.source = source
        self.message = message


def parse(text: str, path: str) -> tuple[Document, ...]:
    """All documents of a file; empty ones are left out. `path` names it in messages and decides the language."""
    if path.endswith(".json"):
        return _parse_json(text, path)
    try:
        return tuple(_parse_yaml(text, path))
    except DocumentError as error:
        action = _TEMPLATE.search(text)
        if action is None:
            raise
        line = text.count("\n", 0, action.start()) + 1
        raise DocumentError(f"{path}:{line}", _A_TEMPLATE) from error


_TEMPLATE = re.compile(r"\{\{-?\s*[\w.$\"(/]")
"""The beginning of an action of Go's templates, which YAML takes for a mapping within a mapping."""
_A_TEMPLATE = (
    "got `{{`, a template, want YAML, give what `helm template` makes of it instead, or leave the file out of `-f`"
)


# JSON

_HALF = re.compile("[\ud800-\udfff]")
"""What no file, line or answer can be written with; YAML refuses it by itself."""


def _parse_json(text: str, path: str) -> tuple[Document, ...]:
    if not text.strip():
        return ()

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(items)
        if len(mapping) != len(items):
            twice = next(key for i, (key, _) in enumerate(items) if key in dict(items[:i]))
            raise DocumentError(path, _twice(twice))
        return mapping

    def constant(name: str) -> None:
        raise DocumentError(path, f"got `{name}`, want a number that JSON knows")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
        half = _HALF.search(json.dumps(value, ensure_ascii=False))
    except json.JSONDecodeError as error:
        raise DocumentError(f"{path}:{error.lineno}", f"not JSON: {error.msg}, column {error.colno}") from None
    except RecursionError:
        raise DocumentError(path, "nested too deeply") from None
    if half is not None:
        raise DocumentError(path, f"got U+{ord(half[0]):04X}, half a character of UTF-16, want whole ones, write both")
    if not isinstance(value, dict):
        raise DocumentError(f"{path}:1", _not_a_mapping(value))
    return (Document(manifest=value, source=f"{path}:1"),)


# YAML


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the scalars of `_IMPLICIT`; only its nodes are used, never its constructors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own attribute


_IMPLICIT = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    (
        "tag:yaml.org,2002:bool",
        r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF",
        tuple("yYnNtTfFoO"),
    ),
    ("tag:yaml.org,2002:int", r"[-+]?(0|[1-9][0-9_]*)|0x[0-9a-fA-F_]+|0o?[0-7_]+|0b[01_]+", tuple("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?([0-9][0-9_]*)?\.[0-9]+([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*\.?([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        tuple("-+0123456789."),
    ),
    ("tag:yaml.org,2002:merge", r"<<", ("<",)),
)
for _tag, _pattern, _first in _IMPLICIT:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))


def _parse_yaml(text: str, path: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while (node := loader.get_node() if loader.check_node() else None) is not None:
            line = node.start_mark.line + 1
            value = _Reader(path).value(node)
            if value is None:
                continue
            if not isinstance(value, dict):
                raise DocumentError(f"{path}:{line}", _not_a_mapping(value))
            yield Document(manifest=value, source=f"{path}:{line}", node=node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        column = f", column {mark.column + 1}" if mark else ""
        raise DocumentError(where, f"not YAML: {error.problem or error.context}{column}") from None
    except yaml.YAMLError as error:
        raise DocumentError(path, f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise DocumentError(path, "nested too deeply") from None
    finally:
        loader.dispose()


class _Reader:
    """Nodes of one document to values."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: yaml.Node) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._error(node, f"more than {MAX_NODES} values once aliases are written out; write fewer aliases")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._error(node, "an alias contains itself; write the value out")
        if node.tag not in _COLLECTIONS:
            raise self._error(node, _tagged(node))
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item) for item in node.value]
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged = {**self._merge(value_node), **merged}
                continue
            key = self._key(key_node)
            if key in own:
                raise self._error(key_node, _twice(key))
            own[key] = self.value(value_node)
        return {**merged, **own}

    def _merge(self, node: yaml.Node) -> dict[str, Any]:
        value = self.value(node)
        parts = value if isinstance(value, list) else [value]
        result: dict[str, Any] = {}
        for part in reversed(parts):
            if not isinstance(part, dict):
                raise self._error(node, "got a value that is no mapping after `<<`, want an alias of a mapping")
            result.update(part)
        return result

    def _key(self, node: yaml.Node) -> str:
        key = self.value(node)
        if isinstance(key, str):
            return key
        got = f"`{node.value}`" if isinstance(node, yaml.ScalarNode) else "that is a list or a mapping"
        raise self._error(node, f"got the key {got}, want a string; quote it")

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        construct = _CONSTRUCT.get(node.tag)
        if construct is None:
            raise self._error(node, _tagged(node))
        try:
            return construct(node.value)
        except ValueError:
            kind = node.tag.rpartition(":")[2]
            raise self._error(
                node, f"got `{node.value}`, want a value of type {kind}; quote it if it is text"
            ) from None

    def _error(self, node: yaml.Node, message: str) -> DocumentError:
        return DocumentError(f"{self._path}:{node.start_mark.line + 1}", message)


def _boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in {"yes", "true", "on"}:
        return True
    if lowered in {"no", "false", "off"}:
        return False
    raise ValueError(text)


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    octal = re.fullmatch(r"([-+]?)0o?([0-7]+)", digits)
    return int(octal[1] + octal[2], 8) if octal else int(digits, 0)


def _number(text: str) -> float:
    value = float(text.replace("_", "").replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_CONSTRUCT: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": _boolean,
    "tag:yaml.org,2002:int": _integer,
    "tag:yaml.org,2002:float": _number,
}


_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def _tagged(node: yaml.Node) -> str:
    return f"got the tag `{node.tag}`, want plain YAML; remove it"


def _twice(key: str) -> str:
    return f"got the key `{key}` twice in one mapping, want it once; remove one"


def _not_a_mapping(value: Any) -> str:
    kind = "a list" if isinstance(value, list) else f"`{value}`"
    return f"got {kind}, want a mapping with `apiVersion` and `kind`"
